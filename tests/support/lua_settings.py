"""The settings that exist only in the Lua scripts, for tests that wait for them or need others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from campaigns import keys
from campaigns.db import scripts

_FOLDER: Final = Path(keys.__file__).parent / "lua"


def setting(name: str) -> int:
    """A setting of a script or include, such as `BREAKER_MAX_MS`."""
    found = [match[1] for text in _texts() for match in _definition(name).finditer(text)]
    assert len(found) == 1, f"{name} occurs {len(found)} times in {_FOLDER}"
    product = 1
    for factor in found[0].split("*"):
        product *= int(factor)
    return product


def change_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    """Give another value of a setting to the scripts that are sent from now on."""
    setting(name)
    real = scripts.source
    changed = f"local {name} = {value}"
    monkeypatch.setattr(scripts, "source", lambda script: _definition(name).sub(changed, real(script)))


def _definition(name: str) -> re.Pattern[str]:
    return re.compile(rf"^local {name} = (\d+(?: \* \d+)*)$", re.MULTILINE)


def _texts() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(_FOLDER.rglob("*.lua"))]
