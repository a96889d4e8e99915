"""What `make run` does before it starts anything: one supervisor at a time, free ports, credentials made once."""

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

from embedded import lock, ports, s3


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_answers_and_is_not_free(taken_port: int) -> None:
    assert ports.answers(taken_port)
    assert not ports.is_free(taken_port)


def test_the_preferred_port_is_used_where_it_is_free(taken_port: int) -> None:
    free = ports.free_port()
    assert free != taken_port
    assert not ports.answers(free)
    assert ports.free_port(free) == free
    assert ports.free_port(taken_port) != taken_port


def test_a_second_supervisor_is_told_of_the_first(tmp_path: Path) -> None:
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


@pytest.fixture
def leftover(tmp_path: Path) -> Iterator[BinaryIO]:
    """A lock that the server of a killed supervisor still holds, by the file it has inherited."""
    path = tmp_path / "run.lock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(str(dead.pid))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def test_the_servers_of_a_killed_supervisor_are_waited_for(tmp_path: Path, leftover: BinaryIO) -> None:
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


def test_the_s3_credentials_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "s3-credentials"
    made = s3.credentials(path)
    assert all(len(part) >= 20 for part in made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert s3.credentials(path) == made
    assert s3.credentials(tmp_path / "another") != made
