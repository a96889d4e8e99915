"""Shows one email of a campaign exactly as the provider would get it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import campaigns, components, content_mistakes, content_review, sample_email
from api.components import Components
from api.http import inputs
from api.http.responses import json_response
from api.sample_email import SampleRequest
from campaigns.attachments import StoredFile
from campaigns.models import Campaign, Content
from mail import derivation, mime
from mail.attachment import Attachment, encoded_bytes, is_inline
from mail.check import Check
from mail.envelope_checks import subject
from mail.html_checks import size
from mail.message import Message


class PreviewRequest(SampleRequest, frozen=True, forbid_unknown_fields=True):
    """Which email. `content`: a content to show instead of the campaign's own, as an editor has it; nothing is kept."""

    content: Content | None = None


class PreviewResponse(msgspec.Struct, frozen=True):
    """One email. `size`: of the whole email in bytes; `warnings`: about the content and about this email."""

    to: str
    subject: str
    html: str | None
    text: str | None
    headers: dict[str, str]
    size: int
    warnings: list[Check]


async def preview(request: Request) -> Response:
    """Render a row of the list, or given values."""
    wanted = await inputs.json_body(request, PreviewRequest, campaigns.MAX_CAMPAIGN_BYTES)
    return await sample_email.in_thread(_preview, components.of(request), inputs.campaign_id(request), wanted)


def _preview(parts: Components, campaign_id: str, wanted: PreviewRequest) -> Response:
    campaign = parts.catalog.get(campaign_id)
    if wanted.content is not None:
        campaign = _with_content(parts, campaign, wanted.content)
    message = sample_email.message(parts, campaign, wanted.row, wanted.columns)
    files = parts.attachments.all(campaign_id)
    found = content_review.of(campaign, files).warnings
    codes = {finding.code for finding in found}
    warnings = [*found, *(finding for finding in _of_message(message) if finding.code not in codes)]
    return json_response(
        PreviewResponse(
            to=message.to,
            subject=message.subject,
            html=message.html,
            text=message.text,
            headers=dict(message.headers),
            size=_size(message, files, campaign.sent_content.html),
            warnings=warnings,
        )
    )


def _with_content(parts: Components, campaign: Campaign, content: Content) -> Campaign:
    """The campaign as it would be with another content."""
    content = campaigns.with_links(parts, content)
    content_mistakes.checked(content)
    return msgspec.structs.replace(campaign, content=content, derived=derivation.derived(content))


def _of_message(message: Message) -> Iterator[Check]:
    """The findings about the rendered email."""
    return chain(subject(message.subject), size(message.html) if message.html else ())


def _size(message: Message, files: Sequence[StoredFile], html: str | None) -> int:
    """The size of the whole email in bytes. The files are not read for it."""
    empty = [Attachment(one.filename, one.content_type, is_inline(one.filename, html), b"") for one in files]
    bare = len(mime.encode(dataclasses.replace(message, attachments=empty)))
    return bare + sum(encoded_bytes(one.size) for one in files)
