"""Whatever stands in a cell, a header that is a template is one line of printable ASCII, or its row fails."""

from __future__ import annotations

from email import message_from_bytes

from hypothesis import given, strategies as st

from campaigns.models import Content
from mail import mime
from mail.rendering import RenderError, Templates

CELLS = st.one_of(
    st.text(),
    st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    st.lists(st.sampled_from(["\r\nBcc: x", "\n", "\x85", "\u2028", "=?utf-8?q?x?=", "a", " ", ": ", "é"])).map(
        "".join
    ),
)


@given(CELLS)
def test_a_cell_in_a_header_never_adds_a_header(cell: str) -> None:
    content = Content(from_="n@shop.test", subject="s", text="t", headers={"X-A": "<{{ a }}>", "X-B": "1"})
    renderer = Templates(content).renderer("c1", ("email", "a"))
    try:
        message = renderer.message(1, "ann@shop.test", [cell])
    except RenderError as error:
        assert error.reason.startswith("headers.X-A:")  # noqa: PT017 - either way is right
        return
    assert message.headers == {"X-A": f"<{cell}>", "X-B": "1"}
    parsed = message_from_bytes(mime.encode(message))
    assert [name for name in parsed if name.startswith("X-")] == ["X-A", "X-B"]
    assert parsed["X-A"] == f"<{cell}>"
    assert "Bcc" not in parsed
