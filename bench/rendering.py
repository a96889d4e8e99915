"""How fast messages are rendered: `python -m bench.rendering` prints the time per message of two campaigns, in us.

To compare with another version: `python -m bench.rendering --beside DIR` runs both in turns, each in a separate
process, and prints the medians and their ratio. DIR is a checkout of the project.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

from campaigns.models import Content
from mail.rendering import Templates

MESSAGES: Final = 4_000
TURNS: Final = 10
COLUMNS: Final = ("email", "first_name", "last_name", "city", "tags", "seats")
CELLS: Final = ["zoë", "O'Brien", "Paris", "rock,jazz,folk", "2"]

FORM: Final = Content(
    from_="News <news@example.com>",
    subject="{{ first_name }}, your tickets for {{ city }}",
    html="<p>Dear {{ first_name }} {{ last_name }},</p><p>see you in {{ city }}.</p>" + "<p>Lorem ipsum</p>" * 50,
    text="Dear {{ first_name }} {{ last_name }},\nsee you in {{ city }}.\n" + "Lorem ipsum\n" * 50,
)
COMPUTED: Final = Content(
    from_="News <news@example.com>",
    subject="{{ first_name|title }}, your tickets for {{ city|upper }}",
    html="<p>Dear {{ first_name|title }} {{ last_name|default('friend') }},</p>"
    "{% if seats|int > 1 %}<p>your {{ seats }} seats{% else %}<p>your seat{% endif %} in {{ city|upper }}:</p><ul>"
    "{% for tag in tags.split(',') %}<li>{{ loop.index }}: {{ tag|title }}</li>{% endfor %}</ul>"
    + "<p>Lorem ipsum</p>"
    * 50,
    text="Dear {{ first_name|title }} {{ last_name|default('friend') }},\n"
    "{% for tag in ['a', 'b', 'c'] %}{{ tag|upper }}{% if not loop.last %}, {% endif %}{% endfor %}\n"
    "{% if city == 'Paris' %}Bienvenue{% else %}Welcome{% endif %} {{ first_name ~ ' ' ~ last_name }}\n"
    + "Lorem ipsum\n"
    * 50,
)


def microseconds(content: Content) -> float:
    """The CPU time per message, of the quickest of some rounds."""
    renderer = Templates(content).renderer("c1", COLUMNS)
    cells = [CELLS[index - 1] for index in Templates(content).fields(COLUMNS)]
    quickest = float("inf")
    for _ in range(TURNS):
        started = time.thread_time()
        for row in range(MESSAGES):
            renderer.message(row, "zoe@example.com", cells)
        quickest = min(quickest, time.thread_time() - started)
    return quickest / MESSAGES * 1e6


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _of(directory: Path) -> dict[str, float]:
    run = [sys.executable, str(Path(__file__).resolve()), "--json"]
    done = subprocess.run(run, cwd=directory, env={"PYTHONPATH": str(directory)}, check=True, capture_output=True)
    return dict(json.loads(done.stdout))


def _compare(other: Path, rounds: int) -> None:
    here = Path(__file__).resolve().parent.parent
    found: dict[Path, list[dict[str, float]]] = {here: [], other: []}
    for turn in range(rounds):
        for directory in (here, other) if turn % 2 else (other, here):
            found[directory].append(_of(directory))
    for name in ("form", "computed"):
        mine, theirs = (median(one[name] for one in found[directory]) for directory in (here, other))
        _print(f"{name}: {mine:.2f} us per message, beside {theirs:.2f} us: {mine / theirs:.3f}")


def main() -> None:
    """Measure, and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true", help="print the figures as JSON")
    options.add_argument("--beside", type=Path, help="a checkout to compare with")
    options.add_argument("--rounds", type=int, default=9)
    given = options.parse_args()
    if given.beside:
        _compare(given.beside.resolve(), given.rounds)
        return
    figures = {"form": microseconds(FORM), "computed": microseconds(COMPUTED)}
    if given.json:
        _print(json.dumps(figures))
        return
    for name, figure in figures.items():
        _print(f"{name}: {figure:.2f} us per message")


if __name__ == "__main__":
    main()
