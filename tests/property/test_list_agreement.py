"""Dry run, parse, status, export and prefetch agree for any list."""

from __future__ import annotations

import codecs
import csv
import gzip
import io

import fakeredis
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.app_harness import AppHarness
from tests.support.delivered import prefetched
from tests.support.list_agreement import check_agreement, dry_run
from tests.support.spreadsheets import xlsx

ADDRESSES = st.one_of(
    st.integers(0, 30).map("r{}@shop.test".format),
    st.sampled_from(
        ["R1@shop.test", "bad", "", "a@x.org b@x.org", "Ann <r2@shop.test>", "mailto:r3@shop.test", "\u200b"]
    ),
)
CELLS = st.one_of(
    st.text("abc,;\"'\n\t é", max_size=8), st.sampled_from(["Zoë", "Екатерина", "江戸川区", "Łódź", "5", ""])
)
ROWS = st.lists(
    st.lists(CELLS, max_size=4).flatmap(lambda cells: st.tuples(CELLS, ADDRESSES).map(lambda row: [*row, *cells])),
    min_size=1,
    max_size=30,
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "cp1251", "cp932", "gb18030", "utf-32"])


def written(rows: list[list[str]], encoding: str, delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([["name", "email", "city"], *rows])
    return codecs.encode(text.getvalue(), encoding, "replace")


def app() -> AppHarness:
    made = AppHarness(fakeredis.FakeRedis())
    made.make(subject="Hello", text="{{ name }} {{ city }}")
    return made


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(rows=ROWS, encoding=ENCODINGS, delimiter=st.sampled_from(",;\t|"), packed=st.booleans())
def test_any_csv(rows: list[list[str]], encoding: str, delimiter: str, packed: bool) -> None:
    data = written(rows, encoding, delimiter)
    check(app(), gzip.compress(data) if packed else data)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=10)
@given(rows=ROWS)
def test_any_workbook(rows: list[list[str]]) -> None:
    check(app(), xlsx([["name", "email", "city"], *rows]))


def check(harness: AppHarness, data: bytes) -> None:
    """All agree; where the list cannot be used, dry run and parser say the same."""
    refused = harness.upload(data, query="?dry_run=true")
    if refused.status == 422:
        harness.upload(data)
        assert harness.parse().status == "rejected"
        assert harness.harness.report().reason == refused.detail
        return
    dry = dry_run(harness, data)
    check_agreement(harness, data)
    if dry["accepted"]:
        sample = [[row["name"], row["city"]] for row in dry["sample"]]
        assert [one.values for one in prefetched(harness)[: len(sample)]] == sample
