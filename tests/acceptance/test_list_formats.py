"""Lists that are no CSV in UTF-8, through the real processes to the provider: a workbook, and one in Windows-1251."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.support.spreadsheets import xlsx
from tests.support.stack import Stack

ROWS = 1_200
NAMES = ("Екатерина", "Юрий", "Наталья", "Фёдор")


def name_of(row: int) -> str:
    return f"{NAMES[row % len(NAMES)]} {row}"


def table() -> list[list[str]]:
    return [["Имя", "E-Mail"], *([name_of(row), f"r{row}@shop.test"] for row in range(1, ROWS + 1))]


def test_a_workbook_and_a_list_in_windows_1251_reach_the_provider(tmp_path: Path) -> None:
    """Given the same people in both, when both campaigns are sent while a third one excludes the first, then each
    recipient gets the own name once, and the third campaign sends to the new recipient alone.
    """
    text = "\r\n".join(";".join(row) for row in table())
    files = {"workbook": xlsx(table()), "cyrillic": text.encode("cp1251")}
    with Stack.open(tmp_path) as stack:
        stack.add_worker()
        # When
        for campaign_id, data in files.items():
            stack.put(campaign_id, subject="Привет, {{ имя }}", text="Hi", html="<p>Hi</p>", tpm=1_000_000)
            assert stack.upload_in_parts(campaign_id, data) == 1
            stack.start(campaign_id)
        stack.until_status("workbook", "completed")
        # Then
        for campaign_id, known in (("workbook", ("xlsx", "utf-8")), ("cyrillic", ("csv", "cp1251"))):
            report = stack.until_status(campaign_id, "completed")
            assert (report["done"], report["format"], report["encoding"]) == (ROWS, *known)
            arrivals = [arrival for arrival in stack.double.arrivals() if arrival.campaign_id == campaign_id]
            assert set(Counter(arrival.row for arrival in arrivals).values()) == {1}
            assert {arrival.row: (arrival.to, arrival.subject) for arrival in arrivals} == {
                row: (f"r{row}@shop.test", f"Привет, {name_of(row)}") for row in range(1, ROWS + 1)
            }
        stack.put(
            "rest", subject="Hi", text="Hi", html="<p>Hi</p>", exclude=["workbook"], where="email != 'no@shop.test'"
        )
        stack.upload_in_parts("rest", (text + "\r\nЮлия;new@shop.test\r\nИлья;no@shop.test\r\n").encode("cp1251"))
        stack.start("rest")
        report = stack.until_status("rest", "completed")
        assert (report["total"], report["done"], report["excluded"]) == (1, 1, ROWS + 1)
