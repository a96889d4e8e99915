"""How the SendGrid double responds, as tests set it with `POST /_behaviour`."""

from __future__ import annotations

import fnmatch
import random
import re
import time
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

#: A status ("202", "429", ...), or one of these; with `accept-` in front, the double accepts the message and then
#: responds so. hang: never responds. reset: breaks the connection.
ANSWER: Final = re.compile(r"(accept-)?([2-5][0-9][0-9]|hang|reset)")


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """The responses for some addresses: each address gets them one after another, and the last one for ever."""

    to: str
    answers: list[str]


class Behaviour(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a test requests. A `POST /_behaviour` changes the fields that it names and no others.

    Rules come first, then the account's limit, then `statuses` (answer -> share of the requests; the others get
    `answer`), then `answer`.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    answer: str = "202"
    statuses: dict[str, float] = {}
    rules: list[Rule] = []
    #: At most this many requests in each window of `window_s` by the clock, as SendGrid counts; more: 429.
    limit: int | None = None
    window_s: float = 60.0
    #: The wait that a 429 or 503 names, and in which form. The reset of a limit in force wins.
    retry_after_s: float | None = None
    retry_after_as: Literal["seconds", "date", "reset"] = "seconds"
    html_errors: bool = False
    #: Whether a 400 that a rule gives to one recipient of several names that recipient.
    names_recipients: bool = True
    #: A request to more recipients than this gets 413, as from a proxy.
    max_recipients: int | None = None
    #: Close a connection that has been idle for this long.
    idle_ms: float | None = None
    #: Close the listener and all idle connections for this long, from the moment when this is set.
    refuse_s: float = 0.0


class _Turn(NamedTuple):
    """The response of a rule to an address, which is used up by `take`."""

    address: str
    answers: list[str]
    seen: dict[str, int]

    @property
    def answer(self) -> str:
        return self.answers[min(self.seen.get(self.address, 0), len(self.answers) - 1)]

    def take(self) -> None:
        self.seen[self.address] = self.seen.get(self.address, 0) + 1


class Answers:
    """Chooses the response to each request, and the wait before it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._random = random.Random(20)
        self.window = 0
        self.used = 0
        self._rules: list[tuple[re.Pattern[str], list[str], dict[str, int]]] = []
        self.become(behaviour)

    def become(self, behaviour: Behaviour, *, rules_go_on: bool = False) -> None:
        """Respond so from now on. Rules start from their first response, unless `rules_go_on`: the change did not name
        them.
        """
        wanted = [behaviour.answer, *behaviour.statuses, *(item for rule in behaviour.rules for item in rule.answers)]
        wrong = [item for item in wanted if not ANSWER.fullmatch(item)]
        if wrong or not all(rule.answers for rule in behaviour.rules):
            raise ValueError(f"not an answer: {wrong or 'none at all'}")
        if not rules_go_on:
            self._rules = [
                (re.compile(fnmatch.translate(rule.to.lower())), rule.answers, {}) for rule in behaviour.rules
            ]
        self.behaviour = behaviour

    def choose(self, addresses: Sequence[str]) -> tuple[str, int | None]:
        """The response to a request to these addresses, and the place of the one whose rule gives it."""
        most = self.behaviour.max_recipients
        if most is not None and len(addresses) > most:
            return "413", None
        by_rule = [self._by_rule(address) for address in addresses] if self._rules else []
        for index, rule in enumerate(by_rule):
            if rule and (answer := rule.answer) != "202":
                rule.take()
                return answer, index
        for rule in by_rule:
            if rule:
                rule.take()
        if any(by_rule):
            return "202", None
        return self._by_limit() or self._by_chance(), None

    def latency_s(self) -> float:
        """How long to wait before the response."""
        behaviour = self.behaviour
        if not behaviour.jitter_ms:
            return behaviour.latency_ms / 1000
        return (behaviour.latency_ms + behaviour.jitter_ms * self._random.random()) / 1000

    def _by_rule(self, address: str) -> _Turn | None:
        for pattern, answers, seen in self._rules:
            if pattern.match(address.lower()):
                return _Turn(address, answers, seen)
        return None

    def _by_limit(self) -> str | None:
        if self.behaviour.limit is None:
            return None
        window = int(time.time() // self.behaviour.window_s)
        if window != self.window:
            self.window, self.used = window, 0
        self.used += 1
        return "429" if self.used > self.behaviour.limit else None

    def _by_chance(self) -> str:
        if self.behaviour.statuses:
            left = self._random.random()
            for answer, share in self.behaviour.statuses.items():
                left -= share
                if left < 0:
                    return answer
        return self.behaviour.answer
