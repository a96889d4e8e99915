"""Lists that an earlier version has scanned: their rows keep the numbers that its ledger has."""

from __future__ import annotations

import pytest
from redis import Redis

from campaigns import keys
from lists.fields import ROW_RULES
from lists.header import CsvDialect
from lists.scan import read_slice
from tests.support.app_harness import AppHarness

#: Rows 1 to 4 by the rules 1: a row of delimiters counts, an empty line does not.
ROWS = b"a@shop.test,x\n,\n\n , \nb@shop.test,y\n"


def numbers(rows: bytes, row_rules: int, width: int = 2) -> dict[int, str]:
    """The addresses by row number."""
    dialect = CsvDialect(",", "utf-8", ("email", "name")[:width], 0, 0, row_rules=row_rules)
    return {row: cells[0] for row, cells in read_slice(rows, dialect, 1) if cells and "@" in cells[0]}


def test_blank_rows_count_by_the_rules_of_the_version_that_scanned_the_list() -> None:
    assert numbers(ROWS, 1) == {1: "a@shop.test", 4: "b@shop.test"}
    assert numbers(ROWS, ROW_RULES) == {1: "a@shop.test", 2: "b@shop.test"}


@pytest.mark.parametrize(("row_rules", "second"), [(1, 4), (ROW_RULES, 2)])
def test_blank_rows_of_one_column(row_rules: int, second: int) -> None:
    """Given a list of one column, where a line of blanks and an empty quoted cell are rows by the rules 1."""
    found = numbers(b'a@shop.test\n  \n""\nb@shop.test\n', row_rules, width=1)
    assert found == {1: "a@shop.test", second: "b@shop.test"}


def test_the_lines_of_a_long_record_count_by_the_rules_1() -> None:
    """Given a quoted cell of 1,500 lines, then the rules 1 count each line, as the first version did."""
    rows = b'a@shop.test,x\nc@shop.test,"' + b"text\n" * 1500 + b'end"\nb@shop.test,y\n'
    assert numbers(rows, 1) == {1: "a@shop.test", 1503: "b@shop.test"}
    assert numbers(rows, ROW_RULES) == {1: "a@shop.test", 3: "b@shop.test"}


def test_a_campaign_that_stores_no_rules_has_the_rules_1(fake_redis: Redis) -> None:
    """Given a parsed list / Then its rules are stored with it, and an earlier version's list has the rules 1."""
    app = AppHarness(fake_redis)
    campaign = app.ready(b'name, email\n"Doe, Ann", ann@shop.test\n, \n"Ray, Bob", "bob@shop.test"\n')
    assert (campaign.dialect.row_rules, campaign.dialect.skip_initial_space) == (ROW_RULES, True)
    exported = app.web.get("/campaigns/c1/recipients.csv").body.decode()
    assert '"2","bob@shop.test","pending"' in exported
    app.redis.hdel(keys.campaign("c1"), "row_rules", "skip_initial_space")
    earlier = app.harness.catalog.get("c1").dialect
    assert (earlier.row_rules, earlier.skip_initial_space) == (1, False)
