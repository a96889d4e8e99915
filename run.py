"""`make run`: runs all of Postrider on this machine until Ctrl-C or SIGTERM.

It starts embedded Redis and S3 servers, unless the settings name others, then the web process and the workers with the
commands that the README gives. Data stay under `var/`. This module only says what runs and in which order; `embedded/`
keeps the programs running.

`settings.load` alone reads the environment; each program gets a copy of it, with the addresses of the embedded servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from embedded import lock, ports, private, s3, secret_key, valkey
from embedded.processes import Child, Program, StartError, Supervisor, say
from settings import Settings, load

REDIS_PORT = 6379
S3_PORT = 9000
#: How long a stopping worker may take to return its messages and settle its sends, in seconds after SEND_TIMEOUT_S.
WORKER_STOP_S = 15.0
#: How long the web process may take to answer a readiness check, in seconds.
READY_S = 5.0
#: How long a stopping web process waits for open requests, such as event streams, in seconds.
WEB_STOP_S = 3


@dataclass(frozen=True, slots=True)
class House:
    """The programs that run, and how they start.

    Args:
        settings: the settings, already validated.
        environment: the variables of every program; `start` adds the addresses of the embedded servers.
        lock: the lock file's descriptor, which the embedded servers keep open.
        supervisor: starts and stops the programs.
        redis_port, s3_port: the ports that the embedded servers get if they are free; 0: any free one.
        quiet: the programs write to files below the data's directory, and nothing to the terminal.
        workers: the workers, once they are started.
    """

    settings: Settings
    environment: dict[str, str] = field(repr=False)
    lock: int
    supervisor: Supervisor
    redis_port: int = REDIS_PORT
    s3_port: int = S3_PORT
    quiet: bool = False
    workers: list[Child] = field(default_factory=list)

    async def start(self) -> None:
        """Start everything; return once the web process is ready.

        Raises:
            StartError: the kept key is gone, or an embedded server or the web process did not start.
        """
        if not self.settings.secret_key:
            self.environment["SECRET_KEY"] = secret_key.kept(self.settings.var_dir / "secret-key")
        if not self.settings.redis_given:
            await self._start_redis()
        if not self.settings.s3_endpoint_url:
            await self._start_s3()
        [web] = self.supervisor.start(self._web())
        workers = (self._worker(number + 1) for number in range(self.settings.worker_processes))
        self.workers.extend(self.supervisor.start(*workers))
        await web.until(partial(_is_ready, self.settings.port))

    async def _start_redis(self) -> None:
        port = _port_for("Redis", self.redis_port, "REDIS_URL")
        config = self.settings.var_dir / "redis.conf"
        password = quote(valkey.password(config), safe="")
        self.environment["REDIS_URL"] = f"redis://:{password}@{ports.LOOPBACK}:{port}/0"
        await self._start_server("redis", port, valkey.command(port, self._directory("redis"), config), {})

    async def _start_s3(self) -> None:
        port = _port_for("S3", self.s3_port, "S3_ENDPOINT_URL")
        keys = s3.credentials(self.settings.var_dir / "s3-credentials")
        for name in [name for name in self.environment if name.startswith("AWS_")]:
            del self.environment[name]  # they belong to an account that the embedded server does not know
        self.environment["S3_ENDPOINT_URL"] = f"http://{ports.LOOPBACK}:{port}"
        self.environment.update(s3.client_environment(*keys))
        await self._start_server("s3", port, s3.command(port, self._directory("s3")), s3.environment(*keys))

    async def _start_server(self, name: str, port: int, command: list[str], extra: dict[str, str]) -> None:
        log = self._directory("log") / f"{name}.log"
        program = Program(name, command, self.environment | extra, log=log, inherits=(self.lock,))
        [server] = self.supervisor.start(program)
        await server.until(partial(_listens, port))

    def _web(self) -> Program:
        listen = ("--host", ports.LOOPBACK, "--port", str(self.settings.port))
        stop = ("--timeout-graceful-shutdown", str(WEB_STOP_S))
        # The server never trusts a proxy's header for the client's address: see api/http/access.py.
        command = [sys.executable, "-m", "uvicorn", "api:app", *listen, *stop, "--no-proxy-headers"]
        return Program("web", command, self.environment, log=self._log("web"))

    def _worker(self, number: int) -> Program:
        # One process per command: Dramatiq stops all processes of a command when one of them dies. `--skip-logging`:
        # its main process would log in another format than the worker, whose logging the project sets up. The fork
        # timeout: by default it takes 30 s to notice that a process died before it was ready.
        options = ("--processes", "1", "--threads", str(self.settings.workers))
        dramatiq = ("--skip-logging", "--worker-fork-timeout", "2000")
        command = [sys.executable, "-m", "dramatiq", "actors", *options, *dramatiq]
        stop_s = self.settings.send_timeout_s + WORKER_STOP_S
        log = self._log(f"worker-{number}")
        return Program(f"worker {number}", command, self.environment, stop_s=stop_s, log=log, keeps_children=True)

    def _log(self, name: str) -> Path | None:
        """The file for a program's output; None: the terminal."""
        return self._directory("log") / f"{name}.log" if self.quiet else None

    def _directory(self, name: str) -> Path:
        directory = self.settings.var_dir / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory


def _port_for(what: str, preferred: int, setting: str) -> int:
    port = ports.free_port(preferred)
    if preferred and port != preferred:
        say(f"port {preferred} is in use, so {what} listens on {port}; set {setting} to use the server on {preferred}")
    return port


async def _listens(port: int) -> bool:
    return ports.answers(port)


async def _is_ready(port: int) -> bool:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(READY_S):
            reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
            with contextlib.closing(writer):
                writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return b" 200 " in await reader.readline()
    return False


def _welcome(settings: Settings) -> None:
    say(f"ready: http://localhost:{settings.port} (press Ctrl-C to stop)")
    if settings.email_provider == "outbox":
        say(f"no email leaves this machine: Postrider writes emails as files into {settings.outbox_dir}/")
    say(f"the web process and the workers log here, Redis and S3 in {settings.var_dir / 'log'}/")


async def supervise(settings: Settings, environment: dict[str, str], held: int) -> int:
    """Run everything until SIGINT, SIGTERM or SIGHUP; return the exit code."""
    house = House(settings, environment, held, Supervisor())
    starting = asyncio.create_task(house.start())
    interrupted = asyncio.Event()

    def interrupt() -> None:
        interrupted.set()
        starting.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await starting
            _welcome(settings)
        await interrupted.wait()
        say("stopping: workers finish the emails that they are sending")
    except (StartError, OSError) as error:
        say(str(error) if isinstance(error, StartError) else f"cannot start: {type(error).__name__}: {error}")
        return 1
    finally:
        await house.supervisor.stop()
    say("stopped")
    return 0


def main() -> int:
    """Check the settings, the directory and the port, then run everything; return the exit code."""
    environment = dict(os.environ)
    settings = load(environment)
    os.umask(0o077)  # only this user may read lists, emails and keys, whichever program writes them
    private.directory(settings.var_dir)
    with lock.exclusive(settings.var_dir / "run.lock") as held:
        if not ports.is_free(settings.port):
            raise SystemExit(f"postrider: port {settings.port} is in use; choose another one: PORT=8081 make run")
        environment["PYTHONUNBUFFERED"] = "1"
        if sys.stdout.isatty():
            environment.setdefault("LOG_FORMAT", "console")
        return asyncio.run(supervise(settings, environment, held))


if __name__ == "__main__":
    sys.exit(main())
