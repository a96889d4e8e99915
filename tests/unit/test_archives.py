"""Archives of lists: what comes out, what is refused, and the bounds against bombs."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest

from lists import archives
from lists.errors import UnusableList
from lists.formats import recognised

CSV = b"email,name\nann@x.test,Ann\nbob@x.test,Bob\n"


def pieces(data: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(data: bytes, size: int = 1 << 20) -> bytes:
    with recognised(pieces(data, size)) as found:
        assert found.converted
        return b"".join(found.chunks)


def reason(data: bytes) -> str:
    """Why a file cannot be used, found when it is opened or while it is read."""
    with pytest.raises(UnusableList) as caught:
        read(data)
    return caught.value.detail


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_gzip(size: int) -> None:
    """Given two members and padding, as `cat a.gz b.gz` and tapes make them / Then both are read."""
    data = gzip.compress(CSV) + gzip.compress(b"cy@x.test,Cy\n") + b"\0" * 512
    assert read(data, size) == CSV + b"cy@x.test,Cy\n"


def test_gzip_of_another_encoding() -> None:
    with recognised([gzip.compress("email,name\na@x.test,Екатерина Кузнецова\n".encode("koi8-r"))]) as found:
        assert b"".join(found.chunks).decode().endswith("Екатерина Кузнецова\n")
        assert found.format == "gzip csv"


def test_gzip_that_is_cut_off() -> None:
    assert "cut off" in reason(gzip.compress(CSV)[:-5])


def test_gzip_that_is_damaged() -> None:
    data = bytearray(gzip.compress(CSV))
    data[-6] ^= 0xFF  # the checksum
    assert "damaged" in reason(bytes(data))
    assert "damaged" in reason(gzip.compress(CSV) + b"rubbish")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_zip_of_one_file(compression: int, size: int) -> None:
    """Given one file, and the folders and hidden files that macOS adds / Then it is read."""
    hidden = {"list/": b"", "__MACOSX/list/._people.csv": b"x", "list/.DS_Store": b"x", "list/._people.csv": b"x"}
    assert read(zipped(hidden | {"list/people.csv": CSV}, compression), size) == CSV


def test_zip_of_two_files_names_them() -> None:
    detail = reason(zipped({"people.csv": CSV, "more/\nothers.csv": CSV}))
    assert detail == ('The zip archive contains 2 files: "people.csv", "more/ others.csv". Upload one CSV at a time.')


def test_zip_of_many_files_names_five() -> None:
    assert '"4.csv" and 2 more.' in reason(zipped({f"{number}.csv": CSV for number in range(7)}))


def test_zip_without_files() -> None:
    assert "contains no file" in reason(zipped({}))
    assert "contains no file" in reason(zipped({"list/": b""}))


def test_zip_that_is_encrypted() -> None:
    """Given the flag that the file needs a password / Then that is the reason."""
    data = bytearray(zipped({"people.csv": CSV}))
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + offset] |= 1
    assert "encrypted" in reason(bytes(data))


def test_zip_that_is_damaged() -> None:
    data = bytearray(zipped({"people.csv": CSV}, zipfile.ZIP_STORED))
    data[data.index(b"Ann")] ^= 0x20
    assert "damaged" in reason(bytes(data))
    assert "damaged or cut off" in reason(zipped({"people.csv": CSV})[:-30])


def test_zip_packed_in_an_unknown_way() -> None:
    data = bytearray(zipped({"people.csv": CSV}))
    for mark, offset in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        data[data.index(mark) + offset] = 97
    assert "not supported" in reason(bytes(data))


@pytest.mark.parametrize("inside", [gzip.compress(CSV), zipped({"people.csv": CSV})], ids=["gzip", "zip"])
def test_an_archive_in_an_archive(inside: bytes) -> None:
    assert "contains another archive" in reason(zipped({"people": inside}))
    assert "contains another archive" in reason(gzip.compress(inside))


@pytest.mark.parametrize("pack", [gzip.compress, lambda bomb: zipped({"people.csv": bomb})], ids=["gzip", "zip"])
def test_a_bomb_stops_at_its_ratio(pack: Callable[[bytes], bytes]) -> None:
    """Given 64 MB of zeros, packed 1:1000 / Then it is stopped soon after 10 MB."""
    out: list[int] = []
    bomb = pack(b"email\n" + b"0" * (64 << 20))
    with recognised(pieces(bomb, 1000)) as found, pytest.raises(UnusableList, match="200 times its size"):
        out.extend(map(len, found.chunks))
    assert sum(out) < archives.RATIO_FROM_BYTES * 1.5


def test_an_archive_stops_at_its_size() -> None:
    """Given a limit of 100 kB instead of 2 GiB / Then what unpacks to more is stopped."""
    data = b"".join(b"user%06d@x.test\n" % number for number in range(10_000))
    with patch.object(archives, "MAX_BYTES", 100_000):
        assert "more than 100,000 bytes" in reason(gzip.compress(data))
        assert "more than 100,000 bytes" in reason(zipped({"people.csv": data}))


def test_small_files_may_pack_well() -> None:
    data = b"email\n" + b"same@x.test\n" * 100_000
    assert read(gzip.compress(data)) == data


def test_a_list_of_contents_that_is_very_long() -> None:
    with patch.object(archives, "MAX_DIRECTORY_BYTES", 1000):
        assert "too many files" in reason(zipped({f"{number}.csv": b"" for number in range(100)}))
