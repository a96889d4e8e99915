"""Creating, reading and deleting campaigns."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Literal

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from api import account_check, campaign_removal, components, content_mistakes, content_review
from api.components import Components
from api.http import inputs
from api.http.errors import TRY_AGAIN, Problem, invalid
from api.http.responses import json_response
from campaigns.errors import ListChanged, UnknownCampaign
from campaigns.judgement import WITHOUT_LIST, Judgement
from campaigns.models import CHANGEABLE, Brake, Campaign, Content, OnUnknown, Ramp, Status
from lists.list_facts import ListFacts
from mail import derivation
from mail.attachment import references
from mail.check import Check
from mail.checks import OF_LIST, to_accept
from mail.similar_names import with_suggestions

log = structlog.get_logger(__name__)

#: The largest body of a PUT, in bytes of JSON: templates may be large.
MAX_CAMPAIGN_BYTES: Final = 25 * inputs.MIB


#: How often a content is checked, if the campaign gets another list meanwhile.
CHECKS: Final = 20


class CampaignResponse(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A campaign: the fields that were PUT, under the same names, and its state.

    `missing_columns`: columns that the templates use and the parsed list lacks; the campaign cannot start before this
    is fixed. `start_when_ready`: the campaign starts as soon as its list is parsed. `list_facts`: what was recognised
    in the list, once it is parsed. `warnings`: the findings about the content, and about the columns once the list is
    parsed, the gravest first; `level` says what each of them stops.
    """

    id: str
    status: Status
    from_: str
    subject: str
    html: str | None
    text: str | None
    reply_to: str | None
    on_unknown: OnUnknown
    weight: int
    ramp: Ramp | None
    headers: dict[str, str]
    inline_css: bool
    text_from_html: bool | None
    unsubscribe: bool | None
    tracking: Literal["account", "off", "on"]
    brake: Brake | None
    account: str
    tpm: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    reason: str | None
    filename: str
    size: int
    email_column: str
    columns: tuple[str, ...]
    missing_columns: list[str]
    start_when_ready: bool
    where: str | None
    duplicates: Literal["reject", "keep"]
    exclude: tuple[str, ...]
    start_at: str | None
    timezone: str | None
    windows: tuple[str, ...]
    timezone_column: str | None
    pause_after: int | None
    list_facts: ListFacts | None
    warnings: list[Check]


@inputs.takes(Content, MAX_CAMPAIGN_BYTES)
def put(request: Request, content: Content) -> Response:
    """Create a campaign, or change its content before it starts."""
    parts, campaign_id = components.of(request), inputs.new_campaign_id(request)
    if request.headers.get("if-none-match") == "*":
        _refuse_existing(parts, campaign_id)
    campaign, created = save(parts, campaign_id, content)
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return json_response(details(parts, campaign), status, {"Location": request.url.path} if created else None)


def save(
    parts: Components, campaign_id: str, content: Content, *, only_new: bool = False, copy_of: str = ""
) -> tuple[Campaign, bool]:
    """Check a content and make it the campaign's. Returns the campaign, and whether it is new.

    Args:
        parts: the components.
        campaign_id: the campaign.
        content: what was PUT.
        only_new: a campaign that exists already stays as it is.
        copy_of: the campaign that a new one is a copy of, for its history.

    Raises:
        InvalidCampaign: the content is invalid.
        Problem: 422: it asks for links that the server cannot make, for an account that there is not, or for what the
            account's provider cannot do.
        WrongState: the campaign has been started, or must be new.
    """
    content = account_check.with_account(parts, content)
    if not only_new and (unchanged := _started_with(parts, campaign_id, content)):
        return unchanged, False
    content = with_links(parts, content)
    account_check.check(parts, campaign_id, content)
    names = content_mistakes.checked(content).missing(())
    derived = derivation.derived(content)
    alone = to_accept(content_review.review(content, derived, None).warnings)
    for _ in range(CHECKS):
        judgement = _judged(parts, campaign_id, content, derived)
        try:
            return parts.catalog.put(
                campaign_id,
                content,
                names,
                derived=derived,
                unaccepted=alone,
                judgement=judgement,
                inline_files=references(content.html or ""),
                only_new=only_new,
                copy_of=copy_of,
            )
        except ListChanged:  # between these two lines; its findings are others
            continue
    detail = "The campaign's list was replaced each time while its content was checked: send the request again."
    raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, TRY_AGAIN)


