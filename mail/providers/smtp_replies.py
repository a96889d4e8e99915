"""What the replies of an SMTP server mean: each reply becomes one kind of outcome.

Sources: RFC 5321 (4.2, replies), RFC 4954 (6, authentication), RFC 3463 (enhanced codes), and the words of Postfix,
Exim, Exchange, Gmail and Amazon SES. This module sends nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from mail.outcome import Kind


class Stage(StrEnum):
    """The part of a session that a reply belongs to; its value names it in reasons."""

    #: The greeting, EHLO and STARTTLS.
    CONNECT = "connecting"
    AUTH = "AUTH"
    #: RSET and MAIL: the server knows the sender and the size.
    MAIL = "MAIL"
    RCPT = "RCPT"
    #: The DATA command, and the reply to the message itself.
    DATA = "DATA"


#: The server closes the connection with this reply.
CLOSING: Final = 421

#: "Authentication required" and "failed", whatever the command was: the account is at fault, and not the recipient.
_AUTH_CODES: Final = frozenset({530, 534, 535, 538})

#: The client sends too fast, or has too many connections. "Too many errors" and "too many recipients" are no rates.
_RATE: Final = re.compile(
    r"\brate\b|rate.?limit|throttl|too (?:fast|quickly)|too (?:many|much) (?!errors|recipients)"
    r"|slow(?:ing)? down|concurren|(?:message|sending|hourly|daily|connection)s? (?:limit|quota)"
    r"|limits? (?:was |were |has been |have been )?(?:exceeded|reached)",
    re.IGNORECASE,
)
#: The server does not relay for this account, so that no recipient would be accepted.
_NO_RELAY: Final = re.compile(
    r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed)|prohibited)"
    r"|(?:unable|refus\w+|not permitted|not allowed) to relay",
    re.IGNORECASE,
)
#: The account may not send as this sender (Exchange), or its day's quota is used up (Gmail, 5.4.5).
_NO_ACCOUNT: Final = re.compile(
    r"^5\.(?:7\.(?:8|9|60)|4\.5)\b|SendAsDenied|not allowed to send as|user sending (?:limit|quota)", re.IGNORECASE
)
#: The message is too large, which MAIL with its SIZE can tell (RFC 1870; RFC 3463, X.2.3 and X.3.4).
_TOO_LARGE: Final = re.compile(r"^5\.(?:2\.3|3\.4)\b")


def kind_of(stage: Stage, code: int, text: str) -> Kind:
    """The outcome for a reply that does not accept.

    - A refused sender (MAIL) or connection is REFUSED, because other recipients would fare no better.
    - A refused recipient or message is REJECTED, unless the words are about the account: a server that does not relay
      for this account would otherwise fail a whole list.
    - 454 is a throttle after authentication (Amazon SES), and a passing failure of authentication or TLS before.

    Args:
        stage: where the reply came.
        code: its three digits.
        text: its words, with the enhanced code if there is one.
    """
    if 400 <= code < 500:
        is_throttle = bool(_RATE.search(text)) or (code == 454 and stage in {Stage.MAIL, Stage.RCPT, Stage.DATA})
        return Kind.THROTTLED if is_throttle else Kind.UNAVAILABLE
    if not 500 <= code < 600:
        return Kind.UNAVAILABLE
    if code in _AUTH_CODES or _NO_RELAY.search(text) or _NO_ACCOUNT.search(text):
        return Kind.REFUSED
    if stage in {Stage.RCPT, Stage.DATA}:
        return Kind.REJECTED
    is_too_large = stage is Stage.MAIL and (code == 552 or _TOO_LARGE.search(text))
    return Kind.REJECTED if is_too_large else Kind.REFUSED
