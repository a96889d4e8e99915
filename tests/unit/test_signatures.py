"""The header of a script: its names become Lua locals, and a call that does not match it is refused."""

from __future__ import annotations

import re
from typing import Any

import fakeredis
import pytest

from campaigns.db.signatures import MAX_ITEMS, Signature, WrongCall, WrongHeader

HEADER = """-- example: takes one of each.
--
-- KEYS  first  second
--       others...
-- ARGV  name  count:int  wait_ms:int?  limits:json?  is_new:flag
--       rows...  pairs_of(domain entry)...  events(row wait_ms:int?)...
-- ->    nothing
--
-- name: a description with words (and brackets): none of them a declaration
"""
ARGS: dict[str, Any] = {
    "name": "x",
    "count": 7,
    "wait_ms": None,
    "limits": {"a.test": 5},
    "is_new": True,
    "rows": [1, 2],
    "pairs_of": [("a.test", b"0|[1]"), ("b.test", b"0|[2]")],
    "events": [(3, None), (4, 250)],
}
KEYS = {"first": "k1", "second": "k2", "others": ["k3", "k4"]}
READ = """
local found = { first, second, table.concat(others, ','), name, count + 1, tostring(wait_ms),
  limits and limits['a.test'] or 'none', tostring(is_new), table.concat(rows, ',') }
for domain, entry in pairs_of() do found[#found + 1] = domain .. '=' .. entry end
for row, wait_ms in events() do found[#found + 1] = row .. '=' .. tostring(wait_ms) end
return found
"""


def run(header: str, body: str, keys: dict[str, Any], args: dict[str, Any]) -> Any:
    signature = Signature.parse(header)
    all_keys, all_args = signature.encode(keys, args)
    return fakeredis.FakeRedis().eval(signature.locals() + header + body, len(all_keys), *all_keys, *all_args)


def refused(message: str, header: str = HEADER, keys: dict[str, Any] = KEYS, **changes: Any) -> None:
    with pytest.raises(WrongCall, match=re.escape(message)):
        Signature.parse(header).encode(keys, {**ARGS, **changes})


def test_a_script_reads_every_value_by_the_name_under_which_the_call_passed_it() -> None:
    assert run(HEADER, READ, KEYS, dict(reversed(ARGS.items()))) == [
        *(b"k1", b"k2", b"k3,k4", b"x", 8, b"nil", 5, b"true", b"1,2"),
        *(b"a.test=0|[1]", b"b.test=0|[2]", b"3=nil", b"4=250"),
    ]


def test_empty_lists_and_missing_values_read_nothing() -> None:
    empty: dict[str, Any] = {"others": [], "rows": [], "pairs_of": [], "events": []}
    keys = {name: empty.get(name, key) for name, key in KEYS.items()}
    args = {name: empty.get(name, value) for name, value in ARGS.items()} | {"limits": None, "is_new": False}
    assert run(HEADER, READ, keys, args) == [b"k1", b"k2", b"", b"x", 8, b"nil", b"none", b"false", b""]


def test_an_optional_text_is_nil_if_it_is_none() -> None:
    body = "return { tostring(reason), last }"
    assert run("-- KEYS  key\n-- ARGV  reason?  last\n", body, {"key": "k"}, {"reason": None, "last": "x"}) == [
        b"nil",
        b"x",
    ]


def test_keys_and_arguments_are_sent_in_the_order_of_the_header() -> None:
    assert Signature.parse(HEADER).encode(KEYS, ARGS) == (
        ["k1", "k2", "k3", "k4"],
        ["x", 7, b"", b'{"a.test":5}', 1, 2, 1, 2, 2, "a.test", b"0|[1]", "b.test", b"0|[2]", 3, b"", 4, 250],
    )


def test_the_locals_of_a_header_are_always_the_same_text() -> None:
    assert Signature.parse("-- KEYS  key\n-- ARGV  id  wait_ms:int\n").locals() == (
        "local key = KEYS[1]\nlocal id, wait_ms = ARGV[1], tonumber(ARGV[2])\n"
    )
    assert Signature.parse(HEADER).locals() == Signature.parse(HEADER).locals()


def test_a_call_with_a_missing_or_an_extra_name_is_refused() -> None:
    with pytest.raises(WrongCall, match="argument missing: name; argument missing: rows; unknown argument: row"):
        Signature.parse(HEADER).encode(
            KEYS, {name: value for name, value in ARGS.items() if name not in {"name", "rows"}} | {"row": 1}
        )
    refused("key missing: others; unknown key: other", keys={"first": "k1", "second": "k2", "other": "k3"})


def test_a_value_of_the_wrong_type_is_refused() -> None:
    refused("count must be of type int, not '7'", count="7")
    refused("count must be of type int, not None", count=None)
    refused("count must be of type int, not True", count=True)
    refused("wait_ms must be of type int, not ''", wait_ms="")
    refused("is_new must be of type flag, not 1", is_new=1)
    refused("name must be of type text, not None", name=None)
    refused("name must be of type text, not ['x']", name=["x"])
    refused("second must be of type text, not ['k2']", keys={**KEYS, "second": ["k2"]})
    refused("rows must be a list, not '12'", rows="12")
    refused("others must be a list, not 'k3'", keys={**KEYS, "others": "k3"})
    refused("rows must be of type text, not None", rows=[1, None])
    refused("wait_ms must be of type int, not 'soon'", events=[(1, "soon")])


def test_a_tuple_of_the_wrong_length_is_refused() -> None:
    refused("an item of events has 3 values; it must have 2: row, wait_ms", events=[(1, None), (2, None, 5)])


def test_a_list_longer_than_lua_unpacks_is_refused_unless_it_holds_tuples() -> None:
    refused(f"rows has {MAX_ITEMS + 1} items; it may have {MAX_ITEMS}", rows=range(MAX_ITEMS + 1))
    answer = run(HEADER, READ, KEYS, {**ARGS, "rows": range(MAX_ITEMS), "events": [(1, None)] * 2 * MAX_ITEMS})
    assert answer[8].endswith(b",%d" % (MAX_ITEMS - 1))
    assert answer.count(b"1=nil") == 2 * MAX_ITEMS


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("-- KEYS  1 campaign", "cannot read '1'"),
        ("-- KEYS  campaign   ARGV  id", "cannot read 'ARGV'"),
        ("-- KEYS  campaign:int", "a key has no type"),
        ("-- KEYS  all...  campaign", "only the last one may be a list"),
        ("-- KEYS  key\n-- ARGV  rows...  id", "lists stand last"),
        ("-- KEYS  key\n-- ARGV  rows:int...", "rows is a list and cannot have a type"),
        ("-- KEYS  key\n-- ARGV  wait:float", "cannot read 'wait:float'"),
        ("-- KEYS  key\n-- ARGV  events(row kind)", "cannot read 'events(row kind)'"),
        ("-- KEYS  key\n-- ARGV  events(row? kind)...", "row comes first in events and cannot be optional"),
        ("-- KEYS  id\n-- ARGV  id", "a name is declared twice: id id"),
        ("-- KEYS  one\n-- KEYS  two", "KEYS is declared twice"),
    ],
)
def test_an_unreadable_header_is_refused(header: str, problem: str) -> None:
    with pytest.raises(WrongHeader, match=re.escape(problem)):
        Signature.parse(header)
