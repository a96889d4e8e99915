"""The object store behind boto3: lists of recipients and reports, as objects of one bucket.

Knows S3 and its errors; knows nothing of campaigns, Redis or HTTP. The same code runs against AWS and any S3-compatible
server. Every call has time limits and a bounded number of tries. Rights needed on the bucket: list it and its multipart
uploads, and read, write and delete its objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from http import HTTPStatus
from typing import IO, Any, Final, NamedTuple

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)

#: How much `ObjectStore.stream` hands out at once, in bytes.
CHUNK_BYTES: Final = 1024 * 1024
#: How often a broken download is taken up again without any progress in between.
MAX_RESUMES: Final = 4
#: Size of the parts of what we upload ourselves, in bytes; one part at a time is held in memory.
OWN_PART_BYTES: Final = 8 * 1024 * 1024
#: Where the store can do it, uploads that nobody finished are removed by itself after this many days. Longer than a
#: presigned address can live (7 days).
STALE_UPLOAD_DAYS: Final = 8

#: s3v4 and path style so that presigned addresses work everywhere; no checksums that only AWS understands.
_CONFIG: Final = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=32,
)
_TRANSFER: Final = TransferConfig(
    multipart_threshold=OWN_PART_BYTES, multipart_chunksize=OWN_PART_BYTES, use_threads=False
)
_BROKEN_READ: Final = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)

_MISSING_OBJECT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_BAD_PARTS: Final = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})
_COME_BACK: Final = frozenset({"NoSuchBucket", "SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"})
#: A range that starts at or after the object's end: 416 by the standard, 400 from some servers.
_BEYOND_END: Final = frozenset({"InvalidRange", "InvalidArgument"})
_OUR_BUCKET: Final = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_NO_CORS: Final = "NoSuchCORSConfiguration"


class StoreError(Exception):
    """The object store refused a request."""


class StoreUnavailable(StoreError):
    """The object store cannot be reached, has no bucket yet, or has trouble of its own: try again later."""


class MissingObject(StoreError):
    """There is no such object."""


class ShortObject(StoreError):
    """The object ends before what was asked for: it is not the one that was stored."""


class MissingUpload(StoreError):
    """There is no such multipart upload (any more)."""


class BadParts(StoreError):
    """The parts of a multipart upload do not fit together."""


class Part(NamedTuple):
    """A part of a multipart upload as the store has it: number from 1, ETag without quotes, size in bytes."""

    number: int
    etag: str
    size: int


class StaleUpload(NamedTuple):
    """A multipart upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    started_at: datetime


class StoredObject(NamedTuple):
    """An object as listed: key, time of its last change."""

    key: str
    modified_at: datetime


