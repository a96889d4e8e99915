"""Real servers for the tests: each on a free port, with separate data, ended with the tests."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded import ports, s3, valkey
from embedded.parent_death import ends_with_parent

ROOT = Path(__file__).resolve().parents[2]

#: How long a server may take until it responds on its port, and until it has ended after SIGTERM.
START_S = 60.0
STOP_S = 60.0

S3_ACCESS_KEY = "test-access-key"
S3_SECRET_KEY = "test-secret-key"


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anything that Postrider reads, and with `extra`."""
    keep = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in keep if name in os.environ} | dict(extra)


@contextmanager
def running(
    command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server from the repository's root until the block ends.

    Args:
        command: its command line.
        port: the port on loopback on which it will listen; the block starts once it does.
        log: the file for its output.
        environment: variables in addition to those of this process.

    Raises:
        RuntimeError: it ended, or did not listen in time; the message has its output.
    """
    with log.open("wb") as output:
        server = subprocess.Popen(
            ends_with_parent(command),
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(server, port, log)
        yield server
    finally:
        stop(server)


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not ports.answers(port):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.args!r} does not listen on {port}:\n{log.read_text(errors='replace')}")
        time.sleep(0.01)


def stop(server: subprocess.Popen[bytes]) -> int:
    """End a server cleanly, or by SIGKILL if SIGTERM does not end it in time; return its exit code."""
    server.terminate()
    try:
        return server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


@contextmanager
def valkey_server(directory: Path, port: int | None = None, *, keeps: bool = True) -> Iterator[str]:
    """A Valkey server that persists into `directory`, as `make run` starts it; its `redis://` address.

    Args:
        directory: an existing one.
        port: where it listens; None: on a free one.
        keeps: False for one that writes nothing to disk.
    """
    port = port or ports.free_port()
    command = valkey.command(port, directory) + ([] if keeps else ["--appendonly", "no"])
    with running(command, port, directory / "valkey.log"):
        yield f"redis://{ports.LOOPBACK}:{port}/0"


@contextmanager
def s3_server(directory: Path, port: int | None = None) -> Iterator[str]:
    """An S3 server that keeps its objects in `directory`, as `make run` starts it; its `http://` address."""
    port = port or ports.free_port()
    data = directory / "data"
    data.mkdir(exist_ok=True)
    credentials = s3.environment(S3_ACCESS_KEY, S3_SECRET_KEY)
    with running(s3.command(port, data), port, directory / "s3.log", credentials):
        yield f"http://{ports.LOOPBACK}:{port}"
