"""The web side: HTTP in, calls into `campaigns` and `storage` out. `uvicorn api:app` serves it.

It decides nothing about campaigns, sends nothing and keeps nothing; it gives what those layers say a status and a body.
`api.routes` is the table of contents.
"""

from __future__ import annotations

from functools import cache

from starlette.applications import Starlette


def __getattr__(name: str) -> Starlette:
    """`api.app`, made from the environment when it is asked for: importing a module of this package makes nothing."""
    if name == "app":
        return _app()
    raise AttributeError(name)


@cache
def _app() -> Starlette:
    from api.application import create_app  # noqa: PLC0415 - it imports this package

    return create_app()
