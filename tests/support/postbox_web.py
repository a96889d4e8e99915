"""The web process with Postbox: `uvicorn tests.support.postbox_web:app`."""

from __future__ import annotations

from tests.support import postbox_installed

postbox_installed.install()

from api import app  # noqa: E402, F401 - made from the environment, so the provider must be there
