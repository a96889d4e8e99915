from __future__ import annotations

from email.utils import formatdate

import pytest

from mail.providers.retry_after import MAX_WAIT_MS, MIN_WAIT_MS, retry_after_ms

NOW_S = 1_700_000_000.0


def wait_ms(**headers: str) -> int | None:
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return retry_after_ms(found.get, NOW_S)


def date(offset_s: float) -> str:
    return formatdate(NOW_S + offset_s, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7000),
        ({"retry_after": "1.5"}, 1500),
        ({"retry_after": date(9)}, 9000),
        ({"x_ratelimit_reset": str(int(NOW_S) + 30)}, 30_000),
        ({"retry_after": "7", "x_ratelimit_reset": str(int(NOW_S) + 30)}, 7000),
        ({"retry_after": "soon", "x_ratelimit_reset": str(int(NOW_S) + 30)}, 30_000),
        # A clock that is an hour off here does no harm: the answer's own date counts.
        ({"x_ratelimit_reset": str(int(NOW_S) + 3630), "date": date(3600)}, 30_000),
        ({"retry_after": date(3609), "date": date(3600)}, 9000),
        ({"retry_after": date(9), "date": "yesterday"}, 9000),
        # In the past, or at once.
        ({"retry_after": "0"}, MIN_WAIT_MS),
        ({"x_ratelimit_reset": str(int(NOW_S) - 5)}, MIN_WAIT_MS),
        # Longer than is believed.
        ({"retry_after": "86400"}, MAX_WAIT_MS),
        ({"x_ratelimit_reset": "999999999999"}, MAX_WAIT_MS),
        # Nothing that can be read.
        ({"retry_after": "-5"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"x_ratelimit_reset": "tomorrow"}, None),
        ({"retry_after": "Fri, 31 Dec 9999999 23:59:59 GMT"}, None),
    ],
)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], expected: int | None) -> None:
    assert wait_ms(**headers) == expected
