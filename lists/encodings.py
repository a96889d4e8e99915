"""Recognises the encoding of a text from its first bytes. Does not convert it, and knows nothing of columns or files.

The detector is chardet; docs/adr/0013-encodings-and-formats.md has the comparison and the figures behind each rule.
"""

from __future__ import annotations

import codecs
import re
from itertools import islice
from typing import Final, NamedTuple

from lists import alphabets
from lists.errors import UnusableList
from lists.invisible import without_marks
from lists.lines import UTF_8, UTF_16_BE, UTF_16_LE

UTF_32_LE: Final = "utf-32-le"
UTF_32_BE: Final = "utf-32-be"
#: Recognised by its escape sequences: its bytes are ASCII.
ISO_2022_JP: Final = "iso2022_jp_ext"

#: The number of bytes of a file that are looked at.
HEAD_BYTES: Final = 4 * 1024 * 1024
#: The most bytes of lines with other than ASCII bytes that the detector sees. It is as sure with a tenth of that.
SAMPLE_BYTES: Final = 256 * 1024
#: From this confidence on, a recognised encoding is taken without a warning.
SURE: Final = 0.68
#: The number of sample values, and the most characters of each.
SAMPLES: Final = 3
_SAMPLE_CHARS: Final = 60
#: Quotes, blanks and invisible marks around a value.
_AROUND_CELLS: Final = " \"'\r\u200b\u200e\u202c\u2060\ufeff\xa0"

#: The encodings that exports are written in, by their names in the detector. A longer list makes short files ambiguous.
_CANDIDATES: Final = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
    *("koi8-r", "koi8-u", "iso8859-2", "iso8859-5", "iso8859-7", "mac-roman", "mac-cyrillic"),
    *("cp437", "cp850", "cp852", "cp866"),
    *("cp932", "euc-jp", "big5hkscs", "gb18030", "cp949"),
)
_FALLBACK: Final = "cp1252"
#: Python's codecs for answers of the detector that have a superset.
_SUPERSETS: Final = {
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
}
#: Codecs that are no encodings of files.
_NO_FILE_ENCODINGS: Final = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, UTF_32_LE),
    (codecs.BOM_UTF32_BE, UTF_32_BE),
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, UTF_16_LE),
    (codecs.BOM_UTF16_BE, UTF_16_BE),
    (b"\x84\x31\x95\x33", "gb18030"),
)
#: The bytes in which the NULs of UTF-16 and UTF-32 are counted.
_WIDE_BYTES: Final = 4096
#: From this number of lines on, whole lines are the better sample; below it, the cells alone count as much.
_MANY_LINES: Final = 20
#: The most cells whose letters are compared with alphabets.
_ALPHABET_CELLS: Final = 1_000
#: Fewer Chinese or Japanese characters than this do not tell EUC-JP from GB18030.
_FEW_HAN: Final = 10


class Guess(NamedTuple):
    """An encoding by Python's name, and how sure it is: 0 to 1."""

    encoding: str
    confidence: float


def named(encoding: str) -> str:
    """Python's name of an encoding that a caller names, by any of its aliases.

    Raises:
        UnusableList: Python has no such encoding, or it is no encoding of text.
    """
    try:
        name = codecs.lookup(encoding.strip()).name
        "".encode(name)  # raises for codecs of bytes, such as base64
    except (LookupError, ValueError, UnicodeError):
        name = "undefined"
    if name in _NO_FILE_ENCODINGS:
        raise UnusableList(
            f"The encoding {encoding[:40]!r} is unknown; name one such as utf-8, windows-1251, shift_jis or mac-roman."
        )
    return {"ascii": UTF_8, "utf-8-sig": UTF_8}.get(name, name)


