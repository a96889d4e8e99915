"""Compiles templates within limits: each limit is checked before the step that it keeps cheap.

Tags are counted before Jinja2 reads them, tokens before it parses them, and the depth of nodes is checked before code
is generated.
"""

# ruff: noqa: N802 - visitors are named for Jinja2's nodes

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, Final

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.environment import Template as Compiled
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from mail import dates
from mail.budget import CALL_NODES, LOOKUP_NODES
from mail.cell_filters import NOT_TEXT, REPEATED, VALUE
from mail.cell_numbers import MAX_DIGITS
from mail.sandbox import Generator, Sandbox
from mail.template_filters import CHARGE, EACH, PART_OF, WEIGHED
from mail.template_methods import TEXT_METHODS

#: The most tags of a template: `{{ }}`, `{% %}` and `{# #}`.
MAX_TAGS: Final = 1_000
#: The most tokens within its tags: names, operators, constants, brackets.
MAX_TOKENS: Final = 4_000
#: The most characters of its tags together with the texts that are not set aside.
MAX_CODE: Final = 150_000
#: The most levels of nested nodes.
MAX_DEPTH: Final = 60
#: The length in characters from which a text between two tags is set aside, so that Jinja2's lexer does not read it.
LONG_TEXT: Final = 500

#: The filters whose result is a number.
_NUMERIC: Final = frozenset({"count", "float", "int", "length", "number", "round", "wordcount"})
#: Jinja2's names of comparisons, and the tests that compare in the same way.
_TESTS: Final = {"eq": "eq", "ne": "ne", "gt": "gt", "gteq": "ge", "lt": "lt", "lteq": "le"}

_OPENING: Final = re.compile(r"\{[{%#]")
_BLANKS: Final = re.compile(r"\s*")
_CLOSING: Final = ("}}", "%}", "#}")
#: Mark the place of a text that is set aside: private-use characters, which ordinary templates lack.
_MARKS: Final = "\ue010\ue011"
_MARK: Final = re.compile("{}([0-9]+){}".format(*_MARKS))


class TooLarge(Exception):
    """A template exceeds a limit of compiling; the message names the limit, and says what to do."""


class Source:
    """A template's source with the long texts between its tags set aside, so that reading the rest is always cheap.

    Raises:
        TooLarge: it has too many tags, or its tags are too long.
    """

    def __init__(self, text: str) -> None:
        tags = sum(text.count(opening) for opening in ("{{", "{%", "{#"))
        if tags > MAX_TAGS:
            raise TooLarge(f"{tags:,} tags are more than {MAX_TAGS:,}: use loops, or fewer of them")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._texts: list[str] = []
        self._lines: list[tuple[int, int]] = []
        self.is_plain = not tags
        if self.is_plain or _MARKS[0] in text:
            self.code = text
        else:
            self.code = "".join(self._pieces(text))
        if not self.is_plain and len(self.code) > MAX_CODE:
            raise TooLarge(f"its tags are longer than {MAX_CODE:,} characters: move texts out of them")
        lines = (self.code.count("\n", 0, match.start()) for match in _MARK.finditer(self.code))
        skipped = accumulate(text.count("\n") for text in self._texts)
        self._lines = list(zip(lines, skipped, strict=True)) if self._texts else []

    def _pieces(self, text: str) -> Iterator[str]:
        starts = [match.start() for match in _OPENING.finditer(text)]
        yield from self._set_aside(text, 0, 0, starts[0])
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            # For any kind of tag: if its end is in this span, it is at or before the last possible end mark.
            closing = max(text.rfind(closing, start, end) for closing in _CLOSING)
            yield from self._set_aside(text, start, closing + 2 if closing >= 0 else end, end)

    def _set_aside(self, text: str, start: int, begin: int, end: int) -> Iterator[str]:
        """`text[start:end]`, with the part from `begin` on set aside if it is long.

        White space at both ends of that part stays, since tags with a hyphen remove it.
        """
        first = _BLANKS.match(text, begin, end)
        begin = first.end() if first else begin
        tail = text[max(begin, end - LONG_TEXT) : end]
        last = end - len(tail) + len(tail.rstrip())
        if last - begin < LONG_TEXT or not tail.strip():
            yield text[start:end]
            return
        self._texts.append(text[begin:last])
        yield text[start:begin]
        yield f"{len(self._texts) - 1}".join(_MARKS)
        yield text[last:end]

    def restored(self, text: str) -> str:
        """A token's text, with the texts that were set aside put back."""
        return _MARK.sub(lambda match: self._texts[int(match.group(1))], text)

    def line(self, line: int) -> int:
        """The template's line number for a line number of `code`."""
        position = bisect_right(self._lines, (line - 2, len(self.code) + 10**9))
        return line + (self._lines[position - 1][1] if position else 0)


