"""A worker with Postbox: `dramatiq tests.support.postbox_worker`."""

from __future__ import annotations

from tests.support import postbox_installed

postbox_installed.install()

import actors  # noqa: E402, F401 - the import builds the worker, which takes the provider from the tables
