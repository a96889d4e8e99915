"""Uploads in parts that have begun, kept in files so that an interrupted upload can continue.

The files hold presigned addresses, with which anyone could write to the upload: only their owner can read them.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class PartialUpload:
    """An upload in parts.

    Attributes:
        upload_id: the API's id of the upload.
        part_size: of every part but the last, in bytes.
        size: of the file, in bytes.
        expires_at: when the addresses expire, RFC 3339.
        urls: part number -> presigned address.
        etags: part number -> ETag of the store's response, for the parts that have arrived.
    """

    upload_id: str
    part_size: int
    size: int
    expires_at: str
    urls: dict[int, str] = field(repr=False)
    etags: dict[int, str] = field(default_factory=dict)

    @classmethod
    def planned(cls, answer: dict[str, Any], size: int) -> PartialUpload:
        """From the response of `upload/init`."""
        urls = {part["part_number"]: part["url"] for part in answer["parts"]}
        return cls(answer["upload_id"], answer["part_size"], size, answer["expires_at"], urls)

    @property
    def missing(self) -> list[int]:
        """The numbers of the parts that have not arrived."""
        return [number for number in self.urls if number not in self.etags]

    @property
    def arrived_bytes(self) -> int:
        """The bytes of the parts that have arrived."""
        return sum(self.bytes_of(number) for number in self.etags)

    def start_of(self, number: int) -> int:
        """The place of a part in the file, in bytes."""
        return (number - 1) * self.part_size

    def bytes_of(self, number: int) -> int:
        """The size of a part, in bytes."""
        return min(self.part_size, self.size - self.start_of(number))

    def refreshed(self, answer: dict[str, Any]) -> None:
        """Take what the API says of the upload: which parts have arrived, and fresh addresses for the others.

        A part that has arrived without its ETag being known here, such as from another machine, has the ETag "".
        """
        self.expires_at = answer["expires_at"]
        arrived = {part["part_number"] for part in answer["parts"] if part["received"]}
        self.etags = {number: self.etags.get(number, "") for number in sorted(arrived)}
        self.urls |= {part["part_number"]: part["url"] for part in answer["parts"] if not part["received"]}


class PartialUploads:
    """The uploads in parts that have begun on this machine, one file each.

    Args:
        directory: where the files are; it is made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, key: str) -> PartialUpload | None:
        """The upload to continue; None: there is none."""
        try:
            found = json.loads(self._file(key).read_text(encoding="utf-8"))
            for name in ("urls", "etags"):
                found[name] = {int(number): value for number, value in found[name].items()}
            return PartialUpload(**found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None  # a file that cannot be used costs a new upload, and no more

    def save(self, key: str, upload: PartialUpload) -> None:
        """Keep the upload; a crash leaves the file as it was or as it is to be."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._file(key).with_suffix(".new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123
            json.dump(asdict(upload), out)
        draft.replace(self._file(key))

    def forget(self, key: str) -> None:
        """Remove the upload: it is complete, or the server does not know it."""
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._directory / f"{key}.json"


def key_of(server_url: str, campaign_id: str, file: Path) -> str:
    """The key of an upload: another server, campaign, file or content of the file is another upload."""
    found = file.stat()
    facts = [server_url, campaign_id, str(file.resolve()), found.st_size, found.st_mtime_ns]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
