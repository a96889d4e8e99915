"""The column of addresses: how people call it, what two of them mean, and what stands above a header."""

# ruff: noqa: RUF001 - letters of many scripts are what this is about

from __future__ import annotations

import unicodedata

import pytest

from lists.email_column import candidates, folded
from lists.errors import UnusableList
from lists.header import CsvDialect, column_names
from lists.scan import scan
from tests.support.lists import parse, rows_of


def dialect_of(data: bytes, email_column: str = "") -> CsvDialect:
    """How a file is read of which every row is accepted."""
    result, rejected = parse(data, email_column)
    assert rejected == {}
    return result.dialect


def reason_of(data: bytes, email_column: str = "") -> str:
    with pytest.raises(UnusableList) as caught:
        scan([data], email_column=email_column).report.close()
    return caught.value.detail


@pytest.mark.parametrize(
    "name",
    [
        *["Email", "EMAIL", "E-mail", "e_mail", " E - Mail ", "Email Address", "E-mail Address", "EMAIL_ADDRESS"],
        *["Primary Email", "E-mail 1 - Value", "Email ID", "Mail", "Billing Email", "work_email", "Email (Work)"],
        *[
            "ｅｍａｉｌ",
            "e\u2011mail",
            "E-MAİL",
            "email\u200b",
            "\u200eemail\u202c",
            "em\u00adail",
            "\ufeff\ufeffemail",
        ],
        *["\u00a0Email\u00a0", "email\u2060", "Email:", "Email *"],
    ],
)
def test_names_for_the_column_of_addresses(name: str) -> None:
    dialect = dialect_of(f"name,{name}\nAnn,a@x.test\n".encode())
    assert dialect.email_index == 1


