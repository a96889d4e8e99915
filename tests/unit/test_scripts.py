"""The loader of the Lua scripts, and the rules that every script keeps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from redis import RedisError

from campaigns import keys
from campaigns.db import scripts
from campaigns.db.scripts import Scripts, signature, source, with_includes
from campaigns.db.signatures import WrongCall, WrongHeader

FOLDER = Path(keys.__file__).parent / "lua"
FILES = sorted(FOLDER.rglob("*.lua"))
NAMES = [path.stem for path in FILES if path.parent == FOLDER]
#: The most lines of a script or include, and the most characters per line.
MAX_LINES = 150
MAX_COLUMNS = 120

ADD = "-- KEYS  counter\n-- ARGV  amount:int\nreturn redis.call('INCRBY', counter, amount)"


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Redis for a script that adds to a counter."""
    monkeypatch.setattr(scripts, "text_of", lambda _name: ADD)
    return fakeredis.FakeRedis()


def without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


def declared(name: str) -> list[str]:
    """The names that a script's header declares."""
    found = signature(name)
    return [parameter.name for parameter in (*found.keys, *found.args)]


def body(name: str) -> str:
    """A script with its includes, as Redis gets it, without the locals made from its header."""
    return without_comments(source(name).removeprefix(signature(name).locals()))


def adding(counter: str, amount: int) -> scripts.Call:
    return {"counter": counter}, {"amount": amount}


def test_a_script_gets_keys_and_arguments_by_name(redis: Any) -> None:
    assert Scripts(redis)("add", {"counter": "a"}, amount=3) == 3


def test_each_call_has_its_own_reply_and_an_error_stops_no_other_call(redis: Any) -> None:
    redis.set("word", "x")
    first, refused, last = Scripts(redis).each("add", [adding("a", 1), adding("word", 1), adding("a", 2)])
    assert (first, last) == (1, 3)
    assert isinstance(refused, RedisError)


def test_a_server_that_has_forgotten_the_script_gets_it_again_and_nothing_runs_twice(redis: Any) -> None:
    run = Scripts(redis)
    run.each("add", [adding("a", 1)])
    redis.script_flush()
    assert run.each("add", [adding("a", 1), adding("b", 5)]) == [2, 5]


def test_a_wrong_call_is_refused_before_redis_is_asked(redis: Any) -> None:
    run = Scripts(redis)
    with pytest.raises(WrongCall, match="add: argument missing: amount; unknown argument: amuont"):
        run("add", {"counter": "a"}, amuont=3)
    with pytest.raises(WrongCall, match="add: key missing: counter"):
        run.read("add", {}, amount=3)
    with pytest.raises(WrongCall, match="add: amount must be of type int, not 'x'"):
        run.each("add", [adding("a", 1), adding("a", "x")])  # type: ignore[arg-type]
    assert not redis.exists("a")


def test_an_unreadable_header_names_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "text_of", lambda _name: "-- KEYS  1 counter")
    with pytest.raises(WrongHeader, match=re.escape("wrong.lua: cannot read '1'")):
        signature("wrong")


def test_an_include_is_inserted_once_where_it_is_named_first() -> None:
    text = with_includes("--include claims\n--include finish\nreturn 1\n")
    assert text.index("function complete_if_done") < text.index("function expire_claims")
    assert text.count("function complete_if_done") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_script_declares_its_keys_and_what_it_returns(name: str) -> None:
    text = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    assert text.startswith(f"-- {name}: ")
    assert signature(name).keys
    assert "\n-- ->    " in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_script_reads_keys_and_arguments_by_number(path: Path) -> None:
    assert not re.search(r"\b(?:KEYS|ARGV)\b", without_comments(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_script_is_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES
    assert not [line for line in lines if len(line) > MAX_COLUMNS]


@pytest.mark.parametrize("name", NAMES)
def test_a_script_does_not_redefine_a_declared_name(name: str) -> None:
    """A local of the script or of an include would hide the declared one."""
    at_top = re.findall(r"^local (?:function )?(\w+(?:, \w+)*)", body(name), re.MULTILINE)
    assert not set(declared(name)) & {local for locals_ in at_top for local in locals_.split(", ")}


@pytest.mark.parametrize("name", NAMES)
def test_a_script_uses_every_name_that_it_declares(name: str) -> None:
    assert not [unused for unused in declared(name) if not re.search(rf"\b{unused}\b", body(name))]
