"""Files that people upload by mistake: each is refused by its name, with what to do."""

from __future__ import annotations

import io
import zipfile

import pytest

from lists.errors import UnusableList
from lists.formats import recognised
from lists.other_files import refuse_binary, refuse_other_files

PAD = b"\0" * 100


def reason(data: bytes) -> str:
    with pytest.raises(UnusableList) as caught:
        recognised([data])
    return caught.value.detail


def zip_with(*names: str, mimetype: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + PAD, "The file is a PNG image, not a list; save the list as CSV or XLSX."),
        (b"\xff\xd8\xff\xe0" + PAD, "a JPEG image"),
        (b"GIF89a" + PAD, "a GIF image"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + PAD, "a WebP image"),
        (b"II*\0" + PAD, "a TIFF image"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"{\\rtf1\\ansi", "an RTF document"),
        (b"PAR1" + PAD, "a Parquet file"),
        (b"SQLite format 3\0" + PAD, "an SQLite database"),
        (b"\x7fELF" + PAD, "an executable program"),
        (b"MZ\x90\0" + PAD, "an executable program"),
        (b"7z\xbc\xaf\x27\x1c" + PAD, "a 7-Zip archive, not a list; unpack it and upload the CSV."),
        (b"BZh91AY&SY" + PAD, "packed with bzip2"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + PAD,
            "an old Excel workbook (XLS) or another old Office file; save it as",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + PAD + "EncryptedPackage".encode("utf-16-le"),
            "an Excel workbook with a password; save it without the password.",
        ),
        (b"<!DOCTYPE html><html>", "a web page (HTML)"),
        (b"\n <HTML><body>", "a web page (HTML)"),
        (b"\xef\xbb\xbf<table><tr><td>email", "a web page (HTML)"),
        (b'<?xml version="1.0"?><html xmlns="x">', "a web page (HTML)"),
        (b'<?xml version="1.0"?><contacts>', "an XML document"),
        (b'<svg xmlns="x">', "an SVG image"),
        (b"BEGIN:VCARD\r\n", "a vCard, not a list; export the contacts as CSV."),
        (zip_with("word/document.xml", "[Content_Types].xml"), "a Word document"),
        (zip_with("ppt/presentation.xml"), "a PowerPoint presentation"),
        (zip_with("xl/workbook.bin"), "a binary Excel workbook (XLSB)"),
        (zip_with("Index/Document.iwa"), "a document of Apple Numbers, Pages or Keynote, not a list; export it as CSV"),
        (zip_with("META-INF/MANIFEST.MF"), "a Java program"),
        (zip_with("content.xml", mimetype="application/vnd.oasis.opendocument.text"), "an OpenDocument text"),
        (bytes(range(256)) * 20, "a binary file"),
        (b"email\0name\0" * 100 + b"\x01\x02\x03" * 300, "a binary file"),
    ],
)
def test_what_is_no_list(data: bytes, words: str) -> None:
    assert words in reason(data)


@pytest.mark.parametrize(
    "data",
    [
        b"MZ,email\n",
        b"BM;email\n",
        b"PAR,email\n",
        b"<email>,name\n",
        b"GIF,email\n",
        b"email,name\x1a",
        b"",
        b"email\x0c\x1b[0m\n",
        b"email,name\na@x.test,\0\n",
    ],
)
def test_what_is_a_list_all_the_same(data: bytes) -> None:
    refuse_other_files(data)
    refuse_binary(data)
