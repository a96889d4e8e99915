"""The views of a watched campaign: live at a terminal, plain lines where stdout is piped, JSON for scripts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli import wording
from cli.output import Output
from cli.wording import Status

#: The shortest time between two lines of the same state, in seconds.
LINE_EVERY_S: Final = 5.0
#: The widest bar, in columns.
BAR_COLUMNS: Final = 60


def show(campaign_id: str, statuses: Iterable[dict[str, Any]], output: Output) -> dict[str, Any]:
    """Show each status as it comes; return the last one."""
    if output.as_json:
        return _each(statuses, lambda status: output.result(status, ()))
    if not sys.stdout.isatty():
        return _each(statuses, Lines(campaign_id, output).show)
    with Live(console=Console(), auto_refresh=False) as live:
        return _each(statuses, lambda status: live.update(picture(campaign_id, status), refresh=True))


def _each(statuses: Iterable[dict[str, Any]], shown: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    status: dict[str, Any] = {}
    for status in statuses:
        shown(status)
    return status


class Lines:
    """A line per change of state, and one every `LINE_EVERY_S` in between. `clock`: seconds of a steady clock."""

    def __init__(self, campaign_id: str, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._campaign_id = campaign_id
        self._output = output
        self._clock = clock
        self._last: tuple[object, ...] = ()
        self._due_s = 0.0

    def show(self, status: Status) -> None:
        """Print the status if it is due."""
        state = (status["status"], status.get("reason"))
        now_s = self._clock()
        if state == self._last and now_s < self._due_s:
            return
        self._last, self._due_s = state, now_s + LINE_EVERY_S
        self._output.result(status, [wording.line(self._campaign_id, status, datetime.now().astimezone())])


def picture(campaign_id: str, status: Status) -> Group:
    """A status as a terminal shows it: state, bar, counts, rate and time left, and what holds the campaign up."""
    settled, total = status["done"] + status["failed"], status["total"]
    share = f"{settled * 100 // total} %" if total else ""
    end = wording.time_left(status, datetime.now().astimezone())
    lines = [wording.rate(status) + (f"; {end}" if end else "")]
    if status.get("reason"):
        lines.append(wording.plain(status["reason"]))
    bar = Table.grid()  # a bar alone would end without a line feed
    bar.add_row(ProgressBar(total=max(total, 1), completed=settled, width=BAR_COLUMNS, complete_style="green"))
    return Group(
        Text(f"{campaign_id}  {wording.plain(status['status'])}  {wording.number(settled)} of "
             f"{wording.number(total)}  {share}", style="bold"),
        bar,
        _counts(status),
        *(Text(line) for line in lines),
    )  # fmt: skip


def _counts(status: Status) -> Table:
    """The counts, one per column: those of every campaign, and the rarer ones that are not zero."""
    found = wording.shown_counts(status)
    table = Table(*found, box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_row(*(wording.number(count) for count in found.values()))
    return table
