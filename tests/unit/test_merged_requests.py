"""Merged requests: which recipients share a request, and how a refused one is narrowed down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from campaigns.models import Content
from lists.recipient import Recipient
from mail.attachment import Attachment
from mail.mail_merge import Share
from mail.message import Message
from mail.outcome import Kind, Outcome
from mail.rendering import Templates
from worker import merged_requests
from worker.merged_requests import Encoded, MergedCampaign, Narrowing

ACCEPTED: Final = Outcome(Kind.ACCEPTED)
#: Decides about the rows of a request.
Decide = Callable[[Sequence[int]], Sequence[Outcome | None]]


class Provider:
    """Merges requests; a share is the row's number. Row 13 cannot be encoded."""

    def __init__(self, most: int) -> None:
        self.most = most

    def merged(self, message: Message) -> Provider:
        del message
        return self

    def encode(self, share: Share) -> bytes | None:
        return None if share.row == 13 else b"%d" % share.row

    async def send(self, shares: object, attachments: Sequence[Attachment] = ()) -> Sequence[Outcome | None]:
        raise NotImplementedError


def campaign(most: int) -> MergedCampaign:
    renderer = Templates(Content(from_="a@b.test", subject="Hi", text="{{ a }}")).renderer("c1", ("a",))
    made = MergedCampaign.of(Provider(most), renderer)  # type: ignore[arg-type]
    assert made
    return made


def recipients(rows: Sequence[int]) -> list[Recipient]:
    return [Recipient(row, f"r{row}@shop.test", ["x"]) for row in rows]


class Sender:
    """Records each request, and settles as `decide` says. A recipient alone is rejected if it is `bad`."""

    def __init__(self, decide: Decide, bad: set[int] | None = None) -> None:
        self.decide, self.bad = decide, bad or set()
        self.requests: list[list[int]] = []
        self.settled: dict[int, Kind] = {}
        self.sending = True

    async def send_alone(self, recipient: Recipient) -> None:
        self.requests.append([recipient.row])
        await asyncio.sleep(0)
        self.settle([recipient], Outcome(Kind.REJECTED) if recipient.row in self.bad else ACCEPTED, 0)

    async def send_merged(self, shares: Sequence[bytes]) -> Sequence[Outcome | None]:
        rows = [int(share) for share in shares]
        self.requests.append(rows)
        await asyncio.sleep(0)
        return self.decide(rows)

    def settle(self, recipients: Sequence[Recipient], outcome: Outcome, started: float) -> None:
        del started
        for recipient in recipients:
            assert recipient.row not in self.settled
            self.settled[recipient.row] = outcome.kind

    async def is_sending(self) -> bool:
        return self.sending


def whole(bad: set[int]) -> Decide:
    """A provider that refuses a whole request if one is bad, and names no one."""
    return lambda rows: [None if bad & set(rows) else ACCEPTED] * len(rows)


def named(bad: set[int]) -> Decide:
    """A provider that names the first at fault."""

    def decide(rows: Sequence[int]) -> list[Outcome | None]:
        at_fault = next((row for row in rows if row in bad), None)
        if at_fault is None:
            return [ACCEPTED] * len(rows)
        return [Outcome(Kind.REJECTED) if row == at_fault else None for row in rows]

    return decide


def send(sender: Sender, rows: int, made: MergedCampaign | None = None) -> MergedCampaign:
    made = made or campaign(1000)
    request: list[Encoded] = [(recipient, b"%d" % recipient.row) for recipient in recipients(range(1, rows + 1))]

    async def run() -> None:
        await Narrowing(made, sender).send(request)

    asyncio.run(run())
    return made


def test_a_batch_is_split_into_requests_without_what_goes_alone() -> None:
    found = campaign(3).split(recipients([1, 2, 13, 4, 5, 6]))
    assert [[recipient.row for recipient, _share in request] for request in found.requests] == [[1, 2, 4], [5, 6]]
    assert [recipient.row for recipient in found.alone] == [13]


