"""Replies of SMTP servers as outcomes: by stage, code and words."""

from __future__ import annotations

import pytest

from mail.outcome import Kind
from mail.providers.smtp_replies import Stage, kind_of

ALL = tuple(Stage)


@pytest.mark.parametrize(
    ("stage", "code", "text", "kind"),
    [
        # The server passes through trouble.
        (Stage.CONNECT, 421, "4.3.2 Service shutting down", Kind.UNAVAILABLE),
        (Stage.MAIL, 452, "4.3.1 Insufficient system storage", Kind.UNAVAILABLE),
        (Stage.RCPT, 450, "4.2.0 Greylisted, please come back in 5 minutes", Kind.UNAVAILABLE),
        (Stage.RCPT, 452, "4.2.2 mailbox is over quota", Kind.UNAVAILABLE),
        (Stage.DATA, 451, "4.3.0 queue file write error", Kind.UNAVAILABLE),
        (Stage.MAIL, 421, "4.7.0 Error: too many errors", Kind.UNAVAILABLE),
        (Stage.RCPT, 452, "4.5.3 too many recipients", Kind.UNAVAILABLE),
        (Stage.AUTH, 454, "4.7.0 Temporary authentication failure", Kind.UNAVAILABLE),
        (Stage.CONNECT, 454, "4.7.0 TLS not available due to local problem", Kind.UNAVAILABLE),
        # The client sends too fast.
        (Stage.CONNECT, 421, "4.7.0 mx Error: too many connections from 192.0.2.1", Kind.THROTTLED),
        (Stage.MAIL, 450, "4.7.1 Error: too much mail from 192.0.2.1", Kind.THROTTLED),
        (Stage.MAIL, 421, "Too many concurrent SMTP connections; please try again later", Kind.THROTTLED),
        (Stage.RCPT, 451, "4.7.1 rate limit exceeded", Kind.THROTTLED),
        (Stage.DATA, 454, "Throttling failure: Maximum sending rate exceeded.", Kind.THROTTLED),
        (Stage.DATA, 454, "4.7.0 later", Kind.THROTTLED),
        (Stage.DATA, 452, "4.4.5 Message limit reached", Kind.THROTTLED),
        (Stage.DATA, 421, "4.7.28 unusual rate of mail; slowing down", Kind.THROTTLED),
        # The recipient or the message.
        (Stage.RCPT, 550, "5.1.1 no such user", Kind.REJECTED),
        (Stage.RCPT, 553, "5.1.3 bad address syntax", Kind.REJECTED),
        (Stage.RCPT, 554, "5.7.1 Recipient address rejected", Kind.REJECTED),
        (Stage.DATA, 554, "5.6.0 contains a virus", Kind.REJECTED),
        (Stage.DATA, 552, "5.3.4 Message size exceeds fixed limit", Kind.REJECTED),
        (Stage.MAIL, 552, "5.3.4 Message size exceeds fixed limit", Kind.REJECTED),
        (Stage.MAIL, 554, "5.2.3 message too large", Kind.REJECTED),
        # The account.
        (Stage.CONNECT, 554, "5.7.1 your address is blocked", Kind.REFUSED),
        (Stage.AUTH, 535, "5.7.8 authentication failed", Kind.REFUSED),
        (Stage.AUTH, 504, "5.5.4 mechanism not supported", Kind.REFUSED),
        (Stage.MAIL, 553, "5.7.1 Sender address rejected: not owned by user", Kind.REFUSED),
        (Stage.RCPT, 554, "5.7.1 <***@x.test>: Relay access denied", Kind.REFUSED),
        (Stage.RCPT, 550, "relay not permitted", Kind.REFUSED),
        (Stage.RCPT, 550, "5.7.1 Relaying denied", Kind.REFUSED),
        (Stage.RCPT, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Kind.REFUSED),
        (Stage.DATA, 550, "5.4.5 Daily user sending limit exceeded", Kind.REFUSED),
        (Stage.DATA, 554, "5.2.252 SendAsDenied; not allowed to send as news", Kind.REFUSED),
        # A reply that makes no sense there.
        (Stage.RCPT, 354, "go on", Kind.UNAVAILABLE),
    ],
)
def test_a_reply_has_one_outcome(stage: Stage, code: int, text: str, kind: Kind) -> None:
    assert kind_of(stage, code, text) is kind


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("stage", ALL)
def test_a_lack_of_authentication_is_the_account_s_wherever_it_is_told(stage: Stage, code: int) -> None:
    assert kind_of(stage, code, "authentication required") is Kind.REFUSED


@pytest.mark.parametrize("stage", ALL)
def test_no_temporary_reply_is_final(stage: Stage) -> None:
    kinds = {kind_of(stage, code, "words") for code in range(400, 500)}
    assert kinds <= {Kind.UNAVAILABLE, Kind.THROTTLED}
