"""JSON responses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

JSON: Final = "application/json"


def json_response(
    body: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with this body, encoded as JSON."""
    return Response(msgspec.json.encode(body), status, headers, media_type=JSON)
