"""The JSON bodies of requests and answers that are not the campaign's own models. Form only; no rules."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from campaigns.catalog import Heading
from campaigns.models import Campaign, OnUnknown, Ramp, Status, StatusReport, UnknownDecision
from settings import MAX_TPM

#: The largest list that is taken in parts, in bytes: 100 GiB, more than a billion rows.
MAX_SIZE_BYTES: Final = 100 * 1024**3
#: The most parts that an upload of S3 can have.
MAX_PARTS: Final = 10_000
#: How long the addresses of an upload live, in seconds; S3 allows 7 days.
EXPIRES_S: Final = 24 * 3600
MAX_EXPIRES_S: Final = 7 * 24 * 3600
MIN_EXPIRES_S: Final = 60

Filename = Annotated[str, Meta(max_length=255)]
ColumnName = Annotated[str, Meta(min_length=1, max_length=200)]
Tpm = Annotated[int, Meta(ge=1, le=MAX_TPM)]


class UploadInit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that is about to be uploaded in parts."""

    size: Annotated[int, Meta(ge=1, extra_json_schema={"maximum": MAX_SIZE_BYTES})]
    filename: Filename = ""
    expires_in_s: Annotated[int, Meta(ge=MIN_EXPIRES_S, le=MAX_EXPIRES_S)] = EXPIRES_S


class PartAddress(msgspec.Struct, frozen=True):
    """Where to PUT a part."""

    part_number: int
    url: str


class UploadPlan(msgspec.Struct, frozen=True):
    """How to upload: `part_size` bytes in every part but the last, which has the rest."""

    upload_id: str
    part_size: int
    parts: list[PartAddress]
    expires_at: str


class SentPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part that the client has sent, with the ETag that it was answered."""

    part_number: Annotated[int, Meta(ge=1, le=MAX_PARTS)]
    etag: Annotated[str, Meta(max_length=200)]


class UploadComplete(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An upload whose parts have all been sent. Without `parts` the server relies on what has arrived."""

    upload_id: str
    parts: Annotated[list[SentPart], Meta(max_length=MAX_PARTS)] = []
    email_column: ColumnName = "email"


class UploadAbort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An upload to give up."""

    upload_id: str


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Transactions per minute."""

    tpm: Tpm


class RateLimited(msgspec.Struct, frozen=True):
    """The rate in force, in transactions per minute."""

    rate_limit: int


class Accepted(msgspec.Struct, frozen=True):
    """The list is in; it is being parsed."""

    status: Literal["parsing"] = "parsing"


class Aborted(msgspec.Struct, frozen=True):
    """The upload is given up."""

    status: Literal["aborted"] = "aborted"


class Stepped(msgspec.Struct, frozen=True):
    """The state after the step."""

    status: Status


class Stopped(msgspec.Struct, frozen=True):
    """The state after the step, and how many emails are still on their way to the provider."""

    status: Status
    in_flight: int


class ReconcileRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to repair besides what is always repaired."""

    retry_failed: bool = False
    unknown: UnknownDecision | None = None


class ReconcileAccepted(msgspec.Struct, frozen=True):
    """The repair is on the queue."""

    status: Literal["reconciling"] = "reconciling"


class EventsTaken(msgspec.Struct, frozen=True):
    """How many events named a row that was handed to the provider, how many did not, and how many rows got an end."""

    applied: int
    ignored: int
    settled: int


class Summary(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A campaign in a list of campaigns, with the figures of its status."""

    id: str
    status: Status
    from_: str
    subject: str
    tpm: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    reason: str | None
    filename: str
    progress: StatusReport


class Page(msgspec.Struct, frozen=True):
    """Campaigns from the newest on; `next` is the path of the next page, or null."""

    campaigns: list[Summary]
    total: int
    offset: int
    limit: int
    next: str | None


class Details(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A campaign: what was PUT, under the same names, and what has become of it.

    `missing_columns`: those that the templates name and the parsed list lacks, which keep it from being started.
    `start_when_ready`: it will start by itself once its list is parsed.
    """

    id: str
    status: Status
    from_: str
    subject: str
    html: str | None
    text: str | None
    reply_to: str | None
    on_unknown: OnUnknown
    weight: int
    ramp: Ramp | None
    headers: dict[str, str]
    tpm: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    reason: str | None
    filename: str
    size: int
    email_column: str
    columns: tuple[str, ...]
    missing_columns: list[str]
    start_when_ready: bool


def summary(campaign_id: str, heading: Heading, progress: StatusReport) -> Summary:
    """A campaign as a list shows it; what changes is all of one instant, that of its status."""
    return Summary(
        id=campaign_id,
        status=progress.status,
        from_=heading.from_,
        subject=heading.subject,
        tpm=progress.rate_limit,
        created_at=heading.created_at,
        started_at=progress.started_at,
        finished_at=progress.finished_at,
        reason=progress.reason,
        filename=heading.filename,
        progress=progress,
    )


def details(campaign: Campaign, missing_columns: list[str]) -> Details:
    """A campaign with all that was PUT."""
    content = campaign.content
    return Details(
        id=campaign.id,
        status=campaign.status,
        from_=content.from_,
        subject=content.subject,
        html=content.html,
        text=content.text,
        reply_to=content.reply_to,
        on_unknown=content.on_unknown,
        weight=content.weight,
        ramp=content.ramp,
        headers=content.headers,
        tpm=campaign.tpm,
        created_at=campaign.created_at,
        started_at=campaign.started_at,
        finished_at=campaign.finished_at,
        reason=campaign.reason,
        filename=campaign.filename,
        size=campaign.size,
        email_column=campaign.email_column,
        columns=campaign.columns,
        missing_columns=missing_columns,
        start_when_ready=campaign.start_when_ready,
    )
