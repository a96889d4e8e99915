"""Which server the commands talk to, and the token for it: from options, the environment, or a file.

The file is TOML with `url` and `token`. Options and variables take precedence over it.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cli.errors import CommandError, ExitCode

DEFAULT_URL: Final = "http://localhost:8080"
#: The fields of the file.
_FIELDS: Final = frozenset({"url", "token"})


@dataclass(frozen=True, slots=True)
class Profile:
    """A server. `url`: without a slash at the end. `token`: the API token; None: the server needs none. `source`: where
    the token comes from, in words.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    source: str = field(default="nowhere", compare=False)


def config_file(environment: Mapping[str, str]) -> Path:
    """The path of the file: `POSTRIDER_CONFIG`, or `postrider/config.toml` in the user's configuration directory."""
    if named := environment.get("POSTRIDER_CONFIG"):
        return Path(named)
    base = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "postrider" / "config.toml"


def load(url: str | None, token: str | None, file: Path) -> Profile:
    """The server to use.

    The file's token belongs to the file's server: it is never sent to another one.

    Args:
        url: the server's address, from an option or the environment.
        token: the API token, from an option or the environment.
        file: the configuration file; it may be missing.

    Raises:
        CommandError: the address or the file is wrong.
    """
    stored = _read(file)
    address = _checked(url or stored.get("url") or DEFAULT_URL)
    source = "--token or POSTRIDER_TOKEN"
    if not token and address == _checked(stored.get("url") or DEFAULT_URL):
        token, source = stored.get("token"), str(file)
    return Profile(address, checked_token(token), source) if token else Profile(address)


def checked_token(token: str) -> str:
    """A token without blanks around it.

    Raises:
        CommandError: it is empty, or has a character that no token has.
    """
    if not token.strip() or not (token.isascii() and token.isprintable()):
        raise _wrong("The token has characters that no token has: check POSTRIDER_TOKEN, --token or the file.")
    return token.strip()


def store(file: Path, url: str, token: str | None) -> bool:
    """Write a server and its token to the file, which only this user may read; None: remove the token.

    Returns:
        Whether the file has changed.
    """
    before = _read(file)
    if token is None and "token" not in before:
        return False
    lines = [f"url = {json.dumps(url if token else before.get('url', url))}"]
    if token is not None:
        lines.append(f"token = {json.dumps(token)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.new")
    draft.touch(mode=0o600)
    draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draft.replace(file)
    return True


def _read(file: Path) -> dict[str, str]:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise _wrong(f"{file} cannot be read: {error}.") from error
    for name, value in found.items():
        if name not in _FIELDS or not isinstance(value, str):
            raise _wrong(f'{file}: {name} is wrong; the file has the lines url = "..." and token = "..." only.')
    return found


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise _wrong(f"{url!r} is no address of a server: write it like {DEFAULT_URL}.")
    if parts.username is not None:
        raise _wrong("The server's address must not hold a user or password: use --token or POSTRIDER_TOKEN.")
    return url.rstrip("/")


def _wrong(detail: str) -> CommandError:
    return CommandError(detail, ExitCode.USAGE)


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the command line keeps what it needs to continue an interrupted upload."""
    base = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "postrider"
