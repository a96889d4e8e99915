"""The operator's controls: start, pause, resume, cancel, rate limit, reconciliation."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
import structlog
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.http import inputs
from api.http.errors import Problem
from api.http.responses import json_response
from campaigns import actor, messages
from campaigns.catalog import name_columns
from campaigns.errors import MissingColumns
from campaigns.models import Status, UnknownDecision
from campaigns.reconciliation import check_decision, last_report
from mail.rendering import Templates
from mail.similar_names import with_suggestions
from settings import MAX_TPM

log = structlog.get_logger(__name__)


class StartRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to start. `accept_warnings`: a person accepts all warnings about the content and the list."""

    accept_warnings: bool = False


class StartResponse(msgspec.Struct, frozen=True):
    """The campaign's state after the request."""

    status: Status


class ResumeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to resume. `accept_brake`: a person accepts the figures for which the brake has paused the campaign."""

    accept_brake: bool = False


class PauseResponse(msgspec.Struct, frozen=True):
    """The campaign's state after the request, and the number of emails that are still on the way to the provider."""

    status: Status
    in_flight: int


class RateLimitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rate to set, in emails per minute."""

    tpm: Annotated[int, Meta(ge=1, le=MAX_TPM)]


class RateLimitResponse(msgspec.Struct, frozen=True):
    """The rate now in force, in emails per minute."""

    rate_limit: int


class ReconcileRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do besides the repairs that every reconciliation makes.

    `retry_failed`: send the failed rows again. `unknown`: what to do with the rows whose outcome is unknown.
    """

    retry_failed: bool = False
    unknown: UnknownDecision | None = None


class ReconcileResponse(msgspec.Struct, frozen=True):
    """The reconciliation is on the queue."""

    status: Literal["reconciling"] = "reconciling"


@inputs.takes(StartRequest)
def start(request: Request, wanted: StartRequest) -> Response:
    """Start sending; during parsing, note that the campaign starts once parsing ends."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    campaign = parts.catalog.get(campaign_id)
    if not campaign.columns_named:
        name_columns(parts.redis, campaign_id, Templates(campaign.content).missing(()))
    try:
        status = parts.controls.start(campaign_id, accept_warnings=wanted.accept_warnings)
    except MissingColumns as error:
        columns = parts.catalog.get(campaign_id).columns
        raise MissingColumns(error.status, error.columns, with_suggestions(error.columns, columns)) from None
    log.info("start_answered", campaign_id=campaign_id, status=status)
    return json_response(StartResponse(status))


def pause(request: Request) -> Response:
    """Stop admitting emails."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    in_flight = parts.controls.pause(campaign_id)
    log.info("pause_answered", campaign_id=campaign_id, in_flight=in_flight)
    return json_response(PauseResponse(Status.PAUSED, in_flight))


@inputs.takes(ResumeRequest)
def resume(request: Request, wanted: ResumeRequest) -> Response:
    """Continue sending after a pause."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    status = parts.controls.resume(campaign_id, accept_brake=wanted.accept_brake)
    log.info("resume_answered", campaign_id=campaign_id, status=status)
    return json_response(StartResponse(status))


def cancel(request: Request) -> Response:
    """End the campaign for good."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    in_flight = parts.controls.cancel(campaign_id)
    log.info("cancel_answered", campaign_id=campaign_id, in_flight=in_flight)
    return json_response(PauseResponse(Status.CANCELLED, in_flight))


@inputs.takes(RateLimitRequest)
def set_rate(request: Request, rate: RateLimitRequest) -> Response:
    """Set the rate limit; it applies from the next email on."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    tpm = parts.controls.set_rate(campaign_id, rate.tpm)
    log.info("rate_limit_set", campaign_id=campaign_id, tpm=tpm)
    return json_response(RateLimitResponse(tpm))


@inputs.takes(ReconcileRequest)
def reconcile(request: Request, wanted: ReconcileRequest) -> Response:
    """Queue a reconciliation; on request, it also retries failed rows or decides about unknown rows."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    decision: dict[str, object] = {}
    if wanted.retry_failed or wanted.unknown is not None:
        decision["by"] = actor.current()
        resends = wanted.retry_failed or wanted.unknown is UnknownDecision.RESEND
        check_decision(parts.catalog, campaign_id, resends=resends)
    else:
        parts.catalog.get(campaign_id)
    decision |= {"retry_failed": wanted.retry_failed, "unknown": wanted.unknown}
    messages.send(parts.redis, messages.RECONCILE, campaign_id, **decision)
    log.info("reconcile_queued", campaign_id=campaign_id, retry_failed=wanted.retry_failed, unknown=wanted.unknown)
    return json_response(ReconcileResponse(), HTTPStatus.ACCEPTED)


def reconciled(request: Request) -> Response:
    """The report of the last reconciliation."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    parts.catalog.get(campaign_id)
    report = last_report(parts.redis, campaign_id)
    if report is None:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no reconciliation report yet; POST to this path to start one.")
    return json_response(report)
