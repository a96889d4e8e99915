"""The made-up people of `make demo`. Their domain belongs to no one (RFC 2606)."""

from __future__ import annotations

from typing import Final

PEOPLE: Final = 2_000

_FIRST: Final = ("Ada", "Ben", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hana", "Ivo", "Jun", "Kofi", "Lena", "Zoë")
_LAST: Final = ("Ito", "Jensen", "Kaya", "Lopez", "Müller", "Novak", "Okafor", "Petrov", "Quist", "Rossi", "Silva")


def people() -> str:
    """The list as CSV: `PEOPLE` rows with an address and a name."""
    rows = ["email,name"]
    for place in range(PEOPLE):
        first, last = _FIRST[place % len(_FIRST)], _LAST[place // len(_FIRST) % len(_LAST)]
        rows.append(f"reader{place + 1}@example.com,{first} {last}")
    return "\n".join(rows) + "\n"