def recognise(head: bytes, *, complete: bool) -> Guess:
    """The encoding of a text: UTF-8 also for pure ASCII, and where at least half of the other lines are UTF-8.

    Args:
        head: the first bytes of the file, `HEAD_BYTES` at most.
        complete: whether the file has no more bytes.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return Guess(encoding, 1.0)
    if wide := _wide(head[:_WIDE_BYTES]):
        return wide
    if head.isascii():
        return Guess(ISO_2022_JP, 1.0) if _has_escapes(head) else Guess(UTF_8, 1.0)
    if _is_utf_8(head, complete=complete):
        return Guess(UTF_8, 1.0)
    sample = foreign_lines(head)
    good = sum(_is_utf_8(line, complete=True) for line in sample)
    return Guess(UTF_8, good / len(sample)) if good * 2 >= len(sample) else detect(sample)


def detect(lines: list[bytes]) -> Guess:
    """The encoding of lines that are not UTF-8, each with other than ASCII bytes.

    A value counts once: a column with five different values says no more in 10,000 rows than in five.
    """
    values: dict[bytes, None] = {}
    telling: list[bytes] = []
    for line in lines:
        new = [cell for cell in re.split(rb"[,;\t]", line) if not cell.isascii() and cell not in values]
        if new:
            values.update(dict.fromkeys(new))
            telling.append(line)
    cells = b"\n".join(values)
    scores = _scores(b"\n".join(telling))
    if len(telling) < _MANY_LINES:
        # The detector takes the ASCII part of a short list for Spanish or English; its cells speak more clearly.
        of_cells = _scores(cells)
        scores = {name: scores.get(name, 0) + of_cells.get(name, 0) for name in {*scores, *of_cells}}
    if not scores:
        return Guess(_FALLBACK, 0.0)
    return _latin(_han(_best(scores, cells), cells), scores, list(values))


def foreign_lines(head: bytes) -> list[bytes]:
    """The lines with other than ASCII bytes, `SAMPLE_BYTES` at most. A last line without an end may be cut."""
    lines: list[bytes] = []
    size = 0
    for line in head.splitlines():
        if not line.isascii():
            lines.append(line[:SAMPLE_BYTES])
            size += len(line)
            if size >= SAMPLE_BYTES:
                break
    cut = len(lines) > 1 and head.endswith(lines[-1])
    return lines[:-1] if cut else lines


def samples(text: str) -> list[str]:
    """The first different values that contain other than ASCII characters, as a reader sees them, without addresses."""
    if text.isascii():
        return []
    cells = (cell.strip(_AROUND_CELLS) for cell in re.split(r"[,;\t|\n]", text) if not cell.isascii())
    shown = dict.fromkeys(
        cell[:_SAMPLE_CHARS] for cell in islice(cells, 1000) if not without_marks(cell).isascii() and "@" not in cell
    )
    return list(shown)[:SAMPLES]


def _wide(head: bytes) -> Guess | None:
    """UTF-16 or UTF-32 without a byte order mark, by the NULs of Latin characters."""
    quarter = len(head) // 4
    nuls = [head[position::4].count(0) for position in range(4)]
    if not quarter or sum(nuls) * 8 < len(head):
        return None
    if min(nuls[2:]) >= 0.9 * quarter and nuls[0] < 0.5 * quarter:
        return Guess(UTF_32_LE, 1.0)
    if min(nuls[:2]) >= 0.9 * quarter and nuls[3] < 0.5 * quarter:
        return Guess(UTF_32_BE, 1.0)
    even, odd = nuls[0] + nuls[2], nuls[1] + nuls[3]
    if odd > 4 * even:
        return Guess(UTF_16_LE, 1.0)
    return Guess(UTF_16_BE, 1.0) if even > 4 * odd else None


def _has_escapes(head: bytes) -> bool:
    """Whether ASCII bytes contain the escape sequences of ISO-2022-JP (RFC 1468)."""
    if b"\x1b$" not in head and b"\x1b(I" not in head:
        return False
    try:
        return not codecs.getincrementaldecoder(ISO_2022_JP)().decode(head).isascii()
    except UnicodeDecodeError:
        return False


def _is_utf_8(data: bytes, *, complete: bool) -> bool:
    try:
        codecs.utf_8_decode(data, "strict", complete)
    except UnicodeDecodeError:
        return False
    return True


def _scores(data: bytes) -> dict[str, float]:
    """The detector's confidence by encoding; it loads its models with the first file that needs it."""
    import chardet  # noqa: PLC0415 - 40 MB that lists in UTF-8 do not need

    found = chardet.detect_all(
        data,
        ignore_threshold=True,
        max_bytes=SAMPLE_BYTES,
        compat_names=False,
        include_encodings=_CANDIDATES,
        no_match_encoding=_FALLBACK,
        empty_input_encoding=_FALLBACK,
    )
    scores: dict[str, float] = {}
    for answer in found:
        if answer["encoding"] is not None:
            name = codecs.lookup(answer["encoding"]).name
            name = _SUPERSETS.get(name, name)
            scores[name] = max(scores.get(name, 0.0), answer["confidence"])
    return scores


