"""`make run` end to end: a killed worker, a clean stop, data that survive, and clear words when it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis

from embedded import ports
from embedded.parent_death import ends_with_parent
from tests.support import make_run
from tests.support.make_run import MakeRun
from tests.support.services import ROOT, S3_ACCESS_KEY, S3_SECRET_KEY, clean_environment
from tests.support.waiting import PATIENCE_S, until


def test_a_killed_worker_is_restarted_and_the_campaign_continues_after_a_restart(tmp_path: Path) -> None:
    # Given a campaign under way
    with make_run.running(tmp_path) as started:
        started.until_ready()
        started.send_campaign("c1", rows=400, tpm=100_000)
        started.until_status("c1", "completed")
        started.send_campaign("c2", rows=200, tpm=60)
        until(lambda: started.status("c2")["done"] >= 1, "the first email of c2")

        # When all processes of its worker are killed
        workers = started.programs("dramatiq actors")
        assert workers
        for worker in workers:
            os.kill(worker, signal.SIGKILL)

        # Then the worker is started again, with a line that says so
        until(lambda: set(started.programs("dramatiq actors")) - set(workers), "another worker")
        assert "postrider: worker 1 ended (by SIGKILL): restarting it" in started.output()
        before = started.status("c2")["done"]
        until(lambda: started.status("c2")["done"] > before, "another email of c2")

        # And when `make run` is told to stop, it ends cleanly and leaves nothing behind
        assert started.stop() == 0
        assert started.programs() == []
        done = [line for line in started.output().splitlines() if line.startswith("postrider: stop")]
        assert done == ["postrider: stopping: workers finish the emails that they are sending", "postrider: stopped"]

    # When it is started again
    sent = started.emails("c2")
    keys = _keys(started)
    with make_run.running(tmp_path) as again:
        again.until_ready()
        # Then campaigns, emails and keys are still there, and the campaign continues without help
        assert _keys(again) == keys
        assert again.status("c1")["done"] == 400
        assert len(again.emails("c1")) == 400
        assert set(sent) <= set(again.emails("c2"))
        again.call("POST", "/campaigns/c2/rate-limit", {"tpm": 100_000})
        until(lambda: (report := again.status("c2"))["done"] + report["unknown"] == 200, "the rest of c2")
        report = again.status("c2")
        # A row that was being sent when the worker was killed stays unknown and is not sent again.
        assert len(again.emails("c2")) - report["done"] in range(report["unknown"] + 1)


def _keys(started: MakeRun) -> list[str]:
    return [(started.var / name).read_text() for name in ("s3-credentials", "redis.conf")]


def test_only_its_user_can_read_what_it_writes_or_use_its_redis(tmp_path: Path) -> None:
    # Given a campaign that was sent
    with make_run.running(tmp_path) as started:
        started.until_ready()
        started.send_campaign("c1", rows=10, tpm=100_000)
        started.until_status("c1", "completed")

        # Then its Redis asks for a password, which no command line shows
        url, password = _redis_url(started)
        assert len(password) >= 32
        assert _answer(url) == "-NOAUTH Authentication required."
        with redis.Redis.from_url(url) as owner:
            assert owner.ping()
        processes = [started.process.pid, *started.programs()]
        assert len(processes) >= 5  # itself, Redis, S3, web, worker
        assert [pid for pid in processes if password in _command_line(pid)] == []
        assert started.stop() == 0

    # And no other user can read what was written, nor does a log hold the password
    assert _open_to_others(started.var) == []
    logs = [started.log, *(started.var / "log").iterdir()]
    assert [log for log in logs if password in log.read_text(errors="replace")] == []

    # When it is started over data that an earlier version wrote, readable for all and without a password
    for path in [started.var, *started.var.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (started.var / "redis.conf").unlink()
    with make_run.running(tmp_path) as again:
        again.until_ready()
        # Then the data are still there, and closed
        assert stat.S_IMODE(again.var.stat().st_mode) == 0o700
        assert stat.S_IMODE((again.var / "redis.conf").stat().st_mode) == 0o600
        assert again.status("c1")["done"] == 10
        url, another = _redis_url(again)
        assert another != password
        assert _answer(url).startswith("-NOAUTH")


def _redis_url(started: MakeRun) -> tuple[str, str]:
    """The address that its web process uses, including the password."""
    [web] = started.programs("uvicorn api:app")
    variables = Path(f"/proc/{web}/environ").read_bytes().decode().split("\0")
    [url] = [value for name, _, value in (line.partition("=") for line in variables) if name == "REDIS_URL"]
    return url, unquote(urlsplit(url).password or "")


def _answer(url: str) -> str:
    """What the Redis at that address replies to a client that gives no password."""
    with socket.create_connection((ports.LOOPBACK, urlsplit(url).port or 0), PATIENCE_S) as client:
        client.sendall(b"PING\r\n")
        return client.makefile("rb").readline().decode().strip()


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def _open_to_others(directory: Path) -> list[Path]:
    """The files and directories that another user could use."""
    return [path for path in [directory, *directory.rglob("*")] if stat.S_IMODE(path.lstat().st_mode) & 0o077]


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels cannot tie a child to its parent")
def test_nothing_is_left_of_a_killed_supervisor_and_it_can_be_restarted_at_once(tmp_path: Path) -> None:
    with make_run.running(tmp_path) as started:
        started.until_ready()
        # Its servers hold its lock too: no second server may open their data while they end.
        for server in started.programs("valkey-server") + started.programs("embedded.s3"):
            assert str(started.var / "run.lock") in _open_files(server)
        # And it has one thread, since its workers would be told to end once for each: see embedded/parent_death.py.
        assert len(list(Path(f"/proc/{started.process.pid}/task").iterdir())) == 1
        started.process.kill()
        started.process.wait()
        with make_run.running(tmp_path) as again:
            again.until_ready()
            until(lambda: not _orphans(again), "the end of what the first one started")
            assert again.stop() == 0


def _open_files(pid: int) -> list[str]:
    return [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]


def _orphans(started: MakeRun) -> list[int]:
    """Programs of the same directory that are not below this supervisor."""
    return [pid for pid in started.programs() if started.process.pid not in _ancestors(pid)]


def _ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(pid)
    return found


def test_a_second_supervisor_in_the_same_directory_says_so(tmp_path: Path) -> None:
    with make_run.running(tmp_path) as first:
        until(first.programs, "its first program")
        with make_run.running(tmp_path) as second:
            assert second.process.wait(PATIENCE_S) == 1
            assert f"postrider: already running here (process {first.process.pid}); stop it first" in second.output()


def test_a_taken_port_gives_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with make_run.running(tmp_path, PORT=port) as started:
            assert started.process.wait(PATIENCE_S) == 1
    assert started.output() == f"postrider: port {port} is in use; choose another one: PORT=8081 make run\n"


def test_a_wrong_setting_gives_one_clear_line(tmp_path: Path) -> None:
    with make_run.running(tmp_path, WORKERS="many") as started:
        assert started.process.wait(PATIENCE_S) == 1
    assert started.output() == "postrider: setting WORKERS: 'many' is not a number\n"


@pytest.mark.usefixtures("redis_client")  # the test empties the server
def test_servers_given_by_settings_replace_the_embedded_ones(tmp_path: Path, valkey_url: str, s3_endpoint: str) -> None:
    named = {
        "REDIS_URL": valkey_url,
        "S3_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": S3_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": S3_SECRET_KEY,
    }
    with make_run.running(tmp_path, **named) as started:
        started.until_ready()
        started.send_campaign("c1", rows=10, tpm=100_000)
        assert started.until_status("c1", "completed")["done"] == 10
        assert started.programs("valkey-server") == started.programs("embedded.s3") == []
        assert not (started.var / "redis.conf").exists()
        assert started.stop() == 0


def test_a_web_process_that_cannot_start_stops_make_run(tmp_path: Path) -> None:
    # Given a port that no process may listen on after the supervisor has checked it: the supervisor's check passes
    with make_run.running(tmp_path, PYTHONPATH=str(_broken_uvicorn(tmp_path))) as started:
        assert started.process.wait(PATIENCE_S) == 1
        assert "postrider: web did not start" in started.output()
        assert started.programs() == []


def _broken_uvicorn(directory: Path) -> Path:
    """A directory for PYTHONPATH in which `python -m uvicorn` fails, and `import uvicorn` does not."""
    package = directory / "path"
    package.mkdir()
    (package / "sitecustomize.py").write_text(
        "import sys\nif sys.orig_argv[1:3] == ['-m', 'uvicorn']:\n    sys.exit('broken on purpose')\n"
    )
    return package


@pytest.mark.usefixtures("redis_client")  # the test empties the server
def test_the_procfiles_commands_work_without_make_run_and_end_cleanly(
    tmp_path: Path, valkey_url: str, s3_endpoint: str
) -> None:
    # Given the Procfile's two commands, started by hand
    port = str(ports.free_port())
    environment = clean_environment(
        {
            "PORT": port,
            "REDIS_URL": valkey_url,
            "S3_ENDPOINT_URL": s3_endpoint,
            "AWS_ACCESS_KEY_ID": S3_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": S3_SECRET_KEY,
            "OUTBOX_DIR": str(tmp_path / "var" / "outbox"),
            "VAR_DIR": str(tmp_path / "var"),
        }
    )
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    log = tmp_path / "output.log"
    commands = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    with log.open("ab") as output:
        processes = {
            name: subprocess.Popen(
                ends_with_parent(["/bin/sh", "-c", f"exec {command}"]),
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            for name, command in commands.items()
        }
    try:
        started = MakeRun(processes["web"], int(port), tmp_path / "var", log)
        until(lambda: ports.answers(started.port), "web")
        # When a campaign is sent
        started.send_campaign("c1", rows=10, tpm=100_000)
        started.until_status("c1", "completed")
        # Then its emails are there, and both end cleanly
        assert len(started.emails("c1")) == 10
    finally:
        for process in processes.values():
            process.terminate()
    assert processes["worker"].wait(PATIENCE_S) == 0, started.output()
    # uvicorn raises the signal again once it has shut down.
    assert processes["web"].wait(PATIENCE_S) == -signal.SIGTERM
    assert "Application shutdown complete" in started.output()