def _started_with(parts: Components, campaign_id: str, content: Content) -> Campaign | None:
    """The campaign, if it has been started with this content while the server had no SECRET_KEY.

    Then it has no links, because `unsubscribe` was left out. It is left out again, so nothing changes, although the
    server could make links now.
    """
    try:
        campaign = parts.catalog.get(campaign_id)
    except UnknownCampaign:
        return None
    left_out = {None, msgspec.UNSET}
    if campaign.status in CHANGEABLE or not {content.unsubscribe, campaign.content.unsubscribe} <= left_out:
        return None
    wanted = msgspec.structs.replace(content, unsubscribe=campaign.content.unsubscribe)
    return campaign if wanted.means(campaign.content, campaign.tpm) else None


def _judged(parts: Components, campaign_id: str, content: Content, derived: Content | None) -> Judgement:
    """What the content and the campaign's list, if it is parsed, make together."""
    try:
        campaign = parts.catalog.get(campaign_id)
    except UnknownCampaign:
        return WITHOUT_LIST
    if not campaign.has_list:
        return WITHOUT_LIST
    found = content_review.review(content, derived, campaign)
    of_list = [finding for finding in found.warnings if finding.code in OF_LIST]
    missing = with_suggestions(found.missing_columns, campaign.columns)
    return Judgement(campaign.list_version, to_accept(of_list), missing)


def with_links(parts: Components, content: Content) -> Content:
    """The content, with `unsubscribe` decided: links by default, and none if the server cannot make them.

    Raises:
        Problem: 422: it asks for links that the server cannot make.
    """
    if content.unsubscribe is False or (parts.links is None and not content.has_links):
        return content
    if parts.links is None:
        raise invalid(
            "unsubscribe: this server has no SECRET_KEY, so it cannot make unsubscribe links: set SECRET_KEY for the "
            "web process and all workers, or leave `unsubscribe` out."
        )
    return msgspec.structs.replace(content, unsubscribe=True)


def _refuse_existing(parts: Components, campaign_id: str) -> None:
    """Raise a problem (412) if the campaign exists: `If-None-Match: *` asks for a new one only (RFC 9110, 13.1.2)."""
    try:
        parts.catalog.get(campaign_id)
    except UnknownCampaign:
        return
    raise Problem(HTTPStatus.PRECONDITION_FAILED, f"The campaign {campaign_id} already exists: choose another id.")


def details(parts: Components, campaign: Campaign) -> CampaignResponse:
    """The response for a campaign, with all fields that were PUT."""
    content, review = campaign.content, content_review.of(campaign, parts.attachments.all(campaign.id))
    return CampaignResponse(
        id=campaign.id,
        status=campaign.status,
        from_=content.from_,
        subject=content.subject,
        html=content.html,
        text=content.text,
        reply_to=content.reply_to,
        on_unknown=content.on_unknown,
        weight=content.weight,
        ramp=content.ramp,
        headers=content.headers,
        inline_css=content.inline_css is True,
        text_from_html=_text_from_html(content),
        unsubscribe=content.unsubscribe if isinstance(content.unsubscribe, bool) else None,
        tracking="account" if content.tracking is msgspec.UNSET else content.tracking,
        brake=None if content.brake is None else content.limits_of_brake,
        account=content.account_name,
        tpm=campaign.tpm,
        created_at=campaign.created_at,
        started_at=campaign.started_at,
        finished_at=campaign.finished_at,
        reason=campaign.reason,
        filename=campaign.filename,
        size=campaign.size,
        email_column=campaign.email_column,
        columns=campaign.columns,
        missing_columns=list(review.missing_columns) if campaign.has_list and campaign.status in CHANGEABLE else [],
        start_when_ready=campaign.start_when_ready,
        where=content.condition,
        duplicates="keep" if content.keeps_duplicates else "reject",
        exclude=content.excluded_campaigns,
        start_at=content.planned_start,
        timezone=content.zone_name,
        windows=content.sending_windows,
        timezone_column=content.zone_column,
        pause_after=content.canary,
        list_facts=campaign.facts,
        warnings=list(review.warnings),
    )


def _text_from_html(content: Content) -> bool | None:
    """Whether a text is made from the HTML; None: it is not, and the client has not said so."""
    return content.makes_text or (False if content.text_from_html is False else None)


def get(request: Request) -> Response:
    """One campaign."""
    parts = components.of(request)
    return json_response(details(parts, parts.catalog.get(inputs.campaign_id(request))))


def delete(request: Request) -> Response:
    """Delete a campaign with its lists, reports and uploads."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    parts.catalog.get(campaign_id)
    campaign_removal.remove(parts.catalog, parts.store, campaign_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
