"""The index of slices, progress, and what is kept in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from campaigns import duplicates, rejections
from campaigns.recipients import Index, Slice, column_names, scan
from tests.lists import parse, rows_of


def people(count: int) -> bytes:
    return b"email,name\n" + b"".join(b"user%d@x.test,User %d\n" % (n, n) for n in range(1, count + 1))


def test_slices_hold_a_thousand_rows_each_and_follow_each_other() -> None:
    data = people(2500)
    index = parse(data)[0].index
    assert [(part.first_row, part.rows) for part in map(index.__getitem__, range(3))] == [
        (1, 1000),
        (1001, 1000),
        (2001, 500),
    ]
    assert [index[k].offset for k in range(3)] == [11, index[0].end, index[1].end]
    assert index[2].end == len(data)


def test_index_survives_packing() -> None:
    result, _ = parse(people(2500))
    packed = result.index.pack()
    assert len(packed) == 3 * 16
    again = Index.unpack(packed, result.index.end)
    assert [again[k] for k in range(len(again))] == [result.index[k] for k in range(3)]


def test_slice_of_row() -> None:
    index = parse(people(2500))[0].index
    assert [index.slice_of_row(row) for row in (1, 1000, 1001, 2000, 2001, 2500)] == [0, 0, 1, 1, 2, 2]
    for row in (0, -1, 2501):
        with pytest.raises(IndexError):
            index.slice_of_row(row)
    for position in (-1, 3):
        with pytest.raises(IndexError):
            index[position]


def test_blank_lines_make_one_slice_without_rows() -> None:
    """Given 50,000 blank lines between rows / Then they take one entry of the index, and no row is looked for there."""
    data = people(1000) + b"\n" * 50_000 + b"last@x.test,Last\n" + b"\n" * 50_000
    result, _ = parse(data)
    assert [(part.first_row, part.rows) for part in map(result.index.__getitem__, range(len(result.index)))] == [
        (1, 1000),
        (1001, 0),
        (1001, 1),
        (1002, 0),
    ]
    assert result.index.slice_of_row(1001) == 2
    assert rows_of(data, result)[-1] == ["last@x.test", "Last"]


def test_empty_index() -> None:
    index = Index()
    assert len(index) == 0
    with pytest.raises(IndexError):
        index.slice_of_row(1)
    index.add(10, 1, 2)
    index.end = 20
    assert index[0] == Slice(10, 20, 1, 2)


def test_skip_bits_are_in_redis_order() -> None:
    """Given rows 1, 8 and 9 rejected / Then bit n is byte n >> 3, mask 0x80 >> (n & 7), and bit 0 stays free."""
    data = b"email\n" + b"".join(b"bad\n" if n in {1, 8, 9} else b"u%d@x.test\n" % n for n in range(1, 12))
    assert parse(data)[0].skip == bytes([0b0100_0000, 0b1100_0000])


def test_progress_in_bytes_and_rows() -> None:
    data = people(150_000)
    calls: list[tuple[int, int]] = []
    chunk = 300_000
    chunks = [data[i : i + chunk] for i in range(0, len(data), chunk)]
    scan(chunks, on_progress=lambda read, rows: calls.append((read, rows))).report.close()
    assert calls == sorted(calls)
    assert len(calls) >= len(data) // (4 * chunk)
    assert all(read <= len(data) and rows <= 150_000 for read, rows in calls)
    assert calls[-1] == (len(data), 150_000), "while duplicates are looked for, all is read"


@pytest.mark.parametrize("call", [1, 2, 3, 6, 7, 8])
def test_progress_may_stop_the_scan(call: int) -> None:
    """Given a stop at any call, in the pass, among the duplicates or in the report / Then it comes through at once."""
    data = people(150_000) + people(150_000)[11:]
    left = call

    def stop(_read: int, _rows: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise InterruptedError

    chunks = (data[i : i + 1_500_000] for i in range(0, len(data), 1_500_000))
    with pytest.raises(InterruptedError):
        scan(chunks, on_progress=stop)
    assert left == 0


def test_failure_of_the_source_comes_through() -> None:
    def chunks() -> object:
        yield b"email\na@x.test\n"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        scan(chunks())  # type: ignore[arg-type]


def test_a_list_that_waits_on_disk_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given buffers of a few rows, so that addresses and rejected rows go to disk / Then nothing is different."""
    rows = [f"user{n * 7919 % 1500}@x.test" if n % 11 else f"bad {n}" for n in range(5000)]
    data = "\n".join(["email", *rows]).encode()
    result, rejected = parse(data)
    monkeypatch.setattr(duplicates, "_BUFFERED_ROWS", 300)
    monkeypatch.setattr(rejections, "_BUFFERED_ROWS", 70)
    monkeypatch.setattr(rejections, "_LEAST_READ_BYTES", 50)
    monkeypatch.setattr(rejections, "_READ_BYTES", 50)
    again, rejected_again = parse(data)
    assert (again.skip, rejected_again) == (result.skip, rejected)
    first: dict[str, int] = {}
    expected = {}
    for number, row in enumerate(rows, 1):
        if " " in row:
            expected[number] = (row, "invalid_email")
        elif first.setdefault(row, number) != number:
            expected[number] = (row, f"duplicate:{first[row]}")
    assert rejected == expected


GROWTH = """
import resource
from bench.parse_csv import chunks
from campaigns.recipients import scan

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

header = next(chunks(1, 0))
one = b"".join(chunks(12_000, 0))[len(header):]
sources = {
    "ordinary": lambda: chunks(300_000, 0),
    "rejected": lambda: chunks(150_000, 1),
    "the same again and again": lambda: (header, *[one] * 15),
    "one address": lambda: (header, *[(b"a@x.test,a,b,c,d" + chr(10).encode()) * 40_000] * 5),
    "one line": lambda: (header, *[b"x" * 1_000_000] * 60),
    "an open quote": lambda: (header, b'"', *[b"x" * 80 + chr(10).encode()] * 200_000),
}
scan(chunks(1000, 0.1)).report.close()
before = peak()
for name, source in sources.items():
    scan(source()).report.close()
    print(name, (peak() - before) // 1024)
"""


def test_memory_does_not_grow_with_the_rows() -> None:
    """Given long files of several kinds, most of which would take 60 MB and more if kept / Then 40 MB are enough."""
    out = subprocess.run([sys.executable, "-c", GROWTH], check=True, capture_output=True, text=True).stdout
    grown = {name: int(mb) for name, mb in (line.rsplit(" ", 1) for line in out.splitlines())}
    assert len(grown) == 6
    assert max(grown.values()) <= 40, grown


def test_column_names() -> None:
    header = [
        "Email",
        " First Name ",
        "first-name",
        "FIRST_NAME",
        "",
        "***",
        "2nd",
        "Größe (cm)",
        "a__b",
        "x²",
        "Имя",
        "_",
    ]
    assert column_names(header) == (
        "email",
        "first_name",
        "first_name_2",
        "first_name_3",
        "",
        "",
        "_2nd",
        "größe_cm",
        "a_b",
        "x",
        "имя",
        "",
    )
    assert column_names(["a", "a", "a_2", "a"]) == ("a", "a_2", "a_2_2", "a_3")
