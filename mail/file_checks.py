"""Checks of a campaign's HTML and its attachments together: images without a file, files without an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mail.attachment import is_inline, references
from mail.check import Check, Level, place

#: The most findings of one kind.
MAX_EACH = 20


def files(html: str | None, attached: Mapping[str, str]) -> Iterator[Check]:
    """The findings about attachments.

    Args:
        html: the campaign's HTML, or None.
        attached: the attachments: their media types by filename.
    """
    if html is None:
        return
    there = {filename.lower() for filename in attached}
    for name, offset in list(references(html).items())[:MAX_EACH]:
        if name.lower() not in there:
            message = f"there is no attachment {name}, so readers would see a broken image: attach it, or correct cid:"
            yield Check("missing_attachment", message, "html", *place(html, offset), Level.ACKNOWLEDGE)
    for filename, kind in sorted(attached.items()):
        if kind.startswith("image/") and not is_inline(filename, html):
            message = (
                f"the image {filename} is attached, but not shown: write "
                f'<img src="cid:{filename}" alt="..."> where it should stand'
            )
            yield Check("unshown_image", message, "html", None, None, Level.HINT)
