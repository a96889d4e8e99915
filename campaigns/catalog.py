"""All campaigns with their content, list and uploads. `controls` decides what a campaign may do next."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import actor, keys, messages, schedule
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed
from campaigns.errors import InvalidCampaign, ListChanged, UnknownCampaign, UnknownUpload, WrongState
from campaigns.judgement import Judgement
from campaigns.models import CAMPAIGN_ID, CHANGEABLE, Campaign, Content, Ramp, Status, Upload
from lists.list_facts import ListFacts
from lists.list_options import ListOptions
from lists.sample import ListSample

#: Why a campaign that has been started refuses a content.
_CONTENT_STAYS: Final = (
    "the content cannot be changed once the campaign has been started; only `account` can, while the campaign is paused"
)
#: Why a campaign that has been started refuses a list.
_LIST_STAYS: Final = "a list cannot be replaced once the campaign has been started"


def iso(milliseconds: str | bytes | None) -> str | None:
    """A time in ms since 1970 as ISO 8601 in UTC, or None."""
    if not milliseconds:
        return None
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC).isoformat(timespec="milliseconds")


class Heading(NamedTuple):
    """The fields of a campaign, besides its status, that the list of campaigns shows."""

    created_at: str
    filename: str
    from_: str
    subject: str


def _heading(row: Sequence[bytes | None]) -> Heading:
    created_at, *others = ((value or b"").decode() for value in row)
    return Heading(str(iso(created_at)), *others)


def _ramp_fields(ramp: Ramp | None) -> dict[str, str]:
    """The fields of a warm-up that the Lua scripts read; all empty without a warm-up."""
    if ramp is None:
        return {"ramp_from": "", "ramp_to": "", "ramp_ms": ""}
    return {
        "ramp_from": str(ramp.from_),
        "ramp_to": str(ramp.to),
        "ramp_ms": str(max(1, int(ramp.over_hours * 3_600_000))),
    }


def _encoded(options: ListOptions) -> str:
    """Options as the campaign stores them: "" if all are to be recognised, as an earlier version stored nothing."""
    return "" if options == ListOptions() else msgspec.json.encode(options).decode()


def _options(campaign: Mapping[str, str]) -> ListOptions:
    """What an upload said of the list, from its campaign's fields; an earlier version has stored the column alone."""
    options = msgspec.json.decode(campaign.get("list_options") or b"{}", type=ListOptions)
    return msgspec.structs.replace(options, email_column=campaign.get("email_column", ""))


def name_columns(redis: Redis, campaign_id: str, template_names: Sequence[str]) -> None:
    """Store the column names that a campaign's templates use.

    Needed for campaigns whose content an older version has stored without these names.
    """
    of_campaign = keys.named(campaign_id, "campaign")
    Scripts(redis)("name_columns", of_campaign, template_names=msgspec.json.encode(template_names))