def test_an_address_is_in_a_request_once_whatever_its_case() -> None:
    found = campaign(3).split([Recipient(row, address, ["x"]) for row, address in enumerate(["a@b.c", "A@B.c"], 1)])
    assert [[recipient.row for recipient, _share in request] for request in found.requests] == [[1]]
    assert [recipient.row for recipient in found.alone] == [2]


@pytest.mark.parametrize(("most", "rows"), [(1000, 1), (1, 5)])
def test_recipients_go_alone_where_a_request_has_one(most: int, rows: int) -> None:
    made = campaign(1000)
    made.most = most
    found = made.split(recipients(range(1, rows + 1)))
    assert (found.requests, len(found.alone)) == ([], rows)


def test_one_request_is_enough_if_all_are_accepted() -> None:
    sender = Sender(whole(set()))
    send(sender, 64)
    assert sender.requests == [list(range(1, 65))]
    assert Counter(sender.settled.values()) == {Kind.ACCEPTED: 64}


@pytest.mark.parametrize("bad", [{1}, {64}, {17, 18}, set(range(1, 65)), {5, 30, 31, 60}], ids=str)
@pytest.mark.parametrize("decide", [whole, named], ids=["unnamed", "named"])
def test_a_refused_request_is_narrowed_down_to_those_at_fault(
    bad: set[int], decide: Callable[[set[int]], Decide]
) -> None:
    sender = Sender(decide(bad), bad)
    send(sender, 64)
    assert {row for row, kind in sender.settled.items() if kind is Kind.REJECTED} == bad
    assert len(sender.settled) == 64
    accepted = [row for request in sender.requests if not bad & set(request) for row in request]
    assert sorted(accepted) == sorted(set(range(1, 65)) - bad)
    assert len(sender.requests) <= (2 * 64 if decide is whole else len(bad) + 1)


def test_a_fault_without_a_name_takes_two_requests_per_halving() -> None:
    sender = Sender(whole({40}), {40})
    send(sender, 64)
    assert len(sender.requests) == 1 + 2 * 6


def test_trouble_of_the_provider_concerns_all_and_is_not_narrowed_down() -> None:
    sender = Sender(lambda rows: [Outcome(Kind.THROTTLED)] * len(rows))
    send(sender, 64)
    assert len(sender.requests) == 1
    assert Counter(sender.settled.values()) == {Kind.THROTTLED: 64}


def test_a_pause_in_between_requeues_those_who_are_not_decided() -> None:
    """Given a request of which one recipient is rejected, when the campaign is paused meanwhile, then the provider gets
    no further request, and the others return to the queue.
    """
    sender = Sender(named({3}))
    sender.sending = False
    send(sender, 10)
    assert len(sender.requests) == 1
    assert Counter(sender.settled.values()) == {Kind.REJECTED: 1, Kind.NOT_TRIED: 9}


def test_narrowing_that_takes_too_long_requeues_the_rest_and_makes_later_requests_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merged_requests, "PATIENCE_S", -1.0)
    sender = Sender(whole({3}))
    made = send(sender, 10)
    assert Counter(sender.settled.values()) == {Kind.NOT_TRIED: 10}
    assert made.most == 5
    for _ in range(4):
        send(Sender(whole({1})), made.most, made)
    assert made.most == 1


def test_requests_become_smaller_if_the_provider_takes_smaller_ones_alone() -> None:
    sender = Sender(lambda rows: [ACCEPTED if len(rows) <= 16 else None] * len(rows))
    made = send(sender, 64)
    assert made.most == 16
    assert Counter(sender.settled.values()) == {Kind.ACCEPTED: 64}


def test_a_recipient_at_fault_makes_no_request_smaller() -> None:
    for bad in range(1, 9):
        assert send(Sender(whole({bad}), {bad}), 8).most == 1000
