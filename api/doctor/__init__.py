"""`POST /doctor`: checks the whole installation and says how to mend what is wrong. It sends no email.

It is a POST, because it sends a small object to the store and deletes it again. Only one runs at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.doctor import mail_checks, redis_checks, store_checks
from api.doctor.finding import DoctorFinding, DoctorVerdict, unknown
from api.http import inputs
from api.http.client_limit import ClientLimit
from api.http.errors import Problem
from api.http.responses import json_response
from settings import DEFAULT

log = structlog.get_logger(__name__)

#: How long one group of checks may take, in seconds. The groups run at the same time.
GROUP_S: Final = 15.0
#: How long a provider may take to answer, in seconds.
PROVIDER_S: Final = 8.0
#: How many diagnoses may begin: 5 at once, then one every 10 s.
PER_S: Final = 0.1
BURST: Final = 5

_ORDER: Final = {verdict: rank for rank, verdict in enumerate(DoctorVerdict)}


class DoctorRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What to check. `from`: the sender whose DNS is checked; left out: that of the newest campaign."""

    from_: str | None = None


class DoctorResponse(msgspec.Struct, frozen=True):
    """The findings. `verdict`: the worst of them."""

    verdict: DoctorVerdict
    findings: list[DoctorFinding]


class Busy:
    """Which diagnoses may begin. One per application."""

    def __init__(self) -> None:
        self._limit = ClientLimit(PER_S, BURST)
        self.lock = asyncio.Lock()

    def begin(self) -> None:
        """Count one.

        Raises:
            Problem: 429: one is running, or too many have begun lately.
        """
        if self.lock.locked() or self._limit.exceeded(""):
            detail = "Another diagnosis is running, or many have just been made: try again in 10 s."
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": "10"})
        self._limit.count("")


async def diagnose(request: Request) -> Response:
    """Check everything at the same time; each group of checks for a limited time."""
    parts, busy = components.of(request), request.app.state.doctor
    wanted = await inputs.json_body(request, DoctorRequest)
    busy.begin()
    async with busy.lock:
        groups = await asyncio.gather(*(_within(name, step) for name, step in _groups(parts, wanted.from_)))
    findings = [finding for group in groups for finding in group]
    worst = max((finding.verdict for finding in findings), key=_ORDER.__getitem__)
    log.info(
        "doctor_answered", verdict=worst, failed=[one.name for one in findings if one.verdict is DoctorVerdict.FAILED]
    )
    return json_response(DoctorResponse(worst, findings))


def _groups(
    parts: Components, sender: str | None
) -> Iterable[tuple[str, Callable[[], Awaitable[list[DoctorFinding]]]]]:
    settings = parts.settings
    yield (
        "Redis",
        partial(
            run_in_threadpool,
            lambda: list(redis_checks.check(parts.redis, parts.writing, allow_unsafe=settings.allow_unsafe_redis)),
        ),
    )
    yield "Object store", partial(run_in_threadpool, lambda: list(store_checks.check(parts.store, settings.public_url)))
    for account in settings.accounts.values():
        yield f"Provider of {account.name}", partial(_provider, parts, account.name)
    yield "Sender", partial(_sender, parts, sender)
    yield "Settings", partial(_settings, parts)


async def _within(name: str, step: Callable[[], Awaitable[list[DoctorFinding]]]) -> list[DoctorFinding]:
    """The findings of a group; one that says so if it took too long or failed."""
    try:
        async with asyncio.timeout(GROUP_S):
            return await asyncio.shield(asyncio.ensure_future(step()))
    except TimeoutError:
        return [unknown(name, f"the checks took longer than {GROUP_S:g} s", "Try again.")]
    except Exception as error:
        log.exception("doctor_failed", group=name)
        return [unknown(name, f"the checks failed ({type(error).__name__})", "Look for doctor_failed in the log.")]


async def _provider(parts: Components, name: str) -> list[DoctorFinding]:
    account = parts.settings.accounts[name]
    return [await mail_checks.provider(account, parts.settings.outbox_dir, PROVIDER_S)]


async def _sender(parts: Components, written: str | None) -> list[DoctorFinding]:
    written = written or await run_in_threadpool(_newest_sender, parts)
    return await mail_checks.sender(parts.dns, written, parts.settings.accounts[DEFAULT].provider)


def _newest_sender(parts: Components) -> str | None:
    """The From of the newest campaign; None: there is none, or Redis is away."""
    try:
        ids, _total = parts.catalog.newest(0, 1)
        return parts.catalog.get(ids[0]).content.from_ if ids else None
    except RedisError:
        return None


async def _settings(parts: Components) -> list[DoctorFinding]:
    return [*mail_checks.events(parts.settings), *mail_checks.links(parts.settings)]
