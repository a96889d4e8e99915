"""The sandbox of templates: Jinja2's immutable sandbox, with each operation charged to the row's budget.

`mail.compiling` turns a source into code. Neither Jinja2 nor Python evaluates any expression during compilation.
"""

# ruff: noqa: N802 - visitors are named for Jinja2's nodes

from __future__ import annotations

import operator
from types import BuiltinMethodType, MethodType
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import Template
from jinja2.exceptions import SecurityError
from jinja2.idtracking import VAR_LOAD_RESOLVE
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace
from markupsafe import Markup, escape

from mail.budget import SHORT, Budget, text_bytes
from mail.cells import not_converted
from mail.template_filters import FILTERS, TESTS
from mail.template_methods import (
    CHEAP,
    ESCAPED,
    MAX_NAME,
    MAX_PRODUCT,
    OBJECT_BYTES,
    Format,
    charge_call,
    charge_percent,
    is_cheap,
    joined,
)

#: The longest template text within the generated code, in characters; longer ones are kept outside of it.
LONG_TEXT: Final = 1_000

#: The functions that templates can call. A column of the same name takes precedence.
GLOBALS: Final[dict[str, Any]] = {"range": safe_range, "namespace": Namespace}

#: A joined text of fewer characters is charged as if all characters were wide, which saves a check.
SMALL: Final = 50_000
_NUMBERS: Final = frozenset({int, float, bool})
#: Operators whose result is no larger than their operands, which are numbers.
_CONSTANT: Final = frozenset({"+", "-", "/", "//", "%"})
_LOOP_NAMES: Final = frozenset(
    {"depth", "depth0", "first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0"}
)
_ARITHMETIC: Final = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class Rendering(Context):
    """The rendering of one template for one row."""

    budget: Budget

    @classmethod
    def of(
        cls, template: Template, variables: dict[str, Any], eval_ctx: nodes.EvalContext | None, budget: Budget
    ) -> Rendering:
        """Make a rendering without the copies of Jinja2's constructor, which takes longer than a short template.

        Args:
            template: the template to render.
            variables: the values by name.
            eval_ctx: the evaluation context (escaping on or off), if the template never changes it.
            budget: the rest of the row's budget.
        """
        context = cls.__new__(cls)
        context.parent = variables
        context.vars = {}
        context.environment = template.environment
        context.eval_ctx = eval_ctx or nodes.EvalContext(template.environment)
        context.exported_vars = set()
        context.name = None
        context.globals_keys = set()
        context.blocks = {name: [block] for name, block in template.blocks.items()} if template.blocks else {}
        context.budget = budget
        return context

    def derived(self, locals: dict[str, Any] | None = None) -> Rendering:  # noqa: A002 - Jinja2's name
        """The context of a block: the same row and the same budget."""
        context = super().derived(locals)
        assert isinstance(context, Rendering)  # noqa: S101 - the environment makes only these
        context.budget = self.budget
        return context

    def text(self, value: Any) -> str:
        """A value as text, charged."""
        kind = type(value)
        if kind is str:
            return value  # type: ignore[no-any-return]
        if kind is Markup:
            size = text_bytes(value)
            self.budget.spend(200 + size, OBJECT_BYTES + size)
        elif kind is int or kind is float or kind is bool:
            self.budget.spend(300, OBJECT_BYTES)
        else:
            size = 4 * self.budget.weigh(value)
            self.budget.spend(500 + size, OBJECT_BYTES + size)
        return str(value)

    def escaped(self, value: Any) -> Markup:
        """A value as HTML, charged."""
        if type(value) is Markup:
            return value
        text = self.text(value)
        # Each of these characters becomes four or five.
        special = sum(text.count(character) for character in "&<>'\"") if len(text) > 200 else len(text)
        size = (1 if text.isascii() else 4) * (len(text) + 4 * special)
        self.budget.spend(700 + 6 * len(text), OBJECT_BYTES + size)
        return escape(text)

    def concat(self, pieces: Any) -> str:
        """The pieces joined, charged before the join."""
        if not isinstance(pieces, list):
            pieces = list(pieces)
        if len(pieces) == 1 and type(pieces[0]) is str:
            return pieces[0]
        size = sum(map(len, pieces))
        if size < SMALL or not all(map(str.isascii, pieces)):
            size *= 4
        # For HTML the result is copied once more, into a Markup.
        self.budget.spend(size, OBJECT_BYTES + (2 * size if self.eval_ctx.autoescape else size))
        return "".join(pieces)

    def join(self, values: tuple[Any, ...]) -> str:
        """`a ~ b`."""
        for value in values:
            if value.__class__ is not str:
                break
        else:
            size = sum(map(len, values))
            if size >= SHORT:
                self.budget.spend(size, 4 * size)
            return "".join(values)
        if not self.eval_ctx.autoescape or not any(hasattr(value, "__html__") for value in values):
            return self.concat(list(map(self.text, values)))
        return Markup(self.concat([self.escaped(value) for value in values]))  # noqa: S704 - each one is escaped

    def call_charged(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Charge and make a call of a template.

        Raises:
            SecurityError: templates may not call this.
        """
        kind = type(function)
        if kind is BuiltinMethodType and not kwargs and is_cheap(function, args):
            self.budget.spend(0, OBJECT_BYTES * len(function.__self__))
            return function(*args)
        if kind is Macro:
            self.budget.enter()
            self.budget.spend(3_000 + 100 * len(args), 100 + 8 * len(args))
            result = function(self.eval_ctx, *args, **kwargs)
            self.budget.leave()
            return result
        if kind is Format:
            return function.fill(self.budget, args, kwargs)
        if kind is BuiltinMethodType or kind is MethodType:
            if charge_call(self.budget, function, args, kwargs):
                return function(*args, **kwargs)
            raise SecurityError(f"the method {function.__name__} is not available in templates")
        if function is safe_range or function is Namespace:
            if function is safe_range and (texts := [value for value in args if isinstance(value, str)]):
                raise not_converted(texts[0])
            weight = self.budget.weigh_each(args) + self.budget.weigh_each(kwargs.values())
            self.budget.spend(2_000 + weight, 200 + 100 * len(kwargs) + weight)
            return function(*args, **kwargs)
        if isinstance(function, Undefined):
            return function()
        raise SecurityError(f"a template cannot call a {kind.__name__}")


class Generator(CodeGenerator):
    """Generates code that charges its operations and folds no constants.

    `names`: the names that the template uses. `texts`: the long texts, which the code refers to by position.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, None, "<template>", optimized=False)
        self.names: set[str] = set()
        self.texts: list[str] = []

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("concat = context.concat")

    def enter_frame(self, frame: Frame) -> None:
        super().enter_frame(frame)
        for action, name in frame.symbols.loads.values():
            if action == VAR_LOAD_RESOLVE and name is not None:
                self.names.add(name)

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def _output_const_repr(self, group: Any) -> str:
        text = "".join(map(str, group))
        if len(text) <= LONG_TEXT:
            return repr(text)
        self.texts.append(text)
        return f"texts[{len(self.texts) - 1}]"

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        del node, finalize
        if frame.eval_ctx.volatile:
            self.write("(context.escaped if context.eval_ctx.autoescape else context.text)((o_ := ")
        elif frame.eval_ctx.autoescape:
            self.write("(escape(o_) if (o_ := ")
        else:
            self.write("(o_ if (o_ := ")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        del node, finalize
        if frame.eval_ctx.volatile:
            self.write("))")
        elif frame.eval_ctx.autoescape:
            # The charge of each node covers short texts.
            self.write(").__class__ is str and len(o_) < 16 else context.escaped(o_))")
        else:
            self.write(").__class__ is str else context.text(o_))")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("context.join((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        self.write("context.call_charged(")
        self.visit(node.node, frame)
        self.signature(node, frame, {"caller": "caller"} if forward_caller else None)
        self.write(")")

    def visit_EvalContextModifier(self, node: nodes.EvalContextModifier, frame: Frame) -> None:
        for keyword in node.options:
            if not isinstance(keyword.value, nodes.Const):
                raise TemplateSyntaxError("autoescape takes true or false", node.lineno)
        super().visit_EvalContextModifier(node, frame)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates, with or without HTML escaping."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    context_class = Rendering

    def __init__(self, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, undefined=StrictUndefined, keep_trailing_newline=True, optimized=False)
        self.globals.clear()
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        kind = type(obj)
        if (kind is str and attribute in CHEAP) or (kind is LoopContext and attribute in _LOOP_NAMES):
            return getattr(obj, attribute)
        if kind is Namespace and not attribute.startswith("_"):
            # Jinja2's check reads a dozen attributes of a namespace, each through the slow `__getattribute__`.
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if not isinstance(argument, (str, int, float, type(None), Undefined)):
            raise TypeError("a template looks items up by text or number only")
        if isinstance(argument, str) and len(argument) > MAX_NAME:
            if type(obj) is not dict:
                raise TypeError(f"a name has at most {MAX_NAME:,} characters")
            # No attribute has such a long name; a lookup would copy the name into an error message.
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def wrap_str_format(self, value: Any) -> Any:
        if not isinstance(value, (MethodType, BuiltinMethodType)) or value.__name__ not in {"format", "format_map"}:
            return None
        return Format(self, value.__self__, value.__name__ == "format_map") if isinstance(value.__self__, str) else None

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if type(left) in _NUMBERS and type(right) in _NUMBERS and operator in _CONSTANT:
            return _ARITHMETIC[operator](left, right)
        assert isinstance(context, Rendering)  # noqa: S101 - the environment makes only these
        if operator == "**":
            raise SecurityError("powers are not available in templates")
        if isinstance(left, str) or isinstance(right, str):
            _refuse_text(operator, left, right)
        if operator == "*" and _oversized(left, right):
            raise SecurityError("this product is too large for a template")
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return _ARITHMETIC[operator](left, right)
        if not isinstance(left, Undefined) and not isinstance(right, Undefined):
            _charge_sequences(context.budget, operator, left, right)
        return _ARITHMETIC[operator](left, right)


def _refuse_text(operator: str, left: Any, right: Any) -> None:
    """Refuse to calculate with a text. `+` joins two texts, and `%` fills a text in.

    Raises:
        CellError: an operand of a calculation is a text.
    """
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return
    texts = [operand for operand in (left, right) if isinstance(operand, str)]
    fills = operator == "%" and isinstance(left, str) and ("%" in left or not isinstance(right, (str, int, float)))
    joins = operator == "+" and not any(type(operand) in _NUMBERS for operand in (left, right))
    if not fills and not joins:
        raise not_converted(texts[0])


def _charge_sequences(budget: Budget, operator: str, left: Any, right: Any) -> None:
    """Charge an operation on texts and lists."""
    if operator == "%" and isinstance(left, str):
        charge_percent(budget, left, right)
    elif operator == "+" and isinstance(left, str) and isinstance(right, str):
        size = joined(budget, "", (left, right))
        html = type(left) is Markup or type(right) is Markup
        budget.spend(100 + size, OBJECT_BYTES + (2 * ESCAPED * size if html else size))
    elif operator == "+" and isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        count = len(left) + len(right)
        budget.spend(100 + count, OBJECT_BYTES + 8 * count)
    elif operator == "*":
        budget.spend(MAX_PRODUCT, OBJECT_BYTES + 8 * MAX_PRODUCT)
    elif not isinstance(left, (str, list, tuple, dict)) or not isinstance(right, (str, list, tuple, dict, int, float)):
        names = f"{type(left).__name__!r} and {type(right).__name__!r}"
        raise TypeError(f"unsupported operand type(s) for {operator}: {names}")


def _oversized(left: Any, right: Any) -> bool:
    """Whether a product exceeds `MAX_PRODUCT`: a sequence repeated too often, or a number with too many bits."""
    if hasattr(left, "__len__") or hasattr(right, "__len__"):
        return _count(left) * _count(right) > MAX_PRODUCT
    return _bits(left) + _bits(right) > MAX_PRODUCT


def _count(operand: Any) -> int:
    if hasattr(operand, "__len__"):
        return len(operand)
    return operand if isinstance(operand, int) else 1


def _bits(number: Any) -> int:
    return number.bit_length() if isinstance(number, int) else 0


HTML: Final = Sandbox(autoescape=True)
TEXT: Final = Sandbox(autoescape=False)
