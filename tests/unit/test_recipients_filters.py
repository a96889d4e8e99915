"""What a scan leaves out and what it tells: excluded, suppressed and repeated rows, reasons, sample."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest

from lists.row_filters import Keep, RowFilters
from lists.scan import ScanResult, scan
from tests.support.lists import rows_of

DATA = b"email,city\nann@x.test,Oslo\nBOB@x.test,Rome\nbad,Rome\ncy@x.test,Rome\nANN@x.test,Rome\ndan@x.test,Oslo\n"


def filters(keep: Keep | None = None, **others: Any) -> RowFilters:
    return RowFilters(keep=(lambda _dialect: keep) if keep else None, **others)


def scanned(data: bytes = DATA, **options: Any) -> tuple[ScanResult, dict[int, str]]:
    """The scan of a file, and its rejected rows: number -> reason."""
    result = scan([data], filters=filters(**options))
    with result.report as report:
        rejected = {int(row): reason for row, _, reason in list(csv.reader(io.StringIO(report.read().decode())))[1:]}
    assert result.rows == result.total + result.rejected + result.excluded
    return result, rejected


def marked(result: ScanResult) -> set[int]:
    return {row for row in range(result.rows + 1) if result.rejected_bitmap[row >> 3] & (0x80 >> (row & 7))}


def in_rome(cells: list[str]) -> bool:
    return cells[1] == "Rome"


def test_rows_that_are_not_kept_are_excluded() -> None:
    """Given a condition / Then rows that fail it are neither recipients nor rejected, and their numbers stay taken."""
    result, rejected = scanned(keep=in_rome)
    assert (result.rows, result.total, result.rejected, result.excluded) == (6, 3, 1, 2)
    assert rejected == {3: "invalid_email"}
    assert marked(result) == {1, 3, 6}
    assert [row and row[0] for row in rows_of(DATA, result)][4] == "ANN@x.test"


def test_an_excluded_row_makes_no_duplicate() -> None:
    """Given the same address in an excluded row and in one that is kept / Then the second is a recipient."""
    assert 5 not in scanned(keep=in_rome)[1]
    assert scanned()[1][5] == "duplicate:1"


def test_keep_sees_the_cells_of_accepted_rows_alone() -> None:
    seen: list[list[str]] = []

    def keep(cells: list[str]) -> bool:
        seen.append(cells)
        return True

    scanned(b"email,city\na@x.test\n\nbad,x\nb@x.test,Rome,more\n", keep=keep)
    assert seen == [["a@x.test", ""], ["b@x.test", "Rome"]]


def test_keep_may_stop_the_scan() -> None:
    def fail(_cells: list[str]) -> bool:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        scan([DATA], filters=filters(keep=fail))


def test_suppressed_addresses_are_rejected() -> None:
    """Given suppressed addresses / Then each row with one is rejected with that reason, also a repeated one."""
    asked: list[str] = []

    def suppressed(addresses: Sequence[str]) -> list[bool]:
        asked.extend(addresses)
        return [address in {"ann@x.test", "bob@x.test"} for address in addresses]

    result, rejected = scanned(suppressed=suppressed)
    assert asked == ["ann@x.test", "bob@x.test", "cy@x.test", "ann@x.test", "dan@x.test"]
    assert rejected == {1: "suppressed", 2: "suppressed", 3: "invalid_email", 5: "suppressed"}
    assert result.reasons == {"suppressed": 3, "invalid_email": 1}
    assert marked(result) == {1, 2, 3, 5}


def test_an_excluded_row_is_not_suppressed() -> None:
    result, rejected = scanned(keep=in_rome, suppressed=lambda addresses: [True] * len(addresses))
    assert rejected == {2: "suppressed", 3: "invalid_email", 4: "suppressed", 5: "suppressed"}
    assert (result.total, result.excluded) == (0, 2)


def test_suppressed_answers_for_each_address() -> None:
    with pytest.raises(ValueError, match="zip"):
        scan([DATA], filters=filters(suppressed=lambda _addresses: [True]))


def test_duplicates_can_be_kept() -> None:
    result, rejected = scanned(duplicates="keep")
    assert (result.total, rejected) == (5, {3: "invalid_email"})


def test_filters_over_many_ordinary_rows() -> None:
    """Given whole blocks of ordinary rows / Then the filters see them as they see others."""
    data = b"email,n\n" + b"".join(b"u%d@x.test,%d\n" % (n, n) for n in range(1, 3001))
    result, rejected = scanned(
        data,
        keep=lambda cells: int(cells[1]) % 2 == 0,
        suppressed=lambda addresses: [address.endswith("0@x.test") for address in addresses],
    )
    assert (result.total, result.excluded, len(rejected)) == (1200, 1500, 300)
    assert marked(result) == {n for n in range(1, 3001) if n % 2 or n % 10 == 0}


def test_reasons_are_counted_by_their_first_word() -> None:
    data = b"email\na@x.test\nA@x.test\na@x.test\nbad\nc@x.test d@x.test\n\0\n" + b"x" * 300 + b"@x.test\n"
    assert scanned(data)[0].reasons == {"duplicate": 2, "invalid_email": 2, "malformed": 1, "too_long": 1}


def test_sample_is_the_first_accepted_rows_as_they_would_be_used() -> None:
    data = (
        "Name,E-Mail,,Größe\nA, <ann@X.test> ,x,1\nA again,ANN@x.test,x,2\nB,bad,x,3\nC,mailto:c@bücher.test,x\n"
        + "".join(f"D,d{number}@x.test,x,{number}\n" for number in range(9))
    ).encode()
    result, _ = scanned(data)
    assert result.sample[:3] == [
        {"name": "A", "e_mail": "ann@x.test", "größe": "1"},
        {"name": "C", "e_mail": "c@xn--bcher-kva.test", "größe": ""},
        {"name": "D", "e_mail": "d0@x.test", "größe": "0"},
    ]
    assert len(result.sample) == 5
    assert [row["name"] for row in scanned(data, duplicates="keep")[0].sample[:2]] == ["A", "A again"]


def test_sample_has_no_excluded_and_no_suppressed_row() -> None:
    result, _ = scanned(keep=in_rome, suppressed=lambda addresses: [address[0] == "b" for address in addresses])
    assert [row["email"] for row in result.sample] == ["cy@x.test", "ANN@x.test"]


def test_a_condition_that_cannot_be_judged_rejects_its_row() -> None:
    """Given a condition that gives a reason instead of a flag / Then the row is rejected for that reason."""
    result, rejected = scanned(keep=lambda cells: "malformed:where: no number" if cells[1] == "Oslo" else True)
    assert rejected == {1: "malformed:where: no number", 3: "invalid_email", 6: "malformed:where: no number"}
    assert (result.excluded, result.reasons) == (0, {"malformed": 2, "invalid_email": 1})


def test_excluded_addresses_are_excluded_before_they_are_suppressed() -> None:
    """Given addresses that are excluded and suppressed / Then their rows are excluded, and are no duplicates."""
    result, rejected = scanned(
        excluded=lambda addresses: [address == "ann@x.test" for address in addresses],
        suppressed=lambda addresses: [address in {"ann@x.test", "bob@x.test"} for address in addresses],
    )
    assert (result.excluded, rejected) == (2, {2: "suppressed", 3: "invalid_email"})
    assert marked(result) == {1, 2, 3, 5}
    assert [row["email"] for row in result.sample] == ["cy@x.test", "dan@x.test"]


def test_a_given_delimiter_counts_before_what_would_be_recognised() -> None:
    result = scan([b"sep=;\nemail;a,b;c\nx@x.test;1,2;3\n"], delimiter=",", email_column="email;a")
    with result.report:
        assert result.dialect.columns == ("email_a", "b_c")
