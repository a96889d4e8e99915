"""A whole campaign through Amazon SES, with real processes and a double that checks each signature.

Given 2,000 recipients, two workers, and an SES that throttles, fails, rejects, loses answers and reaches its
daily quota.
When the campaign is started, and resumed once the quota is free again.
Then each recipient has got the right email exactly once, but for those that SES rejected and those that are unknown.
"""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.support.doubles.ses import KEY_ID, REGION, SECRET, Arrival, SesDouble
from tests.support.stack import Stack

ROWS: Final = 2_000
MAX_RETRIES: Final = 2

REJECTED: Final = dict.fromkeys(range(100, ROWS, 190), "rejected")
FLAKY: Final = dict.fromkeys(range(33, ROWS, 401), "flaky")
THROTTLED: Final = dict.fromkeys((250, 1300), "throttled")
LOST: Final = dict.fromkeys((77, 700, 1500), "lost")
HOPELESS: Final = {444: "hopeless"}
QUOTA: Final = {1_000: "quota"}
SPECIAL: Final = REJECTED | FLAKY | THROTTLED | LOST | HOPELESS | QUOTA
RULES: Final = {
    "rejected.*": ["MessageRejected: Bad content"],
    "flaky.*": ["ServiceUnavailable: later", "200"],
    "throttled.*": ["TooManyRequestsException: Maximum sending rate exceeded.", "200"],
    "lost.*": ["accept-reset"],
    "hopeless.*": ["InternalServerError: broken"],
    "quota.*": ["TooManyRequestsException: Daily message quota exceeded.", "200"],
}
LINK: Final = "https://shop.test/u/{{ email }}"


def address(row: int) -> str:
    return f"{SPECIAL.get(row, 'r')}.{row}@shop.test"


def test_a_campaign_through_ses_with_faults_on_the_way(tmp_path: Path) -> None:
    with SesDouble.running(rules=dict(RULES), latency_s=0.02) as double:
        settings: dict[str, Any] = {
            "EMAIL_PROVIDER": "ses",
            "SES_REGION": REGION,
            "SES_ENDPOINT_URL": double.url,
            "SES_CONFIGURATION_SET": "events",
            "SES_ACCESS_KEY_ID": KEY_ID,
            "SES_SECRET_ACCESS_KEY": SECRET,
        }
        settings |= {"MAX_RETRIES": str(MAX_RETRIES), "RETRY_MIN_BACKOFF_S": "0.2", "RETRY_MAX_BACKOFF_S": "0.5"}
        with Stack.open(tmp_path, **settings) as stack:
            for _ in range(2):
                stack.add_worker()
            stack.put("spring", tpm=1_000_000, headers={"List-Unsubscribe": f"<{LINK}>"})
            stack.upload("spring", b"email\n" + "".join(f"{address(row)}\n" for row in range(1, ROWS + 1)).encode())
            stack.until_status("spring", "ready")
            stack.start("spring")
            paused = stack.until_status("spring", "paused")
            assert "Daily message quota exceeded" in paused["reason"]
            stack.resume("spring")
            report = stack.until_status("spring", "completed")
        failed = len(REJECTED) + len(HOPELESS)
        assert (report["total"], report["failed"], report["unknown"]) == (ROWS, failed, len(LOST))
        assert report["done"] == ROWS - failed - len(LOST)
        _each_recipient_got_one_right_email(double)


def _each_recipient_got_one_right_email(double: SesDouble) -> None:
    assert double.violations == []
    accepted = double.accepted()
    taken = Counter(arrival.row for arrival in accepted)
    assert taken == Counter({*range(1, ROWS + 1)} - REJECTED.keys() - HOPELESS.keys())
    asked = Counter(arrival.row for arrival in double.arrivals)
    # A failure costs no attempt while the provider's circuit breaker is open: a hopeless row may be tried more often.
    assert all(asked.pop(row) > MAX_RETRIES for row in HOPELESS)
    again = dict.fromkeys([*FLAKY, *THROTTLED, *QUOTA], 2)
    assert {row: times for row, times in asked.items() if times > 1} == again
    for arrival in accepted:
        _is_right(arrival)


def _is_right(arrival: Arrival) -> None:
    assert (arrival.campaign_id, arrival.to, arrival.configuration_set) == ("spring", address(arrival.row), "events")
    parsed = email.message_from_bytes(arrival.raw, policy=email.policy.default)
    assert (parsed["To"], parsed["Subject"]) == (arrival.to, f"Hello {arrival.to}")
    assert parsed["List-Unsubscribe"] == f"<{LINK.replace('{{ email }}', arrival.to)}>"
    assert parsed.get_content().strip() == f"Dear {arrival.to}"
