"""Turns the exceptions of `campaigns`, `storage` and Redis into answers.

Handlers let these exceptions pass, or raise `api.http.errors.Problem`; no other module turns an exception into an
answer.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.http import errors
from campaigns import errors as campaign_errors, refusals
from campaigns.server import WrongRedis
from storage import StoreError, StoreUnavailable

log = structlog.get_logger(__name__)

_CAMPAIGN_STATUS: Final[dict[type[campaign_errors.CampaignError], HTTPStatus]] = {
    campaign_errors.UnknownCampaign: HTTPStatus.NOT_FOUND,
    campaign_errors.UnknownUpload: HTTPStatus.NOT_FOUND,
    campaign_errors.InvalidCampaign: HTTPStatus.UNPROCESSABLE_ENTITY,
    campaign_errors.WrongState: HTTPStatus.CONFLICT,
    campaign_errors.IncompleteUpload: HTTPStatus.CONFLICT,
}


async def on_campaign_error(_request: Request, error: campaign_errors.CampaignError) -> Response:
    """Answer what the campaign refused; a wrong state is named in a member of its own."""
    members: dict[str, Any] = {}
    if isinstance(error, campaign_errors.WrongState):
        members["campaign_status"] = error.status
    status = next((_CAMPAIGN_STATUS[kind] for kind in type(error).__mro__ if kind in _CAMPAIGN_STATUS), None)
    return errors.answer(status or HTTPStatus.CONFLICT, error.detail, **members)


async def on_redis_error(request: Request, error: Exception) -> Response:
    """Answer that Redis is away, or refuses, and with which words. What a client of it said goes to the log only."""
    if isinstance(error, WrongRedis):
        log.error("redis_refused", reason=str(error))
        return _unavailable(f"{error}.")
    if words := refusals.words(error):
        log.error("redis_refused", reason=words)
        components.of(request).writing.forget()
        return _unavailable(f"Redis refuses this ({words}); try again once that is mended.")
    log.error("redis_failed", error=type(error).__name__)
    return _unavailable("Redis cannot be asked right now; try again in a few seconds.")


async def on_store_error(_request: Request, error: Exception) -> Response:
    """Answer that the object store is away, or does not let us in. What it said goes to the log only."""
    log.error("store_failed", error=str(error), kind=type(error).__name__)
    if isinstance(error, StoreUnavailable):
        return _unavailable("The object store cannot be reached right now; try again in a few seconds.")
    return _unavailable("The object store refused the request; the server's log says why.")


def _unavailable(detail: str) -> Response:
    return errors.answer(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(errors.RETRY_AFTER_S)})


#: Starlette asks it by exception class, the nearest base first.
HANDLERS: Final[dict[Any, Any]] = {
    **errors.HANDLERS,
    campaign_errors.CampaignError: on_campaign_error,
    RedisError: on_redis_error,
    StoreError: on_store_error,
}
