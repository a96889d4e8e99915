"""Lists that went wrong once, byte by byte, and the table of `docs/lists.md`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lists.errors import UnusableList
from lists.scan import scan
from tests.support.lists import parse

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("data", "sample"),
    [
        pytest.param(b"email,name,c\na@x.test,Ann,1\n,,\n,,\n,,\n", [("a@x.test", "Ann", "1")], id="blank-tail"),
        pytest.param(b"Vorname;Nachname;E-Mail\nAnn;B;a@x.test\n", [("Ann", "B", "a@x.test")], id="german-header"),
        pytest.param(
            b"Name,E-mail 1 - Label,E-mail 1 - Value\nAnn,* ,a@x.test\n",
            [("Ann", "* ", "a@x.test")],
            id="google-header",
        ),
        pytest.param(b"Email Address,First Name\na@x.test,Ann\n", [("a@x.test", "Ann")], id="mailchimp-header"),
        pytest.param("email,Pre\u0301nom\na@x.test,Ann\n".encode(), [("a@x.test", "Ann")], id="nfd-header"),
        pytest.param(b'"sep=;"\nemail;name\na@x.test;Ann\n', [("a@x.test", "Ann")], id="quoted-sep-line"),
        pytest.param(
            b"email,name,vip\na@x.test,Ann\nb@x.test,Bob\nc@x.test,Cy,yes\n",
            [("a@x.test", "Ann", ""), ("b@x.test", "Bob", ""), ("c@x.test", "Cy", "yes")],
            id="short-rows",
        ),
        pytest.param(b'email, name\na@x.test, "Doe, Ann"\n', [("a@x.test", "Doe, Ann")], id="spaces-before-quotes"),
        pytest.param(
            b"email,name,vip\na@x.test,Ann,,,,seen\nb@x.test,Bob,\n",
            [("a@x.test", "Ann", ""), ("b@x.test", "Bob", "")],
            id="surplus-cells",
        ),
        pytest.param(b"\xef\xbb\xbf" * 2 + b"email,name\na@x.test,Ann\n", [("a@x.test", "Ann")], id="two-boms"),
        pytest.param(
            "email\n\u200ba@x.test\nb@x.test\u200b\n\ufeffc@x.test\n\u200ed@x.test\n".encode(),
            [("a@x.test",), ("b@x.test",), ("c@x.test",), ("d@x.test",)],
            id="zero-width-address",
        ),
        pytest.param("email\u200b,na\u200bme\na@x.test,Ann\n".encode(), [("a@x.test", "Ann")], id="zero-width-header"),
    ],
)
def test_a_list_that_went_wrong_is_understood(data: bytes, sample: list[tuple[str, ...]]) -> None:
    result, rejected = parse(data, "")
    assert rejected == {}
    assert (result.total, [tuple(row.values()) for row in result.sample]) == (len(sample), sample)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(
            b"Club list 2026,\nemail,name\na@x.test,Ann\n", "Delete the lines above the header", id="title-line"
        ),
        pytest.param(b"email,email\na@x.test,b@x.test\n", 'Columns 1 and 2 are both called "email"', id="twice-email"),
    ],
)
def test_a_list_that_went_wrong_is_refused_with_what_to_do(data: bytes, words: str) -> None:
    with pytest.raises(UnusableList) as caught:
        scan([data])
    assert words in caught.value.detail


def test_names_of_columns_for_templates() -> None:
    """Given headers with a decomposed letter or an invisible one / Then templates find them by their plain names."""
    assert parse("email,Pre\u0301nom\na@x.test,Ann\n".encode())[0].dialect.columns == ("email", "prénom")
    assert parse("email\u200b,na\u200bme\na@x.test,Ann\n".encode())[0].dialect.columns == ("email", "name")


def test_the_documentation_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "lists.md").read_text()
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    rows = [row for table in tables if "| test |" in table for row in table.splitlines()]
    sources = "".join(path.read_text() for path in sorted(ROOT.glob("tests/*/test_*.py")))
    named = [name for row in rows for name in re.findall(r"`(test_\w+)`", row)]
    assert len(named) > 40
    assert [name for name in named if f"def {name}(" not in sources] == []
    assert [row for row in rows if "`test_" not in row and "---" not in row and "| test |" not in row] == []
