"""A campaign's templates: compiled once, then one message a row.

Which content is acceptable besides its template syntax stands in `mail.content`.

Templates are Jinja2 in its immutable sandbox, with strict undefined names; HTML is escaped, subject and text are not.
They see the columns that they name and `email`, no files and no other templates. The sandbox keeps a template from
reaching the process; it cannot bound its CPU time: nested loops stay possible, so templates are written by whoever may
run campaigns (`docs/templates.md`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.addresses import mailbox
from mail.message import Message
from mail.outcome import reason

#: The name under which every template finds the recipient's address, whatever its column is called.
EMAIL: Final = "email"

#: The longest rendered body, html or text, in characters.
MAX_BODY: Final = 10_000_000

#: What a product may grow to: bits of a number, characters of a repeated string.
MAX_PRODUCT: Final = 10_000

#: What templates can call besides their columns. A column of the same name wins.
GLOBALS: Final[dict[str, Any]] = {"range": safe_range, "namespace": Namespace}

_CONTROLS: Final = dict.fromkeys([*range(0x09), *range(0x0E, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0)])
#: White space that a subject line cannot keep. A no-break space can stay.
_BLANKS: Final = re.compile("[ \t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")


class RenderError(Exception):
    """A template cannot be rendered for this row; `reason` is fit for the row's record."""

    def __init__(self, words: str) -> None:
        self.reason = reason(words)
        super().__init__(self.reason)


class _Sandbox(ImmutableSandboxedEnvironment):
    """The immutable sandbox without globals, where no product or power can eat the machine."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, undefined=StrictUndefined, keep_trailing_newline=True)
        self.globals.clear()

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**":
            raise SecurityError("powers are not available in templates")
        if _oversized(left, right):
            raise SecurityError("this product is too large for a template")
        return super().call_binop(context, operator, left, right)


_HTML: Final = _Sandbox(autoescape=True)
_TEXT: Final = _Sandbox(autoescape=False)


class Templates:
    """The compiled templates of one campaign.

    Raises:
        InvalidCampaign: naming the field and the line of the first template that is not usable.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._names: set[str] = set()
        self._subject = self._compile(_TEXT, "subject", content.subject)
        self._html = None if content.html is None else self._compile(_HTML, "html", content.html)
        self._text = None if content.text is None else self._compile(_TEXT, "text", content.text)
        #: The names that the templates take from the list (or from `email`).
        self.used = frozenset(self._names.difference(GLOBALS))

    def _compile(self, sandbox: _Sandbox, field: str, source: str) -> Template:
        try:
            tree = sandbox.parse(source)
            if any(True for _ in meta.find_referenced_templates(tree)):
                raise InvalidCampaign(f"{field}: a template cannot include, import or extend another one")
            self._names |= meta.find_undeclared_variables(tree)
            return sandbox.from_string(source)
        except TemplateSyntaxError as error:
            raise InvalidCampaign(f"{field}, line {error.lineno}: {error.message}") from None
        except (ArithmeticError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError) as error:
            # Python's own limits, met while the template is translated or its constants are folded.
            raise InvalidCampaign(f"{field}: this template cannot be compiled: {error}") from None

    def missing(self, columns: Sequence[str]) -> list[str]:
        """The names that the templates use and a list with these columns does not have, sorted."""
        return sorted(self.used.difference(columns, (EMAIL,)))

    def fields(self, columns: Sequence[str]) -> tuple[int, ...]:
        """The positions of the columns that the templates use: the only values that a message has to carry."""
        return tuple(
            index for index, column in enumerate(columns) if column in self._names and column and column != EMAIL
        )

    def renderer(self, campaign_id: str, columns: Sequence[str]) -> Renderer:
        """A renderer for a list with these columns."""
        names = tuple(columns[index] for index in self.fields(columns))
        constants = {name: GLOBALS[name] for name in self._names.intersection(GLOBALS).difference(names)}
        return Renderer(campaign_id, self._content, (self._subject, self._html, self._text), names, constants)


class Renderer:
    """Makes the messages of one campaign and list. Safe to use from several threads."""

    def __init__(
        self,
        campaign_id: str,
        content: Content,
        templates: tuple[Template, Template | None, Template | None],
        names: tuple[str, ...],
        constants: dict[str, Any],
    ) -> None:
        self._campaign_id = campaign_id
        self._sender = mailbox("from", content.from_)
        self._reply_to = None if content.reply_to is None else mailbox("reply_to", content.reply_to)
        self._headers = content.headers
        self._subject, self._html, self._text = templates
        self._names = names
        self._constants = constants

    def message(self, row: int, email: str, values: Sequence[str]) -> Message:
        """The message of one row.

        Args:
            row: the row's number, from 1.
            email: the recipient's checked address.
            values: the cells of `Templates.fields(columns)`, in that order.

        Raises:
            RenderError: this row cannot be rendered; others may.
        """
        if not email.isprintable() or " " in email:
            raise RenderError("the address holds white space or control characters")
        variables: dict[str, Any] = dict(zip(self._names, values, strict=False))
        variables[EMAIL] = email
        if self._constants:
            variables.update(self._constants)
        subject = one_line(_render("subject", self._subject, variables))
        html = _render("html", self._html, variables) if self._html else None
        text = _render("text", self._text, variables) if self._text else None
        if not subject:
            raise RenderError("the subject is empty")
        if not html and not text:
            raise RenderError("the message is empty")
        return Message(
            self._campaign_id,
            row,
            email,
            self._sender,
            self._reply_to,
            subject,
            # Providers refuse an empty part, so the other one goes alone.
            html or None,
            text or None,
            self._headers,
        )


def one_line(text: str) -> str:
    """Text fit for a header: white space collapsed to single spaces, control characters removed."""
    if text.isprintable() and "  " not in text:
        return text.strip(" ")
    return _BLANKS.sub(" ", text.translate(_CONTROLS)).strip(" ")


def _render(field: str, template: Template, variables: dict[str, Any]) -> str:
    # `Template.render` copies the variables, the globals and their names for each call: 16 us a message, this 4 us.
    # What it would add, the template's line in a traceback, `_line` finds when it is needed.
    try:
        context = Context(template.environment, variables, template.name, template.blocks)
        text = "".join(template.root_render_func(context))
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise RenderError(f"{field}: holds half of a surrogate pair, which is no text") from None
    except Exception as error:  # noqa: BLE001 - a template can raise anything that Python can
        words = str(error) or type(error).__name__
        raise RenderError(f"{field}{_line(template, error.__traceback__)}: {words}") from None
    if len(text) > MAX_BODY:
        raise RenderError(f"{field}: longer than {MAX_BODY:,} characters")
    return text


def _line(template: Template, traceback: TracebackType | None) -> str:
    """Where in the template an error arose: ", line 3", or "" where that is not known."""
    number = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            number = template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return f", line {number}" if number else ""


def _oversized(left: Any, right: Any) -> bool:
    """Whether a product could eat the machine: a sequence repeated too often, a number of too many digits."""
    if hasattr(left, "__len__") or hasattr(right, "__len__"):
        return _count(left) * _count(right) > MAX_PRODUCT
    return _bits(left) + _bits(right) > MAX_PRODUCT


def _count(operand: Any) -> int:
    if hasattr(operand, "__len__"):
        return len(operand)
    return operand if isinstance(operand, int) else 1


def _bits(number: Any) -> int:
    return number.bit_length() if isinstance(number, int) else 0
