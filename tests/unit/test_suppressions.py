"""The suppression list: exact, one for all processes, with reasons that survive in the object store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from fakeredis import FakeRedis
from redis import Redis

from campaigns import keys
from consent import segments
from consent.records import Change, Reason
from consent.suppressions import Suppressions
from storage import StoreUnavailable
from tests.support.doubles.object_store import MemoryStore
from tests.support.suppressions import suppressions


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def listed(fake_redis: Redis, store: MemoryStore) -> Suppressions:
    return suppressions(fake_redis, store)


def kinds(found: Suppressions, address: str) -> list[str]:
    return [record.what for record in found.find(address)]


def test_case_and_the_two_forms_of_a_domain_are_one_address(listed: Suppressions) -> None:
    listed.add(["ann@xn--mller-kva.test"], Reason.MANUAL)
    for written in ("ann@müller.test", "ANN@MÜLLER.test", " Ann <ann@xn--mller-kva.TEST> "):
        assert listed.contains(written)
    assert not listed.contains("anna@müller.test")
    assert not listed.contains("no address")


@pytest.mark.parametrize(
    ("reason", "other_mail"), [("bounced", True), ("complained", True), ("unsubscribed", False), ("manual", False)]
)
def test_bounces_and_complaints_alone_stop_mail_that_is_not_marketing(
    listed: Suppressions, reason: str, other_mail: bool
) -> None:
    listed.add(["ann@x.test"], Reason(reason))
    assert listed.contains("ann@x.test")
    assert listed.contains("ann@x.test", marketing=False) == other_mail


def test_an_empty_list_costs_no_hash_and_sees_the_first_entry_of_another_process(
    listed: Suppressions, fake_redis: Redis, store: MemoryStore
) -> None:
    assert listed.contains_many(["ann@x.test", "bob@x.test"]) == [False, False]
    assert fake_redis.hget(keys.SUPPRESSIONS, "hash_key") is None
    suppressions(fake_redis, store).add(["bob@x.test"], Reason.MANUAL)
    assert listed.contains_many(["ann@x.test", "bob@x.test"]) == [False, True]


def test_adding_again_changes_nothing_and_a_bounce_adds_to_an_unsubscription(listed: Suppressions) -> None:
    assert listed.add(["ann@x.test", "bob@x.test", "ann@x.test"], Reason.UNSUBSCRIBED)[:2] == (2, 1)
    assert listed.add(["ann@x.test"], Reason.BOUNCED)[:2] == (1, 0)
    assert listed.add(["ann@x.test"], Reason.COMPLAINED)[:2] == (0, 1)
    assert listed.add(["ann@x.test"], Reason.MANUAL)[:2] == (1, 0)
    assert kinds(listed, "ann@x.test") == ["unsubscribed", "bounced", "manual"]


def test_what_an_earlier_version_kept_in_one_class_stops_marketing_until_it_is_removed(
    listed: Suppressions, fake_redis: Redis
) -> None:
    # Given an address that an earlier version put on the list, as unsubscribed or by hand
    address_hash = listed.hash_of("ann@x.test")
    assert address_hash is not None
    fake_redis.sadd(f"{keys.SUPPRESSIONS}:marketing:0", address_hash)
    fake_redis.hset(keys.SUPPRESSIONS, mapping={"marketing_buckets": 1, "marketing_entries": 1})
    # Then it stops marketing, and no other email
    assert listed.contains("ann@x.test")
    assert not listed.contains("ann@x.test", marketing=False)
    # When a person removes it, then it is gone
    assert listed.remove("ann@x.test")
    assert not listed.contains("ann@x.test")


def test_the_hash_in_a_link_is_enough_to_suppress(listed: Suppressions) -> None:
    address_hash = listed.hash_of("Ann@x.test")
    assert address_hash is not None
    assert listed.add_hash(address_hash, Reason.UNSUBSCRIBED).added == 1
    assert listed.contains("ann@x.test")


def test_all_processes_share_one_hash_key_whatever_signs_links(
    fake_redis: Redis, store: MemoryStore, listed: Suppressions
) -> None:
    assert suppressions(fake_redis, store).hash_of("a@x.test") == listed.hash_of("a@x.test")
    assert listed.hash_of("a@x.test") != suppressions(FakeRedis(), MemoryStore()).hash_of("a@x.test")


def test_a_removal_is_effective_in_both_classes_and_stays_on_record(listed: Suppressions) -> None:
    listed.add(["ann@x.test"], Reason.UNSUBSCRIBED)
    listed.add(["ann@x.test"], Reason.BOUNCED)
    assert listed.remove("ANN@x.test", "asked by\tphone\n")
    assert not listed.contains("ann@x.test")
    assert not listed.remove("ann@x.test", "again")
    [record] = listed.find("ann@x.test")
    assert (record.what, record.note) == (Change.REMOVED, "asked by phone")
    listed.add(["ann@x.test"], Reason.MANUAL)
    assert kinds(listed, "ann@x.test") == ["removed", "manual"]


def test_records_are_found_and_streamed_alike_before_and_after_they_are_stored(
    listed: Suppressions, store: MemoryStore, fake_redis: Redis
) -> None:
    listed.add([f"r{number}@x.test" for number in range(3_000)], Reason.MANUAL)
    listed.remove("r7@x.test", "mistake")
    before = list(listed.stream())
    assert listed.flush() == 3_001
    assert fake_redis.llen(keys.SUPPRESSIONS_JOURNAL) == 0
    assert list(listed.stream()) == before
    assert len(before) == 2_999
    assert before == sorted(before, key=lambda record: record.line())
    assert kinds(listed, "r7@x.test") == ["removed"]
    assert kinds(listed, "r8@x.test") == ["manual"]
    assert listed.find("r9999@x.test") == []
    assert [key for key in store.objects if key.startswith("suppressions/segments/")]


def test_every_record_is_found_in_a_segment_that_is_larger_than_one_read(
    listed: Suppressions, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given searches that stop at 4 kB, then no record is missed at any edge, and few bytes are read."""
    monkeypatch.setattr(segments, "SEARCH_BYTES", 4_096)
    people = [f"r{number}@x.test" for number in range(2_000)]
    listed.add(people, Reason.BOUNCED)
    listed.flush()
    assert [one for one in people if kinds(listed, one) != ["bounced"]] == []
    store.reads.clear()
    assert listed.find("nobody@x.test") == []
    [size] = [len(data) for key, data in store.objects.items() if "segments" in key]
    assert sum(end - start for start, end in store.reads) < size / 3


