"""Files under `var/` with secrets of the embedded servers: there whole or not at all, and for their owner alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write(path: Path, fill: Callable[[IO[str]], object]) -> None:
    """Make the file, or replace it.

    Args:
        path: where it shall be.
        fill: writes what it shall hold.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    with draft.open("w") as file:
        fill(file)
    draft.replace(path)


def password(path: Path) -> str:
    """The password that the file holds, made at the first call: letters, digits, `-` and `_`."""
    if not path.exists():
        write(path, lambda file: file.write(f"{secrets.token_urlsafe(30)}\n"))
    return path.read_text().strip()
