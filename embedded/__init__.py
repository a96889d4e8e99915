"""What runs Postrider on one machine: Redis and S3 servers from Python packages, and the supervisor of `make run`.

The package knows nothing of campaigns. Only `run.py` and the tests import it.
"""
