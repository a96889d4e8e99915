"""The names of all settings, as the source of `settings` has them."""

from __future__ import annotations

import re
from pathlib import Path

from settings.accounts import OF_DEFAULT

_FOLDER = Path(__file__).parents[2] / "settings"


def all_names() -> set[str]:
    """The names of the settings without a prefix. Those of named accounts are in `ACCOUNT_SETTINGS`."""
    source = "".join(file.read_text() for file in _FOLDER.glob("*.py"))
    source = re.sub(r"__all__ = \[.*?\]", "", source, flags=re.DOTALL)
    return set(re.findall(r'"([A-Z][A-Z0-9_]{2,}[A-Z0-9])"', source)) - set(OF_DEFAULT)