def _best(scores: dict[str, float], cells: bytes) -> Guess:
    """The encoding with the highest score, and its confidence: by the next reading's distance, and by the evidence.

    Encodings that read the sample alike do not count against each other.
    """
    first = max(scores, key=lambda name: (scores[name], name))
    text = cells.decode(first, "replace")
    others = (score for name, score in scores.items() if cells.decode(name, "replace") != text)
    margin = 1 - max(others, default=0.0) / scores[first] if scores[first] else 0.0
    foreign = len(cells) - len(cells.decode("ascii", "ignore"))
    return Guess(first, 1 - 0.5 / (1 + 4 * margin + foreign / 40))


def _latin(guess: Guess, scores: dict[str, float], cells: list[bytes]) -> Guess:
    """Tells Latin code pages apart by the alphabets of languages, which the detector does not know.

    Most of a list is in one language. In cp1250, the bytes of `Peña, García` are `Peńa, García`: no language has both
    letters, while Spanish has those of cp1252.
    """
    cells = cells[:_ALPHABET_CELLS]
    covered = alphabets.of_one_language(guess.encoding, cells)
    if covered is None:
        return guess
    others = {name: part for name in scores if (part := alphabets.of_one_language(name, cells)) is not None}
    best = max(others, key=lambda name: (others[name], name == guess.encoding, scores[name], name))
    if others[best] <= covered:
        return guess
    foreign = sum(len(cell) - len(cell.decode("ascii", "ignore")) for cell in cells)
    return Guess(best, 1 - 0.5 / (1 + 4 * (others[best] - covered) + foreign / 40))


def _han(guess: Guess, cells: bytes) -> Guess:
    """Tells EUC-JP from GB18030, which have the same bytes and the same kana.

    Japanese has kana, and nearly all of its kanji are in the first half of the rows; in Chinese, a quarter of the
    characters are in the second half, since the rows are ordered by pinyin up to row 0xD7 (GB 2312, JIS X 0208).
    """
    if guess.encoding not in {"gb18030", "euc_jp", "euc_jis_2004", "big5hkscs"}:
        return guess
    try:
        cells.decode("euc_jp")
    except UnicodeDecodeError:
        return guess
    rows = [pair[0] for pair in re.findall(rb"[\xa1-\xfe]{2}", cells)]
    kana = sum(row in {0xA4, 0xA5} for row in rows)
    han = sum(row >= 0xB0 for row in rows)
    late = sum(row >= 0xD0 for row in rows)
    japanese = kana * 10 >= len(rows) or late * 10 <= han
    sure = guess.confidence if len(rows) >= _FEW_HAN else min(guess.confidence, 0.5)
    if japanese:
        return Guess("euc_jp", sure)
    return Guess("gb18030" if guess.encoding.startswith("euc") else guess.encoding, sure)