class Catalog:
    """Reads and writes campaigns.

    Args:
        redis: a client without response decoding.
        default_tpm: transactions per minute for campaigns that set none.
    """

    def __init__(self, redis: Redis, default_tpm: int) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._default_tpm = default_tpm

    def put(
        self,
        campaign_id: str,
        content: Content,
        template_names: Sequence[str] = (),
        *,
        derived: Content | None = None,
        unaccepted: Sequence[str] = (),
        judgement: Judgement | None = None,
        inline_files: Iterable[str] = (),
        only_new: bool = False,
        copy_of: str = "",
    ) -> tuple[Campaign, bool]:
        """Create a campaign or change its content. Returns the campaign, and whether it is new.

        Args:
            campaign_id: the client's id of the campaign.
            content: its content.
            template_names: the column names that the templates use, sorted. The campaign cannot start with a list that
                lacks one of them.
            derived: what is sent instead of the content; None: the content itself.
            unaccepted: the codes of the warnings about the content that a person must accept before the start.
            judgement: what the content and the parsed list make together; None: nothing is known of that.
            inline_files: the names of the files that its HTML shows.
            only_new: a campaign that exists already stays as it is.
            copy_of: the campaign that a new one is a copy of, for its history.

        Raises:
            WrongState: the content differs, and the campaign has been started, or must be new. While it is paused, the
                account alone may differ.
            ListChanged: the list is another one than the judged one; nothing has changed.
            InvalidCampaign: a campaign in `exclude` does not exist, or a field about time is wrong.
        """
        self._check_excluded(campaign_id, content.excluded_campaigns)
        content, replaces = (content, b"") if only_new else self._as_stored(campaign_id, content)
        list_version = uuid4().hex[:12]
        message = messages.encode(messages.PARSE_CSV, campaign_id, list_version)
        fields = {"on_unknown": content.on_unknown.value, "weight": str(content.weight), **_ramp_fields(content.ramp)}
        fields |= content.limits_of_brake.fields
        fields |= schedule.fields(content, time.time_ns() // 1_000_000)
        fields["marketing"] = str(int(content.is_marketing))  # admission reads it
        fields["account"] = content.account_name  # admission and the dispatcher read it
        fields |= {"from": content.from_, "subject": content.subject}  # the list of campaigns reads these alone
        fields["inline_files"] = msgspec.json.encode([name.lower() for name in inline_files]).decode()
        if content.tpm is not None:
            fields["tpm"] = str(content.tpm)
        outcome = self._scripts(
            "put_campaign",
            {
                **self._keys_of_new_list(campaign_id, message.queue),
                **keys.named(campaign_id, "breaker failing"),
                "campaigns": keys.CAMPAIGNS,
                "schedule": keys.SCHEDULE,
            },
            campaign_id=campaign_id,
            account=content.account_name,
            replaces=replaces,
            changeable="" if only_new else ",".join(CHANGEABLE),
            content=msgspec.json.encode(content),
            default_tpm=self._default_tpm,
            template_names=msgspec.json.encode(template_names),
            filters=content.filters,
            list_version=list_version,
            message_id=message.message_id,
            message=message.data,
            sent_content=b"" if derived is None else msgspec.json.encode(derived),
            unaccepted=msgspec.json.encode(unaccepted),
            judged=judgement is not None,
            judged_list=judgement.version if judgement else "",
            unaccepted_with_list=msgspec.json.encode(judgement.unaccepted if judgement else []),
            missing=judgement.missing if judgement else "",
            by=actor.current(),
            copy_of=copy_of,
            fields=fields.items(),
        ).decode()
        if outcome == "list_changed":
            raise ListChanged
        if only_new and outcome != "created":
            status = self.get(campaign_id).status
            raise WrongState(status, f"the campaign {campaign_id} already exists: choose another id")
        if outcome not in {"created", "changed", "same"}:
            raise WrongState(outcome, _CONTENT_STAYS)
        return self.get(campaign_id), outcome == "created"

    def _as_stored(self, campaign_id: str, content: Content) -> tuple[Content, bytes]:
        """The content as it is stored, if that means the same; and the stored content that the new account replaces.

        That is b"" unless the campaign is paused and nothing but the account differs.
        """
        status, stored, tpm = self._redis.hmget(keys.campaign(campaign_id), "status", "content", "tpm")
        if stored is None:
            return content, b""
        before = msgspec.json.decode(stored, type=Content)
        moved = msgspec.structs.replace(before, account=content.account)
        if not content.means(moved, int(tpm or 0)):
            return content, b""
        if before.account_name == content.account_name:
            return before, b""
        return (moved, stored) if status == Status.PAUSED.encode() else (content, b"")

    def _check_excluded(self, campaign_id: str, excluded: Sequence[str]) -> None:
        for other in excluded:
            if other == campaign_id:
                raise InvalidCampaign("exclude: a campaign cannot exclude its own recipients: take its id out")
            if not (CAMPAIGN_ID.fullmatch(other) and self._redis.hget(keys.campaign(other), "status")):
                raise InvalidCampaign(f"exclude: there is no campaign {other[:64]!r}: correct the id, or take it out")

    def get(self, campaign_id: str) -> Campaign:
        """Return the campaign with this id.

        Raises:
            UnknownCampaign: no campaign has this id.
        """
        found = self._decode(campaign_id, self._redis.hgetall(keys.campaign(campaign_id)))
        if found is None:
            raise UnknownCampaign
        return found

    def is_sending(self, campaign_id: str, list_version: str) -> bool:
        """Whether the campaign is running with this version of its list."""
        status, found = self._redis.hmget(keys.campaign(campaign_id), "status", "list_version")
        return bool(status == Status.RUNNING.encode() and found == list_version.encode())

    def newest(self, offset: int, limit: int) -> tuple[list[str], int]:
        """Return one page of campaign ids, newest first, and the number of all campaigns."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zrevrange(keys.CAMPAIGNS, offset, offset + limit - 1)
            pipeline.zcard(keys.CAMPAIGNS)
            ids, total = pipeline.execute()
        return [raw.decode() for raw in ids], total

    def all_ids(self) -> list[str]:
        """Return the ids of all campaigns, newest first."""
        return [raw.decode() for raw in reversed(self._redis.zrange(keys.CAMPAIGNS, 0, -1))]

    def headings(self, campaign_ids: Sequence[str]) -> list[Heading | None]:
        """Return the heading of each of these campaigns, in their order; None for a campaign that does not exist.

        One round trip to Redis, and a second one only for campaigns of an older version.
        """
        found = self._fields(campaign_ids, ("created_at", "filename", "from", "subject"))
        # An older version stored sender and subject of these campaigns only inside their content.
        older = [place for place, row in enumerate(found) if row[0] is not None and row[2] is None]
        contents = self._fields([campaign_ids[place] for place in older], ("content",))
        for place, (raw,) in zip(older, contents, strict=True):
            if raw is not None:
                content = msgspec.json.decode(raw, type=Content)
                found[place][2:] = content.from_.encode(), content.subject.encode()
        return [None if row[0] is None or row[2] is None else _heading(row) for row in found]

    def _fields(self, campaign_ids: Sequence[str], names: Sequence[str]) -> list[list[bytes | None]]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for campaign_id in campaign_ids:
                pipeline.hmget(keys.campaign(campaign_id), names)
            return list(pipeline.execute())

    @staticmethod
    def _decode(campaign_id: str, row: dict[bytes, bytes]) -> Campaign | None:
        if b"content" not in row:
            return None
        text = {name.decode(): value.decode() for name, value in row.items()}
        return Campaign(
            id=campaign_id,
            status=Status(text["status"]),
            content=msgspec.json.decode(text["content"], type=Content),
            tpm=int(text["tpm"]),
            created_at=str(iso(text["created_at"])),
            reason=text.get("reason"),
            list_version=text.get("list_version", ""),
            object_key=text.get("object_key", ""),
            filename=text.get("filename", ""),
            size=int(text.get("size", 0)),
            list_size=int(text.get("list_size") or text.get("size") or 0),
            options=_options(text),
            list_key=text.get("list_key") or text.get("object_key", ""),
            facts=msgspec.json.decode(text["list_facts"], type=ListFacts) if text.get("list_facts") else None,
            sample=msgspec.json.decode(text.get("list_sample") or "{}", type=ListSample),
            content_version=int(text.get("content_version", 0)),
            columns_named="template_names" in text,
            columns=tuple(msgspec.json.decode(text.get("columns", "[]"), type=list[str])),
            email_index=int(text.get("email_index", 0)),
            delimiter=text.get("delimiter", ","),
            encoding=text.get("encoding", "utf-8"),
            skip_initial_space=text.get("skip_initial_space") == "1",
            row_rules=int(text.get("row_rules", 1)),
            slices=int(text.get("slices", 0)),
            start_when_ready="start_when_ready" in text,
            started_at=iso(text.get("started_at")),
            finished_at=iso(text.get("finished_at")),
            derived=msgspec.json.decode(text["sent_content"], type=Content) if text.get("sent_content") else None,
        )

    def delete(self, campaign_id: str, *, finished_before_ms: int = 0) -> None:
        """Remove a campaign with all its data in Redis.

        Args:
            campaign_id: the campaign.
            finished_before_ms: only if it ended before this time, in ms since 1970, since its data have expired; 0: in
                whatever state.

        Raises:
            UnknownCampaign: no campaign has this id.
            WrongState: the campaign is running, or some of its rows are in flight.
        """
        outcome = self._scripts(
            "delete_campaign",
            {
                **keys.named(campaign_id, "campaign in_flight held"),
                "campaigns": keys.CAMPAIGNS,
                "parsing": keys.PARSING,
                "schedule": keys.SCHEDULE,
                "installation": keys.HISTORY,
                "link_marks": keys.LINK_MARKS,
                "all_keys": [keys.of(campaign_id, name) for name in keys.CAMPAIGN_KEYS],
            },
            campaign_id=campaign_id,
            by=actor.current(),
            event="campaign_expired" if finished_before_ms else "campaign_deleted",
            reason="",
            finished_before=finished_before_ms,
        )
        if outcome is None:
            return
        status, in_flight = outcome[0].decode(), outcome[1]
        if status == "missing":
            raise UnknownCampaign
        if finished_before_ms and not in_flight:
            raise WrongState(status, "the campaign has not been over for long enough")
        if status == Status.RUNNING:
            raise WrongState(status, "a running campaign cannot be deleted; pause or cancel it first")
        raise WrongState(
            status,
            f"the campaign cannot be deleted while emails are in flight, now {in_flight}; they usually settle "
            "within a minute: delete the campaign again then",
        )

    def begin_upload(self, campaign_id: str, upload: Upload) -> None:
        """Record a multipart upload that a client has started."""
        self._redis.hset(keys.of(campaign_id, "uploads"), upload.upload_id, msgspec.json.encode(upload))

    def upload(self, campaign_id: str, upload_id: str) -> Upload:
        """Return the multipart upload with this id.

        Raises:
            UnknownUpload: the campaign has no such upload.
        """
        raw = self._redis.hget(keys.of(campaign_id, "uploads"), upload_id)
        if raw is None:
            raise UnknownUpload
        return msgspec.json.decode(raw, type=Upload)

    def uploads(self, campaign_id: str) -> list[Upload]:
        """Return all multipart uploads of a campaign that are not finished or aborted yet."""
        return [msgspec.json.decode(raw, type=Upload) for raw in self._redis.hvals(keys.of(campaign_id, "uploads"))]

    def end_upload(self, campaign_id: str, upload_id: str) -> None:
        """Remove the record of a multipart upload."""
        self._redis.hdel(keys.of(campaign_id, "uploads"), upload_id)

    def check_replaceable(self, campaign_id: str) -> None:
        """Check that the campaign still accepts a list.

        Raises:
            UnknownCampaign: no campaign has this id.
            WrongState: the campaign has been started.
        """
        status = self.get(campaign_id).status
        if status not in CHANGEABLE:
            raise WrongState(status, _LIST_STAYS)

    @staticmethod
    def _keys_of_new_list(campaign_id: str, queue: str) -> dict[str, Any]:
        return {
            **keys.named(campaign_id, "campaign progress held"),
            "parsing": keys.PARSING,
            "queue": keys.dramatiq_queue(queue),
            "messages": keys.dramatiq_messages(queue),
            "list_keys": [keys.of(campaign_id, name) for name in keys.LIST_KEYS],
        }

    def accept_list(
        self,
        campaign_id: str,
        *,
        object_key: str,
        size: int,
        filename: str,
        email_column: str = "",
        encoding: str = "",
        delimiter: str = "",
        sheet: str = "",
    ) -> tuple[str, str]:
        """Give the campaign a list and enqueue its parsing, in one atomic step.

        Args:
            campaign_id: the campaign.
            object_key: the object with the list.
            size: its size in bytes.
            filename: its name to show.
            email_column: the header of its column of addresses, or "" (see `ListOptions`).
            encoding: its encoding, or "".
            delimiter: the character between its cells, or "".
            sheet: the name of the sheet, or "".

        Returns:
            The list version, and the key of the object that the list replaces ("": none). If the campaign has this list
            already, nothing is parsed again.

        Raises:
            UnknownCampaign, WrongState: nothing has changed.
        """
        list_version = uuid4().hex[:12]
        message = messages.encode(messages.PARSE_CSV, campaign_id, list_version)
        fields = {"size": size, "filename": filename}
        outcome, detail = self._scripts(
            "accept_list",
            self._keys_of_new_list(campaign_id, message.queue),
            campaign_id=campaign_id,
            changeable=",".join(CHANGEABLE),
            list_version=list_version,
            message_id=message.message_id,
            message=message.data,
            object_key=object_key,
            email_column=email_column,
            list_options=_encoded(ListOptions(encoding=encoding, delimiter=delimiter, sheet=sheet)),
            by=actor.current(),
            fields=fields.items(),
        )
        if outcome == b"missing":
            raise UnknownCampaign
        if outcome == b"refused":
            raise WrongState(detail.decode(), _LIST_STAYS)
        if outcome == b"same":
            return detail.decode(), ""
        return list_version, detail.decode()
