"""HTML and attachments together: images without a file, and files without an image."""

from __future__ import annotations

import pytest
from redis import Redis

from mail.attachment import references
from mail.check import Check, Level
from mail.file_checks import files
from tests.support.app_harness import CONTENT, AppHarness

HTML = '<p>Hi</p>\n<img src="cid:logo.png" alt="Logo">'
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


@pytest.mark.parametrize(
    ("html", "names"),
    [
        (HTML, ["logo.png"]),
        ("<img src=cid:a.png><img src='CID:b.png'><td background = \"cid:c.png\">", ["a.png", "b.png", "c.png"]),
        (
            "<p style=\"background: url('cid:d.png')\"><style>p { background: url(cid:e.png) }</style>",
            ["d.png", "e.png"],
        ),
        ('<img src="cid:{{ logo }}.png"><p>cid:f.png</p><a href="https://x.test/?a=acid:g">x</a>', []),
        ('<img src="cid:my%20logo.png">', ["my%20logo.png"]),
        ("".join(f"<img src=cid:{number}>" for number in range(1000)), [str(number) for number in range(21)]),
    ],
)
def test_the_files_that_html_shows(html: str, names: list[str]) -> None:
    assert list(references(html)) == names


def test_an_image_without_a_file_wants_to_be_acknowledged() -> None:
    (one,) = files(HTML, {"terms.pdf": "application/pdf"})
    assert one == Check(
        "missing_attachment",
        "there is no attachment logo.png, so readers would see a broken image: attach it, or correct cid:",
        "html", 2, 11, Level.ACKNOWLEDGE,
    )  # fmt: skip
    assert list(files(HTML, {"Logo.PNG": "image/png"})) == []
    assert list(files(None, {"logo.png": "image/png"})) == []


def test_an_attached_image_that_is_not_shown_is_a_hint() -> None:
    (one,) = files(HTML, {"logo.png": "image/png", "other.png": "image/png"})
    assert (one.code, one.level) == ("unshown_image", Level.HINT)
    assert '<img src="cid:other.png" alt="...">' in one.message


def test_a_file_that_the_html_shows_must_be_attached_before_the_start(app: AppHarness) -> None:
    """Given HTML with an image, when its file is missing, then PUT, GET, preview, status and start say so; once it is
    attached, the campaign starts.
    """
    app.ready(html=HTML)
    told = app.web.get("/campaigns/c1").json()["warnings"][0]
    assert (told["code"], told["line"]) == ("missing_attachment", 2)
    assert app.web.put("/campaigns/c1", CONTENT | {"html": HTML}).json()["warnings"][0] == told
    assert told in app.web.post("/campaigns/c1/preview", {"row": 1}).json()["warnings"]
    assert app.web.get("/campaigns/c1/status").json()["unaccepted"] == ["missing_attachment"]
    assert app.web.post("/campaigns/c1/start").json()["unaccepted"] == ["missing_attachment"]
    assert app.web.put("/campaigns/c1/attachments/Logo.png", b"png", PNG).status == 201
    assert app.web.get("/campaigns/c1/status").json()["unaccepted"] == []
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


def test_a_missing_file_can_be_accepted(app: AppHarness) -> None:
    app.ready(html=HTML)
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": True}).json() == {"status": "running"}


@pytest.mark.parametrize("attached", [True, False])
def test_a_start_during_parsing_looks_for_files_when_parsing_ends(app: AppHarness, attached: bool) -> None:
    """Given a start during parsing, when the file is removed or stays until parsing ends, then that decides."""
    app.make(html=HTML)
    app.web.put("/campaigns/c1/attachments/logo.png", b"png", PNG)
    app.upload()
    assert app.web.post("/campaigns/c1/start").json() == {"status": "parsing"}
    if not attached:
        app.web.request("DELETE", "/campaigns/c1/attachments/logo.png")
    assert app.parse().status == ("running" if attached else "ready")
