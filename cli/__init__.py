"""The command line `postrider`: campaigns from a terminal or a script, over the REST API alone.

This package imports nothing of the server, so that it can be installed without it.
"""
