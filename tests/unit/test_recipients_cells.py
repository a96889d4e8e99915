"""Cells and rows as programs write them: invisible characters, forms of an address, ragged, blank and endless rows."""

from __future__ import annotations

import pytest

from lists import lines as csv_lines
from lists.addresses import address, rejection
from lists.invisible import first_invisible, is_blank, trimmed, written_out
from tests.support.lists import parse, rows_of

INVISIBLE = ["\u200b", "\u200e", "\u200f", "\u202c", "\u2060", "\ufeff", "\u00ad", "\u00a0", "\u3000", "\ufe0f", "\x1a"]


@pytest.mark.parametrize("mark", INVISIBLE)
def test_invisible_characters_round_an_address_do_not_count(mark: str) -> None:
    assert address(f"{mark}Ann@X.test{mark} ") == "Ann@x.test"
    assert address(f"Ann <{mark}ann@x.test{mark}>{mark}") == "ann@x.test"
    assert is_blank(f" {mark}\t")
    assert trimmed(f"{mark} a{mark}b \n{mark}") == f"a{mark}b"


@pytest.mark.parametrize("mark", INVISIBLE)
def test_an_invisible_character_within_an_address_is_written_out(mark: str) -> None:
    """Given an address that looks right / Then the report says what no one sees."""
    result, rejected = parse(f"email,name\nan{mark}n@x.test,Ann\n".encode())
    code = f"U+{ord(mark):04X}"
    assert rejected == {1: (f"an[{code}]n@x.test", f"invalid_email:contains {code}")}
    assert result.reasons == {"invalid_email": 1}


def test_written_out() -> None:
    assert written_out("a\tb\r\nc\x00d\x85e\u2028f\ud800é漢") == "a b  c[U+0000]d[U+0085]e[U+2028]f[U+D800]é漢"
    assert first_invisible("a b\t\nc") is None


@pytest.mark.parametrize(
    "raw",
    [
        *["Ann <ann@x.test>", "<ann@x.test>", '"Doe, Ann" <ann@x.test>', "Doe, Ann <ann@x.test>", "  < ann@x.test > "],
        *["mailto:ann@x.test", "MAILTO:ann@X.TEST", "mailto:ann@x.test?subject=Hi", "<mailto:ann@x.test>"],
        *["ann@x.test;", "ann@x.test, ", " ,ann@x.test", "Ann <ann@x.test> ; ", "mailto:ann@x.test,"],
        *["'ann@x.test'", '"ann@x.test"', "' ann@x.test ';", "<'ann@x.test'>", "'<ann@x.test>'"],
        *["mailto:%61nn@x.test", "ann@x.test <ann@x.test>", "'Ann@x.test' <ann@x.test>"],
    ],
)
def test_forms_of_an_address(raw: str) -> None:
    assert address(raw) == "ann@x.test"


@pytest.mark.parametrize(
    "raw",
    ["Ann <ann@x.test", "ann@x.test>", "<<ann@x.test>>", "<>", "Ann <>", "mailto:", "ann@x.test <>", "mailto:%00@x.y"],
)
def test_what_is_no_form_of_an_address(raw: str) -> None:
    assert address(raw) is None
    assert rejection(raw).startswith("invalid_email")


@pytest.mark.parametrize(
    "raw",
    [
        *["a@x.test;b@x.test", "a@x.test, b@x.test", "a@x.test b@x.test", "a@x.test\nb@x.test", "a@x.test / b@x.test"],
        *["A <a@x.test>, B <b@x.test>", "other@x.test <a@x.test>", "mailto:a@x.test,b@x.test", "a@x.test;" * 200],
    ],
)
def test_several_addresses_in_one_cell(raw: str) -> None:
    assert address(raw) is None
    assert rejection(raw) == "invalid_email:several addresses in one cell"


def test_an_address_that_is_too_long() -> None:
    label = "a" * 60
    longest = f"a@{'.'.join([label] * 4)}.abcdefgh"
    assert len(longest) == 254
    assert address(longest) == longest
    assert address(f"{longest}i") is None
    assert rejection(f"{longest}i") == "too_long"
    assert rejection(f"Ann <{longest}i>") == "too_long"
    assert rejection("x" * 255) == "invalid_email"


@pytest.mark.parametrize(
    "cell", ["x" * 1_000_000, "@" * 1_000_000, "<" * 1_000_000, "a@" * 500_000, "\u200b" * 1_000_000]
)
def test_a_huge_cell_is_judged_soon(cell: str) -> None:
    assert address(cell) is None
    assert rejection(cell).startswith(("invalid_email", "too_long"))


