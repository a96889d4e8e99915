"""Campaign, states and status report: the types that all parts of the system share."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec

from lists.header import CsvDialect
from lists.list_facts import ListFacts
from lists.list_options import ListOptions
from lists.list_warnings import ListWarning
from lists.sample import ListSample
from settings import DEFAULT

#: The most campaigns whose recipients a campaign can exclude.
MAX_EXCLUDED: Final = 20
#: The most emails that a brake may wait for.
MAX_BRAKE_AFTER: Final = 10_000_000
#: The most sending windows of a campaign.
MAX_WINDOWS: Final = 20
#: The most emails after which a campaign can pause itself.
MAX_PAUSE_AFTER: Final = 1_000_000_000
#: The form of a campaign id. The client chooses the id.
CAMPAIGN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Status(StrEnum):
    """The states of a campaign; `docs/state-machine.md` draws them."""

    DRAFT = "draft"
    PARSING = "parsing"
    READY = "ready"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


#: The states in which content and list may be replaced.
CHANGEABLE: Final = (Status.DRAFT, Status.PARSING, Status.READY, Status.SCHEDULED, Status.REJECTED)
#: The states in which there is no parsed list.
WITHOUT_LIST: Final = (Status.DRAFT, Status.PARSING, Status.REJECTED)


class OnUnknown(StrEnum):
    """The campaign's policy for rows with an unknown outcome."""

    HOLD = "hold"
    RESEND = "resend"


class RowState(StrEnum):
    """The states of a recipient, as `recipients.csv` names them."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    PENDING = "pending"
    REJECTED = "rejected"


class UnknownDecision(StrEnum):
    """An operator's decision about the unknown rows."""

    RESEND = "resend"
    FAILED = "failed"
    DONE = "done"


