"""What a request carries: the campaign's id, a JSON body, numbers in the query. Checks their form, not their sense."""

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
from campaigns.errors import UnknownCampaign
from campaigns.models import CAMPAIGN_ID

T = TypeVar("T")

MIB: Final = 1024 * 1024
#: The largest JSON body, in bytes; 10,000 parts with their ETags are well below it.
MAX_BODY_BYTES: Final = 1 * MIB


def campaign_id(request: Request) -> str:
    """The id in the path.

    Raises:
        UnknownCampaign: no campaign can have it.
    """
    found = str(request.path_params["id"])
    if not CAMPAIGN_ID.fullmatch(found):
        raise UnknownCampaign
    return found


def new_campaign_id(request: Request) -> str:
    """The id in the path, for a campaign that may be new.

    Raises:
        Problem: 422 where it is not a possible id.
    """
    try:
        return campaign_id(request)
    except UnknownCampaign:
        raise invalid(
            "A campaign id has 1 to 64 letters, digits, _ and -, and starts with a letter or digit."
        ) from None


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number in the query.

    Raises:
        Problem: 422 where it is not a number within `low` to `high`.
    """
    raw = request.query_params.get(name, str(default))
    if raw.isascii() and raw.isdigit() and len(raw) <= 18 and low <= int(raw) <= high:
        return int(raw)
    raise invalid(f"{name}: expected a whole number from {low} to {high}.")


def takes(
    model: type[T], limit_bytes: int = MAX_BODY_BYTES
) -> Callable[[Callable[[Request, T], Response]], Callable[[Request], Awaitable[Response]]]:
    """Read a JSON body before the handler, which runs in the thread pool and gets it as its second argument.

    No body at all counts as `{}`; one that is not JSON, or not the JSON that is needed, is answered with 422.

    Args:
        model: what the body has to be.
        limit_bytes: the largest body.
    """
    decoder = msgspec.json.Decoder(model)

    def wrap(handler: Callable[[Request, T], Response]) -> Callable[[Request], Awaitable[Response]]:
        def decode_and_handle(request: Request, raw: bytes) -> Response:
            return handler(request, _decode(decoder, raw or b"{}"))

        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(decode_and_handle, request, await body(request, limit_bytes))

        return endpoint

    return wrap


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise invalid(f"The body does not fit: {error}. GET /openapi.json describes it.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(f"The body is not JSON in UTF-8: {error}.") from None


async def body(request: Request, limit_bytes: int) -> bytes:
    """The body as it came.

    Raises:
        Problem: 413 where it is larger than `limit_bytes`, 415 where it is compressed, 408 where it is too slow.
    """
    return b"".join([chunk async for chunk in pieces(request, limit_bytes, too_large(limit_bytes))])


async def pieces(request: Request, limit_bytes: int, refusal: Problem) -> AsyncGenerator[bytes, None]:
    """The body piece by piece: refused before anything is read where its headers tell, and counted on the way.

    Raises:
        Problem: the refusal where it is larger than `limit_bytes`; 415: it is compressed; 408: it is too slow.
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
    """Raise a problem (415) where the body is compressed: nothing here expands it."""
    given = ",".join(request.headers.getlist("content-encoding"))
    if any(coding.strip().lower() not in {"", "identity"} for coding in given.split(",")):
        detail = f"Content-Encoding {given[:50]!r} is not supported: send the body as it is, without this header."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "identity"})


def refuse_longer(request: Request, limit_bytes: int, refusal: Problem) -> None:
    """Raise the refusal at once where the request announces a body of more than `limit_bytes`."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit_bytes:
        raise refusal


def too_large(limit_bytes: int) -> Problem:
    """The refusal of a body (413)."""
    # The connection stays open: the server drops what still comes, so that clients that send all first get the answer.
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit_bytes // MIB} MiB.")
