"""The files that a campaign's emails carry: their names, types and places in the object store. Reads no file."""

from __future__ import annotations

from typing import Final

import msgspec
from redis import Redis

from campaigns import actor, keys
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed
from campaigns.errors import AttachmentsTooLarge, UnknownAttachment, UnknownCampaign, WrongState
from campaigns.models import CHANGEABLE

#: The most files of a campaign.
MAX_FILES: Final = 20

_STATES: Final = ",".join(CHANGEABLE)


class StoredFile(msgspec.Struct, frozen=True):
    """A file: its name, its size in bytes, its media type, and its key in the object store."""

    filename: str
    size: int
    content_type: str
    object_key: str


class Attachments:
    """Records the files of campaigns. A file can be put or removed while the campaign's content can be changed.

    Args:
        redis: a client without response decoding.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)

    def all(self, campaign_id: str) -> list[StoredFile]:
        """All files of a campaign by name."""
        found = self._redis.hgetall(keys.of(campaign_id, "attachments"))
        return sorted((_decode(raw) for raw in found.values()), key=lambda file: file.filename)

    def put(self, campaign_id: str, file: StoredFile, max_bytes: int) -> StoredFile | None:
        """Record a file. Returns the file of this name that it replaces.

        Args:
            campaign_id: the campaign.
            file: the file, which the object store has already.
            max_bytes: the most bytes of all files together.

        Raises:
            UnknownCampaign, WrongState
            AttachmentsTooLarge: the files would be too large together, or too many.
        """
        outcome, detail = self._scripts(
            "put_attachment",
            keys.named(campaign_id, "campaign attachments"),
            changeable=_STATES,
            filename=file.filename,
            entry=msgspec.json.encode(file),
            size=file.size,
            max_bytes=max_bytes,
            max_files=MAX_FILES,
            by=actor.current(),
        )
        match outcome.decode():
            case "bytes":
                raise AttachmentsTooLarge(
                    f"The attachments would have {int(detail):,} bytes together, more than {max_bytes:,}: remove "
                    "another one, make this one smaller, or link to it."
                )
            case "files":
                raise AttachmentsTooLarge(f"A campaign can have {MAX_FILES} attachments: remove another one first.")
        _check(outcome, detail)
        return _decode(detail) if detail else None

    def remove(self, campaign_id: str, filename: str) -> StoredFile:
        """Remove a file from a campaign. Returns it.

        Raises:
            UnknownCampaign, UnknownAttachment, WrongState
        """
        outcome, detail = self._scripts(
            "remove_attachment",
            keys.named(campaign_id, "campaign attachments"),
            changeable=_STATES,
            filename=filename,
            by=actor.current(),
        )
        if outcome == b"none":
            raise UnknownAttachment
        _check(outcome, detail)
        return _decode(detail)


def _check(outcome: bytes, detail: bytes) -> None:
    if outcome == b"missing":
        raise UnknownCampaign
    if outcome == b"state":
        raise WrongState(detail.decode(), "attachments cannot be changed once the campaign has been started")


def _decode(raw: bytes) -> StoredFile:
    return msgspec.json.decode(raw, type=StoredFile)
