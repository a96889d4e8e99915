"""The API token kept in a file: made at the first start, for its owner's eyes only, and the same from then on.

For an installation that must not go without a token and whose operator has set none, as with `docker compose up`.
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
    """The token to ask for: that of the setting, else that of the file, which is made where it is missing.

    Raises:
        SettingError: the file can neither be read nor made, or holds no token.
    """
    path = settings.api_token_file
    if settings.api_token or settings.allow_anonymous or path is None:
        return settings.api_token
    try:
        made = _make(path)
        found = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingError(_SETTING, f"{path} cannot be used: {reason}; make it writable, or set API_TOKEN") from None
    if not found or not found.isprintable():
        raise SettingError(_SETTING, f"{path} holds no token; write one line into it, or remove it to have one made")
    # Where it is, never what it is.
    log.info(
        "api_token_made" if made else "api_token_read", file=str(path), hint=f"the page at / asks for it: cat {path}"
    )
    return found


def _make(path: Path) -> bool:
    """Whether the file was missing. Several processes may start at once: the first one's token is everybody's."""
    if path.exists():
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")  # so that the file is there whole or not at all
    draft.touch(mode=0o600, exist_ok=False)
    try:
        draft.write_text(f"{secrets.token_urlsafe(30)}\n")
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
