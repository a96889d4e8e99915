"""What a command prints: its result on stdout, as text or JSON, and notes and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.errors import CommandError, ExitCode
from cli.wording import plain


class Output:
    """The streams of one command. `as_json`: results and errors are JSON, one value per line."""

    def __init__(self) -> None:
        self.as_json = False

    def result(self, data: Any, lines: Iterable[str]) -> None:
        """Print a result: `data` as one line of JSON, or `lines` of text."""
        shown = [json.dumps(data)] if self.as_json else [plain(line) for line in lines]
        for line in shown:
            print(line, flush=True)

    def table(self, data: Any, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a result as a table; where stdout is no terminal, as cells between tabs, without a header."""
        cells = [[plain(cell) for cell in row] for row in rows]
        if self.as_json:
            self.result(data, ())
        elif not sys.stdout.isatty():
            for row in cells:
                print("\t".join(row))
        else:
            _draw(header, cells)

    def note(self, line: str) -> None:
        """Print a line that is no result."""
        print(plain(line), file=sys.stderr, flush=True)

    def error(self, error: CommandError) -> None:
        """Print why the command failed."""
        self.note(json.dumps(error.problem()) if self.as_json else f"postrider: {error.detail}")

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask at the terminal, unless the answer has been given by `--yes`.

        Raises:
            CommandError: the answer is no, or there is no terminal to ask at.
        """
        if yes:
            return
        check_answerable(yes=yes)
        print(f"{plain(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was changed: the answer was no.")


def check_answerable(*, yes: bool) -> None:
    """Raise if a command that asks a question could not get an answer."""
    if not yes and not sys.stdin.isatty():
        raise CommandError("This command asks before it acts, and stdin is no terminal: add --yes.", ExitCode.USAGE)


def _draw(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*header, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