class Ramp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A warm-up: the rate rises linearly from `from` to `to` transactions per minute, `over_hours` after the start."""

    from_: int
    to: int
    over_hours: float


class Brake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits beyond which bounces or complaints pause a campaign.

    `bounce_pct`, `complaint_pct`: in percent; null: no limit. `after`: of fewer emails the brake says nothing.
    """

    bounce_pct: Annotated[float, msgspec.Meta(gt=0, le=100)] | None = 5.0
    complaint_pct: Annotated[float, msgspec.Meta(gt=0, le=100)] | None = 0.3
    after: Annotated[int, msgspec.Meta(ge=1, le=MAX_BRAKE_AFTER)] = 100

    @property
    def fields(self) -> dict[str, str]:
        """The limits as the Lua scripts read them: "" for none."""
        return {
            "brake_bounce_pct": "" if self.bounce_pct is None else f"{self.bounce_pct:g}",
            "brake_complaint_pct": "" if self.complaint_pct is None else f"{self.complaint_pct:g}",
            "brake_after": str(self.after),
        }


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """The content of a campaign: the body of `PUT /campaigns/{id}`.

    `tpm`: transactions per minute. `weight` (1 to 100): the campaign's share while several campaigns compete.
    `where`: a Jinja2 expression over the list's columns; rows for which it is false are excluded. `duplicates`: whether
    a row that repeats an address is rejected or kept. `exclude`: ids of campaigns; who is done or pending there is
    excluded.
    `unsubscribe`: true: each email carries an unsubscribe link. false: the emails are no marketing, so that only
    `bounced` and `complained` addresses of the suppression list are left out. null or missing: marketing; the server
    stores true instead if it can make links.
    `account`: the provider account that sends; "default" if it is missing.
    `inline_css`: move the CSS of `<style>` into the elements; false by default. `text_from_html`: make the text part
    from the HTML; by default true if only `html` is given.
    `start_at`: when a started campaign begins: RFC 3339 with an offset, or a local time in `timezone`. `timezone`: a
    name of the IANA database. `windows`: times such as "Mon-Fri 09:00-18:00" in `timezone`, outside which nothing is
    sent. `timezone_column`: not supported yet. `pause_after`: the campaign pauses itself once after this many emails.
    `tracking`: whether the provider follows opens and clicks: "on", "off", or as its "account" says, the default.
    `brake`: the limits beyond which bounces or complaints pause the campaign; null: none.
    """

    from_: str
    subject: str
    html: str | None = None
    text: str | None = None
    reply_to: str | None = None
    tpm: int | None = None
    on_unknown: OnUnknown = OnUnknown.HOLD
    headers: dict[str, str] = {}
    weight: int = 1
    ramp: Ramp | None = None
    # UNSET is not encoded: the stored content of campaigns without these fields stays the same.
    where: str | msgspec.UnsetType | None = msgspec.UNSET
    duplicates: Literal["reject", "keep"] | msgspec.UnsetType = msgspec.UNSET
    exclude: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_EXCLUDED)] | msgspec.UnsetType = msgspec.UNSET
    inline_css: bool | msgspec.UnsetType = msgspec.UNSET
    text_from_html: bool | msgspec.UnsetType | None = msgspec.UNSET
    unsubscribe: bool | msgspec.UnsetType | None = msgspec.UNSET
    tracking: Literal["account", "off", "on"] | msgspec.UnsetType = msgspec.UNSET
    brake: Brake | msgspec.UnsetType | None = msgspec.UNSET
    account: str | msgspec.UnsetType = msgspec.UNSET
    start_at: str | msgspec.UnsetType | None = msgspec.UNSET
    timezone: str | msgspec.UnsetType | None = msgspec.UNSET
    windows: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_WINDOWS)] | msgspec.UnsetType | None = msgspec.UNSET
    timezone_column: str | msgspec.UnsetType | None = msgspec.UNSET
    pause_after: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAUSE_AFTER)] | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def account_name(self) -> str:
        """The name of the account that sends."""
        return DEFAULT if self.account is msgspec.UNSET else self.account

    @property
    def planned_start(self) -> str | None:
        """When the campaign begins, as written, or None."""
        return None if self.start_at is msgspec.UNSET else self.start_at

    @property
    def zone_name(self) -> str | None:
        """The time zone of `start_at` and `windows`, or None."""
        return None if self.timezone is msgspec.UNSET else self.timezone

    @property
    def sending_windows(self) -> tuple[str, ...]:
        """The windows, as written; () for no restriction."""
        return () if self.windows is msgspec.UNSET else self.windows or ()

    @property
    def zone_column(self) -> str | None:
        """The column of time zones, or None."""
        return None if self.timezone_column is msgspec.UNSET else self.timezone_column

    @property
    def canary(self) -> int | None:
        """After how many emails the campaign pauses itself, or None."""
        return None if self.pause_after is msgspec.UNSET else self.pause_after

    @property
    def has_links(self) -> bool:
        """Whether each email carries an unsubscribe link."""
        return self.unsubscribe is True

    @property
    def is_marketing(self) -> bool:
        """Whether the whole suppression list stops the emails, and not only `bounced` and `complained`."""
        return self.unsubscribe is not False

    @property
    def limits_of_brake(self) -> Brake:
        """The limits of the brake; it has none where it is turned off."""
        if self.brake is msgspec.UNSET:
            return Brake()
        return self.brake or Brake(bounce_pct=None, complaint_pct=None)

    @property
    def tracks(self) -> bool | None:
        """Whether the provider follows opens and clicks; None: as its account says."""
        return {"on": True, "off": False}.get(str(self.tracking))

    @property
    def makes_text(self) -> bool:
        """Whether the text part is made from the HTML: never if a text is given."""
        return self.html is not None and self.text is None and self.text_from_html is not False

    @property
    def condition(self) -> str | None:
        """The condition that a row must meet, or None."""
        return None if self.where is msgspec.UNSET else self.where

    @property
    def keeps_duplicates(self) -> bool:
        """Whether two rows with one address are two recipients."""
        return self.duplicates == "keep"

    @property
    def excluded_campaigns(self) -> tuple[str, ...]:
        """The ids of the campaigns whose recipients are left out."""
        return () if self.exclude is msgspec.UNSET else self.exclude

    def means(self, other: Content, tpm: int) -> bool:
        """Whether two contents say the same, although one may leave out what the other spells out.

        Args:
            other: the content of a campaign.
            tpm: the campaign's rate now; to name it is no change.
        """
        own = self._spelled_out
        if self.tpm == tpm:
            own = msgspec.structs.replace(own, tpm=other.tpm)
        return own == other._spelled_out

    @property
    def _spelled_out(self) -> Content:
        """This content with each default in place of a field that is left out."""
        return msgspec.structs.replace(
            self,
            where=self.condition,
            duplicates="keep" if self.keeps_duplicates else "reject",
            exclude=self.excluded_campaigns,
            inline_css=self.inline_css is True,
            text_from_html=self.makes_text,
            unsubscribe=self.unsubscribe if isinstance(self.unsubscribe, bool) else None,
            tracking="account" if self.tracking is msgspec.UNSET else self.tracking,
            brake=self.limits_of_brake,
            account=self.account_name,
            start_at=self.planned_start,
            timezone=self.zone_name,
            windows=self.sending_windows,
            timezone_column=self.zone_column,
            pause_after=self.canary,
        )

    @property
    def filters(self) -> str:
        """What decides which rows of the list are recipients, as one text; "" for nothing."""
        chosen = {"where": self.condition, "duplicates": self.keeps_duplicates, "exclude": self.excluded_campaigns}
        if not self.is_marketing:  # only then, so that the stored text of other campaigns stays the same
            chosen["unsubscribe"] = "false"
        return msgspec.json.encode(chosen).decode() if any(chosen.values()) else ""


