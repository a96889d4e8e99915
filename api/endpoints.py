"""The table of contents: every endpoint with its handler, its request and its responses.

The application's routes and the API's description are both generated from this table.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import (
    accounts,
    attachments,
    campaign_copy,
    campaign_list,
    campaigns,
    controls,
    disclosure,
    doctor,
    erasure,
    health,
    history,
    openapi,
    outbox,
    preview,
    recipient_search,
    recipients,
    sender_check,
    status,
    suppressions,
    test_send,
    throughput,
    unsubscribe,
    webhooks,
)
from api.http.endpoint import Endpoint
from api.http.responses import JSON
from api.live import event_stream
from api.uploads import bodies, direct_upload, multipart_upload, resumption
from campaigns.models import Content, StatusReport
from campaigns.reconciliation import Report
from consent.sender_check import SenderReport


def describe(_request: Request) -> Response:
    """The API's description (OpenAPI) as JSON."""
    return Response(_description(), media_type=JSON)


@cache
def _description() -> bytes:
    return msgspec.json.encode(openapi.document(ENDPOINTS))


_ONE: Final = "/campaigns/{id}"
_UPLOAD: Final = f"{_ONE}/upload"

ENDPOINTS: Final = (
    # The campaign
    Endpoint(
        "GET", "/campaigns", campaign_list.page, "List the campaigns in pages, find them by a word or a state",
        {200: campaign_list.CampaignPage}, (422,), query=campaign_list.QUERY,
    ),
    Endpoint(
        "PUT", _ONE, campaigns.put, "Create a campaign, or change it before it starts",
        {201: campaigns.CampaignResponse, 200: campaigns.CampaignResponse}, (409, 412), Content,
    ),
    Endpoint("GET", _ONE, campaigns.get, "Get a campaign", {200: campaigns.CampaignResponse}, (404,)),
    Endpoint("DELETE", _ONE, campaigns.delete, "Delete a campaign with all its data", {204: None}, (404, 409)),
    Endpoint(
        "POST", f"{_ONE}/copy", campaign_copy.copy, "Make a new campaign with the same content, and no list",
        {201: campaigns.CampaignResponse}, (404, 409), campaign_copy.CopyRequest,
    ),
    # One email of it
    Endpoint(
        "POST", f"{_ONE}/preview", preview.preview, "Show one email as it would be sent",
        {200: preview.PreviewResponse}, (404, 409), preview.PreviewRequest,
    ),
    Endpoint(
        "POST", f"{_ONE}/test-send", test_send.test_send, "Send one email to up to 10 addresses, as a test",
        {200: test_send.TestSendResponse}, (404, 409, 429), test_send.TestSendRequest,
    ),
    # The files that its emails carry
    Endpoint(
        "PUT", f"{_ONE}/attachments/{{filename}}", attachments.put, "Attach a file to every email, or replace it",
        {201: attachments.AttachmentResponse, 200: attachments.AttachmentResponse}, (404, 409), attachments.BODY,
    ),
    Endpoint(
        "GET", f"{_ONE}/attachments", attachments.listed, "List the attachments",
        {200: attachments.AttachmentsResponse}, (404,),
    ),
    Endpoint(
        "DELETE", f"{_ONE}/attachments/{{filename}}", attachments.remove, "Remove an attachment",
        {204: None}, (404, 409),
    ),
    # Its list, uploaded in parts or in one request
    Endpoint(
        "POST", f"{_UPLOAD}/init", multipart_upload.init, "Begin an upload in parts",
        {201: bodies.UploadInitResponse}, (404, 409), bodies.UploadInitRequest,
    ),
    Endpoint(
        "GET", f"{_ONE}/uploads/{{upload_id}}", resumption.get, "Get the missing parts of an upload, with fresh URLs",
        {200: bodies.UploadStateResponse}, (404,),
    ),
    Endpoint(
        "POST", f"{_UPLOAD}/complete", multipart_upload.complete, "Complete an upload and parse the list",
        {202: bodies.UploadResponse}, (404, 409), bodies.UploadCompleteRequest,
    ),
    Endpoint(
        "POST", f"{_UPLOAD}/abort", multipart_upload.abort, "Abort an upload",
        {200: bodies.UploadAbortResponse}, (404, 409), bodies.UploadAbortRequest,
    ),
    Endpoint(
        "POST", _UPLOAD, direct_upload.upload, "Upload a small list in one request, or only read it (dry_run)",
        {202: bodies.UploadResponse, 200: bodies.DryRunResponse}, (404, 409, 503), direct_upload.BODY,
        direct_upload.QUERY,
    ),
    # Its controls
    Endpoint(
        "POST", f"{_ONE}/start", controls.start, "Start sending; during parsing, as soon as it ends",
        {200: controls.StartResponse}, (404, 409), controls.StartRequest,
    ),
    Endpoint(
        "POST", f"{_ONE}/pause", controls.pause, "Pause the campaign",
        {200: controls.PauseResponse}, (404, 409),
    ),
    Endpoint(
        "POST", f"{_ONE}/resume", controls.resume, "Resume a paused campaign",
        {200: controls.StartResponse}, (404, 409), controls.ResumeRequest,
    ),
    Endpoint(
        "POST", f"{_ONE}/cancel", controls.cancel, "Cancel the campaign for good",
        {200: controls.PauseResponse}, (404, 409),
    ),
    Endpoint(
        "POST", f"{_ONE}/rate-limit", controls.set_rate, "Set the emails per minute",
        {200: controls.RateLimitResponse}, (404,), controls.RateLimitRequest,
    ),
    Endpoint(
        "POST", f"{_ONE}/reconcile", controls.reconcile, "Reconcile, retry failed rows, decide unknown rows",
        {202: controls.ReconcileResponse}, (404, 409), controls.ReconcileRequest,
    ),
    Endpoint(
        "GET", f"{_ONE}/reconcile", controls.reconciled, "Get the last reconciliation report",
        {200: Report}, (404,),
    ),
    Endpoint(
        "GET", f"{_ONE}/history", history.of_campaign, "Get who did what when, the newest entries first, in pages",
        {200: history.HistoryResponse}, (404, 422), query=history.QUERY,
    ),
    Endpoint(
        "GET", f"{_ONE}/throughput", throughput.get, "Get the emails over time, for a plot of the whole run",
        {200: throughput.ThroughputResponse}, (404,),
    ),
    # Its status and recipients
    Endpoint("GET", f"{_ONE}/status", status.status, "Get the status", {200: StatusReport}, (404,)),
    Endpoint(
        "GET", f"{_ONE}/events", status.events, "Follow the status as Server-Sent Events",
        {200: event_stream.MEDIA_TYPE}, (404,),
    ),
    Endpoint(
        "GET", f"{_ONE}/recipients.csv", recipients.export, "Download the rows with their states",
        {200: "text/csv"}, (404, 409, 422), query=recipients.QUERY,
    ),
    Endpoint(
        "GET", f"{_ONE}/recipients", recipient_search.get, "Get what became of one address",
        {200: recipient_search.RecipientsResponse}, (404, 409, 422), query=recipient_search.QUERY,
    ),
    # One address, over all campaigns
    Endpoint(
        "GET", "/recipients", disclosure.get, "Get all that is known of one address, over all campaigns",
        {200: disclosure.DisclosureResponse}, (422,), query=disclosure.QUERY,
    ),
    Endpoint(
        "DELETE", "/recipients", erasure.erase, "Erase one address everywhere; its hash stays on the suppression list",
        {200: erasure.ErasureResponse}, (409, 422), query=erasure.QUERY,
    ),
    # Who gets no email
    Endpoint(
        "GET", "/suppressions", suppressions.get, "Get what the suppression list knows of one address",
        {200: suppressions.SuppressionResponse}, (422,), query=suppressions.QUERY,
    ),
    Endpoint(
        "POST", "/suppressions", suppressions.add, "Add addresses to the suppression list",
        {200: suppressions.SuppressResponse}, (), suppressions.SuppressRequest,
    ),
    Endpoint(
        "DELETE", "/suppressions/{email}", suppressions.remove, "Remove an address from the suppression list",
        {200: suppressions.RemovalResponse}, (422,), query=suppressions.NOTE_QUERY,
    ),
    Endpoint(
        "GET", "/suppressions.csv", suppressions.export, "Download the suppression list", {200: "text/csv"},
    ),
    Endpoint(
        "POST", "/suppressions/upload", suppressions.upload, "Add the addresses of a CSV to the suppression list",
        {200: suppressions.SuppressionUploadResponse}, (), suppressions.UPLOAD_BODY, suppressions.UPLOAD_QUERY,
    ),
    Endpoint(
        "GET", "/sender-check", sender_check.check, "Check SPF, DKIM and DMARC of a sender's domain",
        {200: SenderReport}, (422,), query=sender_check.QUERY,
    ),
    # The provider accounts that send
    Endpoint(
        "GET", "/accounts", accounts.listed, "List the provider accounts with their rates and circuit breakers",
        {200: list[accounts.AccountResponse]},
    ),
    # What the local outbox has kept
    Endpoint(
        "GET", "/outbox", outbox.folders, "List the campaigns with emails in the local outbox",
        {200: outbox.OutboxFolders}, (404,),
    ),
    Endpoint(
        "GET", "/outbox/{id}", outbox.page, "List the emails of a campaign in the local outbox, in pages",
        {200: outbox.OutboxPage}, (404, 422), query=outbox.QUERY,
    ),
    Endpoint(
        "GET", "/outbox/{id}/{name}", outbox.email, "Get one email of the local outbox",
        {200: outbox.OutboxEmail}, (404,),
    ),
    # Unsubscribe links: open to everyone
    Endpoint(
        "GET", "/u/{token}", unsubscribe.page, "Show the page of an unsubscribe link; changes nothing",
        {200: unsubscribe.HTML, 404: unsubscribe.HTML, 429: unsubscribe.HTML}, any_query=True,
    ),
    Endpoint(
        "POST", "/u/{token}", unsubscribe.act, "Unsubscribe the recipient of a link (RFC 8058)",
        {200: unsubscribe.HTML, 404: unsubscribe.HTML, 429: unsubscribe.HTML}, (), unsubscribe.BODY, any_query=True,
    ),
    # Events that the provider reports
    Endpoint(
        "POST", "/webhooks/sendgrid", webhooks.sendgrid,
        "Receive SendGrid's signed events; 404 unless SENDGRID_WEBHOOK_PUBLIC_KEY is set",
        {200: webhooks.EventsResponse}, (404,), webhooks.BODY, any_query=True,
    ),
    Endpoint(
        "POST", "/webhooks/ses", webhooks.ses,
        "Receive the events of Amazon SES, signed by Amazon SNS; 404 unless SES_TOPIC_ARN is set",
        {200: webhooks.EventsResponse}, (404,), webhooks.SNS_BODY, any_query=True,
    ),
    # The server itself
    Endpoint(
        "GET", "/history", history.of_installation, "Get the history of what belongs to no single campaign, in pages",
        {200: history.HistoryResponse}, (422,), query=history.QUERY,
    ),
    Endpoint(
        "POST", "/doctor", doctor.diagnose, "Check the whole installation, and say how to mend it",
        {200: doctor.DoctorResponse}, (429,), doctor.DoctorRequest,
    ),
    Endpoint("GET", "/healthz", health.healthz, "Check that the process is alive", {200: JSON}, any_query=True),
    Endpoint(
        "GET", "/readyz", health.readyz, "Check that Redis and the object store are available",
        {200: JSON}, any_query=True,
    ),
    Endpoint("GET", "/metrics", health.metrics, "Metrics for Prometheus", {200: "text/plain"}, any_query=True),
    Endpoint("GET", "/openapi.json", describe, "Get this description", {200: JSON}, any_query=True),
)  # fmt: skip
