"""Spreadsheets for tests: XLSX as openpyxl writes it, and ODS from the XML of its cells."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import openpyxl

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TEXTS_TYPE = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/'
    b'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
_NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)


def xlsx(rows: Sequence[Sequence[Any]], change: Callable[[Any], None] | None = None) -> bytes:
    """A workbook with one sheet, which `change` may alter before it is saved."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if change:
        change(book)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def repacked(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A zip archive with every member changed; a member that becomes empty is left out."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if content := change(name, old.read(name)):
                new.writestr(name, content)
    return file.getvalue()


def with_table_of_texts(data: bytes) -> bytes:
    """A workbook with its texts in the part for shared ones, as Excel writes them."""
    texts: list[bytes] = []

    def number_of(found: re.Match[bytes]) -> bytes:
        texts.append(found[1])
        return b't="s"><v>%d</v></c>' % (len(texts) - 1)

    def moved(name: str, content: bytes) -> bytes:
        return re.sub(rb't="inlineStr"><is>(.*?)</is></c>', number_of, content) if "worksheets/" in name else content

    def announced(name: str, content: bytes) -> bytes:
        return content.replace(b"</Types>", _TEXTS_TYPE + b"</Types>") if name == "[Content_Types].xml" else content

    file = io.BytesIO(repacked(repacked(data, moved), announced))
    with zipfile.ZipFile(file, "a") as archive:
        items = b"".join(b"<si>%s</si>" % text for text in texts)
        archive.writestr("xl/sharedStrings.xml", b'<sst xmlns="%s">%s</sst>' % (_MAIN.encode(), items))
    return file.getvalue()


def cell(text: str = "", kind: str = "string", **values: str) -> str:
    """The XML of an ODS cell with a text that the sheet shows, and a value such as `date_value`."""
    attributes = "".join(f" office:{name.replace('_', '-')}={quoteattr(value)}" for name, value in values.items())
    return (
        f'<table:table-cell office:value-type="{kind}"{attributes}><text:p>{escape(text)}</text:p></table:table-cell>'
    )


def row(*cells: str, repeated: int = 1) -> str:
    """The XML of an ODS row."""
    return f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}</table:table-row>'


def ods(*sheets: tuple[str, str], prolog: str = "", manifest: str = "") -> bytes:
    """An ODS file with sheets: a name and the XML of the rows."""
    tables = "".join(f"<table:table table:name={quoteattr(name)}>{rows}</table:table>" for name, rows in sheets)
    content = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?>{prolog}'
            f"<office:document-content {_NAMESPACES}>{content}</office:document-content>",
        )
        archive.writestr("META-INF/manifest.xml", f"<manifest>{manifest}</manifest>")
    return file.getvalue()
