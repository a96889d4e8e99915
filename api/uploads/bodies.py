"""The JSON bodies of uploads: their format only, no rules."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lists.list_options import ListOptions
from lists.list_warnings import ListWarning
from mail.check import Check

#: The largest list that can be uploaded in parts, in bytes: 100 GiB, more than a billion rows.
MAX_SIZE_BYTES: Final = 100 * 1024**3
#: The most parts that an S3 multipart upload can have.
MAX_PARTS: Final = 10_000
#: How long the presigned URLs of an upload are valid, in seconds; S3 allows 7 days.
EXPIRES_S: Final = 24 * 3600
MAX_EXPIRES_S: Final = 7 * 24 * 3600
MIN_EXPIRES_S: Final = 60

#: The most characters of a list's file name, and of the header of its column of addresses.
MAX_FILENAME: Final = 255
MAX_COLUMN_NAME: Final = 200
#: The most characters of the name of an encoding or a delimiter.
MAX_OPTION: Final = 40

Filename = Annotated[str, Meta(max_length=MAX_FILENAME)]
ColumnName = Annotated[str, Meta(max_length=MAX_COLUMN_NAME)]
OptionName = Annotated[str, Meta(max_length=MAX_OPTION)]


class UploadInitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file to upload in parts. `size`: in bytes; `expires_in_s`: how long the presigned URLs are valid."""

    size: Annotated[int, Meta(ge=1, extra_json_schema={"maximum": MAX_SIZE_BYTES})]
    filename: Filename = ""
    expires_in_s: Annotated[int, Meta(ge=MIN_EXPIRES_S, le=MAX_EXPIRES_S)] = EXPIRES_S


class PartAddress(msgspec.Struct, frozen=True):
    """The presigned URL to which the client PUTs a part."""

    part_number: int
    url: str


class UploadInitResponse(msgspec.Struct, frozen=True):
    """How to upload: each part has `part_size` bytes, except the last, which has the rest."""

    upload_id: str
    part_size: int
    parts: list[PartAddress]
    expires_at: str


class PartState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of an upload: it has arrived with `size` bytes, or it is missing and `url` is where to PUT it."""

    part_number: int
    received: bool
    size: int | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET


class UploadStateResponse(msgspec.Struct, frozen=True):
    """The state of an upload. Its URLs are valid until `expires_at`; each request makes new ones."""

    part_size: int
    expires_at: str
    parts: list[PartState]


class SentPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part that the client has sent, with the ETag of the store's response."""

    part_number: Annotated[int, Meta(ge=1, le=MAX_PARTS)]
    etag: Annotated[str, Meta(max_length=200)]


class UploadCompleteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An upload whose parts have all been sent. Without `parts`, the server uses the parts that the store lists.

    `email_column`, `encoding`, `delimiter` and `sheet` are recognised if they are empty.
    """

    upload_id: str
    parts: Annotated[list[SentPart], Meta(max_length=MAX_PARTS)] = []
    email_column: ColumnName = ""
    encoding: OptionName = ""
    delimiter: OptionName = ""
    sheet: ColumnName = ""

    @property
    def options(self) -> ListOptions:
        """What the upload says of the list."""
        return ListOptions(
            email_column=self.email_column, encoding=self.encoding, delimiter=self.delimiter, sheet=self.sheet
        )


class UploadAbortRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The upload to abort."""

    upload_id: str


class UploadResponse(msgspec.Struct, frozen=True):
    """The list has arrived and is being parsed."""

    status: Literal["parsing"] = "parsing"


class DryRunResponse(msgspec.Struct, frozen=True):
    """What a list would give. Nothing is kept.

    `email_column`: the header of the column of addresses that was found; `columns`: the names for templates, in order;
    `samples`: values with other than ASCII characters; `sample`: the first accepted rows as they would be used;
    `missing_columns`: columns that the campaign's templates or `where` use and the list lacks; `content_warnings`: what
    the campaign's content and the list make together; `unaccepted`: the codes of warnings that a start must accept.
    """

    format: str
    encoding: str
    encoding_confidence: float
    samples: list[str]
    delimiter: str
    columns: tuple[str, ...]
    email_column: str
    rows: int
    accepted: int
    rejected: int
    excluded: int
    reasons: dict[str, int]
    sample: list[dict[str, str]]
    warnings: list[ListWarning]
    missing_columns: list[str]
    content_warnings: list[Check]
    unaccepted: list[str]


class UploadAbortResponse(msgspec.Struct, frozen=True):
    """The upload is aborted."""

    status: Literal["aborted"] = "aborted"
