"""Names files that are no list, by their first bytes. Knows nothing of the formats that are read."""

from __future__ import annotations

import re
from typing import Final

from lists.errors import UnusableList

#: The number of bytes that are looked at.
LOOK_BYTES: Final = 4096

_SAVE: Final = "save the list as CSV or XLSX"
#: What a file is, by how it begins.
_BEGINNINGS: Final = (
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "an executable program"),
    (b"MZ\x90\0", "an executable program"),
    (b"\xcf\xfa\xed\xfe", "an executable program"),
    (b"\xca\xfe\xba\xbe", "an executable program"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it and upload the CSV"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it and upload the CSV"),
    (b"\xfd7zXZ\0", "packed with xz; unpack it and upload the CSV"),
    (b"BZh91AY&SY", "packed with bzip2; unpack it and upload the CSV"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard; unpack it and upload the CSV"),
    (b"bplist00", "a property list of macOS"),
    (b"BEGIN:VCARD", "a vCard; export the contacts as CSV"),
    (b"BEGIN:VCALENDAR", "a calendar"),
)
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_OFFICE: Final = "EncryptedPackage".encode("utf-16-le")
_MARKUP: Final = re.compile(rb"\s*(?:<\?xml|<!doctype|<html|<head|<body|<table|<meta|<svg)\b", re.IGNORECASE)
#: Bytes that texts do not have; NUL is among them, so UTF-16 must have been recognised before.
_CONTROLS: Final = bytes([*range(9), *range(14, 26), *range(28, 32)])

#: Files that are zip archives inside, by a member, or by how members begin.
_ZIPPED: Final = (
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint presentation"),
    ("xl/workbook.bin", "a binary Excel workbook (XLSB)"),
    ("Index/Document.iwa", "a document of Apple Numbers, Pages or Keynote; export it as CSV or XLSX"),
    ("META-INF/MANIFEST.MF", "a Java program"),
    ("META-INF/container.xml", "an e-book"),
    ("content.xml", "an OpenDocument text or presentation"),
)


def refuse_other_files(head: bytes) -> None:
    """Refuse a file that is no list, in words.

    Args:
        head: the first bytes of the file, at least `LOOK_BYTES` where the file has so many.

    Raises:
        UnusableList: the file is an image, a document, a program or the like.
    """
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            raise not_a_list(kind)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        raise not_a_list("a WebP image")
    if head.startswith(_OLD_OFFICE):
        raise UnusableList(_old_office(head))
    if markup := _MARKUP.match(head[3:] if head.startswith(b"\xef\xbb\xbf") else head):
        raise not_a_list(_markup(markup[0].strip().lower(), head[:LOOK_BYTES].lower()))


def refuse_binary(head: bytes) -> None:
    """Refuse a file with many control characters among its first bytes, which is no text in any encoding but UTF-16.

    Raises:
        UnusableList: more than a fiftieth of the bytes are control characters; in random bytes, a tenth are.
    """
    look = head[:LOOK_BYTES]
    controls = len(look) - len(look.translate(None, _CONTROLS))
    if controls > max(len(look) / 50, 2):
        raise not_a_list("a binary file")


def refuse_zipped(names: set[str]) -> None:
    """Refuse a zip archive that is another program's document, by the names in it.

    Raises:
        UnusableList: it is one.
    """
    for name, kind in _ZIPPED:
        if name in names:
            raise not_a_list(kind)


def not_a_list(kind: str) -> UnusableList:
    """The error for a file of a kind; what to do may follow the kind after a semicolon."""
    what, _, advice = kind.partition("; ")
    return UnusableList(f"The file is {what}, not a list; {advice or _SAVE}.")


def _old_office(head: bytes) -> str:
    if _ENCRYPTED_OFFICE in head:
        return "The file is an Excel workbook with a password; save it without the password."
    return "The file is an old Excel workbook (XLS) or another old Office file; save it as XLSX or CSV."


def _markup(start: bytes, head: bytes) -> str:
    if b"<html" in head or b"<table" in head or start not in {b"<?xml", b"<svg"}:
        return "a web page (HTML)"
    if b"<svg" in head:
        return "an SVG image"
    return "an XML document"
