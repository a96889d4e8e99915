"""The signature of a Lua script: its KEYS and ARGV by name, as its header declares them.

    -- KEYS  campaign  in_flight  old_keys...
    -- ARGV  list_version  probe_ms:int  limits:json?  partly_admitted:flag
    --       rows...  events(row kind wait_ms:int?)...

Each name is a local of the script, and the name under which a call passes the value. A plain name is text; `:int`,
`:flag` and `:json` are a number, a boolean and a decoded value in Lua. `?` marks a value that may be None: nil in Lua.
`...` marks a list, and lists stand last. `rows...` is a table of texts. `events(...)...` holds tuples, and the script
walks them with `for row, kind, wait_ms in events() do`. Every list but the last travels with its length before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import msgspec

#: Keys by name; a list of keys where the header declares a list.
Keys = Mapping[str, str | Sequence[str]]

#: The most items of a list of texts: Lua unpacks fewer than 8,000 values.
MAX_ITEMS: Final = 7_000

#: A line of the header that declares, with the lines that continue it.
_DECLARATION: Final = re.compile(r"^-- (KEYS|ARGV)  (.*(?:\n--   +\S.*)*)", re.MULTILINE)
_WORD: Final = re.compile(r"[^\s(]+(?:\([^)]*\)\S*)?")
_PARAMETER: Final = re.compile(r"([a-z]\w*)(?:\(([^)]*)\)(?=\.\.\.))?(?::(int|flag|json))?(\?)?(\.\.\.)?")
#: How Lua reads an argument of each type.
_LUA: Final = {"text": "{0}", "int": "tonumber({0})", "flag": "{0} == '1'", "json": "cjson.decode({0})"}

#: The values that travel as they are.
_PLAIN: Final[Mapping[str, frozenset[type]]] = {
    "text": frozenset({str, bytes, int}),
    "int": frozenset({int}),
    "flag": frozenset(),
    "json": frozenset(),
}


class WrongHeader(ValueError):
    """A script's header cannot be read."""


class WrongCall(TypeError):
    """A call does not fit the script's signature."""


class Parameter(NamedTuple):
    """One name of a header. `parts`: those of each tuple, in a list of tuples."""

    name: str
    type: str
    optional: bool
    is_list: bool
    parts: tuple[Parameter, ...]

    @classmethod
    def parse(cls, word: str) -> Self:
        """The parameter that a word of the header declares."""
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise WrongHeader(f"cannot read {word!r}")
        name, parts, type_, optional, dots = match.groups()
        if dots and (type_ or optional):
            raise WrongHeader(f"{name} is a list and cannot have a type")
        found = tuple(map(cls.parse, (parts or "").split()))
        if found and found[0].optional:
            raise WrongHeader(f"{found[0].name} comes first in {name} and cannot be optional: Lua's for ends at nil")
        return cls(name, type_ or "text", bool(optional), bool(dots), found)

    @property
    def width(self) -> int:
        """How many arguments one item of a list takes."""
        return len(self.parts) or 1

    def lua(self, value: str) -> str:
        """The Lua expression that reads the argument `value`."""
        read = _LUA[self.type].format(value)
        return f"{value} ~= '' and {read} or nil" if self.optional else read

    def encode(self, value: Any) -> Any:
        """One value as it travels.

        Raises:
            WrongCall
        """
        if type(value) in _PLAIN[self.type]:
            return value
        if value is None and self.optional:
            return b""
        if self.type == "json":
            return msgspec.json.encode(value)
        if self.type == "flag" and isinstance(value, bool):
            return int(value)
        if self.type == "text" and isinstance(value, str):  # a member of a StrEnum
            return value
        raise WrongCall(f"{self.name} must be of type {self.type}, not {value!r}")

    def encode_items(self, items: Any) -> list[Any]:
        """The items of a list as they travel.

        Raises:
            WrongCall
        """
        if isinstance(items, str | bytes) or not isinstance(items, Iterable):
            raise WrongCall(f"{self.name} must be a list, not {items!r}")
        if self.parts:
            return [value for item in items for value in self._encode_tuple(item)]
        found = list(items)
        if len(found) > MAX_ITEMS:
            raise WrongCall(f"{self.name} has {len(found)} items; it may have {MAX_ITEMS}")
        if set(map(type, found)) <= _PLAIN["text"]:  # nearly always
            return found
        return [self.encode(item) for item in found]

    def _encode_tuple(self, item: Sequence[Any]) -> list[Any]:
        if len(item) != len(self.parts):
            names = ", ".join(part.name for part in self.parts)
            raise WrongCall(f"an item of {self.name} has {len(item)} values; it must have {len(self.parts)}: {names}")
        return [part.encode(value) for part, value in zip(self.parts, item, strict=True)]


