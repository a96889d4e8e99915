"""The web side: HTTP in, calls into `campaigns` and `storage` out. `uvicorn api:app` serves it.

It decides nothing about campaigns, sends nothing and keeps nothing; it gives what those layers say a status and a body.
`api.endpoints` is the table of contents.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`api.app`, made from the environment once it is asked for: importing a module of this package makes nothing."""
    if name != "app":
        raise AttributeError(name)
    from api.application import from_environment  # noqa: PLC0415 - it imports this package

    app = globals()["app"] = from_environment()
    return app
