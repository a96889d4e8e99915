"""A file that an email carries: attached, or shown in the HTML, which refers to it as `cid:` and the file's name."""

from __future__ import annotations

import base64
import mimetypes
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

#: The longest name, in bytes of UTF-8.
MAX_NAME_BYTES: Final = 200
#: The type of a file of which nothing else is known.
UNKNOWN_TYPE: Final = "application/octet-stream"
#: The most bytes of all files of a campaign together with any provider.
MAX_BYTES: Final = 25_000_000

#: What a name cannot have: folders, quotes, and what providers refuse in it.
_FORBIDDEN: Final = re.compile(r'[/\\";<>\ufffd]')
#: A name that is a valid Content-ID and needs no escape in a URL.
_CID: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
#: A file that HTML or CSS shows: `src="cid:logo.png"`, `url(cid:logo.png)`.
_REFERENCE: Final = re.compile(r"""(?i)(?:=\s*["']?|url\(\s*["']?)\s*cid:([^\s"'<>()]{1,200})""")
#: The references that are looked for: as many as a campaign can have attachments.
MAX_REFERENCES: Final = 20
_TYPE: Final = re.compile(r"[a-z]{1,20}/[a-z0-9!#$&^_.+-]{1,100}(?:; ?[a-z0-9-]{1,40}=[A-Za-z0-9_.:-]{1,80}){0,3}")
#: What clients send for a file of whose type they know nothing.
_NO_TYPE: Final = frozenset({"", "application/x-www-form-urlencoded"})


@dataclass(frozen=True)
class Attachment:
    """A file. `inline`: the HTML shows it; its Content-ID is its name. `data`: its bytes."""

    filename: str
    content_type: str
    inline: bool
    data: bytes

    @cached_property
    def base64(self) -> str:
        """The bytes as base64 on one line."""
        return base64.b64encode(self.data).decode()

    @cached_property
    def base64_lines(self) -> bytes:
        """The bytes as base64 in lines of 76 characters, as MIME wants it (RFC 2045, 6.8)."""
        return base64.encodebytes(self.data).replace(b"\n", b"\r\n")


def encoded_bytes(size: int) -> int:
    """The length of `base64_lines` of a file of this size."""
    characters = -(-size // 3) * 4
    return characters + 2 * -(-characters // 76)


def references(html: str) -> dict[str, int]:
    """The files that a template of HTML shows: their names, and where each stands first. Names with tags are left out.

    The most that are found is one more than a campaign can have.
    """
    found: dict[str, int] = {}
    for match in _REFERENCE.finditer(html):
        if "{" not in match[1]:
            found.setdefault(match[1], match.start(1) - len("cid:"))
        if len(found) > MAX_REFERENCES:
            break
    return found


def is_inline(filename: str, html: str | None) -> bool:
    """Whether a template of HTML refers to a file."""
    if html is None or not _CID.fullmatch(filename):
        return False
    return re.search(rf"cid:{re.escape(filename)}(?![A-Za-z0-9._-])", html, re.IGNORECASE) is not None


def name_problem(filename: str) -> str | None:
    """What is wrong with the name of a file, and what to do; None: nothing."""
    if len(filename.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        return f"The file name is longer than {MAX_NAME_BYTES} bytes: shorten it."
    if not filename.isprintable() or _FORBIDDEN.search(filename) or filename != filename.strip(" ."):
        return (
            f"The file name {filename[:60]!r} cannot be used: it must have no slash, backslash, quote, semicolon, < or "
            ">, and no blank or dot at its ends."
        )
    return None


def checked_type(content_type: str, filename: str) -> str | None:
    """A file's media type, by its name if none is given; None: it cannot be attached as this type."""
    given = content_type.strip()
    if given.lower() in _NO_TYPE:
        return mimetypes.guess_type(filename)[0] or UNKNOWN_TYPE
    kind, separator, parameters = given.partition(";")
    made = kind.strip().lower() + (f"; {parameters.strip()}" if separator and parameters.strip() else "")
    is_whole = made.startswith(("multipart/", "message/"))  # MIME allows no base64 for these
    return None if is_whole or not _TYPE.fullmatch(made) else made