def test_short_rows() -> None:
    """Given rows without their last cells, as Excel and Outlook write them / Then the missing cells are empty."""
    data = b"email,name,vip\na@x.test,Ann\nb@x.test\nc@x.test,Cy,yes\n"
    result, rejected = parse(data)
    assert (rejected, result.warnings) == ({}, [])
    assert rows_of(data, result) == [["a@x.test", "Ann", ""], ["b@x.test", "", ""], ["c@x.test", "Cy", "yes"]]


def test_a_row_that_ends_before_its_address() -> None:
    data = b"name,email\nTotal: 2\nAnn,a@x.test\n"
    result, rejected = parse(data)
    assert rejected == {1: ("", "invalid_email")}
    assert rows_of(data, result)[0] == ["Total: 2", ""]


def test_surplus_cells() -> None:
    """Given cells beyond the header / Then these are dropped, and counted where one of them is not blank."""
    data = "email,name\na@x.test,Ann,,seen\nb@x.test,Bob,,\u200b, \nc@x.test,Cy,1\n,,lost\n".encode()
    result, rejected = parse(data)
    assert rejected == {4: ("", "invalid_email")}
    assert rows_of(data, result)[:3] == [["a@x.test", "Ann"], ["b@x.test", "Bob"], ["c@x.test", "Cy"]]
    assert result.surplus_rows == 3
    (warning,) = result.warnings
    assert (warning.code, warning.count) == ("surplus_cells", 3)
    assert warning.message.startswith("3 rows have more cells than the header.")


@pytest.mark.parametrize("blank", [",,", ",", " ,\t,", '"",""', "\u200b,\u00a0,\ufeff", ",,,,,", " ", '"\n",', "\x1a"])
def test_blank_rows_are_blank_lines(blank: str) -> None:
    """Given rows in which nothing can be seen / Then they are neither counted nor rejected nor numbered."""
    data = f"email,name,c\n{blank}\na@x.test,Ann,1\n{blank}\n{blank}\nbad,Bob,2\n{blank}\n".encode()
    result, rejected = parse(data)
    assert (result.rows, result.total, rejected) == (2, 1, {2: ("bad", "invalid_email")})
    assert rows_of(data, result) == [["a@x.test", "Ann", "1"], ["bad", "Bob", "2"]]


def test_a_long_tail_of_blank_rows() -> None:
    data = b"email,name\n" + b"".join(b"u%d@x.test,U\n" % n for n in range(1500)) + b",\r\n" * 50_000
    result, rejected = parse(data, chunk=65_536)
    assert (result.rows, rejected) == (1500, {})
    assert len(result.index) == 3


def test_a_row_with_a_nul_is_not_blank() -> None:
    assert parse(b"email,name\n\0,\na@x.test,Ann\n")[1] == {1: ("[U+0000]", "malformed:NUL character")}


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a\x1a\x1a", "\r\n\x1a\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_ctrl_z_at_the_end_is_ignored(end: str, encoding: str) -> None:
    data = f"\ufeffemail,name\r\na@x.test,Ann{end}".encode(encoding)
    result, rejected = parse(data, chunk=5)
    assert rejected == {}
    assert rows_of(data, result) == [["a@x.test", "Ann"]]
    assert result.index.end == len(data)


def test_spaces_before_quotes() -> None:
    data = b'email, name, "city, state"\na@x.test, "Doe, Ann", Oslo\nb@x.test, "two\nlines",  "x"\n"c@x.test" , C,\n'
    result, rejected = parse(data)
    assert rejected == {}
    assert result.dialect.skip_initial_space
    assert result.dialect.columns == ("email", "name", "city_state")
    assert rows_of(data, result) == [
        ["a@x.test", "Doe, Ann", "Oslo"],
        ["b@x.test", "two\nlines", "x"],
        ["c@x.test ", "C", ""],
    ]


@pytest.mark.parametrize(
    "cell", [" Ann", '5" , 6', '"said ""hi"", twice"', ' Bob "B" B', '" ""a"" "', '"a, ",",b"', '"a, "",b"']
)
def test_leading_spaces_stay_where_no_quote_follows_them(cell: str) -> None:
    data = f"email,name,note\na@x.test,{cell},\n".encode()
    assert not parse(data)[0].dialect.skip_initial_space


def test_a_huge_line_is_searched_for_spaces_before_quotes_soon() -> None:
    for part in (' "x', ' "', '" ', ' ""', ', "'):
        parse(f"email,name\na@x.test,{part * 200_000}\n".encode())


def many_lines(count: int, line: str = "Dear Ann, thank you") -> str:
    return "".join(f"{line} {number}\n" for number in range(count))


