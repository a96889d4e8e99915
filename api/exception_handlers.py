"""Turns the exceptions of `campaigns`, `storage` and Redis into responses.

Endpoint handlers let these exceptions pass, or raise `api.http.errors.Problem`; no other module turns an exception into
a response.
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
from campaigns import errors as campaign_errors
from campaigns.db import refusals
from campaigns.db.server import WrongRedis
from storage import StoreError, StoreUnavailable

log = structlog.get_logger(__name__)

_CAMPAIGN_STATUS: Final[dict[type[campaign_errors.CampaignError], HTTPStatus]] = {
    campaign_errors.UnknownCampaign: HTTPStatus.NOT_FOUND,
    campaign_errors.UnknownUpload: HTTPStatus.NOT_FOUND,
    campaign_errors.UnknownAttachment: HTTPStatus.NOT_FOUND,
    campaign_errors.AttachmentsTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    campaign_errors.InvalidCampaign: HTTPStatus.UNPROCESSABLE_ENTITY,
    campaign_errors.WrongState: HTTPStatus.CONFLICT,
    campaign_errors.IncompleteUpload: HTTPStatus.CONFLICT,
}


async def on_campaign_error(_request: Request, error: campaign_errors.CampaignError) -> Response:
    """The response for a request that the campaign refused; `campaign_status` names a state that does not allow it."""
    members: dict[str, Any] = {}
    if isinstance(error, campaign_errors.WrongState):
        members["campaign_status"] = error.status
    if isinstance(error, campaign_errors.NotAccepted):
        members["unaccepted"] = error.codes
    if isinstance(error, campaign_errors.InvalidCampaign) and error.mistakes:
        members["errors"] = error.mistakes
    status = next((_CAMPAIGN_STATUS[kind] for kind in type(error).__mro__ if kind in _CAMPAIGN_STATUS), None)
    return errors.answer(status or HTTPStatus.CONFLICT, error.detail, **members)


async def on_redis_error(request: Request, error: Exception) -> Response:
    """The response when Redis is unreachable or refuses a command, with the reason that Redis gives.

    Messages of the Redis client library go to the log only.
    """
    if isinstance(error, WrongRedis):
        log.error("redis_refused", reason=str(error))
        return _unavailable(f"{error}.")
    if words := refusals.words(error):
        log.error("redis_refused", reason=words)
        components.of(request).writing.forget()
        return _unavailable(f"Redis refuses this request ({words}); fix Redis, then try again.")
    log.error("redis_failed", error=type(error).__name__)
    return _unavailable("Redis is unavailable; try again in a few seconds.")


async def on_store_error(_request: Request, error: Exception) -> Response:
    """The response when the object store is unavailable or refuses access. The store's own message is only logged."""
    log.error("store_failed", error=str(error), kind=type(error).__name__)
    if isinstance(error, StoreUnavailable):
        return _unavailable("The object store is unavailable; try again in a few seconds.")
    return _unavailable("The object store refused the request; look for store_failed in the server's log.")


def _unavailable(detail: str) -> Response:
    return errors.answer(HTTPStatus.SERVICE_UNAVAILABLE, detail, errors.TRY_AGAIN)


#: Starlette looks a handler up by the exception's class, then by its base classes in order.
HANDLERS: Final[dict[Any, Any]] = {
    **errors.HANDLERS,
    campaign_errors.CampaignError: on_campaign_error,
    RedisError: on_redis_error,
    StoreError: on_store_error,
}
