"""The HTTP API and the page. `uvicorn api:app` serves them.

The package translates between HTTP and the layers below: it calls `campaigns` and `storage`, and gives their results
and errors a status and a body. It makes no decision about campaigns, sends no email and keeps no state.
`api.endpoints` is the table of contents.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Make `api.app` from the environment on first access, so that importing a module of this package has no effect."""
    if name != "app":
        raise AttributeError(name)
    from api.application import from_environment  # noqa: PLC0415 - it imports this package

    app = globals()["app"] = from_environment()
    return app
