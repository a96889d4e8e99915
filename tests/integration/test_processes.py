"""The supervisor over real processes that misbehave as real programs do: small scripts stand in for the programs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from embedded import processes
from embedded.processes import Child, Program, StartError, Supervisor

#: Appends a word to the file at each step of its life, and ends after some minutes if nothing stops it.
SCRIPT = """
import pathlib, signal, subprocess, sys, time
events, name, behaviour = sys.argv[1:]
def say(what):
    with open(events, "a") as file:
        file.write(f"{name} {what}\\n")
def end(number, frame):
    say("got SIGTERM")
    if behaviour != "stubborn":
        sys.exit(0)
signal.signal(signal.SIGTERM, end)
if behaviour == "parent":
    child = subprocess.Popen([sys.executable, __file__, events, name + "-child", "polite"])
say("started")
if behaviour == "brief":
    sys.exit(3)
for _ in range(12_000):
    time.sleep(0.02)
"""

DEADLINE_S = 240.0


class Scripts:
    """The scripts' events, and programs made of the script."""

    def __init__(self, directory: Path) -> None:
        self.script = directory / "script.py"
        self.script.write_text(SCRIPT)
        self.file = directory / "events"
        self.file.touch()

    def program(self, name: str, behaviour: str = "polite", stop_s: float = DEADLINE_S) -> Program:
        command = [sys.executable, str(self.script), str(self.file), name, behaviour]
        return Program(name, command, dict(os.environ), stop_s)

    def events(self) -> list[str]:
        return self.file.read_text().splitlines()

    async def until(self, event: str, times: int = 1) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.events().count(event) < times:  # noqa: ASYNC110 - the event is in a file
                await asyncio.sleep(0.01)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def play(scene: Callable[[Supervisor], Awaitable[None]]) -> None:
    """Run a scene, and stop what it has started."""

    async def whole() -> None:
        supervisor = Supervisor()
        try:
            async with asyncio.timeout(3 * DEADLINE_S):
                await scene(supervisor)
        finally:
            await supervisor.stop()

    asyncio.run(whole())


def pid_of(child: Child) -> int:
    assert child._process is not None
    return child._process.pid


def child_of(pid: int) -> int:
    [child] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def test_the_program_started_last_is_stopped_first(scripts: Scripts) -> None:
    async def scene(supervisor: Supervisor) -> None:
        supervisor.start(scripts.program("redis"))
        await scripts.until("redis started")
        supervisor.start(scripts.program("web"))
        await scripts.until("web started")

    play(scene)
    assert scripts.events() == ["redis started", "web started", "web got SIGTERM", "redis got SIGTERM"]


def test_a_killed_program_is_started_again(scripts: Scripts, capfd: pytest.CaptureFixture[str]) -> None:
    async def scene(supervisor: Supervisor) -> None:
        [child] = supervisor.start(scripts.program("worker"))
        await scripts.until("worker started")
        os.kill(pid_of(child), signal.SIGKILL)
        await scripts.until("worker started", times=2)

    play(scene)
    assert "postrider: worker ended (by SIGKILL): restarting it in 0.5 s\n" in capfd.readouterr().out


def test_the_children_of_a_killed_program_end_before_it_is_started_again(scripts: Scripts) -> None:
    async def scene(supervisor: Supervisor) -> None:
        [child] = supervisor.start(scripts.program("worker", "parent"))
        await scripts.until("worker-child started")
        os.kill(pid_of(child), signal.SIGKILL)
        await scripts.until("worker started", times=2)

    play(scene)
    events = scripts.events()
    assert events.index("worker-child got SIGTERM") < _last(events, "worker started")


def _last(events: list[str], event: str) -> int:
    return len(events) - 1 - events[::-1].index(event)


def test_a_stop_signals_only_the_direct_child(scripts: Scripts) -> None:
    async def scene(supervisor: Supervisor) -> None:
        supervisor.start(scripts.program("worker", "parent"))
        await scripts.until("worker started")
        await scripts.until("worker-child started")

    play(scene)
    # Its children get a signal only once it is gone.
    assert scripts.events()[-2:] == ["worker got SIGTERM", "worker-child got SIGTERM"]


