"""Loads the Lua scripts of `campaigns/lua`: one command per file. `--include name` inserts a shared part of `lua/lib`.

Callers pass keys and arguments by the names that a script's header declares (see `signatures`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from campaigns.db.signatures import Keys, Signature, WrongCall, WrongHeader
from campaigns.db.typed_redis import Script, typed

#: The command that runs a script, and the command for a script that only reads. Redis refuses all writes of the latter.
_RUN: Final = "EVALSHA"
_READ: Final = "EVALSHA_RO"

_INCLUDE = re.compile(r"^--include (\w+)$", re.MULTILINE)

#: Keys and arguments of one run of a script.
Call = tuple[Keys, Mapping[str, Any]]


@cache
def text_of(name: str) -> str:
    """The text of a script's file.

    Raises:
        FileNotFoundError: no script has this name.
    """
    return (files("campaigns") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def with_includes(text: str) -> str:
    """The text with each include inserted once, at its first mention. An include may include others."""
    lib = files("campaigns") / "lua" / "lib"
    filled: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        if match[1] in filled:
            return ""
        filled.add(match[1])
        return _INCLUDE.sub(fill, (lib / f"{match[1]}.lua").read_text(encoding="utf-8"))

    return _INCLUDE.sub(fill, text)


@cache
def signature(name: str) -> Signature:
    """The keys and arguments that a script's header declares.

    Raises:
        WrongHeader
    """
    try:
        return Signature.parse(text_of(name))
    except WrongHeader as error:
        raise WrongHeader(f"{name}.lua: {error}") from None


@cache
def source(name: str) -> str:
    """The text that Redis gets: the locals of the script's signature, then the script with its includes."""
    return signature(name).locals() + with_includes(text_of(name))


def load_all() -> None:
    """Read all scripts. A process calls this at its start, so that files that change later do not reach it."""
    for file in (files("campaigns") / "lua").iterdir():
        if file.name.endswith(".lua"):
            source(file.name.removesuffix(".lua"))


class Scripts:
    """The scripts on one Redis. Each is sent once and then called by its digest.

    Raises:
        WrongCall: from every method, before any command, if a call does not fit the script's header.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._scripts: dict[str, Script] = {}
        self._read = _READ

    def __call__(self, name: str, keys: Keys, /, **args: Any) -> Any:
        """Run a script.

        Raises:
            redis.RedisError: Redis is unavailable, or refuses the call.
        """
        all_keys, all_args = _encoded(name, keys, args)
        return self._script(name)(keys=all_keys, args=all_args)

    def each(self, name: str, calls: Sequence[Call]) -> list[Any]:
        """Run a script several times in one round trip. The runs are independent.

        Args:
            name: the script.
            calls: keys and arguments of each run.

        Returns:
            The responses, in order; a RedisError for each run that Redis has refused.

        Raises:
            redis.RedisError: Redis is unavailable; each of the runs may have taken place.
        """
        return self._each(_RUN, name, calls)

    def read(self, name: str, keys: Keys, /, **args: Any) -> Any:
        """Run a script that only reads. This works while Redis accepts no writes.

        Raises:
            redis.RedisError: Redis is unavailable or refuses the call, or the script writes.
        """
        [answer] = self.read_each(name, [(keys, args)])
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def read_each(self, name: str, calls: Sequence[Call]) -> list[Any]:
        """As `each`, for a script that only reads."""
        answers = self._each(self._read, name, calls)
        if self._read == _READ and any(map(_knows_no_reading, answers)):  # before Redis 7
            self._read = _RUN
            return self._each(_RUN, name, calls)
        return answers

    def _each(self, command: str, name: str, calls: Sequence[Call]) -> list[Any]:
        encoded = [_encoded(name, keys, args) for keys, args in calls]
        script = self._script(name)
        answers = self._pipelined(command, script.sha, encoded)
        missing = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if missing:
            self._redis.script_load(script.script)
            again = self._pipelined(command, script.sha, [encoded[number] for number in missing])
            for number, answer in zip(missing, again, strict=True):
                answers[number] = answer
        return answers

    def _script(self, name: str) -> Script:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._redis.register_script(source(name))
        return script

    def _pipelined(self, command: str, sha: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for keys, args in calls:
                pipeline.execute_command(command, sha, len(keys), *keys, *args)
            return list(pipeline.execute(raise_on_error=False))


def _encoded(name: str, keys: Keys, args: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    try:
        return signature(name).encode(keys, args)
    except WrongCall as error:
        raise WrongCall(f"{name}: {error}") from None


def _knows_no_reading(answer: object) -> bool:
    return isinstance(answer, ResponseError) and str(answer).startswith("unknown command")
