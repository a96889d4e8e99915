"""Checks of a template's HTML: links that lead nowhere, images without a text, tags that do not match, its size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mail.check import Check, Level
from mail.html_outline import Link, Mismatch, Outline, Place
from mail.tags import BLANK

#: From this size in bytes on, Gmail shows an email only in part: the rest is behind "View entire message".
GMAIL_CLIPS: Final = 102_000
#: The most findings of one kind.
MAX_EACH: Final = 20

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LOCAL: Final = re.compile(
    r"(?i)https?://(?:localhost|127\.[0-9.]+|0\.0\.0\.0|\[::1\]|10\.[0-9.]+|192\.168\.[0-9.]+|[a-z0-9-]+\.local)(?:[:/?#]|$)"
)


def size(html: str) -> Iterator[Check]:
    """The finding that Gmail would cut the email off."""
    taken = len(html.encode("utf-8", "replace"))
    if taken > GMAIL_CLIPS:
        message = (
            f"{taken // 1000:,} kB; Gmail cuts an email off after {GMAIL_CLIPS // 1000} kB, often with the link to "
            "unsubscribe: shorten it"
        )
        yield Check("gmail_clips", message, "html", None, None, Level.HINT)


def markup(found: Outline) -> Iterator[Check]:
    """The findings about what stands in the HTML."""
    for link in found.links[: 10 * MAX_EACH]:
        yield from _link(link)
    for source, place in found.images[:MAX_EACH]:
        shown = f"the image {_shown(source)}" if source else "an image"
        message = f'{shown} has no text for readers who do not see it: add alt="...", or alt="" if it only decorates'
        yield Check("image_without_alt", message, "html", *place, Level.HINT)
    for source, place in found.sources[: 10 * MAX_EACH]:
        yield from _image(source.strip(), place)
    for mismatch in found.mismatches[:MAX_EACH]:
        yield _mismatch(mismatch)


def _link(link: Link) -> Iterator[Check]:
    href = link.href.strip()
    if not href:
        code, message = "empty_link", f'the link "{_shown(link.text)}" leads nowhere: fill in its href'
    elif _LOCAL.match(href):
        code, message = "local_link", f"{_shown(href)} is an address of your own machine or network: use a public one"
    elif not _SCHEME.match(href) and not href.startswith((BLANK, "#", "//")):
        code, message = "link_without_scheme", f"the link {_shown(href)} has no scheme: write https://{_shown(href)}"
    elif href == "#":
        code, message = "empty_link", f'the link "{_shown(link.text)}" leads nowhere: fill in its href'
    else:
        return
    yield Check(code, message, "html", *link.place, Level.HINT)


def _image(source: str, place: Place) -> Iterator[Check]:
    if _LOCAL.match(source):
        code, message = "local_link", f"{_shown(source)} is an address of your own machine or network: use a public one"
    elif not source or (not _SCHEME.match(source) and not source.startswith((BLANK, "//"))):
        code = "image_without_scheme"
        message = f'no reader can load the image "{_shown(source)}": write https://..., or attach it and write cid:...'
    else:
        return
    yield Check(code, message, "html", *place, Level.HINT)


def _shown(text: str) -> str:
    short = re.sub(f"{BLANK}+", "...", text)
    return short if len(short) <= 60 else f"{short[:60]}..."


def _mismatch(mismatch: Mismatch) -> Check:
    name = mismatch.name
    if not mismatch.is_end:
        code, message = "unclosed_tag", f"<{name}> is never closed: add </{name}>"
    elif mismatch.within:
        code = "crossed_tag"
        message = f"</{name}> ends inside <{mismatch.within}>: close <{mismatch.within}> before it"
    else:
        code, message = "unopened_tag", f"</{name}> closes nothing: remove it, or add <{name}>"
    return Check(code, message, "html", *mismatch.place, Level.HINT)