def test_a_stubborn_program_is_killed_with_everything_that_it_started(
    scripts: Scripts, capfd: pytest.CaptureFixture[str]
) -> None:
    found: list[int] = []

    async def scene(supervisor: Supervisor) -> None:
        [child] = supervisor.start(scripts.program("worker", "stubborn", stop_s=0.2))
        await scripts.until("worker started")
        found.append(pid_of(child))

    play(scene)
    assert "worker did not end within 0.2 s: killing it" in capfd.readouterr().out
    assert not processes._signal_group(found[0], 0)


def test_a_program_that_keeps_ending_is_started_at_growing_intervals(
    scripts: Scripts, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(processes, "LONGEST_PAUSE_S", 0.03)

    async def scene(supervisor: Supervisor) -> None:
        supervisor.start(scripts.program("web", "brief"))
        await scripts.until("web started", times=5)

    play(scene)
    pauses = [line.rsplit(" ", 2)[1] for line in capfd.readouterr().out.splitlines()]
    assert pauses[:4] == ["0.01", "0.02", "0.03", "0.03"]


async def never() -> bool:
    return False


def test_a_program_that_ends_before_it_is_ready_fails_the_start(scripts: Scripts) -> None:
    async def scene(supervisor: Supervisor) -> None:
        [child] = supervisor.start(scripts.program("web", "brief"))
        with pytest.raises(StartError, match="web did not start"):
            await child.until(never)

    play(scene)


def test_an_error_while_a_program_is_supervised_is_printed_and_fails_the_start(
    scripts: Scripts, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Given a log that cannot be written, so that the program cannot be started."""

    async def scene(supervisor: Supervisor) -> None:
        unlogged = Program(
            "redis", scripts.program("redis").command, dict(os.environ), log=tmp_path / "no-folder" / "log"
        )
        [child] = supervisor.start(unlogged)
        with pytest.raises(StartError, match="redis did not start"):
            await child.until(never)

    play(scene)
    assert "postrider: redis ended (the supervisor failed: FileNotFoundError: " in capfd.readouterr().out


def test_an_error_after_the_start_is_printed_and_the_program_is_started_again(
    scripts: Scripts, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an ended program whose children this user may not end."""

    async def refuse(_group: int, _stop_s: float) -> None:
        raise PermissionError("Operation not permitted")

    async def scene(supervisor: Supervisor) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(processes, "_end_group", refuse)
            [child] = supervisor.start(scripts.program("worker"))
            await scripts.until("worker started")
            os.kill(pid_of(child), signal.SIGKILL)
            await scripts.until("worker started", times=2)

    play(scene)
    assert "PermissionError: Operation not permitted): restarting it" in capfd.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not tell whose children live")
def test_a_program_that_misses_the_death_of_its_child_is_started_again(
    scripts: Scripts, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a program that keeps a child process and does not check it."""
    monkeypatch.setattr(processes, "CHILDLESS_S", 1.0)
    monkeypatch.setattr(processes, "FIRST_CHILD_S", 10.0)  # the child may be killed before the supervisor has seen it

    async def scene(supervisor: Supervisor) -> None:
        [child] = supervisor.start(replace(scripts.program("worker", "parent"), keeps_children=True))
        await scripts.until("worker-child started")
        os.kill(child_of(pid_of(child)), signal.SIGKILL)
        await scripts.until("worker-child started", times=2)

    play(scene)
    output = capfd.readouterr().out
    assert "postrider: worker has not noticed that its child process is gone: killing it\n" in output
    assert "worker ended (by SIGKILL): restarting it" in output


def test_a_stop_in_the_middle_of_a_start_leaves_nothing(scripts: Scripts, capfd: pytest.CaptureFixture[str]) -> None:
    found: list[Child] = []

    async def scene(supervisor: Supervisor) -> None:
        found.extend(supervisor.start(scripts.program("web")))
        await asyncio.sleep(0)  # the program is between fork and its first instruction

    play(scene)
    assert all(child._process is None or child._process.returncode is not None for child in found)
    assert "is killed" not in capfd.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels cannot tie a child to its parent")
def test_a_program_ends_when_its_parent_is_killed(scripts: Scripts) -> None:
    # Given a parent that has started a program and waits for it
    command = scripts.program("web").command
    code = f"import subprocess, embedded.parent_death as p; subprocess.run(p.ends_with_parent({command!r}))"

    async def scene(_: Supervisor) -> None:
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, start_new_session=True)
        await scripts.until("web started")
        # When the parent is killed
        parent.kill()
        await parent.wait()
        # Then the program is asked to end
        await scripts.until("web got SIGTERM")

    play(scene)
