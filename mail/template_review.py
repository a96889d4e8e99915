"""What a template does with the columns that it names: the facts on which the checks of a campaign's content build."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from jinja2 import nodes

from mail.template_methods import TEXT_METHODS

_FALLBACKS: Final = frozenset({"d", "default"})
#: Names that Jinja2 or the sandbox gives.
_NO_COLUMNS: Final = frozenset({"caller", "loop", "namespace", "range", "self"})
_CALCULATIONS: Final = (nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Neg, nodes.Add)


_ORDERS: Final = frozenset({"gt", "gteq", "lt", "lteq"})
#: A number that has no leading zero, as dates and codes may have.
_NUMBER: Final = re.compile(r"\s*[+-]?(?:0|[1-9][0-9]*)(?:[.,][0-9]+)?\s*").fullmatch


class Use(NamedTuple):
    """A column, and the line of the template's code that uses it; `method` if it is a method of the column."""

    name: str
    line: int
    method: str = ""


@dataclass(slots=True)
class Review:
    """How a template uses its columns.

    Attributes:
        uncalled: methods of columns that are named without brackets.
        calculated: columns that are taken for numbers without a conversion.
        compared: columns whose order is compared with a number that stands in quotes.
        bare: columns that are written without a fallback and outside of any condition on them, each once.
    """

    uncalled: list[Use] = field(default_factory=list)
    calculated: list[Use] = field(default_factory=list)
    compared: list[Use] = field(default_factory=list)
    bare: list[Use] = field(default_factory=list)


def review(tree: nodes.Template) -> Review:
    """Review a template's nodes, as they are parsed."""
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    bare: dict[str, Use] = {}
    for name in _bare(tree, _NO_COLUMNS.union(own)):
        bare.setdefault(name.name, Use(name.name, name.lineno))
    return Review(
        uncalled=[
            Use(node.node.name, node.lineno, node.attr)
            for node in tree.find_all(nodes.Getattr)
            if node.attr in TEXT_METHODS and id(node) not in called
            if isinstance(node.node, nodes.Name) and _is_column(node.node, own)
        ],
        calculated=[Use(name.name, name.lineno) for name in _calculated(tree) if _is_column(name, own)],
        compared=[Use(name.name, name.lineno) for name in _compared(tree) if _is_column(name, own)],
        bare=list(bare.values()),
    )


def _is_column(node: nodes.Name, own: set[str]) -> bool:
    return node.name not in own and node.name not in _NO_COLUMNS


def _calculated(tree: nodes.Template) -> Iterator[nodes.Name]:
    for node in tree.find_all((*_CALCULATIONS, nodes.Compare)):
        sides: list[nodes.Node]
        if isinstance(node, nodes.Compare):
            sides = [node.expr, *(operand.expr for operand in node.ops)]
            numeric = any(map(_is_number, sides))
        else:
            sides = list(node.iter_child_nodes())
            # `+` joins texts, and `'-' * 40` repeats one.
            numeric = any(map(_is_number, sides)) if isinstance(node, nodes.Add) else not any(map(_is_text, sides))
        if numeric:
            yield from (side for side in sides if isinstance(side, nodes.Name))


def _compared(tree: nodes.Template) -> Iterator[nodes.Name]:
    """The columns in `qty > '5'`: texts are compared letter by letter, so that '12' comes before '5'."""
    for node in tree.find_all(nodes.Compare):
        for operand in node.ops:
            sides = [node.expr, operand.expr]
            if operand.op in _ORDERS and any(map(_is_quoted_number, sides)):
                yield from (side for side in sides if isinstance(side, nodes.Name))


def _is_quoted_number(node: nodes.Node) -> bool:
    return _is_text(node) and _NUMBER(getattr(node, "value", "")) is not None


def _is_number(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, (int, float))


def _is_text(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _bare(node: nodes.Node, guarded: frozenset[str]) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        if node.name not in guarded:
            yield node
        return
    if isinstance(node, (nodes.If, nodes.CondExpr)):
        guarded |= {name.name for name in node.test.find_all(nodes.Name)}
        guarded |= {node.test.name} if isinstance(node.test, nodes.Name) else set()
    for child in node.iter_child_nodes():
        falls_back = isinstance(node, nodes.Filter) and node.name in _FALLBACKS and child is node.node
        loops = isinstance(node, nodes.For) and child is node.iter
        if not falls_back and not loops:
            yield from _bare(child, guarded)
