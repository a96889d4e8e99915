"""Moves the CSS of `<style>` into the elements that it styles, once per campaign; the tags of Jinja2 stay in place.

css-inline (Rust) does the work. It sees words and comments where the tags are. Content that would take it long, or
more stack than a thread has, is refused before.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final

import css_inline

from campaigns.errors import InvalidCampaign
from mail.check import place
from mail.html_tokens import Token, What, tokens
from mail.tags import replaced, tags

#: The longest HTML, in characters.
MAX_HTML: Final = 300_000
#: The most elements, and the most of them that are open at once. css-inline overflows the stack at some 20,000.
MAX_ELEMENTS: Final = 10_000
MAX_OPEN: Final = 1_000
#: The most formatting elements (`<b>`, `<font>`, ...) that are never closed: a browser repeats them in each block.
MAX_UNCLOSED: Final = 30
#: The most pairs of a selector and an element that it may style; selectors of classes count for a twentieth.
MAX_PAIRS: Final = 400_000
#: The most characters of declarations, times the elements; those of classes count for a fifth.
MAX_STYLE: Final = 8_000_000
#: The longest result, in characters.
MAX_INLINED: Final = 2_000_000

_FORMATTING: Final = frozenset({
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
})  # fmt: skip
_VOID: Final = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
})  # fmt: skip
_BLOCK: Final = re.compile(r"\{%[-+]?\s*(\w+)")
_BEGINS: Final = frozenset({"block", "call", "filter", "for", "if", "macro"})

_INLINER: Final = css_inline.CSSInliner(
    load_remote_stylesheets=False, keep_style_tags=True, remove_inlined_selectors=True, keep_at_rules=True
)


def inlined(html: str) -> str:
    """A template of HTML with its CSS in `style` attributes.

    Rules that no attribute can hold (`:hover`, `@media`) stay in `<style>`. Stylesheets behind links are not loaded.

    Raises:
        InvalidCampaign: it is too large, or a tag of Jinja2 stands where CSS cannot be moved past it.
    """
    if len(html) > MAX_HTML:
        raise InvalidCampaign(f"inline_css: the HTML is longer than {MAX_HTML:,} characters: shorten it")
    if "<style" not in html.lower():
        return html
    masking = _Masking(html)
    try:
        made = _INLINER.inline(masking.masked)
    except (css_inline.InlineError, ValueError) as error:
        raise InvalidCampaign(f"inline_css: the CSS cannot be moved: {error}") from None
    if len(made) > MAX_INLINED:
        raise InvalidCampaign(f"inline_css: the result is longer than {MAX_INLINED:,} characters: use fewer rules")
    return masking.restored(made)


class _Masking:
    """The tags of a template behind words and comments, and back.

    Raises:
        InvalidCampaign: a tag stands where it cannot be hidden, or the content is too large.
    """

    def __init__(self, html: str) -> None:
        self._html = html
        self._prefix = next(word for word in _words() if word not in html)
        self._word = re.compile(rf"<!--{self._prefix}([0-9]+)x:-->|{self._prefix}([0-9]+)x")
        found = list(tags(html))
        self._tags = [html[tag.start : tag.end] for tag in found]
        self._found = found
        # A tag that occurs twice has one word, so that a class that is a column still matches.
        first = {source: number for number, source in reversed(list(enumerate(self._tags)))}
        self._numbers = [first[source] for source in self._tags]
        marked = replaced(html, lambda number, _tag: f"{self._prefix}{self._numbers[number]}x")
        pieces = list(tokens(marked))
        _check_size(marked, pieces)
        self.masked = "".join(self._piece(marked, token) for token in pieces)
        self._check_styles(marked, pieces)
        self._ordered, self._styled = self._found_in(marked, pieces)

    def _piece(self, marked: str, token: Token) -> str:
        text = marked[token.start : token.end]
        if token.what is What.TEXT and not token.raw:
            return self._word.sub(lambda match: f"<!--{match.group()}:-->", text)
        if token.what in {What.START, What.END}:
            values = [attribute.value or "" for attribute in token.attributes]
            if self._prefix in text and len(self._word.findall(text)) > len(self._word.findall(" ".join(values))):
                match = self._word.search(text)
                tag = self._tags[int(match.group(2))] if match else text
                raise self._refusal(
                    tag, 'stands between attributes: put it inside the quotes of one, as in class="..."'
                )
        return text

    def _check_styles(self, marked: str, pieces: Iterable[Token]) -> None:
        """Refuse conditions in a style, and styles in a condition: their rules would apply to everyone."""
        depth = 0
        for token in pieces:
            for match in self._word.finditer(marked, token.start, token.end):
                tag = self._tags[int(match.group(2))]
                begins = _BLOCK.match(tag)
                if token.name == "style" and token.raw and not tag.startswith("{{"):
                    raise self._refusal(tag, "stands inside <style>, whose rules are moved for all recipients alike")
                if begins:
                    word = begins.group(1)
                    depth += 1 if word in _BEGINS else -1 if word.startswith("end") and word != "endset" else 0
            if token.what is What.START and token.name == "style" and depth > 0:
                line, _column = place(marked, token.start)
                raise InvalidCampaign(
                    f"inline_css: html, line {line}: <style> stands inside a condition or loop: move it out of there"
                )

    def _refusal(self, tag: str, words: str) -> InvalidCampaign:
        where = next(one for one, source in zip(self._found, self._tags, strict=True) if source == tag)
        line, _column = place(self._html, where.start)
        return InvalidCampaign(f"inline_css: html, line {line}: {tag[:60]} {words}")

    def _found_in(self, html: str, pieces: Iterable[Token]) -> tuple[list[str], set[str]]:
        """The words in order, without those of styles; and the words of `style` attributes, whose order may change."""
        ordered: list[str] = []
        styled: set[str] = set()
        for token in pieces:
            if token.name == "style" and token.raw:
                continue
            if token.what is not What.START:
                ordered += self._in(html[token.start : token.end])
                continue
            for attribute in token.attributes:
                if attribute.name == "style":
                    styled.update(self._in(attribute.value or ""))
                else:
                    ordered += self._in(attribute.value or "")
        return ordered, styled

    def _in(self, text: str) -> list[str]:
        return [match.group(1) or match.group(2) for match in self._word.finditer(text)] if self._prefix in text else []

    def restored(self, html: str) -> str:
        """The result with the tags instead of the words.

        Raises:
            InvalidCampaign: a tag was moved or lost.
        """
        ordered, styled = self._found_in(html, tokens(html) if self._tags else ())
        if ordered != self._ordered or not styled >= self._styled:
            raise InvalidCampaign(
                "inline_css: the HTML is too broken to keep its tags in order: close all elements, and put "
                "no block in <p>"
            )
        if "<tbody" not in self._html.lower():
            # A parser adds these around rows, and may put one of the two inside a loop.
            html = html.replace("<tbody>", "").replace("</tbody>", "")
        return self._word.sub(lambda match: self._tags[int(match.group(1) or match.group(2))], html)


def _words() -> Iterator[str]:
    yield "jinja"
    yield from (f"jinja{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    yield from (f"jinja{'q' * length}" for length in range(1, MAX_HTML))


def _check_size(html: str, pieces: Iterable[Token]) -> None:
    """Refuse what css-inline would take too long for.

    Raises:
        InvalidCampaign: it is too much.
    """
    elements, selectors, declarations = 0, 0.0, 0.0
    unclosed: list[str] = []
    for token in pieces:
        if token.what is What.START and token.name not in _VOID:
            elements += 1
            unclosed.append(token.name)
        elif token.what is What.END and unclosed and unclosed[-1] == token.name:
            unclosed.pop()
        elif token.raw and token.name == "style":
            more_selectors, more_declarations = _weights(html[token.start : token.end])
            selectors += more_selectors
            declarations += more_declarations
        elif token.what is What.START:
            elements += 1
    formatting = sum(name in _FORMATTING for name in unclosed)
    if elements > MAX_ELEMENTS:
        raise InvalidCampaign(f"inline_css: {elements:,} elements are more than {MAX_ELEMENTS:,}: use fewer")
    if len(unclosed) > MAX_OPEN or formatting > MAX_UNCLOSED:
        raise InvalidCampaign("inline_css: too many elements are never closed: close them in the order of opening")
    if selectors * elements > MAX_PAIRS or declarations * elements > MAX_STYLE:
        raise InvalidCampaign(
            "inline_css: the CSS is too large for this many elements: remove rules that style nothing"
        )


def _weights(css: str) -> tuple[float, float]:
    """What the selectors and the declarations of a style cost per element.

    A selector that ends in a class or id is quickly passed by, and fits few elements.
    """
    selectors = declarations = 0.0
    pieces = css.split("{")
    for before, after in itertools.pairwise(pieces):
        named = True
        for selector in before[before.rfind("}") + 1 :].split(","):
            last = (selector.split() or [""])[-1]
            is_named = "." in last or "#" in last
            named = named and is_named
            selectors += 0.05 if is_named else 1
        length = after.find("}") if "}" in after else len(after)
        declarations += length * (0.2 if named else 1)
    return selectors, declarations