def parse(sandbox: Sandbox, source: Source) -> nodes.Template:
    """A template's nodes, without charges yet.

    Raises:
        TooLarge: it exceeds a limit.
        jinja2.TemplateSyntaxError: its syntax is wrong.
    """
    parser = _Parser(sandbox, source)
    tree = parser.parse()
    _check_depth(tree)
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise TooLarge("a template cannot include, import or extend another one")
    return tree


class _Parser(Parser):
    """Jinja2's parser, with the tokens counted and the set-aside texts restored."""

    def __init__(self, sandbox: Sandbox, source: Source) -> None:
        super().__init__(sandbox, "")
        tokens = sandbox.lexer.tokeniter(source.code, None)
        self.stream = TokenStream(_restored(sandbox.lexer.wrap(_counted(tokens), None), source), None, None)


def _counted(tokens: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
    count = 0
    for line, kind, text in tokens:
        if kind != "whitespace":
            count += 1
        if count > MAX_TOKENS:
            raise TooLarge(f"it has more than {MAX_TOKENS:,} names, operators and constants: make it simpler")
        if kind in {"integer", "float"} and len(text) > MAX_DIGITS:
            raise TooLarge(f"a number has more than {MAX_DIGITS:,} digits: use a smaller one")
        yield line, kind, text


def _restored(tokens: Iterable[Token], source: Source) -> Iterator[Token]:
    for token in tokens:
        value: Any = token.value  # a number where the token is one
        is_marked = isinstance(value, str) and _MARKS[0] in value
        yield Token(token.lineno, token.type, source.restored(value)) if is_marked else token


def _check_depth(tree: nodes.Node) -> None:
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooLarge(f"it is nested more than {MAX_DEPTH} deep: use `set` for parts of it")
        level = [child for node in level for child in node.iter_child_nodes()]


def generate(sandbox: Sandbox, tree: nodes.Template) -> tuple[Compiled, frozenset[str], int]:
    """Compile a template's nodes to code with charges.

    Returns:
        The compiled template, the names that it uses, and the number of nodes that it runs outside of loops and macros.

    Raises:
        jinja2.TemplateSyntaxError: its syntax is wrong. Python's compiler may raise further errors.
    """
    weight = _weight(tree.body)
    tree = _Charging().visit(tree)
    generator = Generator(sandbox)
    generator.visit(tree)
    code = compile(generator.stream.getvalue(), "<template>", "exec")  # type: ignore[attr-defined]
    namespace: dict[str, Any] = {"environment": sandbox, "__file__": "<template>", "texts": tuple(generator.texts)}
    exec(code, namespace)  # noqa: S102 - as Jinja2 does, with the code that it generates
    template = Compiled._from_namespace(sandbox, namespace, {})  # noqa: SLF001 - what its from_code does
    return template, frozenset(generator.names), weight


def _weight(body: Iterable[nodes.Node]) -> int:
    """The most nodes that one run of these runs. Loops and macros are charged separately."""
    total, left = 0, list(body)
    while left:
        node = left.pop()
        total += _node_weight(node)
        if isinstance(node, nodes.For):
            left.append(node.iter)
            left.extend(node.else_)
        elif not isinstance(node, nodes.Macro):
            left.extend(node.iter_child_nodes())
    return total


def _node_weight(node: nodes.Node) -> int:
    if isinstance(node, (nodes.Filter, nodes.Test, nodes.Call, nodes.Concat)):
        return CALL_NODES
    return LOOKUP_NODES if isinstance(node, (nodes.Getattr, nodes.Getitem, nodes.BinExpr)) else 1


class _Charging(NodeTransformer):
    """Inserts a charge before each loop, slice, comparison and macro, and checks of what a text may be used for."""

    def __init__(self) -> None:
        self._called: set[int] = set()

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise TemplateSyntaxError("loops cannot be recursive: use a loop in a loop", node.lineno)
        weight = 2 + _weight([*node.body, *([node.test] if node.test else [])])
        self.generic_visit(node)
        node.iter = _filter(node.iter, EACH, weight)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._charge_body(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        return self._charge_body(node)

    def _charge_body(self, node: Any) -> nodes.Node:
        weight = 2 + _weight([*node.body, *node.defaults])
        self.generic_visit(node)
        charge = _filter(nodes.Const(None, lineno=node.lineno), CHARGE, weight)
        node.body.insert(0, nodes.ExprStmt(charge, lineno=node.lineno))
        return node  # type: ignore[no-any-return]

    def visit_Call(self, node: Any) -> nodes.Node:
        self._called.add(id(node.node))
        return self._charge_arguments(node)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        if node.name == "date":
            _check_date(node)
        return self._charge_arguments(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        return self._charge_arguments(node)

    def _charge_arguments(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        if node.dyn_args is not None:
            node.dyn_args = _filter(node.dyn_args, EACH, 1)
        if node.dyn_kwargs is not None:
            node.dyn_kwargs = _filter(node.dyn_kwargs, WEIGHED)
        return node  # type: ignore[no-any-return]

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        self.generic_visit(node)
        return self._used(node, node.attr)

    def _used(self, node: nodes.Getattr | nodes.Getitem, name: Any) -> nodes.Node:
        """An attribute or item, with a check that it is no method if it is used without a call."""
        if name not in TEXT_METHODS or id(node) in self._called or _is_loop(node.node):
            return node
        return _filter(node, VALUE)

    def visit_Mul(self, node: nodes.Mul) -> nodes.Node:
        self.generic_visit(node)
        for text, count in ((node.left, node.right), (node.right, node.left)):
            if isinstance(text, nodes.Const) and isinstance(text.value, str):
                return nodes.Filter(text, REPEATED, [count], [], None, None, lineno=node.lineno)
        return node

    def visit_Neg(self, node: nodes.Neg) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.node, nodes.Const):
            node.node = _filter(node.node, NOT_TEXT)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _filter(node.key, WEIGHED)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Const):
            return self._used(node, node.arg.value)
        if not isinstance(node.arg, nodes.Slice):
            return node
        parts = [part or nodes.Const(None) for part in (node.arg.start, node.arg.stop, node.arg.step)]
        return nodes.Filter(node.node, PART_OF, parts, [], None, None, lineno=node.lineno)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        if len(node.ops) == 1:
            return _compared(node)
        check = NOT_TEXT if any(map(_is_number, (node.expr, *(operand.expr for operand in node.ops)))) else WEIGHED
        node.expr = _filter(node.expr, check)
        for operand in node.ops:
            if operand.op in {"in", "notin"}:
                raise TemplateSyntaxError("`in` does not stand in a row of comparisons: use brackets", node.lineno)
            operand.expr = _filter(operand.expr, check)
        return node


def _compared(node: nodes.Compare) -> nodes.Node:
    """A single comparison. With a constant it needs no charge, since it costs at most the constant's length."""
    (operand,) = node.ops
    left, right = node.expr, operand.expr
    if operand.op in {"in", "notin"}:
        return _contained(node, left, operand.op, right)
    if not isinstance(left, nodes.Const) and not isinstance(right, nodes.Const):
        return nodes.Test(left, _TESTS[operand.op], [right], [], None, None, lineno=node.lineno)
    if _is_number(left) or _is_number(right):
        node.expr, operand.expr = (_not_text(side) for side in (left, right))
    return node


def _contained(node: nodes.Compare, left: nodes.Expr, op: str, right: nodes.Expr) -> nodes.Node:
    if isinstance(right, (nodes.List, nodes.Tuple)) and all(isinstance(item, nodes.Const) for item in right.items):
        if right.items and all(map(_is_number, right.items)):
            node.expr = _not_text(left)
        return node
    inside = nodes.Test(left, "in", [right], [], None, None, lineno=node.lineno)
    return inside if op == "in" else nodes.Not(inside, lineno=node.lineno)


def _not_text(node: nodes.Expr) -> nodes.Expr:
    """An operand that is compared with a number, with the check that it is no text if it can be one."""
    return node if _is_number(node) or _is_loop(getattr(node, "node", node)) else _filter(node, NOT_TEXT)


def _is_number(node: nodes.Node) -> bool:
    """Whether an expression is a number, or a truth value, whatever the row holds."""
    if isinstance(node, nodes.Const):
        return isinstance(node.value, (int, float))
    return isinstance(node, nodes.Neg) or (isinstance(node, nodes.Filter) and node.name in _NUMERIC)


def _is_loop(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "loop"


def _check_date(node: nodes.Filter) -> None:
    """Check the arguments of the filter `date` that are constants."""
    given: dict[str, nodes.Expr] = dict(zip(("pattern", "locale", "notation"), node.args, strict=False))
    named: list[Any] = node.kwargs
    given |= {"notation" if pair.key == "input" else pair.key: pair.value for pair in named}
    constants = {name: value.value for name, value in given.items() if isinstance(value, nodes.Const)}
    try:
        dates.check(**constants)
    except (TypeError, ValueError) as error:
        raise TemplateSyntaxError(str(error), node.lineno) from None


def _filter(node: nodes.Node, name: str, *args: int) -> nodes.Filter:
    constants = [nodes.Const(value, lineno=node.lineno) for value in args]
    return nodes.Filter(node, name, constants, [], None, None, lineno=node.lineno)
