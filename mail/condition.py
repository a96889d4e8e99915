"""The condition `where` of a campaign: one Jinja2 expression over the columns, judged for each row of the list.

It runs in the sandbox of the templates, within a smaller budget. This module knows no files and no lists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from campaigns.errors import InvalidCampaign
from mail.budget import LOOK_NS, Budget, OverBudget
from mail.cells import CellError, described
from mail.template import GLOBALS, TEXT, Template

#: The longest expression, in characters.
MAX_WHERE: Final = 2_000
#: The most characters of a reason.
MAX_REASON: Final = 200
_EMAIL: Final = "email"
#: What only whole templates have.
_TAGS: Final = ("{{", "}}", "{%", "%}", "{#", "#}")


class _RowBudget(Budget):
    """The budget of one row: 1 ms as a sum of estimates, a twentieth of a template's."""

    work = 1_000_000
    _look_at = work - LOOK_NS


def _compiled(source: str) -> Template:
    lines = source.count("\n") + 1
    try:
        return Template(TEXT, "where", f"{{{{ not ({source}\n) }}}}")
    except InvalidCampaign as error:
        if error.detail.startswith(f"where, line {lines + 1}: "):  # the bracket that this module has added
            raise InvalidCampaign("where: the expression ends too early: complete it, as in country == 'NO'") from None
        raise


class Condition:
    """A compiled condition. `names`: the columns that it uses.

    Args:
        source: the expression, such as `country == 'NO' and score|int > 3`.

    Raises:
        InvalidCampaign: it is no expression; the detail says why.
    """

    def __init__(self, source: str) -> None:
        if not source.strip():
            raise InvalidCampaign("where: the expression is empty: leave the field out to keep all rows")
        if len(source) > MAX_WHERE:
            raise InvalidCampaign(f"where: the expression has more than {MAX_WHERE:,} characters: make it shorter")
        if any(tag in source for tag in _TAGS):
            raise InvalidCampaign("where: write the expression alone, without {{ }} and {% %}, such as country == 'NO'")
        # Not `if`: in it, Jinja2 notices an unknown filter only when a row is rendered.
        self._template = _compiled(source)
        self._constants = {name: GLOBALS[name] for name in self._template.names.intersection(GLOBALS)}
        self.names = frozenset(self._template.names.difference(GLOBALS))

    def of(self, columns: Sequence[str], email_index: int) -> Callable[[list[str]], bool | str] | None:
        """The condition for the rows of a list with these columns; None if the list lacks one of them.

        Args:
            columns: the template names of the columns, by position.
            email_index: the position of the address, which is `email` for the expression.

        Returns:
            A function of a row's cells, with the address in its column as the row is sent to. It returns a text where
            the expression cannot be judged for a row: the reason for the report.
        """
        if not self.names <= {*columns, _EMAIL}:
            return None
        places = {name: place for place, name in enumerate(columns) if name in self.names}
        if _EMAIL in self.names:
            places[_EMAIL] = email_index

        def holds(cells: list[str]) -> bool | str:
            return self._judged({name: cells[place] for name, place in places.items()})

        return holds

    def _judged(self, cells: dict[str, str]) -> bool | str:
        variables: dict[str, Any] = {**self._constants, **cells}
        try:
            return self._template.render(variables, _RowBudget()) == "False"
        except OverBudget:
            words = "the expression takes too long for this row"
        except Exception as error:  # noqa: BLE001 - an expression can raise anything that Python can
            words = described(error, variables) if isinstance(error, CellError) else str(error) or type(error).__name__
        return f"malformed:where: {' '.join(words.split())[:MAX_REASON]}"