class ObjectStore:
    """One bucket. Thread safe.

    Args:
        bucket: its name.
        endpoint_url: an S3-compatible server; None: AWS.
        public_endpoint_url: the address that clients see in presigned addresses; None: the same.
    """

    def __init__(self, bucket: str, endpoint_url: str | None = None, public_endpoint_url: str | None = None) -> None:
        session = boto3.session.Session()
        self.bucket = bucket
        self._client: Any = session.client("s3", endpoint_url=endpoint_url, config=_CONFIG)
        # A client takes 40 ms to make, so there is another one only for another address. It signs and talks to nobody.
        self._signer: Any = self._client
        if public_endpoint_url not in {None, endpoint_url}:
            self._signer = session.client("s3", endpoint_url=public_endpoint_url, config=_CONFIG)

    # The bucket

    def ping(self) -> None:
        """Ask whether the bucket is there and ours to use.

        Raises:
            StoreError: it is not.
        """
        try:
            with _translated():
                self._client.head_bucket(Bucket=self.bucket)
        except MissingObject as error:
            raise StoreUnavailable("the bucket is not there") from error

    def ensure_bucket(self) -> None:
        """Make the bucket where it is missing and we may; let browsers read the ETag of the parts they send.

        Raises:
            StoreError: the bucket is neither there nor can it be made.
        """
        with _translated():
            try:
                self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if _status(error) != HTTPStatus.NOT_FOUND:
                    raise
                self._make_bucket()
        self._allow_browsers()

    def _make_bucket(self) -> None:
        region = self._client.meta.region_name
        place = {} if region in {None, "us-east-1", "aws-global"} else {"LocationConstraint": region}
        try:
            self._client.create_bucket(Bucket=self.bucket, **({"CreateBucketConfiguration": place} if place else {}))
        except ClientError as error:
            if _code(error) not in _OUR_BUCKET:  # another process was faster
                raise
        rule = {
            "ID": "postrider-stale-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": STALE_UPLOAD_DAYS},
        }
        with suppress(ClientError, BotoCoreError):  # a convenience that many servers lack; the janitor does it anyway
            self._client.put_bucket_lifecycle_configuration(
                Bucket=self.bucket, LifecycleConfiguration={"Rules": [rule]}
            )

    def _allow_browsers(self) -> None:
        """Set a CORS rule where none is. Best effort: a server may lack CORS, and the bucket may be set up by hand."""
        with suppress(ClientError, BotoCoreError):
            if self._has_cors():
                return
            rule = {
                "AllowedMethods": ["PUT"],
                "AllowedOrigins": ["*"],
                "AllowedHeaders": ["*"],
                "ExposeHeaders": ["ETag"],
                "MaxAgeSeconds": 3600,
            }
            self._client.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": [rule]})

    def _has_cors(self) -> bool:
        try:
            self._client.get_bucket_cors(Bucket=self.bucket)
        except ClientError as error:
            if _code(error) != _NO_CORS:
                raise
            return False
        return True

    # Multipart uploads

    def create_upload(self, key: str) -> str:
        """Begin a multipart upload of a CSV; answers its id."""
        with _translated():
            answer = self._client.create_multipart_upload(Bucket=self.bucket, Key=key, ContentType="text/csv")
            return str(answer["UploadId"])

    def presign_part(self, key: str, upload_id: str, part_number: int, expires_s: int) -> str:
        """The address to which a client PUTs a part, good for `expires_s` seconds (at most 7 days)."""
        params = {"Bucket": self.bucket, "Key": key, "UploadId": upload_id, "PartNumber": part_number}
        with _translated():
            return str(self._signer.generate_presigned_url("upload_part", Params=params, ExpiresIn=expires_s))

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts that have arrived, ascending, all pages.

        Raises:
            MissingUpload: unknown, completed or aborted.
        """
        with _translated():
            pages = self._client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload_id)
            return [
                Part(int(part["PartNumber"]), bare_etag(part["ETag"]), int(part["Size"]))
                for page in pages
                for part in page.get("Parts", ())
            ]

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Put the parts together, in ascending order of their numbers.

        A 200 whose body tells of an error is an error here too (boto3 looks into it).

        Raises:
            BadParts: the store does not take these parts; the upload stays open.
            MissingUpload: unknown, completed or aborted.
        """
        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in sorted(parts)]
        with _translated():
            self._client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
            )

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Give an upload up and free its parts. One that is not there is fine."""
        with suppress(MissingUpload), _translated():
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    def list_uploads(self, prefix: str) -> list[StaleUpload]:
        """The multipart uploads under way below a prefix, all pages."""
        with _translated():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            return [
                StaleUpload(upload["Key"], upload["UploadId"], upload["Initiated"])
                for page in pages
                for upload in page.get("Uploads", ())
                if upload["Key"].startswith(prefix)  # not every server looks at the prefix
            ]

    # Objects

    def size(self, key: str) -> int | None:
        """The size of an object in bytes; None: there is none."""
        try:
            with _translated():
                return int(self._client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except MissingObject:
            return None

    def put_file(
        self,
        key: str,
        fileobj: IO[bytes],
        on_progress: Callable[[], None] | None = None,
    ) -> None:
        """Store a CSV file from its current position, in parts where it is large: O(part) memory.

        All or nothing: readers never see half of it. The file may be closed afterwards.

        Args:
            key: of the object.
            fileobj: the file.
            on_progress: called while it is sent, about every 256 kB; may raise to stop, which may come out as a
                StoreError.
        """
        with _translated():
            self._client.upload_fileobj(
                fileobj,
                self.bucket,
                key,
                ExtraArgs={"ContentType": "text/csv"},
                Callback=None if on_progress is None else lambda _bytes: on_progress(),
                Config=_TRANSFER,
            )

    def read(self, key: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to and without `end`, all of them.

        Raises:
            MissingObject: there is no such object.
            ShortObject: the object is shorter than that.
        """
        if end <= start:
            return b""
        with _translated():
            data = b"".join(self._pieces(key, start, end))
        if len(data) != end - start:
            raise ShortObject(f"an object ends before byte {end}")
        return data

    def stream(self, key: str) -> Iterator[bytes]:
        """All bytes, in chunks of at most 1 MiB.

        A download that breaks is taken up again where it broke, a bounded number of times without progress.
        """
        with _translated():
            yield from self._pieces(key, 0, None)

    def _pieces(self, key: str, start: int, end: int | None) -> Iterator[bytes]:
        position, resumes_left = start, MAX_RESUMES
        while True:
            try:
                for chunk in self._download(key, position, end):
                    position, resumes_left = position + len(chunk), MAX_RESUMES
                    yield chunk
            except _BROKEN_READ:
                resumes_left -= 1
                if not resumes_left:
                    raise
            else:
                return

    def _download(self, key: str, start: int, end: int | None) -> Iterator[bytes]:
        """One GET, with the errors as botocore raises them."""
        whole = start == 0 and end is None
        span = {} if whole else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=key, **span)
        except ClientError as error:
            if span and _code(error) in _BEYOND_END:
                return
            raise
        # Not the body's own `with`: that gives the raw stream, which takes a broken connection for the end.
        with closing(answer["Body"]) as body:
            while chunk := body.read(CHUNK_BYTES):
                yield chunk

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        """The objects below a prefix, page by page."""
        with _translated():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield StoredObject(item["Key"], item["LastModified"])

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects. One that is not there is fine.

        One request each: they are few, and not every server knows the request for many.
        """
        with _translated():
            for key in keys:
                self._client.delete_object(Bucket=self.bucket, Key=key)


def bare_etag(etag: str) -> str:
    """An ETag without the quotes that some clients keep and others drop."""
    return etag.strip().strip('"')


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn boto3's exceptions into ours. The messages name no key of an object and no secret."""
    try:
        yield
    except ClientError as error:
        raise _translate(error) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreError(
            "no credentials for the object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"the object store cannot be reached ({type(error).__name__})") from error


def _translate(error: ClientError) -> StoreError:
    code, status = _code(error), _status(error)
    if code in _MISSING_OBJECT:
        return MissingObject("there is no such object")
    if code == "NoSuchUpload":
        return MissingUpload("there is no such upload")
    if code in _BAD_PARTS:
        return BadParts(f"the object store does not take these parts ({code})")
    if code in _COME_BACK or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StoreUnavailable(f"the object store has trouble ({code or status})")
    return StoreError(f"the object store refuses the request ({code or status})")