@pytest.mark.parametrize(
    "name",
    [
        *["E-Mail-Adresse", "Mailadresse", "E-mailadres", "E-postadress", "E-postadresse", "E-mailadresse"],
        *["Sähköposti", "Netfang", "Adresse e-mail", "Adresse électronique", "Courriel", "Correo electrónico"],
        *["correo electronico", "Dirección de correo electrónico", "Endereço de e-mail", "Indirizzo e-mail"],
        *["Adresă de e-mail", "E-mailová adresa", "E-mail cím", "E-pošta", "El. paštas", "E-pasts", "E-posta adresi"],
        *["Poczta elektroniczna", "Adres poczty elektronicznej"],  # codespell:ignore
        *["Электронная почта", "Адрес электронной почты", "Електронна пошта", "Имейл", "Ηλεκτρονικό ταχυδρομείο"],
        *[
            "E-posta adresi",
            "כתובת אימייל",
            'דוא"ל',
            "البريد الإلكتروني",
            "ایمیل",
            "ईमेल",
            "Alamat email",
            "Địa chỉ email",
        ],
        *["อีเมล", "メールアドレス", "邮箱", "電子郵件地址", "이메일 주소"],
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_other_languages(name: str, form: str) -> None:
    header = ["Name", unicodedata.normalize(form, name).upper()]  # type: ignore[arg-type]
    assert candidates(header, "") == [1]


@pytest.mark.parametrize(
    "name",
    ["Email Opt Out", "Accepts Email Marketing", "E-mail Type", "E-mail 1 - Label", "Emails sent", "Address", ""],
)
def test_names_of_other_columns(name: str) -> None:
    assert candidates([name], "") == []


@pytest.mark.parametrize(
    ("header", "position"),
    [
        (["Work Email", "Email"], 1),
        (["Primary Email", "E-mail Address"], 1),
        (["Work Email", "Primary Email"], 1),
        (["E-mail 2 - Value", "E-mail 1 - Value", "E-mail 3 - Value"], 1),
        (["E-mail 2 Address", "E-mail Address", "E-mail 3 Address"], 1),
        (["Email", "email_addr"], 0),
    ],
)
def test_the_plainest_name_is_meant(header: list[str], position: int) -> None:
    assert candidates(header, "") == [position]


@pytest.mark.parametrize(
    ("first", "second"), [("Email", "Email Address"), ("E-mail", "Correo"), ("Work Email", "Home Email")]
)
def test_two_columns_that_could_be_it_are_refused(first: str, second: str) -> None:
    """Given two names that are equally plain / Then both are named, and either can be chosen."""
    data = f"{first},name,{second}\na@x.test,Ann,b@x.test\n".encode()
    detail = reason_of(data)
    assert f'"{first}" (column 1)' in detail
    assert f'"{second}" (column 3)' in detail
    assert "email_column" in detail
    assert dialect_of(data, first).email_index == 0
    assert dialect_of(data, second).email_index == 2


@pytest.mark.parametrize("email_column", ["", "email", "E-mail"])
def test_duplicate_header(email_column: str) -> None:
    detail = reason_of(b"email,name,email\na@x.test,Ann,b@x.test\n", email_column)
    assert detail.startswith('Columns 1 and 3 are both called "email". Rename one of them')
    assert "email_column" in detail


@pytest.mark.parametrize("given", ["Kontakt", "KONTAKT", " kon-takt ", "kon_takt", "Kon\u200btakt", "ｋｏｎｔａｋｔ"])
def test_a_given_column_is_folded_like_a_header(given: str) -> None:
    assert dialect_of(b"email,Kon takt\nx,a@x.test\n", given).email_index == 1


def test_a_given_column_counts_exactly_before_it_counts_folded() -> None:
    assert dialect_of(b"E-mail,email\nx,a@x.test\n", "email").email_index == 1
    assert dialect_of(b"e_mail,E-mail\na@x.test,x\n", "e_mail").email_index == 0
    assert '"E-mail" (column 1)' in reason_of(b"E-mail,e_mail\na@x.test,x\n", "EMAIL")


def test_a_given_column_that_is_not_there() -> None:
    assert reason_of(b"Email,name\na@x.test,x\n", "Kontakt").startswith('There is no column "Kontakt"; the columns are')


def test_column_names_without_invisible_characters_in_normal_form_c() -> None:
    assert column_names(["\ufeffna\u200bme", "Pre\u0301nom", "fi\u00adrst\u00a0name"]) == (
        "name",
        "prénom",
        "first_name",
    )


def test_two_byte_order_marks_before_a_quote() -> None:
    data = b"\xef\xbb\xbf" * 2 + b'"name, first","email"\nAnn,a@x.test\n'
    dialect = dialect_of(data)
    assert dialect.columns == ("name_first", "email")
    assert dialect.start == data.index(b"Ann")


@pytest.mark.parametrize(
    ("declaration", "delimiter"),
    [
        ("sep=;", ";"),
        ('"sep=;"', ";"),
        ("SEP=;", ";"),
        ('"sep=;";;', ";"),
        ("\ufeffsep=;", ";"),
        ("sep=\t", "\t"),
        ("sep=^", "^"),
    ],
)
def test_the_declared_delimiter_is_used(declaration: str, delimiter: str) -> None:
    """Given a declaration, and a header in which a comma makes more cells / Then the declared delimiter counts."""
    header = f"email{delimiter}name, first, last, title"
    data = f"{declaration}\r\n{header}\r\na@x.test{delimiter}Ann, B\r\n".encode()
    result, _ = parse(data, "")
    assert result.dialect.delimiter == delimiter
    assert rows_of(data, result) == [["a@x.test", "Ann, B"]]


@pytest.mark.parametrize("declaration", ["sep=x", 'sep="', "sep="])
def test_a_declaration_of_no_delimiter_is_passed_over(declaration: str) -> None:
    assert dialect_of(f"{declaration}\nemail;name\na@x.test;Ann\n".encode()).delimiter == ";"


def test_blank_rows_before_the_header() -> None:
    data = '\n,,\n" ",\u200b\nemail,name\na@x.test,Ann\n'.encode()
    assert dialect_of(data).start == data.index(b"a@x")


@pytest.mark.parametrize(
    ("above", "line", "cells"),
    [
        ("Club list 2026,\n", 2, "1 cell"),
        ("\nMembers;of\n\nthe club\n", 5, "2 cells"),
        ("list of b@x.test\n", 2, "1 cell"),
    ],
)
def test_title_above_the_header(above: str, line: int, cells: str) -> None:
    detail = reason_of(f"{above}Name;E-Mail\nAnn;a@x.test\n".encode())
    assert f"has {cells} and is not the header; line {line} is. Delete the lines above the header." in detail
    assert "@" not in detail


def test_title_above_a_header_without_a_column_of_addresses() -> None:
    detail = reason_of(b"Club list\nfirst name,phone\n")
    assert "The first line has 1 cell, the next one has 2" in detail
    assert "delete the lines above the header" in detail


def test_a_row_with_the_word_email_is_no_header() -> None:
    detail = reason_of(b"name,contact,by\nAnn,a@x.test,email\n")
    assert detail.startswith('There is no column "email"; the columns are "name", "contact", "by".')


@pytest.mark.parametrize(("cell", "state"), [("", "is empty in all rows"), ("yes", "has no valid address")])
def test_addresses_in_another_column(cell: str, state: str) -> None:
    """Given a column of addresses without one, beside another that has them / Then that one is offered."""
    data = f"Email,email_addr,name\n{cell},a@x.test,Ann\n{cell},b@x.test,Bob\n{cell},,Cy\n".encode()
    assert reason_of(data) == (
        f'The column "Email" {state}, but "email_addr" has addresses. Give "email_addr" as email_column.'
    )
    assert parse(data, "email_addr")[0].total == 2


def test_no_other_column_has_addresses() -> None:
    result, rejected = parse(b"Email,name\nyes,Ann\nno,b@x\n,c@x.test\n", "")
    assert (result.total, len(rejected)) == (0, 3)


def test_folding() -> None:
    assert folded(" E\u200b-Mail_\u00a0Address\ufeff ") == "emailaddress"
    assert folded("ＳＴＲＡẞＥ") == "strasse"
    assert folded("E-MAİL") == folded("E‑mail") == "email"


@pytest.mark.parametrize("first", ["email", ""])
def test_a_header_of_very_many_columns_is_refused_soon(first: str) -> None:
    assert "columns" in reason_of(first.encode() + b"," * 900_000 + b"x\n")
