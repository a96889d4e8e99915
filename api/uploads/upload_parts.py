"""The arithmetic of a multipart upload: how a file is cut into parts, and whether all parts have arrived. Pure.

S3 allows 10,000 parts of 5 MiB to 5 GiB each; the last may be smaller (Amazon S3 user guide, "Multipart upload
limits").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from api.http.errors import Problem
from api.http.inputs import MIB
from api.http.problem_types import ProblemType
from api.uploads.bodies import SentPart
from campaigns.models import Upload
from storage import Part, bare_etag

#: The smallest part size that we plan, in bytes.
MIN_PART_BYTES: Final = 8 * MIB
#: The most parts that we plan. Each costs a URL of 400 bytes in the response, and the CPU time to sign it.
PLANNED_PARTS: Final = 1000
#: The most part numbers that an error detail names.
NAMED: Final = 20


def part_bytes(size: int) -> int:
    """The size of every part but the last, in bytes: whole MiB, such that a file has at most PLANNED_PARTS parts."""
    smallest = -(-size // PLANNED_PARTS)
    return max(MIN_PART_BYTES, -(-smallest // MIB) * MIB)


def part_count(size: int, each: int) -> int:
    """The number of parts of `each` bytes in a file of `size` bytes."""
    return -(-size // each)


def expected_bytes(upload: Upload, number: int) -> int:
    """The size of a part, by its number, in bytes: the last part has the rest of the file."""
    return upload.part_bytes if number < upload.parts else upload.size - upload.part_bytes * (upload.parts - 1)


def checked(upload: Upload, arrived: Sequence[Part], sent: Sequence[SentPart]) -> list[Part]:
    """The parts to assemble, once all have arrived as planned.

    Args:
        upload: how the file is cut into parts.
        arrived: the parts that the store has.
        sent: the parts that the client says it sent; empty: it does not say.

    Raises:
        Problem: 409, naming the parts that are missing, or have another size or ETag than expected.
    """
    by_number = {part.number: part for part in arrived}
    wanted = range(1, upload.parts + 1)
    claims = {part.part_number: bare_etag(part.etag).lower() for part in sent}
    missing = [number for number in wanted if number not in by_number or (claims and number not in claims)]
    wrong = {number for number in wanted if number in by_number and not _fits(upload, by_number[number], claims)}
    wrong.update(number for number in claims if number > upload.parts)
    if missing or wrong:
        raise _incomplete(missing, sorted(wrong))
    return [by_number[number] for number in wanted]


def _fits(upload: Upload, part: Part, claims: Mapping[int, str]) -> bool:
    expected = expected_bytes(upload, part.number)
    return part.size == expected and claims.get(part.number, part.etag.lower()) == part.etag.lower()


def _incomplete(missing: list[int], wrong: list[int]) -> Problem:
    found = [f"missing: {_named(missing)}"] if missing else []
    if wrong:
        found.append(f"of another size or ETag than expected: {_named(wrong)}")
    detail = f"Parts {'; '.join(found)}. Send these parts again, then complete the upload; it is still open."
    return Problem(HTTPStatus.CONFLICT, detail, kind=ProblemType.INCOMPLETE_UPLOAD, missing=missing, wrong=wrong)


def _named(numbers: list[int]) -> str:
    more = f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else ""
    return ", ".join(map(str, numbers[:NAMED])) + more
