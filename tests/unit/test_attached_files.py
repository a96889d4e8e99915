"""The files that emails carry, as a worker reads them: once, bounded, and through an outage of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from campaigns.attachments import Attachments, StoredFile
from tests.support.doubles.object_store import MemoryStore
from worker import attached_files as module
from worker.attached_files import AttachedFiles, FilesGone, NotNow


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.objects.update({f"key-{name}": name.encode() * 1000 for name in "abc"})
    return made


@pytest.fixture
def files(fake_redis: Redis, store: MemoryStore) -> AttachedFiles:
    return AttachedFiles(Attachments(fake_redis), lambda: store)


def file(name: str, size: int = 1000) -> StoredFile:
    return StoredFile(f"{name}.png", size, "image/png", f"key-{name}")


async def data(files: AttachedFiles, *names: str, html: str | None = None) -> list[bytes]:
    async with files.taken([file(name) for name in names], html) as found:
        return [one.data for one in found]


def test_each_file_is_read_once_for_any_number_of_emails(files: AttachedFiles, store: MemoryStore) -> None:
    async def send_many() -> None:
        found = await asyncio.gather(*(data(files, "a", "b") for _ in range(20)))
        assert found == [[b"a" * 1000, b"b" * 1000]] * 20

    asyncio.run(send_many())
    assert len(store.reads) == 2


def test_the_files_least_used_lately_are_dropped_first(
    files: AttachedFiles, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 5000)

    async def send_in_turn() -> None:
        for name in ("a", "b", "a", "c", "a", "b"):
            await data(files, name)

    asyncio.run(send_in_turn())
    assert len(store.reads) == 4  # a, b, c, and b again


def test_an_image_is_inline_where_the_html_refers_to_it(files: AttachedFiles) -> None:
    async def inline() -> list[bool]:
        async with files.taken([file("a"), file("b")], '<img src="cid:a.png"><img src="cid:b.png.gif">') as found:
            return [one.inline for one in found]

    assert asyncio.run(inline()) == [True, False]


@pytest.mark.parametrize(
    "harm", [lambda store: store.objects.clear(), lambda store: store.objects.update({"key-a": b"x"})]
)
def test_a_file_that_is_gone_or_shorter_is_no_reason_to_wait(
    files: AttachedFiles, store: MemoryStore, harm: Callable[[MemoryStore], Any]
) -> None:
    harm(store)
    with pytest.raises(FilesGone, match=r"a\.png"):
        asyncio.run(data(files, "a"))


def test_an_outage_of_the_store_hands_the_rows_back_until_it_ends(
    files: AttachedFiles, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    store.away = True

    async def outage() -> list[bytes]:
        with pytest.raises(NotNow):
            await data(files, "a")
        store.away = False
        return await data(files, "a")

    assert asyncio.run(outage()) == [b"a" * 1000]


def test_the_bytes_on_their_way_are_limited(files: AttachedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_free", 3000)  # two of these emails at once
    most = 0
    now = 0

    async def send() -> None:
        nonlocal most, now
        async with files.taken([file("a")], None):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async def send_many() -> None:
        await asyncio.gather(*(send() for _ in range(10)))

    asyncio.run(send_many())
    assert most == 2


def test_an_email_does_not_wait_for_room_for_ever(files: AttachedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    monkeypatch.setattr(files, "_free", 0)
    with pytest.raises(NotNow):
        asyncio.run(data(files, "a"))
