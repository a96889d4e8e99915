"""Reads the inputs of a request: campaign id, JSON body, query numbers. Checks their format, not their meaning."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.http.errors import Problem, invalid
from api.http.mistakes import Mistake, mistakes
from api.http.problem_types import ProblemType
from campaigns.errors import UnknownCampaign
from campaigns.models import CAMPAIGN_ID

T = TypeVar("T")

MIB: Final = 1024 * 1024
#: The largest JSON body, in bytes; 10,000 parts with their ETags are well below it.
MAX_BODY_BYTES: Final = 1 * MIB


def campaign_id(request: Request) -> str:
    """The id in the path.

    Raises:
        UnknownCampaign: the id is malformed, so no campaign has it.
    """
    found = str(request.path_params["id"])
    if not CAMPAIGN_ID.fullmatch(found):
        raise UnknownCampaign
    return found


def new_campaign_id(request: Request) -> str:
    """The id in the path, for a campaign that may be new.

    Raises:
        Problem: 422: the id is malformed.
    """
    return checked_campaign_id(str(request.path_params["id"]))


def checked_campaign_id(wanted: str) -> str:
    """An id for a campaign that may be new.

    Raises:
        Problem: 422: the id is malformed.
    """
    if not CAMPAIGN_ID.fullmatch(wanted):
        raise invalid("The campaign id is invalid: use 1 to 64 letters, digits, _ and -, the first a letter or digit.")
    return wanted


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number in the query.

    Raises:
        Problem: 422: the value is not a whole number from `low` to `high`.
    """
    raw = request.query_params.get(name, str(default))
    if raw.isascii() and raw.isdigit() and len(raw) <= 18 and low <= int(raw) <= high:
        return int(raw)
    raise invalid(f"{name}: expected a whole number from {low} to {high}.")


def flag(request: Request, name: str) -> bool:
    """Whether a flag in the query is set: `true` or `false`; without it, or without a value, false.

    Raises:
        Problem: 422: the value is another one.
    """
    raw = request.query_params.get(name, "").lower()
    if raw not in {"", "true", "1", "false", "0"}:
        raise invalid(f"{name}: expected true or false.")
    return raw in {"true", "1"}


def takes(
    model: type[T], limit_bytes: int = MAX_BODY_BYTES
) -> Callable[[Callable[[Request, T], Response]], Callable[[Request], Awaitable[Response]]]:
    """Decorate a handler that takes a JSON body: decode the body, and call the handler with it in the thread pool.

    An empty body counts as `{}`. A body that is not JSON, or does not match the model, is a problem (422).

    Args:
        model: the `msgspec` model of the body.
        limit_bytes: the largest body, in bytes.
    """
    decoder = msgspec.json.Decoder(model)

    def wrap(handler: Callable[[Request, T], Response]) -> Callable[[Request], Awaitable[Response]]:
        def decode_and_handle(request: Request, raw: bytes) -> Response:
            return handler(request, _decode(decoder, model, raw or b"{}"))

        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(decode_and_handle, request, await body(request, limit_bytes))

        return endpoint

    return wrap


async def json_body(request: Request, model: type[T], limit_bytes: int = MAX_BODY_BYTES) -> T:
    """The JSON body of a small request, for handlers that run in the event loop. An empty body counts as `{}`.

    Raises:
        Problem: 422: it is not JSON or does not match the model; and what `body` raises.
    """
    return _decode(msgspec.json.Decoder(model), model, await body(request, limit_bytes) or b"{}")


def _decode(decoder: msgspec.json.Decoder[T], model: type[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        found = mistakes(model, msgspec.json.decode(raw)) or [Mistake("wrong_value", f"{error}.", "")]
        detail = f"The body is invalid: {error}. GET /openapi.json describes it."
        raise invalid(detail, kind=ProblemType.INVALID_BODY, errors=found) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(f"The body is not JSON in UTF-8: {error}.", kind=ProblemType.INVALID_BODY) from None


async def body(request: Request, limit_bytes: int) -> bytes:
    """The raw body.

    Raises:
        Problem: 413: it is larger than `limit_bytes`; 415: it is compressed; 408: it came too slowly.
    """
    return b"".join([chunk async for chunk in pieces(request, limit_bytes, too_large(limit_bytes))])


async def pieces(request: Request, limit_bytes: int, refusal: Problem) -> AsyncGenerator[bytes, None]:
    """The body, piece by piece. The headers are checked before the first read, the size while reading.

    Raises:
        Problem: `refusal`: it is larger than `limit_bytes`; 415: it is compressed; 408: it came too slowly.
    """
    refuse_encoded(request)
    refuse_longer(request, limit_bytes, refusal)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            raise refusal
        yield chunk


def refuse_encoded(request: Request) -> None:
    """Raise a problem (415) if the body is compressed: this server does not decompress bodies."""
    given = ",".join(request.headers.getlist("content-encoding"))
    if any(coding.strip().lower() not in {"", "identity"} for coding in given.split(",")):
        detail = f"Content-Encoding {given[:50]!r} is not supported: send the body uncompressed, without this header."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "identity"})


def refuse_longer(request: Request, limit_bytes: int, refusal: Problem) -> None:
    """Raise the refusal at once if Content-Length is more than `limit_bytes`."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit_bytes:
        raise refusal


def too_large(limit_bytes: int) -> Problem:
    """The problem (413) for a body of more than `limit_bytes`."""
    # The connection stays open and the server discards the rest, so that clients that read only after sending get this.
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit_bytes // MIB} MiB.")
