"""Lists and contents that went wrong elsewhere, one table: each goes through dry run, PUT, parsing, checks, preview
and delivery, as a user would do it. The files are in `tests/data/cases`; a `.json` is the body of a PUT.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from campaigns.models import Status
from mail.message import Message
from tests.support.app_harness import AppHarness
from tests.support.delivered import delivered
from tests.support.list_agreement import check_agreement, exported, status_of

ROOT: Final = Path(__file__).resolve().parents[2]
CASES: Final = ROOT / "tests" / "data" / "cases"


@dataclass(frozen=True)
class Case:
    """A list and a content, and what must become of them.

    Attributes:
        content: the body of the PUT, or a file with it; a text is the template of the text part.
        rows: the list, or its file.
        refused: words of the 422 that PUT answers.
        unusable: words of the 422 of the dry run, and of the reason after parsing.
        sent: by row, the address and the text of its email; or a text: a part of the reason why the row fails.
        rejected: by row, the reason.
        list_codes, content_codes: the codes of the warnings of the list, and of the content beside them.
        accept: the codes that the start wants to be accepted.
        facts: fields of the status.
        headers: headers of the first email.
    """

    content: str | dict[str, Any] = "{{ name }}"
    rows: str | bytes = "price.csv"
    refused: str = ""
    unusable: str = ""
    sent: dict[int, tuple[str, str] | str] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)
    list_codes: Sequence[str] = ()
    content_codes: Sequence[str] = ()
    accept: Sequence[str] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def ann(text: str = "Ann", address: str = "a@x.test") -> dict[int, tuple[str, str] | str]:
    return {1: (address, text)}


def utf_32(name: str) -> bytes:
    return codecs.BOM_UTF32_LE + f"email,name\na@x.test,{name}\n".encode("utf-32-le")


LONG: Final = b'email,note,name\na@x.test,"' + b"a line\n" * 1500 + b'",Ann\nb@x.test,,Bob\n'

TABLE: Final = {
    # Rows and cells
    "short-rows": Case(
        "{{ name }}/{{ vip }}",
        "short-rows.csv",
        sent={1: ("a@x.test", "Ann/"), 2: ("b@x.test", "Bob/"), 3: ("c@x.test", "Cy/yes")},
        content_codes=["empty_column"],
    ),
    "surplus-cells": Case(
        "{{ name }}/{{ vip|default('no') }}",
        "surplus-cells.csv",
        sent={1: ("a@x.test", "Ann/no"), 2: ("b@x.test", "Bob/no")},
        list_codes=["surplus_cells"],
    ),
    "surplus-cells-that-are-empty": Case(rows=b"email,name\na@x.test,Ann,,, \n", sent=ann()),
    "blank-tail": Case(rows="blank-tail.csv", sent=ann(), facts={"total": 1, "rejected": 0}),
    "ctrl-z-at-the-end": Case(rows=b"email,name\na@x.test,Ann\n\x1a", sent=ann(), facts={"rejected": 0}),
    "a-field-of-1500-lines": Case(
        rows=LONG, sent={2: ("b@x.test", "Bob")}, rejected={1: "too_long"}, facts={"total": 1, "rejected": 1}
    ),
    "spaces-before-quotes": Case(rows="spaces-before-quotes.csv", sent=ann("Doe, Ann")),
    # Encodings
    "cp1251": Case(
        rows="cp1251.csv", sent=ann("Иван"), facts={"encoding": "cp1251", "samples": ["Иван"]},
        list_codes=["encoding_guessed"], accept=["encoding_guessed"],
    ),
    "shift-jis": Case(rows="shift-jis.csv", sent=ann("田中"), facts={"encoding": "cp932", "samples": ["田中"]}),
    "mac-roman": Case(
        rows="mac-roman.csv", sent=ann("Zoé"), facts={"encoding": "mac-roman", "samples": ["Zoé"]},
        list_codes=["encoding_guessed"], accept=["encoding_guessed"],
    ),
    "utf-32": Case(rows=utf_32("Zoë"), sent=ann("Zoë"), facts={"encoding": "utf-32-le", "samples": ["Zoë"]}),
    "utf-32-without-a-mark": Case(
        rows="email,name\na@x.test,Zoë\n".encode("utf-32-be"), sent=ann("Zoë"), facts={"encoding": "utf-32-be"}
    ),
    # Headers and addresses
    "mailchimp-header": Case(
        "{{ first_name }}", "mailchimp-header.csv", sent=ann(), facts={"email_column": "Email Address"}
    ),
    "google-header": Case(rows="google-header.csv", sent=ann(), facts={"email_column": "E-mail 1 - Value"}),
    "german-header": Case("{{ vorname }}", "german-header.csv", sent=ann(), facts={"email_column": "E-Mail"}),
    "zero-width-header": Case(rows="zero-width-header.csv", sent=ann(), facts={"email_column": "email", "samples": []}),
    "nfd-header": Case("{{ prénom }}", "nfd-header.csv", sent=ann()),
    "two-boms": Case(rows="two-boms.csv", sent=ann(), facts={"email_column": "email"}),
    "zero-width-address": Case(
        "x", "zero-width-address.csv", sent={row: (f"{name}@x.test", "x") for row, name in enumerate("abcd", 1)}
    ),
    "twice-email": Case(rows="twice-email.csv", unusable='Columns 1 and 2 are both called "email"'),
    "quoted-sep-line": Case(rows="quoted-sep-line.csv", sent=ann(), facts={"delimiter": ";"}),
    "title-line": Case(rows="title-line.csv", unusable="line 2 is. Delete the lines above the header."),
    "an-empty-column-beside-a-full-one": Case(
        rows=b"Email,email_addr,name\n,a@x.test,Ann\n,b@x.test,Bob\n",
        unusable='The column "Email" is empty in all rows, but "email_addr" has addresses. Give "email_addr" as',
    ),
    "one-address-and-a-separator": Case(
        rows=b'email;name\n"a@x.test;";Ann\n"b@x.test, ";Bob\n"c@x.test; d@x.test";Cy\n',
        sent={1: ("a@x.test", "Ann"), 2: ("b@x.test", "Bob")},
        rejected={3: "invalid_email:several addresses in one cell"},
    ),
    # Templates
    "method-no-parens": Case("method-no-parens.json", refused="write {{ name|title }} or {{ name.title() }}"),
    "float-comma": Case(
        "float-comma.json", sent={1: "price: '12,50' is not a number; use |number(decimal=\",\")"},
        content_codes=["row_fails"], accept=["row_fails"],
    ),
    "float-comma-mended": Case("Pay {{ price|number(decimal=',') }}", sent=ann("Pay 12.5")),
    "times-text": Case(
        "times-text.json", sent={1: "qty: '12' is text, and the template takes it for a number: write |int"},
        content_codes=["text_arithmetic"], accept=["text_arithmetic"],
    ),
    "times-text-mended": Case("{{ qty|int * 2 }}{% if qty|int == 12 %} dozen{% endif %}", sent=ann("24 dozen")),
    "headers-are-templates": Case(
        "headers-are-no-templates.json", sent=ann("t"), headers={"List-Unsubscribe": "<https://shop.test/u?e=a@x.test>"}
    ),
    "from-is-no-template": Case("from-is-no-template.json", refused="from: it is no template"),
    "css-comment": Case("css-comment.json", refused="write { # with a blank between the two"),
    "encoded-braces": Case("encoded-braces.json", refused="write {{ and }} in the link"),
    "foreign-tags": Case(
        "foreign-tags.json", sent=ann("Hi *|FNAME|* %%name%% [[name]]"),
        content_codes=["foreign_tag"] * 3, accept=["foreign_tag"],
    ),
    "default-empty": Case("default-empty.json", b"email,name\na@x.test,\n", sent=ann("Hi friend,")),
    "a-text-of-blanks": Case(
        {"text": " \n\t "}, sent=ann(" \n\t "), content_codes=["blank_part"], accept=["blank_part"]
    ),
    "a-subject-of-5000-characters": Case(
        {"subject": "{{ name }}", "text": "x"}, b"email,name\na@x.test," + b"x" * 5000 + b"\nb@x.test,Bob\n",
        sent={1: "subject: 5,000 characters are more than 998: use |truncate(78)", 2: ("b@x.test", "x")},
        content_codes=["row_fails"],
    ),
    "an-address-as-its-own-name": Case({"from": "a@b.test <a@b.test>", "text": "x"}, sent=ann("x")),
}  # fmt: skip


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def body(content: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(content, str) and content.endswith(".json"):
        found: dict[str, Any] = json.loads((CASES / content).read_bytes())
        return found
    changes = {"text": content} if isinstance(content, str) else content
    return {"from": "News <news@shop.test>", "subject": "s"} | changes


def shown(sent: Message | str) -> tuple[str, str | None] | str:
    return sent if isinstance(sent, str) else (sent.to, sent.text)


@pytest.mark.parametrize("name", TABLE)
def test_an_input_that_went_wrong(app: AppHarness, name: str) -> None:
    case = TABLE[name]
    put = app.web.put("/campaigns/c1", body(case.content))
    if case.refused:
        assert (put.status, case.refused in put.detail) == (422, True), put.detail
        return
    assert put.status == 201, put.detail
    data = case.rows if isinstance(case.rows, bytes) else (CASES / case.rows).read_bytes()
    if case.unusable:
        check_unusable(app, data, case.unusable)
    else:
        check_usable(app, data, case)


def check_unusable(app: AppHarness, data: bytes, words: str) -> None:
    """Dry run and parser refuse the list with the same words."""
    dry = app.upload(data, query="?dry_run=true")
    assert (dry.status, words in dry.detail) == (422, True), dry.detail
    app.upload(data)
    assert app.parse().status is Status.REJECTED
    assert status_of(app)["reason"] == dry.detail


def check_usable(app: AppHarness, data: bytes, case: Case) -> None:
    """All tell the same of the list and its rows, the checks find what they should, and what is sent is right."""
    status = check_agreement(app, data, start=False)
    assert [warning["code"] for warning in status["warnings"]] == list(case.list_codes)
    assert {name: status[name] for name in case.facts} == case.facts
    rejected = {int(one["row"]): one["reason"] for one in exported(app, "rejected")}
    assert rejected == case.rejected
    found = app.web.get("/campaigns/c1").json()
    assert app.web.put("/campaigns/c1", body(case.content)).json()["warnings"] == found["warnings"]
    assert [one["code"] for one in found["warnings"] if one["code"] != "no_unsubscribe"] == list(case.content_codes)
    start = app.web.post("/campaigns/c1/start")
    assert (start.status, start.json().get("unaccepted", [])) == ((409, [*case.accept]) if case.accept else (200, []))
    previews = {row: app.web.post("/campaigns/c1/preview", {"row": row}) for row in case.sent}
    sent = delivered(app)
    assert sent.keys() == case.sent.keys()
    for row, expected in case.sent.items():
        email = sent[row]
        if isinstance(expected, str):
            assert isinstance(email, str)
            assert expected in email
            assert previews[row].detail == f"Row {row} cannot be rendered: {email}."
        else:
            assert shown(email) == expected
            assert (previews[row].json()["to"], previews[row].json()["text"]) == expected
    if case.headers:
        first = sent[1]
        assert isinstance(first, Message)
        assert {name: first.headers[name] for name in case.headers} == case.headers


def test_every_file_is_in_the_table() -> None:
    used = {part for case in TABLE.values() for part in (case.content, case.rows) if isinstance(part, str)}
    assert {path.name for path in CASES.iterdir()} - used == set()


def test_the_documents_have_every_case() -> None:
    """Given the tables of the two pages, then they name the cases of this table, all of them and no others."""
    named: set[str] = set()
    for page in ("lists.md", "templates.md"):
        text = (ROOT / "docs" / page).read_text()
        section = text.split("## Inputs that went wrong elsewhere")[1].split("\n## ")[0]
        rows = [row.rstrip(" |").rpartition("|")[2] for row in section.splitlines() if row.startswith("|")]
        named |= {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert named == TABLE.keys()
