"""What one row's rendering may cost. Every operation of a template is charged here before it runs.

`mail.sandbox` says which operations there are, `mail.template_filters` and `mail.template_methods` what they cost.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final

from jinja2 import Undefined
from jinja2.runtime import LoopContext, Macro
from markupsafe import Markup

#: The CPU time that a row may take, in s. It is looked at between operations; none of them takes more than 10 ms.
CPU_S: Final = 0.04
#: The same as a sum of estimates, in ns: it does not depend on the machine, so that a row fails everywhere or nowhere.
WORK_NS: Final = 20_000_000
#: How much work passes between two looks at the clock, in ns. A look costs a system call.
LOOK_NS: Final = 500_000
#: What a row may make, in bytes, whether it keeps it or not. Python's own objects around it need the rest of the 10 MB.
ROOM: Final = 8_000_000
#: One node of a template, run once: its time in ns, and the bytes that it may leave behind.
NODE_NS: Final = 100
NODE_BYTES: Final = 32
#: A filter or a call, as so many nodes: enough for a text of fewer than `SHORT` characters, which is charged no more.
CALL_NODES: Final = 20
SHORT: Final = 48
#: Weighing one item of a list or one argument of a call, in ns.
ITEM_NS: Final = 300
#: A lookup or a calculation, as so many nodes.
LOOKUP_NODES: Final = 5
#: How deep lists may lie in lists. Python hashes and prints them recursively, and some of that is not guarded.
MAX_NESTING: Final = 20
#: How deep macros may call each other.
MAX_CALLS: Final = 40

_SCALARS: Final = frozenset({bool, float, type(None)})
_VIEWS: Final[tuple[type, ...]] = (type({}.keys()), type({}.values()), type({}.items()))
#: What has a length and can be looped over.
SIZED: Final = frozenset({str, Markup, list, tuple, dict, range, *_VIEWS})


class OverBudget(Exception):
    """This row's rendering costs more than a row may; the words say what, and what to do."""


class Budget:
    """What is left of a row's time and memory. One a row: subject, HTML and text share it."""

    # On the class: an object that sets nothing is made in no time, and most rows charge little.
    work = WORK_NS
    room = ROOM
    calls = 0
    _look_at = WORK_NS - LOOK_NS
    _deadline = 0.0

    def spend(self, work_ns: int, made_bytes: int = 0) -> None:
        """Charge an operation before it runs.

        Raises:
            OverBudget: it must not run.
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
        """A macro is called. `leave` when it is done."""
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise OverBudget(f"macros call each other more than {MAX_CALLS} deep: use a loop")

    def leave(self) -> None:
        self.calls -= 1

    def weigh(self, value: Any, depth: int = 0) -> int:
        """How large a value is with all that it holds, in bytes of its texts: what it costs to compare or hash it.
        Whatever occurs twice in it counts twice.

        Raises:
            OverBudget: too much or too deep; TypeError: nothing that can be compared or printed.
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
        """The sum of what each value weighs. Raises as `weigh`."""
        self.spend(ITEM_NS * len(values))
        return sum(self.weigh(value, depth) for value in values)


def text_bytes(text: str) -> int:
    """What a text of this length can take in memory, without the object around it."""
    return len(text) if text.isascii() else 4 * len(text)
