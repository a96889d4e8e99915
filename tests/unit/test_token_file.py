"""The API token's file: made once, readable only by its owner, never shown."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import settings
from api.http import token_file


def token(path: Path, **more: str) -> str | None:
    return token_file.token(settings.load({"API_TOKEN_FILE": str(path), **more}))


def test_the_token_is_made_at_the_first_start_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "var" / "api-token"
    with capture_logs() as logged:
        made, again = token(path), token(path)
    assert made
    assert made == again == path.read_text().strip()
    assert len(made) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line["event"] for line in logged] == ["api_token_made", "api_token_read"]
    assert made not in str(logged)
    assert all(line["file"] == str(path) for line in logged)
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_at_once_agree_on_one_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(token, [tmp_path / "api-token"] * 64))
    assert len(found) == 1


def test_a_token_from_the_settings_wins(tmp_path: Path) -> None:
    path = tmp_path / "api-token"
    assert token(path, API_TOKEN="mine") == "mine"
    assert token(path, ALLOW_ANONYMOUS="true") is None
    assert token_file.token(settings.load({})) is None
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b" \n", b"a\nb", b"\xff"])
def test_a_file_without_a_token_stops_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "api-token"
    path.write_bytes(content)
    with pytest.raises(settings.SettingError, match=r"^postrider: setting API_TOKEN_FILE: .*api-token"):
        token(path)


def test_a_file_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(settings.SettingError, match="set API_TOKEN"):
        token(tmp_path / "file" / "api-token")