def test_many_small_segments_are_merged_without_a_loss(listed: Suppressions, store: MemoryStore) -> None:
    for number in range(40):
        listed.add([f"a{number}@x.test", f"b{number}@x.test"], Reason.MANUAL)
        listed.remove(f"b{number}@x.test")
        listed.flush()
    names = [key for key in store.objects if "segments" in key]
    assert len(names) < 2 * segments.MERGE_SEGMENTS
    assert {record.address for record in listed.stream()} == {f"a{number}@x.test" for number in range(40)}
    assert all(kinds(listed, f"b{number}@x.test") == ["removed"] for number in range(40))


def test_a_store_that_is_away_costs_no_record_and_stops_no_suppression(
    listed: Suppressions, store: MemoryStore
) -> None:
    listed.add(["bob@x.test"], Reason.MANUAL)
    store.away = True
    listed.add(["ann@x.test"], Reason.UNSUBSCRIBED)
    assert listed.contains("ann@x.test")
    with pytest.raises(StoreUnavailable):
        listed.flush()
    store.away = False
    assert listed.flush() == 2
    assert kinds(listed, "ann@x.test") == ["unsubscribed"]


def test_a_reader_whose_segment_is_merged_away_begins_again(listed: Suppressions, store: MemoryStore) -> None:
    """Given a listing that names a segment which another process has just merged away."""
    listed.add(["ann@x.test"], Reason.MANUAL)
    listed.flush()
    [key] = [key for key in store.objects if "segments" in key]
    listing, data, asked = store.list_objects, store.objects.pop(key), []

    def list_objects(prefix: str) -> object:
        asked.append(prefix)
        store.objects |= {} if len(asked) == 1 else {f"{key}-merged": data}
        store.modified[f"{key}-merged"] = store.modified[key]
        if len(asked) == 1:
            store.objects[key] = data
            found = list(listing(prefix))
            del store.objects[key]
            return found
        return listing(prefix)

    store.list_objects = list_objects  # type: ignore[method-assign,assignment]
    assert [record.address for record in listed.stream()] == ["ann@x.test"]
    assert len(asked) == 2


