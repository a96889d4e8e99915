"""The house around Postrider on one machine: a Redis and an S3 server that come with the Python packages, and the
processes that `make run` keeps alive. Knows nothing of campaigns, and nothing else in the project imports it.
"""
