"""A campaign's templates: compiled once, then rendered to one message per row.

`mail.content` checks the rest of the content.

Templates run in Jinja2's immutable sandbox with strict undefined names; only HTML is escaped.
They see the columns that they name, `email` and `unsubscribe_url`, no files and no other templates. The sandbox keeps
a template from reaching the process. The budget limits a row to 50 ms of CPU time and 10 MB (`docs/templates.md`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.addresses import mailbox
from mail.budget import ROOM, Budget
from mail.cells import CellError, described
from mail.condition import Condition
from mail.header_templates import HeaderTemplates, InvalidHeader
from mail.message import Message
from mail.outcome import reason
from mail.template import GLOBALS, HTML, TEXT, Template

#: The name of the recipient's address in every template, whatever the column is called.
EMAIL: Final = "email"

#: The name of the recipient's unsubscribe link in every template of a campaign with links. It wins over a column.
UNSUBSCRIBE_URL: Final = "unsubscribe_url"
#: The headers of an unsubscribe link, in lower case. A campaign that sets one of them itself gets neither.
UNSUBSCRIBE_HEADERS: Final = frozenset({"list-unsubscribe", "list-unsubscribe-post"})

#: Makes a recipient's unsubscribe link and its headers, from the row and the address.
LinkOf = Callable[[int, str], tuple[str, Mapping[str, str]]]

#: The longest rendered body, html or text, in characters.
MAX_BODY: Final = 10_000_000
#: The longest rendered subject before its white space is collapsed, in characters.
MAX_SUBJECT: Final = 10_000
#: The longest subject that is sent, in characters: RFC 5322, 2.1.1.
LONGEST_SUBJECT: Final = 998
#: The longest address, in characters: the limit of RFC 5321, 4.5.3.1, with a margin.
MAX_ADDRESS: Final = 400
#: The longest unsubscribe link, in characters, for the same purpose.
MAX_LINK: Final = 600
#: The characters that are encoded at once to check that a text can be encoded.
_CHUNK: Final = 65_536

_CONTROLS: Final = dict.fromkeys([*range(0x09), *range(0x0E, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0)])
#: White space that a subject line cannot have. A no-break space may stay.
_BLANKS: Final = re.compile("[ \t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")


class RenderError(Exception):
    """A template cannot be rendered for this row; `reason` is safe for the row's record."""

    def __init__(self, words: str) -> None:
        self.reason = reason(words)
        super().__init__(self.reason)


