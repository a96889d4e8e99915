"""The index of slices, progress, and what is kept in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from lists import duplicates, lines as csv_lines, rejections, scan as scan_module
from lists.header import column_names
from lists.index import Index, Slice
from lists.scan import scan
from tests.support.lists import parse, rows_of


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


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_slices_are_the_same_however_the_file_is_cut_into_chunks(end: bytes) -> None:
    data = people(2500).replace(b"\n", end) + b'open@x.test,"' + end
    index = parse(data)[0].index.pack()
    assert all(parse(data, chunk=chunk)[0].index.pack() == index for chunk in (1, 1000, 4097))


def test_over_long_line_that_ends_with_a_cr_at_the_end_of_a_chunk() -> None:
    """Given an over-long line and chunks cut behind its CR / Then the line after it is no part of it."""
    size = csv_lines.RECORD.size + 10
    data = b"email\ra@x.test\r" + b"x" * (size - 1) + b"\rb@x.test\rc@x.test\r"
    cr = len(data) - 18
    for start in (cr, cr - 5):
        result = scan([data[:start], data[start:cr], data[cr:]])
        result.report.close()
        assert [(part.end - part.offset, part.rows) for part in map(result.index.__getitem__, range(3))] == [
            (9, 1),
            (size, 1),
            (18, 2),
        ]


def test_lines_are_read_ahead_no_further_than_a_block() -> None:
    """Given lines put back again and again / Then no more of the file is read for it."""
    chunks = iter([b"a\n"] * 100)
    lines = csv_lines.Lines(chunks, csv_lines.UTF_8)
    for _ in range(10):
        block = lines.take(csv_lines.Limits(1000, 40))
        assert len(block.lines) == 20
        lines.put_back(block.lines)
    assert len(list(chunks)) == 80


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
    assert parse(data)[0].rejected_bitmap == bytes([0b0100_0000, 0b1100_0000])


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
def test_progress_may_stop_the_scan(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a stop at any call, in the pass, among the duplicates or in the report / Then it comes through at once."""
    monkeypatch.setattr(scan_module, "_PROGRESS_BYTES", 100_000)
    monkeypatch.setattr(scan_module, "_PROGRESS_ROWS", 10_000)
    data = people(15_000) + people(15_000)[11:]
    left = call

    def stop(_read: int, _rows: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise InterruptedError

    chunks = (data[i : i + 150_000] for i in range(0, len(data), 150_000))
    with pytest.raises(InterruptedError):
        scan(chunks, on_progress=stop)
    assert left == 0


def test_failure_of_the_source_comes_through() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"email\na@x.test\n"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        scan(chunks())


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
    assert (again.rejected_bitmap, rejected_again) == (result.rejected_bitmap, rejected)
    first: dict[str, int] = {}
    expected = {}
    for number, row in enumerate(rows, 1):
        if " " in row:
            expected[number] = (row, "invalid_email")
        elif first.setdefault(row, number) != number:
            expected[number] = (row, f"duplicate:{first[row]}")
    assert rejected == expected


def thousands(row: bytes, rows: int) -> Iterator[bytes]:
    """A file in chunks of 1,000 rows, each with its number where `row` has %d."""
    yield b"email,name\n"
    for start in range(0, rows, 1000):
        yield b"".join(row % number if b"%" in row else row for number in range(start, start + 1000))


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(b"user%d@mail.x.test,Somebody\n", id="ordinary"),
        pytest.param(b"user%d at mail.x.test,Somebody\n", id="rejected"),
        pytest.param(b"user@mail.x.test,Somebody\n", id="one address"),
        pytest.param(b"a line without an end " * 20, id="one line"),
        pytest.param(b'user%d@mail.x.test,"Somebody\n', id="open quotes"),
        pytest.param(b'x","\n', id="open quotes from either side"),
    ],
)
def test_memory_does_not_grow_with_the_rows(row: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given buffers that fill up soon / Then three times the rows take no more memory."""
    monkeypatch.setattr(duplicates, "_BUFFERED_ROWS", 1000)
    monkeypatch.setattr(rejections, "_BUFFERED_ROWS", 1000)
    monkeypatch.setattr(rejections, "_READ_BYTES", 100_000)
    peaks = []
    for rows in (3_000, 9_000):
        tracemalloc.start()
        scan(thousands(row, rows)).report.close()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 500_000, peaks


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
