"""What `make run` does before it starts anything: one supervisor at a time, free ports, a directory that other users
cannot enter, credentials made once.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from embedded import lock, ports, private, s3, valkey
from embedded.processes import Program, StartError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_responds_and_is_not_free(taken_port: int) -> None:
    assert ports.answers(taken_port)
    assert not ports.is_free(taken_port)


def test_the_preferred_port_is_used_if_it_is_free(taken_port: int) -> None:
    free = ports.free_port()
    assert free != taken_port
    assert not ports.answers(free)
    assert ports.free_port(free) == free
    assert ports.free_port(taken_port) != taken_port


def test_a_second_supervisor_is_refused_and_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with (
        lock.exclusive(path),
        pytest.raises(SystemExit, match=rf"^postrider: already running here \(process {os.getpid()}\)"),
        lock.exclusive(path),
    ):
        pytest.fail("two at a time")


def test_the_lock_is_free_once_its_holder_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with lock.exclusive(path):
        pass
    with lock.exclusive(path):
        assert path.read_text() == str(os.getpid())
    assert _mode(path) == 0o600


@pytest.fixture
def leftover(tmp_path: Path) -> Iterator[BinaryIO]:
    """A lock that the server of a killed supervisor still holds, through the file that it inherited."""
    path = tmp_path / "run.lock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(str(dead.pid))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def test_a_start_waits_for_the_servers_of_a_killed_supervisor(tmp_path: Path, leftover: BinaryIO) -> None:
    ending = threading.Timer(0.2, leftover.close)
    ending.start()
    with lock.exclusive(tmp_path / "run.lock"):
        assert not ending.is_alive()
    ending.join()


@pytest.mark.usefixtures("leftover")
def test_servers_that_do_not_end_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LEFTOVERS_S", 0.1)
    with pytest.raises(SystemExit, match="servers of an earlier run"), lock.exclusive(tmp_path / "run.lock"):
        pytest.fail("two at a time")


def test_the_s3_credentials_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    path = tmp_path / "s3-credentials"
    made = s3.credentials(path)
    assert all(len(part) >= 20 for part in made)
    assert _mode(path) == 0o600
    assert s3.credentials(path) == made
    assert s3.credentials(tmp_path / "another") != made


def test_the_redis_password_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    made = valkey.password(config)
    assert len(made) >= 32
    assert config.read_text() == f"requirepass {made}\n"
    assert _mode(config) == 0o600
    assert valkey.password(config) == made
    assert valkey.password(tmp_path / "another") != made
    assert made not in " ".join(valkey.command(6379, tmp_path, config))


def test_the_redis_password_is_read_from_an_edited_configuration(tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.write_text('# mine\nrequirepass first\nmaxclients 100\nrequirepass "second"\n')
    assert valkey.password(config) == "second"


@pytest.mark.parametrize("text", ["", "# requirepass secret\n", 'requirepass ""\n', "requirepass\n"])
def test_a_redis_configuration_without_a_password_is_refused(tmp_path: Path, text: str) -> None:
    config = tmp_path / "redis.conf"
    config.write_text(text)
    with pytest.raises(StartError, match=r"redis\.conf has no line 'requirepass PASSWORD'; delete the file"):
        valkey.password(config)


def test_a_private_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    (tmp_path / "secret.new").write_text("of a start that was killed: longer than the next one")

    def full(_: int) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            private.write(path, "half")
    assert not path.exists()
    private.write(path, "whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o700])
def test_a_directory_that_others_may_enter_is_closed(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "var"
    path.mkdir()
    path.chmod(mode)
    private.directory(path)
    assert _mode(path) == 0o700


def test_a_new_directory_is_closed(tmp_path: Path) -> None:
    private.directory(tmp_path / "some" / "var")
    assert _mode(tmp_path / "some" / "var") == 0o700


def test_a_directory_that_all_users_share_is_refused_and_stays_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "var"
    path.mkdir()
    path.chmod(0o1777)
    with pytest.raises(SystemExit, match=r"^postrider: other users may read .*/var; set VAR_DIR"):
        private.directory(path)
    assert _mode(path) == 0o1777


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(SystemExit, match="set VAR_DIR to a directory that only you may read"):
        private.directory(tmp_path)


def test_the_text_form_of_a_program_shows_no_environment_variable() -> None:
    assert "secret" not in repr(Program("web", ["true"], {"REDIS_URL": "redis://:secret@127.0.0.1/0"}))