class Templates:
    """The compiled templates of one campaign.

    Raises:
        InvalidCampaign: a template is invalid; the detail names its field and line.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._subject = Template(TEXT, "subject", content.subject)
        self._html = None if content.html is None else Template(HTML, "html", content.html)
        self._text = None if content.text is None else Template(TEXT, "text", content.text)
        self._headers = HeaderTemplates(content.headers)
        if sum(one.joined_bytes for one in self.each) > ROOM:
            raise InvalidCampaign(
                f"html, text: with tags in them they can have {ROOM:,} characters together, a quarter of that if one "
                "is not ASCII: shorten them, or link to images instead of embedding them"
            )
        self._names = frozenset().union(*(one.names for one in self.each))
        self._own = frozenset((EMAIL, UNSUBSCRIBE_URL) if content.has_links else (EMAIL,))
        #: The names that the templates take from the list (or from `email`).
        self.used = frozenset(self._names.difference(GLOBALS, self._own - {EMAIL}))

    @property
    def each(self) -> tuple[Template, ...]:
        """The templates that the campaign has: subject, HTML, text, headers."""
        return (*(one for one in (self._subject, self._html, self._text) if one), *self._headers.each)

    @property
    def computes(self) -> bool:
        """Whether a template is more than a form of texts and names."""
        return any(template.computes for template in self.each)

    def missing(self, columns: Sequence[str]) -> list[str]:
        """The names that the templates and `where` use and these columns lack, sorted."""
        where = self._content.condition
        names = self.used if where is None else self.used | Condition(where).names
        return sorted(names.difference(columns, (EMAIL,)))

    def fields(self, columns: Sequence[str]) -> tuple[int, ...]:
        """The positions of the columns that the templates use: only their values have to travel with a row."""
        return tuple(
            index
            for index, column in enumerate(columns)
            if column in self._names and column and column not in self._own
        )

    def renderer(self, campaign_id: str, columns: Sequence[str], link_of: LinkOf | None = None) -> Renderer:
        """A renderer for a list with these columns.

        Args:
            campaign_id: the campaign.
            columns: the list's template names by position.
            link_of: makes the unsubscribe links, if the campaign has them.

        Raises:
            InvalidCampaign: the campaign has links, and `link_of` is missing.
        """
        if self._content.has_links and link_of is None:
            raise InvalidCampaign("unsubscribe: this process cannot make links: give it the server's SECRET_KEY")
        names = tuple(columns[index] for index in self.fields(columns))
        constants = {name: GLOBALS[name] for name in self._names.intersection(GLOBALS).difference(names)}
        parts = (self._subject, self._html, self._text)
        if not self._content.has_links:
            link_of = None
        return Renderer(
            campaign_id, self._content, parts, self._headers, names=names, constants=constants, link_of=link_of
        )


class Renderer:
    """Renders the messages of one campaign and list. Thread safe."""

    def __init__(
        self,
        campaign_id: str,
        content: Content,
        templates: tuple[Template, Template | None, Template | None],
        headers: HeaderTemplates,
        *,
        names: tuple[str, ...],
        constants: dict[str, Any],
        link_of: LinkOf | None = None,
    ) -> None:
        self.campaign_id = campaign_id
        self.sender = mailbox("from", content.from_)
        self.reply_to = None if content.reply_to is None else mailbox("reply_to", content.reply_to)
        self._fixed_headers = content.headers
        self.tracks = content.tracks
        self._headers = headers if headers.each else None
        self.subject, self.html, self.text = templates
        self._names = names
        self._constants = constants
        made = [*(template for template in templates if template), *headers.each]
        self._link_of = link_of
        self._adds_headers = UNSUBSCRIBE_HEADERS.isdisjoint(map(str.lower, content.headers))
        #: Whether a template is more than a form of texts and names.
        self.computes = any(template.computes for template in made)
        #: The most characters of a row's cells together for which forms need no budget.
        self.room = min(template.room for template in made) - MAX_ADDRESS - (MAX_LINK if link_of else 0)

    def message(self, row: int, email: str, values: Sequence[str]) -> Message:
        """The message of one row.

        Args:
            row: the row's number, from 1.
            email: the recipient's checked address.
            values: the cells of `Templates.fields(columns)`, in that order.

        Raises:
            RenderError: this row cannot be rendered; others may.
        """
        variables, link_headers = self._variables(row, _checked(email), values)
        budget = Budget() if self.computes or len("".join(values)) > self.room else None
        subject = self._subject_line(variables, budget)
        html = _render(self.html, variables, budget) if self.html else None
        text = _render(self.text, variables, budget) if self.text else None
        if not html and not text:
            raise RenderError("the message is empty")
        return Message(
            self.campaign_id,
            row,
            email,
            self.sender,
            self.reply_to,
            subject,
            # Providers refuse an empty part, so the other part goes alone.
            html or None,
            text or None,
            self._headers_of(variables, link_headers, budget),
            tracks=self.tracks,
        )

    def personal(self, row: int, email: str, values: Sequence[str]) -> tuple[Mapping[str, Any], str, Mapping[str, str]]:
        """What the forms see of a row whose cells fit in `room`, its subject, and its headers; see `message`.

        Raises:
            RenderError: this row cannot be rendered.
        """
        variables, link_headers = self._variables(row, _checked(email), values)
        return variables, self._subject_line(variables, None), self._headers_of(variables, link_headers, None)

    @property
    def fixed_subject(self) -> str | None:
        """The subject of all rows; None: it has the row's values in it.

        Raises:
            RenderError: no row has a subject that can be sent.
        """
        form = self.subject.form
        return self._subject_line({}, None) if form and not form[1] else None

    @property
    def shares_headers(self) -> bool:
        """Whether all rows have the same headers."""
        return not self._headers and not (self._link_of and self._adds_headers)

    @property
    def fixed_headers(self) -> Mapping[str, str]:
        """The campaign's headers as they were PUT."""
        return self._fixed_headers

    def _variables(
        self, row: int, email: str, values: Sequence[str]
    ) -> tuple[dict[str, Any], Mapping[str, str] | None]:
        """What the templates of a row see, and the headers of its unsubscribe link."""
        variables: dict[str, Any] = dict(zip(self._names, values, strict=False))
        variables[EMAIL] = email
        if self._constants:
            variables.update(self._constants)
        link_headers: Mapping[str, str] | None = None
        if self._link_of:
            variables[UNSUBSCRIBE_URL], link_headers = self._link_of(row, email)
        return variables, link_headers

    def _subject_line(self, variables: dict[str, Any], budget: Budget | None) -> str:
        subject = one_line(_render(self.subject, variables, budget, MAX_SUBJECT))
        if not subject:
            raise RenderError("the subject is empty")
        if len(subject) > LONGEST_SUBJECT:
            raise RenderError(
                f"subject: {len(subject):,} characters are more than {LONGEST_SUBJECT}: use |truncate(78)"
            )
        return subject

    def _headers_of(
        self, variables: dict[str, Any], link_headers: Mapping[str, str] | None, budget: Budget | None
    ) -> Mapping[str, str]:
        headers = _headers(self._headers, variables, budget) if self._headers else self._fixed_headers
        if link_headers and self._adds_headers:
            headers = {**headers, **link_headers} if headers else link_headers
        return headers


def _headers(templates: HeaderTemplates, variables: dict[str, Any], budget: Budget | None) -> Mapping[str, str]:
    try:
        return templates.rendered(lambda template: _render(template, variables, budget, MAX_SUBJECT))
    except InvalidHeader as error:
        raise RenderError(str(error)) from None


def _checked(email: str) -> str:
    if not email.isprintable() or " " in email:
        raise RenderError("the address contains white space or control characters")
    return email


def one_line(text: str) -> str:
    """The text as one line for a header: white space collapsed to single spaces, control characters removed."""
    if text.isprintable() and "  " not in text:
        return text.strip(" ")
    return _BLANKS.sub(" ", text.translate(_CONTROLS)).strip(" ")


def _encode(text: str) -> None:
    """Check that a text can be encoded, without a copy of the whole text."""
    for start in range(0, len(text), _CHUNK):
        text[start : start + _CHUNK].encode()


def _render(template: Template, variables: dict[str, Any], budget: Budget | None, longest: int = MAX_BODY) -> str:
    try:
        text = template.render(variables, budget)
        if not text.isascii():
            text.encode() if len(text) < _CHUNK else _encode(text)
    except UnicodeEncodeError:
        raise RenderError(f"{template.field}: contains half of a surrogate pair, which cannot be sent") from None
    except Exception as error:  # noqa: BLE001 - a template can raise anything that Python can
        words = described(error, variables) if isinstance(error, CellError) else str(error) or type(error).__name__
        raise RenderError(f"{template.field}{template.line(error)}: {words}") from None
    if len(text) > longest:
        raise RenderError(f"{template.field}: longer than {longest:,} characters")
    return text
