"""Checks of what a reader sees before the email is opened: From, Reply-To, subject; and the way to unsubscribe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from campaigns.models import Content
from mail.addresses import mailbox
from mail.check import Check, Level
from mail.tags import replaced

#: The longest subject that is shown whole, in characters: RFC 5322, 2.1.1, the longest line that is recommended.
LONG_SUBJECT: Final = 78
#: So many exclamation marks in a subject look like spam.
MANY_MARKS: Final = 3

#: Domains of free mailboxes. Their DMARC records forbid others to send for them, or soon will.
FREE_MAIL: Final = frozenset({
    "126.com", "163.com", "aim.com", "aol.com", "bk.ru", "comcast.net", "cox.net", "email.com", "fastmail.com",
    "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net", "googlemail.com",
    "hotmail.co.uk", "hotmail.com", "hotmail.de", "hotmail.fr", "hotmail.it", "icloud.com", "inbox.ru", "laposte.net",
    "libero.it", "list.ru", "live.co.uk", "live.com", "live.fr", "live.nl", "mac.com", "mail.com", "mail.ru", "me.com",
    "msn.com", "naver.com", "orange.fr", "outlook.com", "outlook.de", "outlook.fr", "proton.me", "protonmail.com",
    "qq.com", "rediffmail.com", "rocketmail.com", "seznam.cz", "sfr.fr", "t-online.de", "virgilio.it", "wanadoo.fr",
    "web.de", "wp.pl", "yahoo.ca", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.de",
    "yahoo.es", "yahoo.fr", "yahoo.it", "yandex.com", "yandex.ru", "ymail.com", "zoho.com",
})  # fmt: skip

#: How links to unsubscribe are called in the languages of Europe, in lower case.
_UNSUBSCRIBE: Final = (
    "unsubscribe", "opt-out", "opt out", "optout", "preferences", "abmelde", "abbestell", "désinscri", "desinscri",
    "désabonn", "desabonn", "darse de baja", "cancelar", "descadastr", "cancella", "disiscri", "afmeld", "uitschrijv",
    "avmeld", "avregistr", "avprenumerera", "wypisz", "peru tilaus", "odhlásit", "leiratkoz", "отписаться",
)  # fmt: skip
#: The most characters of a text that are searched for one, from its end.
MAX_SEARCHED: Final = 100_000


def envelope(content: Content) -> Iterator[Check]:
    """The findings about From, Reply-To and subject. From and Reply-To must be valid."""
    sender = _domain(mailbox("from", content.from_).address)
    if sender in FREE_MAIL:
        yield Check(
            "free_mail_from",
            f"{sender} lets no one else send for its addresses (DMARC), so most mailboxes would reject these emails: "
            "send from a domain of your own",
            "from", None, None, Level.HINT,
        )  # fmt: skip
    if content.reply_to is not None:
        reply_to = _domain(mailbox("reply_to", content.reply_to).address)
        if not _related(sender, reply_to):
            message = f"answers go to {reply_to}, while the emails come from {sender}: check that you mean this"
            yield Check("reply_to_elsewhere", message, "reply_to", None, None, Level.HINT)
    yield from subject(content.subject)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _related(one: str, other: str) -> bool:
    """Whether two domains are equal, or one is below the other."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def subject(source: str) -> Iterator[Check]:
    """The findings about a subject: a template, or what it yields for a row."""
    text = replaced(source, lambda _number, _tag: "")
    if len(text) > LONG_SUBJECT:
        message = f"{len(text)} characters; most mailboxes cut a subject after {LONG_SUBJECT}: make it shorter"
        yield Check("long_subject", message, "subject", 1, None, Level.HINT)
    if text.count("!") >= MANY_MARKS:
        message = f"{text.count('!')} exclamation marks look like spam: use one at most"
        yield Check("exclamation_marks", message, "subject", 1, None, Level.HINT)


def unsubscribing(content: Content, links: list[str]) -> Iterator[Check]:
    """The finding that an email offers no way to unsubscribe.

    Args:
        content: the campaign's content.
        links: the addresses and texts of the links in its HTML.
    """
    header = content.has_links or any(name.lower() == "list-unsubscribe" for name in content.headers)
    text = "\n".join([*links, (content.text or "")[-MAX_SEARCHED:]]).lower()
    if header or not content.is_marketing or any(word in text for word in _UNSUBSCRIBE):
        return
    message = (
        "there is no link to unsubscribe, which Gmail, Yahoo and Outlook require of marketing emails: add one, or a "
        "List-Unsubscribe header"
    )
    yield Check("no_unsubscribe", message, "html" if content.html else "text", None, None, Level.HINT)
