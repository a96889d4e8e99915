"""The API token kept in a file that only its owner may read. The first start makes the token; later starts reuse it.

This serves installations that need a token although the operator has set none, such as `docker compose up`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import structlog

from settings import SettingError, Settings

log = structlog.get_logger(__name__)

_SETTING = "API_TOKEN_FILE"


def token(settings: Settings) -> str | None:
    """The API token: from the setting, else from the file, which is made if it is missing; None: no token is needed.

    Raises:
        SettingError: the file can be neither read nor made, or contains no token.
    """
    path = settings.api_token_file
    if settings.api_token or settings.allow_anonymous or path is None:
        return settings.api_token
    try:
        made = _make(path)
        found = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingError(_SETTING, f"{path} cannot be used: {reason}; make it writable, or set API_TOKEN") from None
    if not found or not found.isprintable():
        raise SettingError(_SETTING, f"{path} contains no token; write one line into it, or delete it to get a new one")
    # Log where the token is, never the token.
    log.info(
        "api_token_made" if made else "api_token_read",
        file=str(path),
        hint=f"the page at / asks for it; to see it: cat {path}",
    )
    return found


def _make(path: Path) -> bool:
    """Make the file if it is missing; return whether it was. Of several processes that start at once, one makes it."""
    if path.exists():
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")  # so that the file appears complete or not at all
    draft.touch(mode=0o600, exist_ok=False)
    try:
        draft.write_text(f"{secrets.token_urlsafe(30)}\n")
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
