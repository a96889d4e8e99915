"""The budget of one row's rendering: CPU time and memory. Every operation of a template is charged before it runs.

`mail.sandbox` defines the operations; `mail.template_filters` and `mail.template_methods` estimate their costs.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final

from jinja2 import Undefined
from jinja2.runtime import LoopContext, Macro
from markupsafe import Markup

#: The CPU time that a row may take, in seconds. It is checked between operations, each of which takes at most 10 ms.
CPU_S: Final = 0.04
#: The same limit as a sum of estimates, in ns. It does not depend on the machine: a row fails everywhere or nowhere.
WORK_NS: Final = 20_000_000
#: The work between two checks of the clock, in ns. A check costs a system call.
LOOK_NS: Final = 500_000
#: The bytes that a row may allocate, kept or not. Python's own objects around them need the rest of the 10 MB.
ROOM: Final = 8_000_000
#: The cost of running one template node once: its time in ns, and the bytes that it may leave behind.
NODE_NS: Final = 100
NODE_BYTES: Final = 32
#: The cost of a filter or a call, in nodes. It covers a text of fewer than `SHORT` characters without further charges.
CALL_NODES: Final = 20
SHORT: Final = 48
#: The cost of weighing one item of a list or one argument of a call, in ns.
ITEM_NS: Final = 300
#: The cost of a lookup or a calculation, in nodes.
LOOKUP_NODES: Final = 5
#: The most levels of nested lists. Python hashes and prints them recursively, partly without a guard.
MAX_NESTING: Final = 20
#: The most levels of macros that call each other.
MAX_CALLS: Final = 40

_SCALARS: Final = frozenset({bool, float, type(None)})
_VIEWS: Final[tuple[type, ...]] = (type({}.keys()), type({}.values()), type({}.items()))
#: The types that have a length and can be looped over.
SIZED: Final = frozenset({str, Markup, list, tuple, dict, range, *_VIEWS})


class OverBudget(Exception):
    """This row's rendering exceeds its budget; the message says which limit, and what to do."""


class Budget:
    """The rest of a row's time and memory. There is one budget per row: subject, HTML and text share it."""

    # Class attributes make a new budget cheap, since most rows charge little.
    work = WORK_NS
    room = ROOM
    calls = 0
    _look_at = WORK_NS - LOOK_NS
    _deadline = 0.0

    def spend(self, work_ns: int, made_bytes: int = 0) -> None:
        """Charge an operation before it runs.

        Args:
            work_ns: the estimated CPU time, in ns.
            made_bytes: the memory that it allocates, in bytes.

        Raises:
            OverBudget: the row exceeds its budget, so the operation must not run.
        """
        self.work -= work_ns
        self.room -= made_bytes
        if self.work < self._look_at or self.room < 0:
            self._look()

    def _look(self) -> None:
        now = time.thread_time()
        if not self._deadline:
            self._deadline = now + CPU_S
        if self.work < 0 or now > self._deadline:
            raise OverBudget("this row takes more than 50 ms to render: the template needs fewer or shorter loops")
        if self.room < 0:
            raise OverBudget(
                "this row needs more than 10 MB to render: make the texts, lists or widths in the template smaller"
            )
        self._look_at = max(0, self.work - LOOK_NS)

    def enter(self) -> None:
        """Count the call of a macro; call `leave` when it ends.

        Raises:
            OverBudget: macros call each other too deep.
        """
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise OverBudget(f"macros call each other more than {MAX_CALLS} deep: use a loop")

    def leave(self) -> None:
        self.calls -= 1

    def weigh(self, value: Any, depth: int = 0) -> int:
        """The size of a value with all its items, in bytes of text: the cost of comparing or hashing it.

        An item that occurs twice counts twice.

        Raises:
            OverBudget: the value is too large or nested too deep.
            TypeError: a template cannot compare or print such a value.
        """
        kind = type(value)
        if kind is str or kind is Markup:
            return text_bytes(value) + 8
        if kind is int:
            return 16 + int(value.bit_length()) // 8
        if kind in _SCALARS:
            return 32
        if kind is dict:
            return self._weigh_all(value.keys(), depth) + self._weigh_all(value.values(), depth)
        if isinstance(value, (list, tuple, set, frozenset, *_VIEWS)):
            return self._weigh_all(value, depth)
        if isinstance(value, (Undefined, range, LoopContext, Macro)):
            return 32
        raise TypeError(f"a template cannot print or compare a {kind.__name__}")

    def _weigh_all(self, values: Any, depth: int) -> int:
        if depth >= MAX_NESTING:
            raise OverBudget(f"lists lie in lists more than {MAX_NESTING} deep: use flat ones")
        self.spend(100)
        return 32 + self.weigh_each(values, depth + 1)

    def weigh_each(self, values: Collection[Any], depth: int = 0) -> int:
        """The sum of the sizes of all values. Raises what `weigh` raises."""
        self.spend(ITEM_NS * len(values))
        return sum(self.weigh(value, depth) for value in values)


def text_bytes(text: str) -> int:
    """The most memory that a text of this length takes, in bytes, without the object around it."""
    return len(text) if text.isascii() else 4 * len(text)
