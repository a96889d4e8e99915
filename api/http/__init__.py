"""The parts of a web server that do not depend on what it serves: access, slow clients, errors (RFC 9457), request log.

The package knows the format of campaign ids, and nothing else about campaigns.
"""
