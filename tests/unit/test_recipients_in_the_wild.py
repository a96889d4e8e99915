"""CSV files as people really upload them: each trap has a test of its name."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from lists.errors import UnusableList
from lists.scan import scan
from tests.support.lists import parse, rows_of

HEADER = "email,name\n"


def good_rows(data: bytes, email_column: str = "email") -> list[list[str] | None]:
    """The rows of a file of which none is rejected."""
    result, rejected = parse(data, email_column)
    assert rejected == {}
    assert result.total == result.rows
    return rows_of(data, result)


def reason_of(data: bytes, email_column: str = "email") -> str:
    """Why a file cannot be used."""
    with pytest.raises(UnusableList) as caught:
        scan([data], email_column=email_column)
    return caught.value.detail


def lines(rows: Iterable[str], end: str = "\n") -> str:
    return "".join(row + end for row in rows)


def test_ordinary_file() -> None:
    data = b"name,email\nAnna,anna@x.test\nBob,bob@x.test\n"
    result, rejected = parse(data)
    assert (result.rows, result.total, result.rejected, rejected) == (2, 2, 0, {})
    assert result.dialect.delimiter == ","
    assert result.dialect.encoding == "utf-8"
    assert result.dialect.columns == ("name", "email")
    assert (result.dialect.email_index, result.dialect.start) == (1, 11)
    assert rows_of(data, result) == [["Anna", "anna@x.test"], ["Bob", "bob@x.test"]]


def test_utf_8_bom() -> None:
    data = "email,name\nzoe@x.test,Zoë\n".encode("utf-8-sig")
    result, _ = parse(data)
    assert result.dialect.columns == ("email", "name")
    assert result.dialect.start == 3 + len(HEADER)
    assert rows_of(data, result) == [["zoe@x.test", "Zoë"]]


@pytest.mark.parametrize("mark", ["\ufeff", ""], ids=["marked", "unmarked"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_utf_16(mark: str, encoding: str, chunk: int) -> None:
    data = (mark + "email,name\r\nzoe@x.test,Zoë 😀\r\nbob@x.test,Bob\r\n").encode(encoding)
    result, _ = parse(data, chunk=chunk)
    assert result.dialect.encoding == encoding
    assert result.dialect.start == len((mark + "email,name\r\n").encode(encoding))
    assert rows_of(data, result) == [["zoe@x.test", "Zoë 😀"], ["bob@x.test", "Bob"]]


def test_utf_16_with_half_characters() -> None:
    """Given lone surrogates and half a code unit at the end / Then the rows stand, and the offsets too."""
    text = lines(["email,name", *(f"u{n}@x.test,{'😀' if n % 2 else chr(0xD800)}" for n in range(2500))])
    data = text.encode("utf-16-le", "surrogatepass") + b"x"
    result, rejected = parse(data, chunk=1001)
    assert (result.rows, rejected) == (2500, {})
    assert rows_of(data, result)[2498:] == [["u2498@x.test", "?"], ["u2499@x.test", "😀"]]


def test_latin_1() -> None:
    assert good_rows("email,name\njose@x.test,José\n".encode("latin-1")) == [["jose@x.test", "José"]]


def test_cp1252_and_the_bytes_that_it_leaves_undefined() -> None:
    assert good_rows(b"email,name\na@x.test,\x80 5 \x93q\x94 \x81\n") == [["a@x.test", "€ 5 “q” \x81"]]


def test_one_odd_byte_in_a_utf_8_file_touches_its_line_alone() -> None:
    data = "email,name\na@x.test,José\n".encode() + b"b@x.test,Jos\xe9\n" + "c@x.test,Zoë\n".encode()
    assert good_rows(data) == [["a@x.test", "José"], ["b@x.test", "José"], ["c@x.test", "Zoë"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter(delimiter: str) -> None:
    data = lines(row.replace(";", delimiter) for row in ["name;email;note", "Bob;b@x.test;a"]).encode()
    assert parse(data)[0].dialect.delimiter == delimiter
    assert good_rows(data) == [["Bob", "b@x.test", "a"]]


def test_delimiter_is_the_one_that_shows_the_wanted_column() -> None:
    """Given more commas than semicolons in the header / Then the semicolons count: they make the email column."""
    data = b"Email;Name, first, last, middle\nb@x.test;Bob, B, B, B\n"
    assert good_rows(data) == [["b@x.test", "Bob, B, B, B"]]


def test_delimiter_named_by_excel() -> None:
    assert good_rows(b"sep=;\r\nemail;name\r\nb@x.test;Bob\r\n") == [["b@x.test", "Bob"]]


def test_one_column() -> None:
    assert good_rows(b"email\na@x.test\n\nb@x.test") == [["a@x.test"], ["b@x.test"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "lone CR"])
@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 20])
def test_line_ends(end: str, chunk: int) -> None:
    data = lines(["email,name", "a@x.test,Anna", "", "b@x.test,Bob"], end).encode()
    result, rejected = parse(data, chunk=chunk)
    assert (result.rows, rejected) == (2, {})
    assert rows_of(data, result) == [["a@x.test", "Anna"], ["b@x.test", "Bob"]]


def test_line_ends_of_other_kinds_are_text() -> None:
    """Given a vertical tab, a NEL and a line separator, at which str.splitlines cuts / Then the row is one."""
    assert good_rows("email,name\na@x.test,a\x0bb\x85c\u2028d\n".encode()) == [["a@x.test", "a\x0bb\x85c\u2028d"]]


def test_last_line_without_line_end() -> None:
    assert good_rows(b"email,name\na@x.test,Anna") == [["a@x.test", "Anna"]]


def test_quoted_newlines() -> None:
    data = b'email,note\r\na@x.test,"first\r\nsecond, ""third""\r\n\r\nlast"\r\nb@x.test,x\r\n'
    assert good_rows(data) == [["a@x.test", 'first\r\nsecond, "third"\r\n\r\nlast'], ["b@x.test", "x"]]


def test_quoted_newlines_in_the_header() -> None:
    data = b'"email","First\nname"\na@x.test,Anna\n'
    assert parse(data)[0].dialect.columns == ("email", "first_name")
    assert good_rows(data) == [["a@x.test", "Anna"]]


def test_nul() -> None:
    data = b"email,name\na@x.test,An\0na\nb\0@x.test,Bob\nc@x.test,Cem\n"
    result, rejected = parse(data)
    assert rejected == {
        1: ("a@x.test", "malformed:NUL character"),
        2: ("b[U+0000]@x.test", "malformed:NUL character"),
    }
    assert rows_of(data, result) == [None, None, ["c@x.test", "Cem"]]


def test_duplicate_empty_padded_and_upper_case_headers() -> None:
    data = b"Name, E-MAIL ,name,,  ,2nd Name,NAME\na,a@x.test,b,c,d,e,f\n"
    result, _ = parse(data, email_column=" e-mail")
    assert result.dialect.columns == ("name", "e_mail", "name_2", "", "", "_2nd_name", "name_3")
    assert result.dialect.email_index == 1


def test_blank_lines_before_the_header() -> None:
    data = b"\n  \r\nemail\na@x.test\n"
    assert parse(data)[0].dialect.start == 11
    assert good_rows(data) == [["a@x.test"]]


def test_spaces_round_addresses() -> None:
    assert good_rows("email,name\n  a@x.test \u00a0,Anna\n".encode()) == [["  a@x.test \u00a0", "Anna"]]


def test_ragged_rows() -> None:
    """Given rows with fewer or more cells than the header / Then missing cells are empty, and further ones dropped."""
    data = b"email,name\na@x.test\nb@x.test,Bob,,\nc@x.test,Cem,1\nd@x.test,Dan\n"
    result, rejected = parse(data)
    assert rejected == {}
    assert rows_of(data, result) == [["a@x.test", ""], ["b@x.test", "Bob"], ["c@x.test", "Cem"], ["d@x.test", "Dan"]]
    assert result.surplus_rows == 1


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_of_5_mb(quote: str) -> None:
    """Given a huge field on one line / Then it costs its row, and nothing else."""
    data = lines([HEADER.strip(), "a@x.test,A", f"b@x.test,{quote}{'x' * 5_000_000}{quote}", "c@x.test,C"]).encode()
    result, rejected = parse(data, chunk=65_536)
    assert rejected == {2: ("", "too_long")}
    assert rows_of(data, result) == [["a@x.test", "A"], None, ["c@x.test", "C"]]


def test_a_field_of_5_mb_over_many_lines() -> None:
    """Given a huge quoted field of many lines / Then it is one rejected row, and the rows round it are sent to."""
    text = f"one of many lines, {'and more ' * 30}\n" * 18_000
    data = f'{HEADER}a@x.test,A\nb@x.test,"{text}"\nc@x.test,C\n'.encode()
    result, rejected = parse(data, chunk=65_536)
    assert rejected == {2: ("b@x.test", "too_long")}
    assert rows_of(data, result) == [["a@x.test", "A"], None, ["c@x.test", "C"]]


def test_200_columns() -> None:
    columns = [f"column {n}" for n in range(199)]
    rows = [[f"user{n}@x.test", *(f"{n}.{k}" for k in range(199))] for n in range(3000)]
    data = lines(",".join(row) for row in [["Email", *columns], *rows]).encode()
    result, _ = parse(data)
    assert len(result.dialect.columns) == 200
    assert rows_of(data, result) == rows
    assert max(result.index[k].end - result.index[k].offset for k in range(len(result.index))) <= 256 * 1024


def test_too_many_columns() -> None:
    assert "20,001 columns" in reason_of(b"email" + b",x" * 20_000 + b"\n")


def test_no_header() -> None:
    reason = reason_of(b"Anna,anna@secret.test\nBob,bob@secret.test\n")
    assert "no header row" in reason
    assert "secret" not in reason


def test_no_email_column() -> None:
    reason = reason_of(b"first name,phone,\x00\x1b[31m\na,b,c\n")
    assert reason == (
        'There is no column "email"; the columns are "first name", "phone", "[31m". '
        "Give the header of the column of addresses as email_column."
    )


@pytest.mark.parametrize(("data", "between"), [(b"email^name\n", "^"), (b"email:name\n", ":"), (b"a~b~c\n", "~")])
def test_a_header_with_another_delimiter_says_to_name_it(data: bytes, between: str) -> None:
    assert reason_of(data).endswith(f"If {between!r} stands between the columns, give it as delimiter.")


def test_no_such_column_among_many() -> None:
    reason = reason_of(",".join(["x" * 90] * 30).encode() + b"\n", email_column="Address")
    assert reason.startswith('There is no column "Address"; the columns are "xxx')
    assert " and 10 more. " in reason
    assert len(reason) < 1000


def test_header_with_an_open_quote() -> None:
    assert "never closed" in reason_of(b'"email,name\na@x.test,Anna\n')


def test_header_longer_than_any_record() -> None:
    assert "longer than" in reason_of(b"\nemail," + b"x" * 2_000_000 + b"\na@x.test,b\n")


@pytest.mark.parametrize("data", [b"", b"\n\r\n  \n", "\ufeff".encode(), "\ufeff".encode("utf-16-le"), b"\n" * 5000])
def test_empty_file(data: bytes) -> None:
    assert reason_of(data) == "The file is empty; it needs a header row."


def test_header_alone() -> None:
    assert reason_of(b"email,name\n\n\n") == "The file has a header but no rows; add the recipients."
    assert reason_of(b"email") == "The file has a header but no rows; add the recipients."


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04\x14\0\x06\0\x08\0", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1", "Excel"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_other_file(start: bytes, kind: str) -> None:
    assert kind in reason_of(start + bytes(range(256)) * 9)


def test_unicode_addresses() -> None:
    """Given a domain beyond ASCII / Then it is sent to by its ASCII form; a local part beyond ASCII is not accepted."""
    result, rejected = parse("email\nanna@bücher.test\njosé@x.test\nANNA@xn--BCHER-kva.test\n".encode())
    assert rejected == {2: ("josé@x.test", "invalid_email"), 3: ("anna@xn--bcher-kva.test", "duplicate:1")}
    assert result.total == 1


def test_invalid_addresses() -> None:
    bad = ["", "anna", "ben@", "a b@x.test", "a@x", "a..b@x.test", "a@-x.test", "Anna <a@x>"]
    _, rejected = parse(lines(["email,name", *(f"{address},A" for address in bad)]).encode())
    assert rejected == {row: (address, "invalid_email") for row, address in enumerate(bad, 1)}


def test_duplicates_whatever_their_case() -> None:
    data = b"email,name\nAnna@x.test,1\nbob@x.test,2\nanna@X.TEST ,3\nANNA@x.test,4\n"
    result, rejected = parse(data)
    assert (result.rows, result.total, result.rejected) == (4, 2, 2)
    assert rejected == {3: ("anna@x.test", "duplicate:1"), 4: ("anna@x.test", "duplicate:1")}
    assert result.rejected_bitmap == bytes([0b0001_1000])


@pytest.mark.parametrize("start", "=+-@")
def test_formulas_are_harmless_in_the_report(start: str) -> None:
    _, rejected = parse(f"email,name\n{start}cmd(1),x\n".encode())
    assert rejected == {1: (f"'{start}cmd(1)", "invalid_email")}


def test_long_and_odd_cells_are_cut_in_the_report() -> None:
    _, rejected = parse(b'email,name\n"a\x0bb\t\x1bc' + b"x" * 9999 + b'",x\n')
    assert rejected == {1: ("a b [U+001B]c" + "x" * 248, "invalid_email:contains U+001B")}
