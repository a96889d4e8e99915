"""Files and directories that only their owner may read."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def directory(path: Path) -> None:
    """Create the directory with mode 0700, or set that mode on an existing one. The mode protects all files in it.

    Raises:
        SystemExit: the directory is shared on purpose, as /tmp is, or belongs to another user.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = path.stat().st_mode
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    with contextlib.suppress(PermissionError):
        if not mode & stat.S_ISVTX:
            return path.chmod(0o700)
    raise SystemExit(f"postrider: other users may read {path}; set VAR_DIR to a directory that only you may read")


def write(path: Path, text: str) -> None:
    """Write a file atomically: it exists complete or not at all, also after a power failure."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
