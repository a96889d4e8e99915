"""Who makes the change under way, for the history: the client of the request, or the system itself."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

#: Changes that no client has asked for.
SYSTEM: Final = "system"
#: A client of an installation without an API token.
ANONYMOUS: Final = "anonymous"
#: A client with the installation's API token.
KEY_HOLDER: Final = "api-token"

_ACTOR: Final = ContextVar("actor", default=SYSTEM)


def current() -> str:
    """Who makes the change: the name of a token, `anonymous`, or `system`. Never an address."""
    return _ACTOR.get()


def begin(name: str) -> None:
    """Attribute what this context, and the threads that it starts, changes from now on."""
    _ACTOR.set(name)
