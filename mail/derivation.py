"""Derives what is sent from what was PUT, once per campaign: CSS moved into elements, a text part made from the HTML.

`mail.content` has checked the content before. Both steps refuse content that would take them long.
"""

from __future__ import annotations

import msgspec

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.css_inlining import inlined
from mail.rendering import Templates
from mail.text_part import text_from_html


def derived(content: Content) -> Content | None:
    """What is sent instead of a campaign's content; None: the content itself.

    Without `text_from_html`, a text part is made only if that is possible and the HTML contains text.

    Raises:
        InvalidCampaign: the content asks for a step that is not possible with its HTML.
    """
    made = content
    if content.inline_css is True and content.html is not None:
        made = msgspec.structs.replace(made, html=inlined(content.html))
    if content.makes_text:
        made = _with_text(content, made)
    if made.html == content.html and made.text == content.text:
        return None
    Templates(made)
    return made


def _with_text(content: Content, made: Content) -> Content:
    """`made` with a text part; unchanged if no text can be made and none was asked for."""
    try:
        text = text_from_html(content.html or "")
        with_text = msgspec.structs.replace(made, text=text)
        Templates(with_text)
    except InvalidCampaign:
        if content.text_from_html is True:
            raise
        return made
    return with_text if text.strip() else made
