"""Loads the Lua scripts of `campaigns/lua`: one command a file, shared parts taken in by `--include name` from
`lua/lib`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis

_INCLUDE = re.compile(r"^--include (\w+)$", re.MULTILINE)


@cache
def source(name: str) -> str:
    """The text of a script, its includes filled in.

    Raises:
        FileNotFoundError: there is no script of this name.
    """
    root = files("campaigns") / "lua"
    text = (root / f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda match: (root / "lib" / f"{match[1]}.lua").read_text(encoding="utf-8"), text)


class Scripts:
    """The scripts on one Redis; each is sent once and then called by its digest."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts: dict[str, Any] = {}

    def __call__(self, name: str, keys: Iterable[str], args: Iterable[Any]) -> Any:
        """Run a script.

        Raises:
            redis.RedisError: Redis cannot be asked, or refuses.
        """
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._redis.register_script(source(name))
        return script(keys=list(keys), args=list(args))
