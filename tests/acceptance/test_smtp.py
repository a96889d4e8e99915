"""A campaign through an SMTP server that fails on the way: each recipient once, and unknown only what may have arrived.

Given 2,000 recipients, two workers, and a server that ends sessions with 421, limits the rate, drops connections before
and after the final dot, greylists some recipients and refuses others for good.
When the campaign runs to its end.
Then each other recipient has got its own email exactly once, and the rows of dropped dots are unknown and not resent.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path
from typing import Final

from tests.support.doubles.smtp import DROP, Arrival, Session, SmtpDouble
from tests.support.stack import Stack

ROWS: Final = 2_000
REFUSED: Final = frozenset(range(100, ROWS, 190))
#: The server drops the connection when it has the whole message of such a row.
UNKNOWN: Final = frozenset(range(155, ROWS, 400))
#: The first try of such a row fails, each in its own way: the stage, and the reply.
_PASSING: Final = {
    **dict.fromkeys(range(200, ROWS, 230), ("RCPT", "451 4.2.0 greylisted, come back later")),
    **dict.fromkeys(range(311, ROWS, 501), ("RCPT", "450 4.7.1 rate limit exceeded")),
    **dict.fromkeys(range(423, ROWS, 503), ("RCPT", "421 4.3.2 shutting down")),
    **dict.fromkeys(range(537, ROWS, 507), ("DATA", DROP)),
    **dict.fromkeys(range(641, ROWS, 509), ("DOT", "452 4.3.1 no space left")),
}
PASSING: Final = {row: fault for row, fault in _PASSING.items() if row not in REFUSED | UNKNOWN}


class Faults:
    """The server's script; it counts what was asked of it, by row."""

    def __init__(self) -> None:
        self.tried: Counter[int] = Counter()

    def __call__(self, stage: str, session: Session) -> str | None:
        if stage == "GREETING":
            return "421 4.3.2 not now" if session.number == 7 else None
        if not session.recipient:
            return None
        row = row_of(session.recipient)
        self.tried[row] += stage == "RCPT"
        if stage == "RCPT" and row in REFUSED:
            return f"550 5.1.1 <{session.recipient}> no such user"
        if stage == "DOT" and row in UNKNOWN:
            return DROP
        wanted, reply = PASSING.get(row, ("", ""))
        return reply if stage == wanted and self.tried[row] == 1 else None


def row_of(address: str) -> int:
    return int(address.partition("@")[0].rpartition(".")[2])


def test_a_campaign_through_a_server_that_fails_on_the_way(tmp_path: Path) -> None:
    faults = Faults()
    rows = "".join(f"ann.{row}@shop.test,Zoë {row}\r\n" for row in range(1, ROWS + 1))
    with SmtpDouble(faults).in_thread() as double:
        settings = {"EMAIL_PROVIDER": "smtp", "SMTP_URL": double.url, "SMTP_CONNECTIONS": "5", "SEND_TIMEOUT_S": "60"}
        with Stack.open(tmp_path, web=True, RETRY_MIN_BACKOFF_S="0.2", RETRY_MAX_BACKOFF_S="0.5", **settings) as stack:
            stack.add_worker()
            stack.add_worker()
            stack.put("spring", subject="For {{ name }}", text=".Dear {{ name }},\n.\n{{ email }}", tpm=1_000_000)
            stack.upload("spring", f"email,name\r\n{rows}".encode())
            stack.start("spring")
            report = stack.until_status("spring", "completed")
            states = list(csv.DictReader(io.StringIO(stack.recipients("spring").decode())))
            assert stack.double.arrivals() == []

        assert double.violations == []
        assert double.most_open <= 2 * 5
        _the_counts_are_exact(report)
        _the_states_are_right(states)
        _everyone_got_theirs_once(double.arrivals)
        again = {row: times for row, times in faults.tried.items() if times > 1}
        assert again == dict.fromkeys(PASSING, 2)


def _the_counts_are_exact(report: dict[str, object]) -> None:
    wanted = {
        "total": ROWS,
        "done": ROWS - len(REFUSED) - len(UNKNOWN),
        "failed": len(REFUSED),
        "pending": len(UNKNOWN),
        "unknown": len(UNKNOWN),
        "in_flight": 0,
    }
    assert {name: report[name] for name in wanted} == wanted


def _the_states_are_right(states: list[dict[str, str]]) -> None:
    for entry in states:
        row = int(entry["row"])
        wanted = "failed" if row in REFUSED else "unknown" if row in UNKNOWN else "done"
        assert entry["state"] == wanted, entry
        if row in REFUSED:
            assert entry["reason"] == "550 5.1.1 <***@shop.test> no such user (RCPT)"


def _everyone_got_theirs_once(arrivals: list[Arrival]) -> None:
    accepted = Counter(row_of(arrival.recipient) for arrival in arrivals if arrival.reply.startswith("250"))
    assert accepted == Counter({*range(1, ROWS + 1)} - REFUSED - UNKNOWN)
    dropped = Counter(row_of(arrival.recipient) for arrival in arrivals if arrival.reply == DROP)
    assert dropped == Counter(UNKNOWN)
    for arrival in arrivals:
        row = row_of(arrival.recipient)
        mail = message_from_bytes(arrival.data, policy=policy.default)
        body = mail.get_content().replace("\r\n", "\n").rstrip("\n")
        assert (arrival.sender, mail["To"], mail["Subject"]) == (
            "news@shop.test",
            f"ann.{row}@shop.test",
            f"For Zoë {row}",
        )
        assert body == f".Dear Zoë {row},\n.\n{arrival.recipient}"
    ids = [message_from_bytes(arrival.data)["Message-ID"] for arrival in arrivals]
    assert len(set(ids)) == len(ids)