@dataclass(frozen=True)
class Signature:
    """What a script takes."""

    keys: tuple[Parameter, ...]
    args: tuple[Parameter, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The signature that a script's text declares.

        Raises:
            WrongHeader
        """
        found: dict[str, tuple[Parameter, ...]] = {"KEYS": (), "ARGV": ()}
        for kind, words in _DECLARATION.findall(text):
            if found[kind]:
                raise WrongHeader(f"{kind} is declared twice")
            found[kind] = tuple(map(Parameter.parse, _WORD.findall(words.replace("\n--", " "))))
        keys, args = found["KEYS"], found["ARGV"]
        names = [parameter.name for parameter in (*keys, *args)]
        if len(set(names)) < len(names):
            raise WrongHeader(f"a name is declared twice: {' '.join(names)}")
        has_type = any(key.optional or key.parts or key.type != "text" for key in keys)
        if has_type or any(key.is_list for key in keys[:-1]):
            raise WrongHeader("a key has no type, and only the last one may be a list")
        if any(before.is_list and not after.is_list for before, after in pairwise(args)):
            raise WrongHeader("lists stand last")
        return cls(keys, args)

    def locals(self) -> str:
        """The Lua locals by which the script reads its keys and arguments."""
        return "".join(f"{line}\n" for line in (*_lua_keys(self.keys), *_lua_args(self.args)))

    def encode(self, keys: Keys, args: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
        """KEYS and ARGV of a call.

        Raises:
            WrongCall: a name is missing or not declared, or a value does not fit its type.
        """
        if keys.keys() != self._names[0] or args.keys() != self._names[1]:
            raise WrongCall("; ".join((*_problems("key", self.keys, keys), *_problems("argument", self.args, args))))
        return _encoded(self.keys, keys), _encoded(self.args, args, counted=True)

    @cached_property
    def _names(self) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset(key.name for key in self.keys), frozenset(arg.name for arg in self.args)


def _encoded(parameters: Sequence[Parameter], given: Mapping[str, Any], *, counted: bool = False) -> list[Any]:
    """The values given, in the order of the parameters. `counted`: every list but the last has its length before it."""
    values: list[Any] = []
    for parameter in parameters:
        value = given[parameter.name]
        if parameter.is_list:
            items = parameter.encode_items(value)
            if counted and parameter is not parameters[-1]:
                values.append(len(items) // parameter.width)
            values += items
        else:
            values.append(value if type(value) in _PLAIN[parameter.type] else parameter.encode(value))
    return values


def _problems(what: str, declared: Sequence[Parameter], given: Mapping[str, Any]) -> Iterator[str]:
    names = [parameter.name for parameter in declared]
    yield from (f"{what} missing: {name}" for name in names if name not in given)
    yield from (f"unknown {what}: {name}" for name in given if name not in names)


def _lua_keys(keys: Sequence[Parameter]) -> Iterator[str]:
    yield from _lua_plain("KEYS", [key for key in keys if not key.is_list])
    if keys and keys[-1].is_list:
        yield f"local {keys[-1].name} = {{ unpack(KEYS, {len(keys)}) }}"


def _lua_args(args: Sequence[Parameter]) -> Iterator[str]:
    plain = [arg for arg in args if not arg.is_list]
    yield from _lua_plain("ARGV", plain)
    before = str(len(plain))  # the place of the last argument before the list
    for arg in args[len(plain) :]:
        first, last = f"{arg.name}_first", f"{arg.name}_last"
        if arg is args[-1]:
            yield f"local {first}, {last} = {before} + 1, #ARGV"
        else:
            yield f"local {first} = {before} + 2"
            yield f"local {last} = {first} - 1 + {arg.width} * tonumber(ARGV[{first} - 1])"
        yield from _lua_tuples(arg) if arg.parts else [f"local {arg.name} = {{ unpack(ARGV, {first}, {last}) }}"]
        before = last


def _lua_plain(table: str, parameters: Sequence[Parameter]) -> Iterator[str]:
    if parameters:
        values = (parameter.lua(f"{table}[{place}]") for place, parameter in enumerate(parameters, start=1))
        yield f"local {', '.join(parameter.name for parameter in parameters)} = {', '.join(values)}"


def _lua_tuples(arg: Parameter) -> Iterator[str]:
    """A function that returns an iterator over a list of tuples."""
    values = ", ".join(part.lua(f"ARGV[at + {place}]") for place, part in enumerate(arg.parts))
    yield f"local function {arg.name}()"
    yield f"  local at = {arg.name}_first - {arg.width}"
    yield "  return function()"
    yield f"    at = at + {arg.width}"
    yield f"    if at <= {arg.name}_last then"
    yield f"      return {values}"
    yield "    end"
    yield "  end"
    yield "end"
