"""One template: compiles and renders it in the sandbox.

`mail.rendering` knows which templates a campaign has, and makes messages from their texts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from jinja2 import TemplateSyntaxError, nodes
from jinja2.exceptions import UndefinedError
from markupsafe import escape

from campaigns.errors import InvalidCampaign
from mail import compiling
from mail.budget import NODE_BYTES, NODE_NS, ROOM, Budget, text_bytes
from mail.sandbox import GLOBALS, HTML, SMALL, TEXT, Rendering, Sandbox
from mail.template_methods import ESCAPED, OBJECT_BYTES
from mail.template_review import Review, Use, review

__all__ = ["GLOBALS", "HTML", "TEXT", "Form", "Template"]

#: A template of texts and names only: its pieces, and the names with their positions among the pieces.
Form = tuple[list[str], list[tuple[int, str]]]
#: The share of a row's memory that each of its three texts may take without a budget.
_SHARE: Final = ROOM // 3


class Template:
    """A compiled template. `names`: the variables that it uses.

    Args:
        sandbox: `HTML` or `TEXT`.
        field: its name in errors.
        source: its source text.

    Raises:
        InvalidCampaign: the template is invalid; the detail names the field and the line.
    """

    def __init__(self, sandbox: Sandbox, field: str, source: str) -> None:
        self.field = field
        #: Makes the text of a cell in this template: HTML is escaped.
        self.escape: Callable[[str], str] = escape if sandbox.autoescape else str
        self._sandbox = sandbox
        self._line_of: Callable[[int], int] = int
        try:
            self._compile(sandbox, source)
        except compiling.TooLarge as error:
            raise InvalidCampaign(f"{field}: {error}") from None
        except TemplateSyntaxError as error:
            raise InvalidCampaign(f"{field}, line {self._line_of(error.lineno)}: {error.message}") from None
        except RecursionError:
            raise InvalidCampaign(f"{field}: it is nested too deep: use `set` for parts of it") from None
        except (ArithmeticError, MemoryError, SyntaxError, TypeError, ValueError) as error:
            # Compiling the template has met one of Python's own limits.
            raise InvalidCampaign(f"{field}: this template cannot be compiled: {error}") from None

    def _compile(self, sandbox: Sandbox, text: str) -> None:
        source = compiling.Source(text)
        self._line_of = source.line
        self._form: Form | None
        self._lines: dict[int, int]
        #: The memory of the template's own text when it is joined with the cells, in bytes; a plain text is not joined.
        self.joined_bytes = 0
        #: What the template does with its columns, by lines of its source.
        self.review = Review()
        if source.is_plain:
            self._form, self._lines = ([source.code], []), {}
        else:
            tree = compiling.parse(sandbox, source)
            self.review = _by_line(review(tree), source)
            own = [part.data for part in tree.find_all(nodes.TemplateData)]
            self.joined_bytes = (1 if all(map(str.isascii, own)) else 4) * sum(map(len, own))
            self._form, self._lines = _form(tree)
        if self._form is None:
            fixed = tree.find(nodes.ScopedEvalContextModifier) is None
            self._template, self.names, weight = compiling.generate(sandbox, tree)
            self._eval_ctx = nodes.EvalContext(sandbox) if fixed else None
            self._work_ns, self._made_bytes = weight * NODE_NS, weight * NODE_BYTES
            self.room = _SHARE
            return
        pieces, slots = self._form
        self.names = frozenset(name for _position, name in slots)
        #: The most characters of a row's cells together for which this form needs no budget.
        self.room = (_SHARE - sum(map(text_bytes, pieces))) // (4 * ESCAPED * len(slots)) if slots else _SHARE

    @property
    def form(self) -> Form | None:
        """The template as a form of texts and names; None if it is more than that."""
        return self._form

    @property
    def computes(self) -> bool:
        """Whether it is more than a form of texts and names."""
        return self._form is None

    def render(self, variables: dict[str, Any], budget: Budget | None) -> str:
        """The rendered text. A template may raise any exception that Python can raise.

        Args:
            variables: the values by name; those of the recipient are strings.
            budget: the rest of the row's budget; None: the template is a form and the cells fit in `room`.
        """
        if self._form is None:
            return self._run(variables, budget or Budget())
        if budget is not None:
            return self._fill(self._form, variables, budget)
        text, slots = self._form
        escape = self.escape
        filled = text.copy()
        try:
            for position, name in slots:
                filled[position] = escape(variables[name])
        except KeyError:
            raise _Missing(name, self._lines[position]) from None
        return "".join(filled)

    def _run(self, variables: dict[str, Any], budget: Budget) -> str:
        budget.work -= self._work_ns
        budget.room -= self._made_bytes
        # `Template.render` copies the variables, the globals and their names for each call: 16 us per message, this
        # 3 us. It would also put the template's line into a traceback; `line` finds that line when it is needed.
        context = Rendering.of(self._template, variables, self._eval_ctx, budget)
        # A list: its pieces are charged as they are made, and the whole text before they are joined.
        pieces = [*self._template.root_render_func(context)]
        return "".join(pieces) if sum(map(len, pieces)) < SMALL else context.concat(pieces)

    def _fill(self, form: Form, variables: dict[str, Any], budget: Budget) -> str:
        """Fill a form in with cells that may be too long, and charge them."""
        text, slots = form
        filled = text.copy()
        for position, name in slots:
            if name not in variables:
                raise _Missing(name, self._lines[position])
            budget.spend(500, OBJECT_BYTES + ESCAPED * text_bytes(variables[name]))
            filled[position] = self.escape(variables[name])
        if slots:
            budget.spend(0, (1 if all(map(str.isascii, filled)) else 4) * sum(map(len, filled)))
        return "".join(filled)

    def line(self, error: BaseException) -> str:
        """Where in the template an error of `render` arose: ", line 3", or "" if that is unknown."""
        if isinstance(error, _Missing):
            return f", line {self._line_of(error.line)}"
        number, traceback = 0, error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == "<template>":
                number = self._template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return f", line {self._line_of(number)}" if number else ""


def _by_line(found: Review, source: compiling.Source) -> Review:
    """A review with the lines of the source instead of those of its code."""
    return Review(**{
        kind.name: [Use(use.name, source.line(use.line), use.method) for use in getattr(found, kind.name)]
        for kind in dataclasses.fields(Review)
    })  # fmt: skip


class _Missing(UndefinedError):
    """A form uses a name that the row does not have."""

    def __init__(self, name: str, line: int) -> None:
        super().__init__(f"{name!r} is undefined")
        self.line = line


def _form(tree: nodes.Template) -> tuple[Form | None, dict[int, int]]:
    """A template as a form, and the line numbers of its names by position.

    A form has only texts and names, and is filled in within half the time. None: the template computes something.
    """
    pieces: list[str] = []
    slots: list[tuple[int, str]] = []
    lines: dict[int, int] = {}
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            return None, lines
        for part in node.nodes:
            match part:
                case nodes.TemplateData():
                    pieces.append(part.data)
                case nodes.Name() if part.name not in GLOBALS:
                    lines[len(pieces)] = part.lineno
                    slots.append((len(pieces), part.name))
                    pieces.append("")
                case _:
                    return None, lines
    return (pieces, slots), lines
