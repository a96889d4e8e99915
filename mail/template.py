"""One template: compiled in Jinja2's immutable sandbox, and filled in.

Which templates a campaign has, and what becomes of their texts, stands in `mail.rendering`.
"""

from __future__ import annotations

from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace
from markupsafe import escape

from campaigns.errors import InvalidCampaign

#: What a product may grow to: bits of a number, characters of a repeated string.
MAX_PRODUCT: Final = 10_000

#: What templates can call besides their columns. A column of the same name wins.
GLOBALS: Final[dict[str, Any]] = {"range": safe_range, "namespace": Namespace}


class Sandbox(ImmutableSandboxedEnvironment):
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


HTML: Final = Sandbox(autoescape=True)
TEXT: Final = Sandbox(autoescape=False)


class Template:
    """A compiled template. `names`: the variables that it takes.

    Args:
        sandbox: `HTML` or `TEXT`.
        field: what an error calls it.
        source: its text.

    Raises:
        InvalidCampaign: naming the field and the line.
    """

    def __init__(self, sandbox: Sandbox, field: str, source: str) -> None:
        self.field = field
        try:
            tree = sandbox.parse(source)
            if any(True for _ in meta.find_referenced_templates(tree)):
                raise InvalidCampaign(f"{field}: a template cannot include, import or extend another one")
            self.names = frozenset(meta.find_undeclared_variables(tree))
            self._template = sandbox.from_string(source)
        except TemplateSyntaxError as error:
            raise InvalidCampaign(f"{field}, line {error.lineno}: {error.message}") from None
        except (ArithmeticError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError) as error:
            # Python's own limits, met while the template is translated or its constants are folded.
            raise InvalidCampaign(f"{field}: this template cannot be compiled: {error}") from None
        self._escape = escape if sandbox.autoescape else str
        self._form = _form(tree)

    def render(self, variables: dict[str, Any]) -> str:
        """Its text. Whatever Python can raise, it can.

        Args:
            variables: by name; those of the recipient are strings.
        """
        if self._form is not None:
            text, slots = self._form
            filled = text.copy()
            try:
                for position, name in slots:
                    filled[position] = self._escape(variables[name])
                return "".join(filled)
            except KeyError:
                pass  # Jinja2 has the words for it
        # `Template.render` copies the variables, the globals and their names for each call: 16 us a message, this 4 us.
        # What it would add, the template's line in a traceback, `line` finds when it is needed.
        context = Context(self._template.environment, variables, self._template.name, self._template.blocks)
        return "".join(self._template.root_render_func(context))

    def line(self, error: BaseException) -> str:
        """Where in the template an error of `render` arose: ", line 3", or "" where that is not known."""
        number, traceback = 0, error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == "<template>":
                number = self._template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return f", line {number}" if number else ""


def _form(tree: nodes.Template) -> tuple[list[str], list[tuple[int, str]]] | None:
    """A template that is nothing but text and names as a form to fill in, which takes half the time: its pieces, and
    the positions of the names among them. None where the template computes something.
    """
    pieces: list[str] = []
    slots: list[tuple[int, str]] = []
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            return None
        for part in node.nodes:
            match part:
                case nodes.TemplateData():
                    pieces.append(part.data)
                case nodes.Name() if part.name not in GLOBALS:
                    slots.append((len(pieces), part.name))
                    pieces.append("")
                case _:
                    return None
    return pieces, slots


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
