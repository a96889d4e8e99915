"""The secret key of `make run`, which signs unsubscribe links: made at the first start and kept for ever.

Links in emails that have been sent verify only as long as this key is kept.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from embedded import private
from embedded.processes import StartError


def kept(path: Path) -> str:
    """The key in the file, which is made if it is missing, and which only its owner may read.

    Raises:
        StartError: the file holds no key.
    """
    if not path.exists():
        private.write(path, f"{secrets.token_urlsafe(32)}\n")
    found = path.read_text().strip()
    if not found:
        raise StartError(f"{path} holds no key; restore it from a backup, or delete it to get a new key")
    return found