class Campaign(msgspec.Struct, frozen=True):
    """A campaign as stored.

    `list_version` identifies the list in use and changes with every accepted upload. `columns` are the CSV's columns by
    position, as template names ("" if a column has no usable name). `start_when_ready`: a client has started the
    campaign while its list is being parsed. `columns_named`: the column names that the templates use are stored too.
    `object_key`: the uploaded object; `list_key`: the object that the rows are read from, which is the same one unless
    the list was converted. `size` and `list_size`: the sizes of these objects, in bytes. `options`: what the upload
    said of the list; `facts`: what was recognised, once it is parsed.
    `sample`: what is kept of the list to check templates. `content_version`: rises with each change of the content.
    `row_rules`: the rules of the scan (`lists.fields.ROW_RULES`); earlier versions stored none and had the rules 1.
    `derived`: what is sent if it differs from `content`: with inlined CSS, or with a text made from the HTML.
    """

    id: str
    status: Status
    content: Content
    tpm: int
    created_at: str
    reason: str | None = None
    list_version: str = ""
    object_key: str = ""
    filename: str = ""
    size: int = 0
    options: ListOptions = ListOptions()
    list_key: str = ""
    list_size: int = 0
    facts: ListFacts | None = None
    sample: ListSample = ListSample()
    content_version: int = 0
    columns_named: bool = False
    columns: tuple[str, ...] = ()
    email_index: int = 0
    delimiter: str = ","
    encoding: str = "utf-8"
    skip_initial_space: bool = False
    row_rules: int = 1
    slices: int = 0
    start_when_ready: bool = False
    started_at: str | None = None
    finished_at: str | None = None
    derived: Content | None = None

    @property
    def has_list(self) -> bool:
        """Whether the list is parsed."""
        return self.slices > 0 and self.status not in WITHOUT_LIST

    @property
    def sent_content(self) -> Content:
        """The content whose templates are rendered."""
        return self.derived or self.content

    @property
    def email_column(self) -> str:
        """The header of the column of addresses: as recognised, or before that as the upload named it."""
        return self.facts.email_column if self.facts else self.options.email_column

    @property
    def dialect(self) -> CsvDialect:
        """How to read the rows of the list, by the rules by which it was scanned."""
        return CsvDialect(
            delimiter=self.delimiter,
            encoding=self.encoding,
            columns=self.columns,
            email_index=self.email_index,
            start=0,
            skip_initial_space=self.skip_initial_space,
            row_rules=self.row_rules,
        )


class Upload(msgspec.Struct, frozen=True):
    """A multipart upload in progress: `parts` parts of `part_bytes` each; the last part may be smaller."""

    upload_id: str
    object_key: str
    size: int
    filename: str
    part_bytes: int
    parts: int
    created_at: str
    completed: bool = False
    expires_at: str = ""


class ParseProgress(msgspec.Struct, frozen=True):
    """The parser's progress, in bytes of the file and rows after the header. `size`: of the file, in bytes."""

    bytes: int
    size: int
    rows: int


class StatusReport(msgspec.Struct, frozen=True):
    """The response of `GET /campaigns/{id}/status`: `done + failed + pending = total`, always.

    `limit_now`: the emails that the campaign may send per minute now: `rate_limit`, or less during a warm-up.
    `changeable`: content and list may be replaced. `has_list`: the list is parsed. `delivered`, `bounced`, `dropped`,
    `complained`, `unsubscribed`, `opened`, `clicked`: recipients with such an event from the provider, each row counted
    once; who unsubscribes by Postrider's own link counts as `unsubscribed` too. `opened_by_machines`: recipients whose
    email a machine has opened, such as Apple's Mail Privacy Protection; `opened` does not count that. `excluded`: rows
    that `where` or `exclude` left out. `format` to `warnings`: what was recognised in the list, once it is parsed
    (`lists.list_facts.ListFacts`); `unaccepted`: the codes of warnings that a start must accept.
    """

    done: int
    failed: int
    pending: int
    rate_limit: int
    limit_now: int
    status: Status
    total: int
    rejected: int
    unknown: int
    in_flight: int
    retries: int
    sent_last_minute: int
    eta_s: int | None
    reason: str | None
    started_at: str | None
    finished_at: str | None
    delivered: int
    bounced: int
    dropped: int
    complained: int
    unsubscribed: int
    opened: int
    opened_by_machines: int
    clicked: int
    changeable: bool
    has_list: bool
    parsed: ParseProgress | None = None
    excluded: int = 0
    format: str | None = None
    encoding: str | None = None
    encoding_confidence: float | None = None
    delimiter: str | None = None
    email_column: str | None = None
    samples: list[str] = []
    reasons: dict[str, int] = {}
    warnings: list[ListWarning] = []
    unaccepted: list[str] = []
    start_at: str | None = None
    window_opens_at: str | None = None
