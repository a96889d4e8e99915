"""Uploads a list: a small one in one request, a larger one in parts that continue where they were interrupted."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from cli.connection import Body, Connection
from cli.errors import ApiError, CommandError, ExitCode
from cli.part_sender import PartRefused, PartSender
from cli.partial_uploads import PartialUpload, PartialUploads, key_of
from cli.session import path_of
from cli.upload_bar import UploadBar
from cli.wording import number, size as size_in_words

#: The largest list that is uploaded in one request, in bytes; the API takes up to 10 MiB.
DIRECT_BYTES: Final = 8 * 1024 * 1024
#: How often an upload sends parts that the server misses, or begins again after the store has refused it.
ROUNDS: Final = 3


class ListUpload:
    """The upload of one file to one campaign.

    Args:
        connection: the server.
        uploads: the uploads that have begun on this machine.
        campaign_id: the campaign.
        file: the list.
        options: further fields of `upload/complete`, such as `email_column`.
        bar: is told the number of bytes as they are sent.
    """

    def __init__(
        self,
        connection: Connection,
        uploads: PartialUploads,
        campaign_id: str,
        file: Path,
        *,
        options: dict[str, str],
        bar: UploadBar,
    ) -> None:
        self._connection = connection
        self._uploads = uploads
        self._campaign_id = campaign_id
        self._file = file
        self._options = options
        self._bar = bar
        self._size = file.stat().st_size
        self._key = key_of(connection.profile.url, campaign_id, file)

    def run(self) -> None:
        """Upload the list; the server then parses it.

        Raises:
            ApiError: the API refused the upload.
            CommandError: the file is empty, or the object store refused it or cannot be reached.
        """
        if self._size == 0:
            raise CommandError(f"{self._file} is empty: give a list with a header row.", ExitCode.USAGE)
        if self._size <= DIRECT_BYTES:
            self._send_at_once()
        else:
            self._send_in_parts()

    def _send_at_once(self) -> None:
        query = urlencode({"filename": self._file.name, **self._options})
        body = Body(self._file.read_bytes(), self._size, "text/csv")
        self._call("POST", f"/upload?{query}", body)
        self._bar.add(self._size)

    def _send_in_parts(self) -> None:
        upload: PartialUpload | None = None
        for last in (*[False] * (ROUNDS - 1), True):
            upload = upload or self._begun() or self._begin()
            try:
                self._send_missing(upload)
                self._complete(upload)
            except (PartRefused, ApiError) as error:
                if last or not self._mends(upload, error):
                    raise
                upload = upload if self._uploads.find(self._key) else None
            else:
                self._uploads.forget(self._key)
                return

    def _begun(self) -> PartialUpload | None:
        upload = self._uploads.find(self._key)
        if upload is None:
            return None
        try:
            upload.refreshed(self._connection.call("GET", path_of(self._campaign_id, f"/uploads/{upload.upload_id}")))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._uploads.forget(self._key)  # it is complete, aborted, or older than a week
            return None
        if upload.etags:
            parts = f"{number(len(upload.etags))} of {number(len(upload.urls))} parts"
            self._connection.note(f"Continuing the upload: {parts} have arrived before.")
            self._bar.add(upload.arrived_bytes)
        return upload

    def _begin(self) -> PartialUpload:
        wanted = {"size": self._size, "filename": self._file.name[-255:]}
        upload = PartialUpload.planned(self._call("POST", "/upload/init", wanted), self._size)
        self._uploads.save(self._key, upload)
        return upload

    def _send_missing(self, upload: PartialUpload) -> None:
        def arrived(part: int, etag: str) -> None:
            upload.etags[part] = etag
            self._uploads.save(self._key, upload)

        PartSender(self._file, self._connection.patience_s, self._bar.add).send(upload, arrived)

    def _complete(self, upload: PartialUpload) -> None:
        if key_of(self._connection.profile.url, self._campaign_id, self._file) != self._key:
            raise CommandError(f"{self._file} has changed during the upload: upload it again.")
        parts = [{"part_number": part, "etag": etag} for part, etag in sorted(upload.etags.items()) if etag]
        # A store that gives no ETags, or hides them, is asked by the server instead.
        claims = {"parts": parts} if len(parts) == len(upload.urls) else {}
        self._call("POST", "/upload/complete", {"upload_id": upload.upload_id, **claims, **self._options})

    def _mends(self, upload: PartialUpload, error: PartRefused | ApiError) -> bool:
        """Whether another round can mend the error; prepares that round."""
        lost = (
            [*error.members.get("missing", ()), *error.members.get("wrong", ())] if isinstance(error, ApiError) else []
        )
        if lost:
            for part in lost:
                upload.etags.pop(part, None)
            self._uploads.save(self._key, upload)
        elif isinstance(error, PartRefused) or (error.status == 404 and self._campaign_exists()):
            self._uploads.forget(self._key)
        else:
            return False
        self._connection.note(f"{error.detail} Trying again.")
        self._bar.restart()
        return True

    def _campaign_exists(self) -> bool:
        self._connection.call("GET", path_of(self._campaign_id, "/status"))
        return True

    def _call(self, method: str, rest: str, body: Any) -> Any:
        return self._connection.call(method, path_of(self._campaign_id, rest), body)


def described(file: Path) -> str:
    """The file's name and size, for people."""
    return f"{file.name} ({size_in_words(file.stat().st_size)})"
