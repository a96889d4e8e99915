"""A visit to the dashboard: a page in a real browser, and a record of every error in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final

from playwright.sync_api import ConsoleMessage, Dialog, Locator, Page, expect

#: How long a step of the page may take, in ms. This is generous, since other programs may use the machine too.
PATIENCE_MS: Final = 60_000
#: The script of axe-core, which looks for barriers; it needs no network.
AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text()
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Visit:
    """A page, and how to find things on it as people do.

    Attributes:
        page: what Playwright drives.
        expected: patterns of messages in the console that belong to the test, such as that of a 409.
        complaints: every unexpected error in the console or of a script so far.
    """

    page: Page
    expected: list[str] = field(default_factory=list)
    _found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._found.append(f"script: {error}"))
        self.page.on("dialog", self._meet)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._found.append(f"{message.text} {message.location.get('url', '')}")

    def _meet(self, dialog: Dialog) -> None:
        """The browser's own dialogs: the page opens none, but the browser warns before unsaved work is left."""
        self._found.append(f"dialog {dialog.type}: {dialog.message}")
        dialog.accept()

    @property
    def heard(self) -> list[str]:
        """Every error and every dialog so far, also the expected ones."""
        return self._found

    @property
    def complaints(self) -> list[str]:
        return [text for text in self._found if not any(re.search(pattern, text) for pattern in self.expected)]

    def open(self, address: str = "#/") -> Visit:
        """Go to a page of the dashboard."""
        self.page.goto(f"/{address}")
        return self

    def campaign(self, campaign_id: str, step: str = "") -> Visit:
        """Go to a campaign's page, or to one of its steps, and wait until it shows."""
        self.open(f"#/campaigns/{campaign_id}" + (f"/{step}" if step else ""))
        expect(self.status).to_be_visible()
        return self

    def barriers(self) -> list[str]:
        """What axe-core finds wrong on the page: the rule, and the element."""
        self.page.evaluate(AXE)
        found = self.page.evaluate(
            "() => axe.run(document, { resultTypes: ['violations'] }).then((all) => all.violations)"
        )
        return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]

    @property
    def status(self) -> Locator:
        """The campaign's state, in words."""
        return self.page.locator(".campaign-head .badge")

    @property
    def notice(self) -> Locator:
        """The result of the last step."""
        return self.page.locator(".notice")

    @property
    def reason(self) -> Locator:
        """The reason of the campaign's state."""
        return self.page.locator(".callout.reason")

    def figure(self, kind: str) -> Locator:
        """A big figure: done, failed, unknown, in_flight or pending."""
        return self.page.locator(f".tile.{kind} .value")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """A button by its name; a text is the start of the name."""
        pattern = re.compile(f"^{re.escape(name)}") if isinstance(name, str) else name
        return self.page.get_by_role("button", name=pattern)

    def press(self, name: str | re.Pattern[str]) -> None:
        self.button(name).click()

    def start(self, *, accept: bool = False) -> None:
        """Review the campaign and start it; `accept`: acknowledge its warnings."""
        self.press("Review and start")
        sheet = self.page.get_by_role("dialog")
        if accept:
            sheet.get_by_label("I have read the warnings").check()
        sheet.get_by_role("button", name=re.compile("^Start")).click()

    def step(self, label: str) -> None:
        """Go to one of the four steps before the start: Content, List, Check, Send."""
        self.page.get_by_role("navigation", name="Steps").get_by_role("link", name=re.compile(label)).click()

    def panel(self, title: str | re.Pattern[str]) -> Locator:
        """A panel by its heading."""
        return self.page.locator("section.panel, details.panel").filter(
            has=self.page.get_by_role("heading", name=title)
        )

    def download(self, name: str | re.Pattern[str]) -> str:
        """Press a button that downloads; return the file's text."""
        with self.page.expect_download() as download:
            self.press(name)
        return download.value.path().read_text()

    def choose_list(self, name: str, content: bytes) -> None:
        """Choose a file that exists in memory only."""
        self.page.get_by_label("CSV file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def readers(count: int, extra: str = "") -> bytes:
    """A list of this number of recipients, each with a name, and `extra` at its end."""
    return (
        "email,name\n" + "".join(f"r{row}@shop.test,Reader {row}\n" for row in range(1, count + 1)) + extra
    ).encode()
