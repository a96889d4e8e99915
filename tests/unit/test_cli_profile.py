"""Which server and which token the command line uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import profile
from cli.errors import CommandError, ExitCode
from cli.profile import DEFAULT_URL, Profile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "config.toml"
    found.write_text('url = "https://post.example.com/"\ntoken = "from-file"\n')
    return found


def test_without_anything_it_is_the_server_of_this_machine(tmp_path: Path) -> None:
    assert profile.load(None, None, tmp_path / "none.toml") == Profile(DEFAULT_URL)


def test_the_file_gives_both(file: Path) -> None:
    assert profile.load(None, None, file) == Profile("https://post.example.com", "from-file")
    assert profile.load("https://post.example.com", None, file).token == "from-file"


def test_options_and_variables_take_precedence(file: Path) -> None:
    assert profile.load(None, "given", file) == Profile("https://post.example.com", "given")


def test_the_files_token_goes_to_no_other_server(file: Path) -> None:
    assert profile.load("https://other.example.com", None, file).token is None


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(Profile(DEFAULT_URL, "secret"))


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", "http://a:b@host", "http://host/?x=1"])
def test_a_wrong_address_is_a_usage_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        profile.load(url, None, tmp_path / "none.toml")
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize("text", ["url = ", "uri = 'x'", "token = 5", 'token = "a\nb"', 'token = "a\\nb"', "\xff"])
def test_a_wrong_file_is_a_usage_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(CommandError) as caught:
        profile.load(None, None, file)
    assert caught.value.code is ExitCode.USAGE


def test_where_the_file_is() -> None:
    assert profile.config_file({"POSTRIDER_CONFIG": "/x.toml"}) == Path("/x.toml")
    assert profile.config_file({"XDG_CONFIG_HOME": "/c"}) == Path("/c/postrider/config.toml")
    assert profile.config_file({}).parts[-3:] == (".config", "postrider", "config.toml")
