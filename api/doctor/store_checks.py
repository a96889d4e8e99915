"""Checks of the object store: the bucket, and an upload as a browser makes it, from its begin to its deletion."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from api.doctor.finding import DoctorFinding, failed, ok, unknown, warning
from api.doctor.redis_checks import clock
from storage import ObjectStore, StoreError

#: The objects of this check lie below this key, apart from those of the campaigns.
PREFIX: Final = "doctor/"
#: How long the presigned URL of the check is valid, and how long its PUT may take, in seconds.
EXPIRES_S: Final = 60
PUT_S: Final = 5.0

_BUCKET: Final = "Object store: bucket"
_UPLOAD: Final = "Object store: upload in parts"
_CORS: Final = "Object store: CORS"


class _PutFailed(Exception):
    """The part did not arrive; the message says why."""


def check(store: ObjectStore, public_url: str) -> Iterator[DoctorFinding]:
    """All findings about the object store.

    Args:
        store: the store.
        public_url: the address at which browsers see this server: the origin of their uploads.
    """
    try:
        store.ping()
    except StoreError as error:
        mend = "Start the object store, and check S3_ENDPOINT_URL, S3_BUCKET and the AWS credentials."
        yield failed(_BUCKET, f"{error}", mend)
        return
    yield ok(_BUCKET, f"{store.bucket} is there")
    key = f"{PREFIX}{uuid4().hex}"
    upload_id = None
    try:
        upload_id = store.create_upload(key)
        yield from _round_trip(store, key, upload_id, public_url)
    except StoreError as error:
        yield failed(_UPLOAD, f"{error}", "Give the credentials the rights to upload, read, list and delete objects.")
    finally:
        with suppress(StoreError):
            if upload_id is not None:
                store.abort_upload(key, upload_id)
            store.delete([key])


def _round_trip(store: ObjectStore, key: str, upload_id: str, origin: str) -> Iterator[DoctorFinding]:
    """Send a part to its presigned URL, complete the upload, and read it."""
    data = key.encode()
    url = store.presign_part(key, upload_id, 1, EXPIRES_S)
    try:
        headers = _put(url, data, origin)
    except _PutFailed as error:
        address = url.partition("?")[0].rpartition("/")[0]
        mend = f"Clients upload to {address}: set S3_PUBLIC_ENDPOINT_URL to an address that they reach."
        yield unknown(_UPLOAD, f"this server cannot send to a presigned URL: {error}", mend)
        return
    store.complete_upload(key, upload_id, store.list_parts(key, upload_id))
    if store.read(key, 0, len(data)) != data:
        yield failed(_UPLOAD, "the object that was read is not the one that was sent", "Use another object store.")
        return
    yield ok(_UPLOAD, "a part was sent to its presigned URL, the upload completed, and the object read and deleted")
    yield _cors(headers)
    if stamp := headers.get("Date"):
        yield clock("Clock: object store", parsedate_to_datetime(stamp).timestamp() + 0.5 - time.time())


def _put(url: str, data: bytes, origin: str) -> HTTPMessage:
    request = Request(url, data, {"Origin": origin.rstrip("/")}, method="PUT")  # noqa: S310 - the store's own URL
    try:
        with urlopen(request, timeout=PUT_S) as response:  # noqa: S310
            headers: HTTPMessage = response.headers
            return headers
    except HTTPError as error:
        with error:
            raise _PutFailed(f"{error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise _PutFailed(str(getattr(error, "reason", error))) from None


def _cors(headers: HTTPMessage) -> DoctorFinding:
    """Whether a browser may send a part from the page, and read its ETag."""
    exposed = {name.strip().lower() for name in headers.get("Access-Control-Expose-Headers", "").split(",")}
    mend = "Add a CORS rule to the bucket: AllowedMethods PUT, AllowedOrigins this server, ExposeHeaders ETag."
    if "Access-Control-Allow-Origin" not in headers:
        return warning(_CORS, "the bucket does not allow uploads from the page of this server", mend)
    if not exposed & {"etag", "*"}:
        return warning(_CORS, "browsers may upload, and cannot read the ETag of a part", mend)
    return ok(_CORS, "browsers may upload from the page and read the ETag")
