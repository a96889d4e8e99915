"""Names in the environment that look like settings and are none: a typing error would otherwise go unnoticed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from settings.accounts import ACCOUNT_SETTINGS, DEFAULT, prefix

#: From this length of a name on, two characters may be wrong; below it, one.
_LONG: Final = 12
#: What the names of others' settings start with, some of which differ little from ours.
_FOREIGN: Final = ("AWS_",)
#: Names of fewer characters look too much like those of other programs.
_SHORTEST: Final = 6

_OF_ACCOUNT: Final = re.compile(r"ACCOUNT_[A-Z0-9]+_[A-Z0-9_]+")


def warnings(given: Iterable[str], known: Iterable[str], accounts: Iterable[str]) -> tuple[str, ...]:
    """One line for each name that is probably meant as a setting.

    Args:
        given: all names in the environment.
        known: the names of all settings.
        accounts: the names of the accounts.
    """
    settings, names = sorted(known), [name for name in accounts if name != DEFAULT]
    return tuple(line for name in sorted(given) for line in _warning(name, settings, names))


def _warning(name: str, known: list[str], accounts: list[str]) -> Iterator[str]:
    if name in known:
        return
    if _OF_ACCOUNT.fullmatch(name):
        yield f"{name} has no effect: {_about_account(name, accounts)}"
    elif (meant := _meant(name, known)) is not None:
        yield f"{name} is no setting and has no effect: did you mean {meant}?"


def _about_account(name: str, accounts: list[str]) -> str:
    for account in accounts:
        if name.startswith(prefix(account)):
            endings = ", ".join(f"_{ending}" for ending in ACCOUNT_SETTINGS)
            return f"the settings of the account {account} are {prefix(account)[:-1]} with one of {endings}"
    there = f"names {', '.join(accounts)}" if accounts else "is empty"
    return f"it belongs to no account; ACCOUNTS {there}"


def _meant(name: str, known: list[str]) -> str | None:
    """The setting that a name is a misspelling of, or None."""
    if len(name) < _SHORTEST or name.startswith(_FOREIGN):
        return None
    letters = _letters(name)
    for setting in known:
        if letters == _letters(setting) or _differ_little(name, setting):
            return setting
    return None


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _differ_little(name: str, setting: str) -> bool:
    allowed = 2 if len(setting) >= _LONG else 1
    return abs(len(name) - len(setting)) <= allowed and _distance(name, setting) <= allowed


def _distance(a: str, b: str) -> int:
    """How many letters must be added, removed, replaced or swapped with the next one to make one word of the other."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, other in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and other == a[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
