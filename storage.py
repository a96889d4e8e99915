"""The object store: lists of recipients and reports, kept as objects of one bucket, through boto3.

This module knows S3 and its errors; it knows nothing of campaigns, Redis or HTTP. The same code runs against AWS and
any S3-compatible server. Every call has timeouts and a bounded number of attempts. The credentials need the rights to
list the bucket and its multipart uploads, and to read, write and delete its objects.
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

#: The size of the chunks that `ObjectStore.stream` yields, in bytes.
CHUNK_BYTES: Final = 1024 * 1024
#: How many times a broken download is resumed without any progress in between.
MAX_RESUMES: Final = 4
#: The part size of our own uploads, in bytes; memory holds one part at a time.
OWN_PART_BYTES: Final = 8 * 1024 * 1024
#: A store that has lifecycle rules removes unfinished uploads after this many days: longer than a presigned URL is
#: valid (7 days).
STALE_UPLOAD_DAYS: Final = 8

#: s3v4 and path style make presigned URLs work on every server; checksums that only AWS understands are off.
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
    """The object store is unreachable, has no bucket yet, or reports an internal error: try again later."""


class MissingObject(StoreError):
    """There is no such object."""


class ShortObject(StoreError):
    """The object ends before the requested range does: it is not the object that was stored."""


class MissingUpload(StoreError):
    """There is no such multipart upload, or no longer."""


class BadParts(StoreError):
    """The parts of a multipart upload do not fit together."""


class Part(NamedTuple):
    """A part of a multipart upload as the store holds it: number from 1, ETag without quotes, size in bytes."""

    number: int
    etag: str
    size: int


class StaleUpload(NamedTuple):
    """A multipart upload that has begun and is neither completed nor aborted."""

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
        public_endpoint_url: the server address in the presigned URLs that clients get; None: `endpoint_url`.
    """

    def __init__(self, bucket: str, endpoint_url: str | None = None, public_endpoint_url: str | None = None) -> None:
        session = boto3.session.Session()
        self.bucket = bucket
        self._client: Any = session.client("s3", endpoint_url=endpoint_url, config=_CONFIG)
        # Making a client takes 40 ms, so a second one exists only for a second address. It only signs URLs.
        self._signer: Any = self._client
        if public_endpoint_url not in {None, endpoint_url}:
            self._signer = session.client("s3", endpoint_url=public_endpoint_url, config=_CONFIG)

    # The bucket

    def ping(self) -> None:
        """Check that the bucket exists and that we may use it.

        Raises:
            StoreError: it does not exist, or we may not use it.
        """
        try:
            with _translated():
                self._client.head_bucket(Bucket=self.bucket)
        except MissingObject as error:
            raise StoreUnavailable(f"the bucket {self.bucket} does not exist") from error

    def ensure_bucket(self) -> None:
        """Create the bucket if it is missing and we may; allow browsers to read the ETags of the parts that they send.

        Raises:
            StoreError: the bucket does not exist and cannot be created.
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
            if _code(error) not in _OUR_BUCKET:  # another process has created it first
                raise
        rule = {
            "ID": "postrider-stale-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": STALE_UPLOAD_DAYS},
        }
        with suppress(ClientError, BotoCoreError):  # many servers lack lifecycle rules; the janitor cleans up anyway
            self._client.put_bucket_lifecycle_configuration(
                Bucket=self.bucket, LifecycleConfiguration={"Rules": [rule]}
            )

    def _allow_browsers(self) -> None:
        """Set a CORS rule if the bucket has none. Best effort: a server may lack CORS, or an operator configured it."""
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
        """Begin a multipart upload of a CSV; return its id."""
        with _translated():
            answer = self._client.create_multipart_upload(Bucket=self.bucket, Key=key, ContentType="text/csv")
            return str(answer["UploadId"])

    def presign_part(self, key: str, upload_id: str, part_number: int, expires_s: int) -> str:
        """The presigned URL to which a client PUTs a part, valid for `expires_s` seconds (at most 7 days)."""
        params = {"Bucket": self.bucket, "Key": key, "UploadId": upload_id, "PartNumber": part_number}
        with _translated():
            return str(self._signer.generate_presigned_url("upload_part", Params=params, ExpiresIn=expires_s))

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        """All parts that have arrived, in ascending order of their numbers.

        Raises:
            MissingUpload: the upload is unknown, completed or aborted.
        """
        with _translated():
            pages = self._client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload_id)
            return [
                Part(int(part["PartNumber"]), bare_etag(part["ETag"]), int(part["Size"]))
                for page in pages
                for part in page.get("Parts", ())
            ]

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Assemble the parts into the object, in ascending order of their numbers.

        S3 may report an error in the body of a 200; boto3 checks the body, so that this counts as an error here too.

        Raises:
            BadParts: the store refuses these parts; the upload stays open.
            MissingUpload: the upload is unknown, completed or aborted.
        """
        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in sorted(parts)]
        with _translated():
            self._client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
            )

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort an upload and free its parts. A missing upload is no error."""
        with suppress(MissingUpload), _translated():
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    def list_uploads(self, prefix: str) -> list[StaleUpload]:
        """All multipart uploads in progress below a prefix."""
        with _translated():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            return [
                StaleUpload(upload["Key"], upload["UploadId"], upload["Initiated"])
                for page in pages
                for upload in page.get("Uploads", ())
                if upload["Key"].startswith(prefix)  # some servers ignore the prefix
            ]

    # Objects

    def size(self, key: str) -> int | None:
        """The size of an object in bytes; None: there is no such object."""
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
        """Store a CSV file from its current position; a large one in parts, so that memory holds one part at a time.

        All or nothing: readers never see half of the file. The upload may close the file.

        Args:
            key: the object's key.
            fileobj: the file.
            on_progress: called about every 256 kB while the file is sent; may raise to stop the upload, which may
                surface as a StoreError.

        Raises:
            StoreError: the store refused the file or is unavailable.
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

    def copy(self, key: str, to_key: str) -> None:
        """Copy an object of at most 5 GiB inside the store. Its bytes do not pass through this process.

        Raises:
            MissingObject: there is no such object.
        """
        with _translated():
            self._client.copy_object(Bucket=self.bucket, Key=to_key, CopySource={"Bucket": self.bucket, "Key": key})

    def read(self, key: str, start: int, end: int) -> bytes:
        """The bytes from offset `start` to `end` (exclusive), all of them.

        Raises:
            MissingObject: there is no such object.
            ShortObject: the object ends before `end`.
        """
        if end <= start:
            return b""
        with _translated():
            data = b"".join(self._pieces(key, start, end))
        if len(data) != end - start:
            raise ShortObject(f"the object ends before byte {end}")
        return data

    def stream(self, key: str) -> Iterator[bytes]:
        """All bytes of the object, in chunks of at most 1 MiB.

        A broken download resumes where it broke, at most `MAX_RESUMES` times without progress.

        Raises:
            MissingObject: there is no such object.
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
        # Not the body's own `with`: it gives the raw stream, which mistakes a broken connection for the end.
        with closing(answer["Body"]) as body:
            while chunk := body.read(CHUNK_BYTES):
                yield chunk

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        """The objects below a prefix, fetched page by page."""
        with _translated():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield StoredObject(item["Key"], item["LastModified"])

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects. A missing object is no error.

        Each takes one request: objects are few, and some servers lack the request that deletes many.
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
    """Translate boto3's exceptions into ours. Their messages contain no object key and no secret."""
    try:
        yield
    except ClientError as error:
        raise _translate(error) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreError(
            "the object store needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
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
        return BadParts(f"the object store refuses these parts ({code})")
    if code in _COME_BACK or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StoreUnavailable(f"the object store is unavailable ({code or status})")
    return StoreError(f"the object store refuses the request ({code or status})")
