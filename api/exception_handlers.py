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
from api.http.problem_types import ProblemType
from campaigns import errors as campaign_errors
from campaigns.db import refusals
from campaigns.db.server import WrongRedis
from storage import StoreError, StoreUnavailable

log = structlog.get_logger(__name__)

#: The types of problems that tell more than their status.
_KIND: Final[dict[type[campaign_errors.CampaignError], ProblemType]] = {
    campaign_errors.UnknownCampaign: ProblemType.UNKNOWN_CAMPAIGN,
    campaign_errors.UnknownUpload: ProblemType.UNKNOWN_UPLOAD,
    campaign_errors.UnknownAttachment: ProblemType.UNKNOWN_ATTACHMENT,
    campaign_errors.InvalidCampaign: ProblemType.INVALID_CONTENT,
    campaign_errors.NotAccepted: ProblemType.WARNINGS_NOT_ACCEPTED,
    campaign_errors.BrakeHolds: ProblemType.BRAKE_HOLDS,
    campaign_errors.WrongState: ProblemType.WRONG_STATE,
    campaign_errors.IncompleteUpload: ProblemType.INCOMPLETE_UPLOAD,
}

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
    kind = next((_KIND[each] for each in type(error).__mro__ if each in _KIND), None)
    return errors.answer(status or HTTPStatus.CONFLICT, error.detail, kind=kind, **members)


async def on_redis_error(request: Request, error: Exception) -> Response:
    """The response when Redis is unreachable or refuses a command, with the reason that Redis gives.

    Messages of the Redis client library go to the log only.
    """
    if isinstance(error, WrongRedis):
        log.error("redis_refused", reason=str(error))
        return _unavailable(ProblemType.REDIS_REFUSES, f"{error}.")
    if words := refusals.words(error):
        log.error("redis_refused", reason=words)
        components.of(request).writing.forget()
        return _unavailable(
            ProblemType.REDIS_REFUSES, f"Redis refuses this request ({words}); fix Redis, then try again."
        )
    log.error("redis_failed", error=type(error).__name__)
    return _unavailable(ProblemType.REDIS_UNAVAILABLE, "Redis is unavailable; try again in a few seconds.")


async def on_store_error(_request: Request, error: Exception) -> Response:
    """The response when the object store is unavailable or refuses access. The store's own message is only logged."""
    log.error("store_failed", error=str(error), kind=type(error).__name__)
    if isinstance(error, StoreUnavailable):
        return _unavailable(
            ProblemType.STORE_UNAVAILABLE, "The object store is unavailable; try again in a few seconds."
        )
    detail = "The object store refused the request; look for store_failed in the server's log."
    return _unavailable(ProblemType.STORE_REFUSES, detail)


def _unavailable(kind: ProblemType, detail: str) -> Response:
    return errors.answer(HTTPStatus.SERVICE_UNAVAILABLE, detail, errors.TRY_AGAIN, kind=kind)


#: Starlette looks a handler up by the exception's class, then by its base classes in order.
HANDLERS: Final[dict[Any, Any]] = {
    **errors.HANDLERS,
    campaign_errors.CampaignError: on_campaign_error,
    RedisError: on_redis_error,
    StoreError: on_store_error,
}
