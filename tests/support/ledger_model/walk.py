"""Long random walks over the steps of `machine`: Hypothesis shrinks well, but its walks miss some faults."""

from __future__ import annotations

import random
from collections.abc import Callable

from campaigns.models import UnknownDecision
from consent.records import Change, Reason
from tests.support.ledger_model.audit import NAMES, REPORTS
from tests.support.ledger_model.machine import KINDS, STEPS, LedgerMachine

#: What a provider reports of addresses; subscribing again is frequent, so that not all are suppressed in the end.
ABOUT_ADDRESSES = (Reason.UNSUBSCRIBED, Reason.BOUNCED, *[Change.RESUBSCRIBED] * 2)

WeightedStep = tuple[float, Callable[[], None]]


class Walk:
    """One walk with its seed."""

    def __init__(self, machine: type[LedgerMachine], seed: int) -> None:
        self.random = random.Random(seed)
        self.machine = machine()

    def run(self, steps: int) -> None:
        """Take this number of steps, then let the faults end."""
        try:
            self.machine.begin()
            for _ in range(steps):
                weighted = self.of_workers() + self.of_operators() + self.faults()
                weights = [weight for weight, _ in weighted]
                self.random.choices([way for _, way in weighted], weights)[0]()
                self.machine.what_must_hold()
        except BaseException:
            self.machine.patch.undo()
            raise
        self.machine.teardown()

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def of_workers(self) -> list[WeightedStep]:
        machine, draw, chance = self.machine, self.random, self.chance
        pick, worker = draw.randrange(8), draw.randrange(2)
        steps = [(draw.choice(STEPS), chance(0.7), chance(0.5)) for _ in range(draw.randint(1, 4))]
        return [
            (8, lambda: machine.run_rounds(worker, draw.randint(1, 3), draw.choice([20, 600]))),
            (8 if machine.asked else 0, lambda: machine.work_as_asked(pick, chance(0.1))),
            (
                2,
                lambda: machine.parse_while_much_happens(draw.choice(NAMES), steps, draw.randrange(5), chance(0.2)),
            ),
            (8 if machine.queue else 0, lambda: machine.admit(pick, worker, chance(0.9))),
            (
                8 if machine.sending else 0,
                lambda: machine.send_and_settle(pick, draw.choice(KINDS), draw.randint(1, 8), chance(0.3), chance(0.8)),
            ),
        ]

    def of_operators(self) -> list[WeightedStep]:
        machine, draw, chance = self.machine, self.random, self.chance
        name = draw.choice(NAMES)
        return [
            (1, lambda: machine.put(name, city=chance(0.5), resend=chance(0.3))),
            (1, lambda: machine.upload(name, city=chance(0.5))),
            (2, lambda: machine.start(name)),
            (1, lambda: machine.launch(name)),
            (0.7, lambda: machine.pause(name)),
            (2, lambda: machine.resume(name)),
            (0.3, lambda: machine.cancel(name)),
            (0.7, lambda: machine.delete(name)),
            (0.5, lambda: machine.change_rate(name, draw.choice([5, 60, 10_000_000]))),
            (0.5, lambda: machine.retry_failed(name)),
            (0.5, lambda: machine.erase(draw.randint(1, 40))),
            (0.3, lambda: machine.unsuppress(draw.randint(1, 40))),
            (0.3, lambda: machine.decide_unknown(name, draw.choice(list(UnknownDecision)))),
        ]

    def faults(self) -> list[WeightedStep]:
        machine, draw, chance = self.machine, self.random, self.chance
        pick, worker, name = draw.randrange(8), draw.randrange(2), draw.choice(NAMES)
        sending, queue = machine.sending, machine.queue
        return [
            (1, lambda: machine.worker_dies(worker, chance(0.5))),
            (
                1 if sending else 0,
                lambda: machine.one_group_is_refused(pick, draw.choice(KINDS), draw.randint(1, 8)),
            ),
            (2 if machine.refused else 0, lambda: machine.the_settler_asks_again(pick, chance(0.3))),
            (1 if queue else 0, lambda: machine.message_is_lost(pick)),
            (1 if queue else 0, lambda: machine.message_is_doubled(pick)),
            (2, lambda: machine.provider_reports(name, draw.randrange(40), draw.choice(REPORTS))),
            (1, lambda: machine.address_is_reported(draw.randint(1, 40), draw.choice(ABOUT_ADDRESSES))),
            (3, lambda: machine.time_passes(draw.choice([1, 500, 5_000, 15_000, 70_000]))),
        ]