def test_an_erased_address_is_in_no_object_and_still_gets_no_email(listed: Suppressions, store: MemoryStore) -> None:
    listed.add(["ann@x.test", "bob@x.test"], Reason.UNSUBSCRIBED)
    listed.flush()
    listed.erase("ann@x.test")
    assert listed.contains("ann@x.test")
    assert b"ann@x.test" not in b"".join(store.objects.values())
    assert sorted(record.address for record in listed.stream()) == ["", "bob@x.test"]


def test_a_redis_that_lost_the_list_gets_it_back_from_the_store(
    listed: Suppressions, store: MemoryStore, fake_redis: Redis
) -> None:
    people = [f"r{number}@x.test" for number in range(1_500)]
    listed.add(people, Reason.COMPLAINED)
    listed.remove("r1@x.test")
    listed.flush()
    fake_redis.flushall()
    again = suppressions(fake_redis, store)
    assert again.restore() == 1_499
    assert again.contains_many(people, marketing=False) == [one != "r1@x.test" for one in people]
    again.remove("r2@x.test")
    assert kinds(again, "r2@x.test") == ["removed"]


def test_two_processes_that_flush_at_once_store_nothing_twice(
    listed: Suppressions, store: MemoryStore, fake_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a process that has read the journal and is overtaken by another one before it writes."""
    listed.add(["ann@x.test", "bob@x.test"], Reason.MANUAL)
    waiting = listed._waiting

    def overtaken(most: int = 1) -> object:
        found = waiting(most)
        monkeypatch.setattr(listed, "_waiting", waiting)
        suppressions(fake_redis, store).flush()
        suppressions(fake_redis, store).add(["eve@x.test"], Reason.MANUAL)
        return found

    monkeypatch.setattr(listed, "_waiting", overtaken)
    listed.flush()
    assert sorted(record.address for record in listed.stream()) == ["ann@x.test", "bob@x.test", "eve@x.test"]


def test_a_list_of_an_earlier_version_keeps_its_hashes(fake_redis: Redis, store: MemoryStore) -> None:
    """Given a hash key of 16 bytes, then addresses hash as they did, also after Redis is lost; new keys are longer."""
    key = bytes(range(16))
    fake_redis.hset(keys.SUPPRESSIONS, "hash_key", key)
    older = suppressions(fake_redis, store)
    expected = hashlib.blake2b(b"ann@x.test", digest_size=8, key=key, person=b"suppression").digest()
    assert older.hash_of("Ann@x.test") == int.from_bytes(expected, "big", signed=True)
    assert older.hashes(["ann@x.test"]) == [older.hasher()("ann@x.test")] == [older.hash_of("ann@x.test")]
    older.add(["ann@x.test"], Reason.MANUAL)
    older.flush()
    fake_redis.flushall()
    again = suppressions(fake_redis, store)
    again.restore()
    assert again.contains("ann@x.test")
    assert again.hash_of("ann@x.test") == older.hash_of("ann@x.test")


def test_new_keys_are_long_and_every_byte_counts(store: MemoryStore) -> None:
    listed = suppressions(FakeRedis(), store)
    listed.add(["ann@x.test"], Reason.MANUAL)
    listed.flush()
    [key] = [data for name, data in store.objects.items() if name.endswith("hash-key")]
    assert len(key) == 32
    hashes = set()
    for place in range(32):
        redis = FakeRedis()
        redis.hset(keys.SUPPRESSIONS, "hash_key", key[:place] + bytes([key[place] ^ 1]) + key[place + 1 :])
        hashes.add(suppressions(redis, MemoryStore()).hash_of("ann@x.test"))
    assert len(hashes | {listed.hash_of("ann@x.test")}) == 33


def test_what_redis_has_lost_is_noticed_and_put_back(
    listed: Suppressions, store: MemoryStore, fake_redis: Redis
) -> None:
    """Given Redis lost altogether, then restored from an older backup, then whole again."""
    assert listed.restore_if_lost() is None
    listed.add(["ann@x.test"], Reason.UNSUBSCRIBED)
    backup = fake_redis.dump(keys.SUPPRESSIONS), fake_redis.dump(f"{keys.SUPPRESSIONS}:unsubscribed:0")
    listed.add(["bob@x.test"], Reason.UNSUBSCRIBED)
    listed.flush()
    assert listed.restore_if_lost() is None
    fake_redis.flushall()
    again = suppressions(fake_redis, store)
    assert again.restore_if_lost() == 2
    assert again.restore_if_lost() is None
    fake_redis.flushall()
    fake_redis.restore(keys.SUPPRESSIONS, 0, backup[0])  # type: ignore[arg-type]
    fake_redis.restore(f"{keys.SUPPRESSIONS}:unsubscribed:0", 0, backup[1])  # type: ignore[arg-type]
    assert not again.contains("bob@x.test")
    assert again.restore_if_lost() == 1
    assert again.contains_many(["ann@x.test", "bob@x.test"]) == [True, True]
    assert not again.waiting()


def test_a_restoration_that_is_broken_off_begins_again(
    listed: Suppressions, store: MemoryStore, fake_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed.add([f"r{number}@x.test" for number in range(2_500)], Reason.BOUNCED)
    listed.flush()
    fake_redis.flushall()
    again = suppressions(fake_redis, store)
    again.hash_of("ann@x.test")
    stream, left = store.stream, iter(range(2))

    def broken(key: str) -> Iterator[bytes]:
        if next(left, None) is not None:
            raise StoreUnavailable("away")
        return stream(key)

    monkeypatch.setattr(store, "stream", broken)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            again.restore_if_lost()
    assert again.restore_if_lost() == 2_500


def test_a_no_that_comes_during_a_restoration_outlives_the_next_one(
    listed: Suppressions, store: MemoryStore, fake_redis: Redis
) -> None:
    """Given an address that was removed long ago, then its new record counts as later than the removal."""
    listed.add([f"r{number}@x.test" for number in range(50)], Reason.UNSUBSCRIBED)
    listed.remove("r1@x.test")
    listed.flush()
    fake_redis.flushall()
    again = suppressions(fake_redis, store)
    again.add(["r1@x.test"], Reason.UNSUBSCRIBED)
    assert again.restore_if_lost() == 49
    again.flush()
    fake_redis.flushall()
    last = suppressions(fake_redis, store)
    assert last.restore_if_lost() == 50
    assert last.contains("r1@x.test")


def test_the_hash_key_is_in_the_store_before_the_first_link(
    listed: Suppressions, store: MemoryStore, fake_redis: Redis
) -> None:
    """Given Redis lost before any record was stored, then links that have been sent still name their addresses."""
    before = listed.hash_of("ann@x.test")
    fake_redis.flushall()
    assert suppressions(fake_redis, store).hash_of("ann@x.test") == before