@pytest.mark.parametrize("before", [0, 1, 700, 999, 1000])
@pytest.mark.parametrize("line", ["Dear Ann, thank you", "", "one, two, three, four"])
def test_a_field_of_very_many_lines_is_one_row(before: int, line: str) -> None:
    """Given a quoted field of more lines than a record may have / Then it is one row that is too long."""
    people = [f"u{number}@x.test,U,x\n" for number in range(before + 500)]
    long = f'long@x.test,"{many_lines(2500, line)}bob@x.test, he wrote\n{many_lines(40)}",x\n'
    data = "".join(["email,name,note\n", *people[:before], long, *people[before:]]).encode()
    result, rejected = parse(data, chunk=7000)
    assert rejected == {before + 1: ("long@x.test", "too_long")}
    assert result.total == before + 500
    rows = rows_of(data, result)
    assert rows[before] is None
    assert rows[before + 1] == [f"u{before}@x.test", "U", "x"]


def test_a_field_of_very_many_lines_that_look_like_rows() -> None:
    """Given lines that have as many fields as the header / Then no one can tell them from rows, and none is sent to."""
    data = f'email,name,note\nlong@x.test,"{many_lines(1500, "one, two, three")}",x\nu@x.test,U,x\n'.encode()
    result, rejected = parse(data)
    assert rejected[1] == ("long@x.test", "malformed:quote not closed")
    assert (result.rows, result.total) == (1502, 1)


@pytest.mark.parametrize("row", ["u{}@x.test,U", "u{}@x.test", ",U,x"])
def test_a_stray_quote_before_many_rows_costs_its_row_alone(row: str) -> None:
    """Given a quote that never closes, and 5,000 rows, also short ones or without an address / Then these stand."""
    rows = [row.format(number) for number in range(5000)]
    data = "\n".join(["email,name,note", 'bad@x.test,"Bad', *rows, "last@x.test,L,x", ""]).encode()
    result, rejected = parse(data)
    assert result.rows == 5002
    assert rejected[1] == ("bad@x.test", "malformed:quote not closed")
    assert rows_of(data, result)[-1] == ["last@x.test", "L", "x"]


def test_a_stray_quote_before_rows_of_which_few_have_an_address() -> None:
    """Given a quote that never closes, and rows of which every eighth has an address / Then all of them stand."""
    rows = [f"u{number}@x.test,U" if number % 8 == 0 else ",U" for number in range(4000)]
    result, rejected = parse("\n".join(["email,name", 'bad@x.test,"Bad', *rows, ""]).encode())
    assert (result.rows, result.total) == (4001, 500)
    assert rejected[1] == ("bad@x.test", "malformed:quote not closed")


def test_rows_after_a_text_that_never_ends() -> None:
    """Given an open quote, 1,200 lines of text, and then rows / Then the text is one row, and the rows stand."""
    rows = [f"u{number}@x.test,U,x\n" for number in range(3000)]
    data = "".join(["email,name,note\n", 'bad@x.test,"', many_lines(1200), *rows]).encode()
    result, rejected = parse(data)
    assert list(rejected.values())[:1] == [("bad@x.test", "too_long")]
    assert result.total >= 2900
    assert rows_of(data, result)[-1] == ["u2999@x.test", "U", "x"]


def test_ragged_text_with_lines_like_ragged_rows_is_one_malformed_row() -> None:
    """Given two quotes round lines that may be rows or text / Then nothing is guessed: no line of it is sent to."""
    data = b'email,name,vip\na@x.test,"Ann\nb@x.test,Bob\nc@x.test,Cy"\nd@x.test,Dan\n'
    result, rejected = parse(data)
    assert rejected == {1: ("a@x.test", "malformed:quoted text with lines like rows")}
    assert (result.rows, result.total) == (2, 1)


def test_short_row_with_a_quoted_newline() -> None:
    data = b'email,name,vip\na@x.test,"Ann\nof Oslo"\nb@x.test\n'
    result, rejected = parse(data)
    assert rejected == {}
    assert rows_of(data, result) == [["a@x.test", "Ann\nof Oslo", ""], ["b@x.test", "", ""]]


def test_a_long_row_in_a_slice_without_an_end() -> None:
    """Given a row that is longer than a record / Then its slice has that row alone, however long it is."""
    text = ("x" * 9_999 + "\n") * 300
    data = f'email,name\na@x.test,A\nb@x.test,"{text}"\nc@x.test,C\n'.encode()
    result, _ = parse(data)
    slices = [result.index[place] for place in range(len(result.index))]
    assert [(part.first_row, part.rows) for part in slices] == [(1, 1), (2, 1), (3, 1)]
    assert slices[1].end - slices[1].offset > csv_lines.RECORD.size
