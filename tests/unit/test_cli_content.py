"""A campaign's body from options and files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli import content
from cli.errors import CommandError


def test_options_win_over_the_file_and_paths_are_read(tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"subject": "Old", "ramp": {"from": 10}, "tpm": 5}')
    (tmp_path / "text.txt").write_bytes("\ufeffDear {{ name }}".encode())
    body = content.body_of(tmp_path / "body.json", subject="New", text=tmp_path / "text.txt", tpm=None)
    assert body == {"subject": "New", "ramp": {"from": 10}, "tpm": 5, "text": "Dear {{ name }}"}


@pytest.mark.parametrize("raw", [b"[]", b"{", b"\xff\xfe{"])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "body.json").write_bytes(raw)
    with pytest.raises(CommandError, match=r"body\.json"):
        content.body_of(tmp_path / "body.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        content.body_of(None, html=tmp_path / "none.html")


def test_headers() -> None:
    assert content.headers_of(["X-Campaign: spring: 1", "X-B:2"]) == {"X-Campaign": "spring: 1", "X-B": "2"}
    assert content.headers_of(None) is None
    with pytest.raises(CommandError, match="no name"):
        content.headers_of(["spring"])


@pytest.mark.parametrize(
    ("name", "stem"), [("Häagen Kunden (1).csv", "H-agen-Kunden-1"), ("---.csv", "campaign"), ("a" * 90, "a" * 40)]
)
def test_an_id_is_one_that_the_api_takes(name: str, stem: str) -> None:
    assert content.id_for(Path(name), datetime(2026, 11, 24, 8, 30, tzinfo=UTC)) == f"{stem}-20261124-083000"
