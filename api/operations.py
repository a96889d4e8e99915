"""What the API's description says of each operation beside its one line: its name, its subject, and how to use it.

An endpoint that is missing here still is described: by its path, its first part and its handler's docstring.
"""

from __future__ import annotations

import inspect
import re
from typing import Final, NamedTuple

from api.http.endpoint import Endpoint

#: The subjects, in the order in which a description shows them.
TAGS: Final = {
    "Campaigns": "A campaign is its content, its settings and one list of recipients.",
    "Content": "Look at single emails before the campaign starts.",
    "Lists": "Upload the recipients: a small list in one request, a large one in parts, straight to the object store.",
    "Controls": "Start, pause, resume and cancel a campaign, and change its rate.",
    "Progress": "What the campaign has done, as counts and row by row.",
    "Suppressions": "The addresses that get no email, for the whole installation.",
    "Accounts": "The provider accounts that send.",
    "Links and events": "What mail programs and providers call. Not meant for clients of the API.",
    "Server": "The server itself.",
}


class Operation(NamedTuple):
    """`name`: the operation id, from which generators make the name of a method. `about`: Markdown."""

    name: str
    tag: str
    about: str


_OPERATIONS: Final = {
    "GET /campaigns": Operation(
        "list_campaigns", "Campaigns",
        "`next` is the path of the next page, with the same question; it is null on the last one. `search` is a part "
        "of id or subject.",
    ),
    "PUT /campaigns/{id}": Operation(
        "put_campaign", "Campaigns",
        "You choose the id. `subject`, `html` and `text` are Jinja2 templates over the columns of the list; give at "
        "least one of `html` and `text`. The same request again changes nothing. Send `If-None-Match: *` to create "
        "only: an existing campaign is then refused with 412. After the start, 409. All mistakes of the content are "
        "in `errors`, each with its field, line and column.",
    ),
    "GET /campaigns/{id}": Operation(
        "get_campaign", "Campaigns",
        "The content, the settings, what was recognised in the list, and `warnings` with what each of them stops.",
    ),
    "DELETE /campaigns/{id}": Operation(
        "delete_campaign", "Campaigns", "Removes the list and all reports too. 409 while the campaign runs."
    ),
    "POST /campaigns/{id}/copy": Operation(
        "copy_campaign", "Campaigns",
        "The new campaign is a draft with the same content, settings and attachments, and without a list.",
    ),
    "POST /campaigns/{id}/preview": Operation(
        "preview_email", "Content",
        "Exactly the email that would be sent, for a `row` of the list or for given `columns`; with `{}`, for the "
        "first recipient. Nothing is sent.",
    ),
    "POST /campaigns/{id}/test-send": Operation(
        "send_test_emails", "Content",
        "The subject begins with `[Test]`. No count of the campaign changes. At most 60 test emails are sent per "
        "minute, for the whole installation.",
    ),
    "PUT /campaigns/{id}/attachments/{filename}": Operation(
        "put_attachment", "Content",
        "The body is the file, and its media type is the Content-Type. An image that the HTML names as "
        "`cid:filename` is shown in its place.",
    ),
    "GET /campaigns/{id}/attachments": Operation(
        "list_attachments", "Content", "The files in the order of their names."
    ),
    "DELETE /campaigns/{id}/attachments/{filename}": Operation(
        "delete_attachment", "Content", "409 once the campaign has started."
    ),
    "POST /campaigns/{id}/upload/init": Operation(
        "begin_upload", "Lists",
        "Answers with one URL per part. PUT each part of `part_size` bytes to its URL, without a token, and keep the "
        "ETag of the response. Then complete the upload.",
    ),
    "GET /campaigns/{id}/uploads/{upload_id}": Operation(
        "get_upload", "Lists", "Use it to resume an upload, also days later: it has a fresh URL for each missing part."
    ),
    "POST /campaigns/{id}/upload/complete": Operation(
        "complete_upload", "Lists",
        "The list is parsed afterwards: follow the status until it is no longer `parsing`. Without `parts` the server "
        "asks the object store what has arrived. If parts are missing or wrong, 409 names them in `missing` and "
        "`wrong`, and the upload can still be finished.",
    ),
    "POST /campaigns/{id}/upload/abort": Operation(
        "abort_upload", "Lists", "Frees what has arrived. Aborting an upload again changes nothing."
    ),
    "POST /campaigns/{id}/upload": Operation(
        "upload_list", "Lists",
        "The list as the body, or as the field `file` of a form; up to 10 MiB. With `dry_run=true` the answer says "
        "how the list would be read, and nothing is kept. A second list before the start replaces the first.",
    ),
    "POST /campaigns/{id}/start": Operation(
        "start_campaign", "Controls",
        "During parsing, the campaign starts as soon as parsing ends. 409 without a list, without recipients, where a "
        "template names a column that the list lacks, or while there are warnings that must be accepted "
        "(`unaccepted`); `accept_warnings` accepts them.",
    ),
    "POST /campaigns/{id}/pause": Operation(
        "pause_campaign", "Controls",
        "After this answer no worker begins another email. `in_flight` emails are on their way to the provider.",
    ),
    "POST /campaigns/{id}/resume": Operation("resume_campaign", "Controls", "A running campaign stays running."),
    "POST /campaigns/{id}/cancel": Operation(
        "cancel_campaign", "Controls", "Final. `in_flight` emails are on their way to the provider."
    ),
    "POST /campaigns/{id}/rate-limit": Operation(
        "set_rate_limit", "Controls",
        "In emails per minute. It holds at once, downward too: no email is sent before the last 60 s are below it.",
    ),
    "POST /campaigns/{id}/reconcile": Operation(
        "reconcile", "Controls",
        "Compares the records and repairs them; a running campaign does so every minute on its own. `retry_failed` "
        "sends failed rows again. `unknown` decides about the rows whose outcome is unknown; with `resend` some "
        "people may get the email twice.",
    ),
    "GET /campaigns/{id}/reconcile": Operation("get_reconciliation", "Controls", "404 before the first one."),
    "GET /campaigns/{id}/history": Operation(
        "list_history", "Progress",
        "Every change of state and rate, by people and by the system with its reason. The newest 1,000 are kept.",
    ),
    "GET /campaigns/{id}/throughput": Operation(
        "get_throughput", "Progress",
        "At most 720 points: of 10 s during the first two hours, and of twice that time whenever they are used up.",
    ),
    "GET /campaigns/{id}/status": Operation(
        "get_status", "Progress",
        "True when it is answered: `done + failed + pending = total`, always. `pending` includes `unknown` and "
        "`in_flight`.",
    ),
    "GET /campaigns/{id}/events": Operation(
        "follow_status", "Progress",
        "The status object now and whenever it changes, at most four times per second; a comment every 15 s keeps "
        "the connection open.",
    ),
    "GET /campaigns/{id}/recipients.csv": Operation(
        "download_recipients", "Progress",
        "The columns are `row`, `email`, `state` and `reason`. The response is streamed."
    ),
    "GET /campaigns/{id}/recipients": Operation(
        "find_recipient", "Progress",
        "Every row with this address, its state, and the events that the provider reported."
    ),
    "GET /recipients": Operation(
        "disclose_address", "Suppressions",
        "The rows of every campaign that have the address, with their states and events, and what the suppression list "
        "knows. Every list is searched; where that takes long, `next` is the path of the rest, else null. The history "
        "of the installation notes the request, without the address.",
    ),
    "DELETE /recipients": Operation(
        "erase_address", "Suppressions",
        "Erases the address from all lists, reports, reasons, messages, files of the outbox and records. Its hash is "
        "put on the suppression list, so that it gets no email; rows that wait fail for the reason `erased`. A request "
        "works for about a minute: after a 503, send it again and it goes on.",
    ),
    "GET /suppressions": Operation("get_suppression", "Suppressions", "An address that is not on the list is 200 too."),
    "POST /suppressions": Operation(
        "suppress", "Suppressions",
        "After this answer no running campaign admits an email to these addresses. If one of them is invalid, none is "
        "added.",
    ),
    "DELETE /suppressions/{email}": Operation(
        "unsuppress", "Suppressions",
        "Whatever the address is on the list for. Some people have asked for no email: ask them."
    ),
    "GET /suppressions.csv": Operation("download_suppressions", "Suppressions", "The response is streamed."),
    "POST /suppressions/upload": Operation(
        "upload_suppressions", "Suppressions",
        "A CSV with a column of addresses. Rows without a valid address are counted."
    ),
    "GET /sender-check": Operation(
        "check_sender", "Accounts",
        "Asks the DNS, with a time limit. Each finding says what to do; `unknown` means that the DNS did not answer.",
    ),
    "GET /accounts": Operation("list_accounts", "Accounts", "Shows no credentials."),
    "GET /u/{token}": Operation(
        "show_unsubscribe_page", "Links and events", "Link scanners follow links, so GET changes nothing."
    ),
    "POST /u/{token}": Operation("unsubscribe", "Links and events", "Needs no token, cookie or login. Again: 200."),
    "POST /webhooks/sendgrid": Operation(
        "receive_sendgrid_events", "Links and events", "The signature of the request is checked; it needs no API token."
    ),
    "POST /webhooks/ses": Operation(
        "receive_ses_events", "Links and events", "The signature of the message is checked; it needs no API token."
    ),
    "GET /outbox": Operation(
        "list_outbox", "Content", "404 unless a provider account writes to the local outbox, as without any provider."
    ),
    "GET /outbox/{id}": Operation(
        "list_outbox_emails", "Content",
        "Test emails first, then the rows from the highest down. `search` is a part of recipient or subject; a search "
        "takes at most 3 s, and `complete` says whether it has looked at all emails.",
    ),
    "GET /outbox/{id}/{name}": Operation(
        "get_outbox_email", "Content", "The email's headers, HTML, text, names of attachments, and source."
    ),
    "GET /history": Operation(
        "list_installation_history", "Server",
        "Deleted campaigns, removals from the suppression list, and more that belongs to no single campaign.",
    ),
    "GET /healthz": Operation("check_alive", "Server", "Asks no other service. Needs no token."),
    "GET /readyz": Operation("check_ready", "Server", "503 names the service that is away. Needs no token."),
    "GET /metrics": Operation("get_metrics", "Server", "`postrider_up` is 0 while Redis is unavailable."),
    "GET /openapi.json": Operation("get_description", "Server", "OpenAPI 3.1."),
    "POST /doctor": Operation(
        "diagnose", "Server",
        "Checks the whole installation: Redis and its settings, the object store with an upload in parts, the "
        "provider's credentials, the sender's DNS records, webhooks, the clock and the workers. Sends no email. It "
        "takes 15 s at most, and one runs at a time.",
    ),
}  # fmt: skip

_IN_BRACES: Final = re.compile(r"{(\w+)}")


def operation(endpoint: Endpoint) -> Operation:
    """What the description says of an endpoint."""
    found = _OPERATIONS.get(f"{endpoint.method} {endpoint.path}")
    return found or Operation(_name(endpoint), _tag(endpoint.path), inspect.getdoc(endpoint.handler) or "")


def _name(endpoint: Endpoint) -> str:
    """A name from the method and the path: `get_campaigns_history`."""
    words = re.split(r"[^A-Za-z0-9]+", _IN_BRACES.sub("", endpoint.path))
    return "_".join([endpoint.method.lower(), *(word.lower() for word in words if word)])


def _tag(path: str) -> str:
    """The subject of the endpoint whose path begins alike."""
    first = path.split("/")[1]
    same = (found.tag for known, found in _OPERATIONS.items() if known.split(" /")[1].split("/")[0] == first)
    return next(same, "Server")
