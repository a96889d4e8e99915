"""Typed look-ups in the environment, each failing with one clear line that names the setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

T = TypeVar("T")

#: The highest rate a campaign can have, in transactions per minute.
MAX_TPM = 10_000_000

#: The fewest characters of a secret that signs.
SECRET_KEY_CHARS = 32

#: A whole number in ASCII. `str.isdigit` also accepts "²", which `int` refuses; `int` also refuses very long numbers.
DIGITS = re.compile(r"[0-9]{1,9}")
#: A name of this server: letters, digits, `.`, `-`, `_`, an IP address, or `*.` and a name.
HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[?[0-9a-f:.]+\]?")
#: An email address in ASCII whose domain has a dot.
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class SettingError(SystemExit):
    """A setting has a wrong value. This exception stops the start with one clear line."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"postrider: setting {name}: {problem}")


class Environment:
    """Typed look-ups in a mapping, each failing with the setting's name.

    Args:
        values: the environment.
        prefix: what the names of the settings start with; a look-up names the rest.
        asked: collects the whole names that are looked up.
    """

    def __init__(self, values: Mapping[str, str], prefix: str = "", asked: set[str] | None = None) -> None:
        self._values = values
        self._prefix = prefix
        self._asked = set() if asked is None else asked

    @property
    def asked(self) -> frozenset[str]:
        """The names that have been looked up."""
        return frozenset(self._asked)

    def of(self, prefix: str) -> Environment:
        """The settings whose names start with this prefix."""
        return Environment(self._values, self._prefix + prefix, self._asked)

    def error(self, name: str, problem: str) -> SettingError:
        """The error that stops the start because of this setting."""
        return SettingError(self._prefix + name, problem)

    def text(self, name: str, default: str | None = None) -> str | None:
        self._asked.add(self._prefix + name)
        value = self._values.get(self._prefix + name, "").strip()
        return value or default

    def required_text(self, name: str, default: str) -> str:
        return self.text(name) or default

    def _number(self, name: str, default: T, convert: Callable[[str], T]) -> T:
        raw = self.text(name)
        if raw is None:
            return default
        try:
            return convert(raw)
        except ValueError:
            raise self.error(name, f"{raw!r} is not a number") from None

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        return self._within(name, self._number(name, default, int), low, high)

    def seconds(self, name: str, default: float, low: float, high: float) -> float:
        return self._within(name, self._number(name, default, float), low, high)

    def percent(self, name: str) -> float | None:
        """More than 0 and at most 100; None if it is not set."""
        if self.text(name) is None:
            return None
        value = self._number(name, 0.0, float)
        if not 0 < value <= 100:
            raise self.error(name, f"{value:g} is no percentage; expected more than 0 and at most 100")
        return value

    def _within(self, name: str, value: T, low: T, high: T) -> T:
        if not low <= value <= high:  # type: ignore[operator]
            raise self.error(name, f"{value} is not within {low} to {high}")
        return value

    def limits(self, name: str) -> Mapping[str, int]:
        """`gmail.com=600,*=300`: one limit per domain."""
        found: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in self.required_text(name, "").split(","))):
            domain, separator, limit = part.partition("=")
            if not separator or not domain.strip() or not DIGITS.fullmatch(limit.strip()):
                raise self.error(name, f"{part!r} is not of the form domain=limit")
            found[domain.strip().lower()] = self._within(name, int(limit), 1, MAX_TPM)
        return found

    def flag(self, name: str, default: bool) -> bool:
        raw = (self.text(name) or str(default)).lower()
        if raw not in {"true", "false", "1", "0", "yes", "no"}:
            raise self.error(name, f"{raw!r} is neither true nor false")
        return raw in {"true", "1", "yes"}

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.required_text(name, default).lower()
        if value not in allowed:
            raise self.error(name, f"{value!r} is not one of {', '.join(allowed)}")
        return value

    def secret(self, name: str) -> str | None:
        """A value that no error message may show, not even in part."""
        value = self.text(name)
        if value is not None and not value.isprintable():
            raise self.error(name, "has a line break or a control character in it; give it as one line")
        return value

    def key(self, name: str) -> str | None:
        """A secret that signs."""
        value = self.secret(name)
        if value is not None and len(value) < SECRET_KEY_CHARS:
            problem = (
                f"has {len(value)} characters; give at least {SECRET_KEY_CHARS}, for example: openssl rand -hex 32"
            )
            raise self.error(name, problem)
        return value

    def mailbox(self, name: str) -> str | None:
        """An email address alone, without a name."""
        value = self.text(name)
        if value is not None and not _MAILBOX.fullmatch(value):
            raise self.error(name, f"{value!r} is no email address; expected name@example.com")
        return value

    def hosts(self, name: str) -> tuple[str, ...]:
        """`web,*.example.com`: host names without port."""
        found = [part.strip().lower() for part in self.required_text(name, "").split(",")]
        for host in filter(None, found):
            if not HOST.fullmatch(host):
                raise self.error(name, f"{host!r} is no host name; expected names without scheme, port and path")
        return tuple(host.strip("[]") for host in found if host)

    def url(self, name: str, default: str | None, schemes: tuple[str, ...]) -> str | None:
        value = self.text(name, default)
        if value is None:
            return None
        parts = split_url(value)
        if parts is None or parts.scheme not in schemes or not parts.hostname:
            starts = " or ".join(f"{scheme}://" for scheme in schemes)
            raise self.error(name, f"expected an address that starts with {starts} and names a host")
        if parts.username is not None:
            raise self.error(name, "has a user or a password in it, which is not used; leave out what stands before @")
        return value.rstrip("/")


def split_url(url: str) -> SplitResult | None:
    """The parts of a URL; None if it is malformed. The library's error is dropped, because it may show a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if url.isprintable() and " " not in url else None
