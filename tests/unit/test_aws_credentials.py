"""AWS credentials: where they come from, how they are renewed, and what a failing source means."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import botocore.session
import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from mail.providers import aws_credentials
from mail.providers.aws_credentials import AwsCredentials, CredentialsUnavailable, NoCredentials
from mail.providers.aws_signature import Keys

T = TypeVar("T")


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without credentials; the path of its shared credentials file."""
    file = tmp_path / "credentials"
    for name, value in {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(file),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return file


def run(work: Callable[[AwsCredentials], Awaitable[T]], keys: Keys | None = None, timeout_s: float = 60.0) -> T:
    async def inside() -> T:
        return await work(AwsCredentials(keys, timeout_s))

    return asyncio.run(inside())


def write(file: Path, key_id: str) -> Keys:
    file.write_text(f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = s\naws_session_token = t\n")
    return Keys(key_id, "s", "t")


def test_given_keys_are_used_as_they_are() -> None:
    keys = Keys("AKID", "s")
    assert run(AwsCredentials.current, keys) == keys
    assert run(lambda credentials: credentials.after_refusal(keys), keys) is None


def test_the_usual_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"), "abc", strict=True):
        monkeypatch.setenv(f"AWS_{name}", value)
    assert run(AwsCredentials.current) == Keys("a", "b", "c")


def test_without_any_the_error_says_what_to_set() -> None:
    with pytest.raises(NoCredentials, match="SES_ACCESS_KEY_ID"):
        run(AwsCredentials.current)


def test_refused_keys_are_replaced_by_those_that_a_tool_has_written_meanwhile(aws: Path) -> None:
    old = write(aws, "OLD")

    async def work(credentials: AwsCredentials) -> tuple[Keys, Keys | None, Keys | None, Keys]:
        before = await credentials.current()
        none = await credentials.after_refusal(before)
        write(aws, "NEW")
        newer = await credentials.after_refusal(before)
        return before, none, newer, await credentials.current()

    new = Keys("NEW", "s", "t")
    assert run(work) == (old, None, new, new)


class Source:
    """Temporary credentials, as a role has them: numbered keys, of which each fetch makes the next."""

    def __init__(self, lasts_s: float = 3600.0) -> None:
        self.made = 0
        self.error: Exception | None = None
        self.is_open = threading.Event()
        self.is_open.set()
        self.lasts_s = lasts_s

    def fetch(self) -> dict[str, Any]:
        assert self.is_open.wait(60)
        if self.error:
            raise self.error
        self.made += 1
        end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.lasts_s)
        return {"access_key": f"K{self.made}", "secret_key": "s", "token": "t", "expiry_time": end.isoformat()}

    def credentials(self) -> Credentials:
        return RefreshableCredentials.create_from_metadata(self.fetch(), self.fetch, "role")


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    found = Source()
    monkeypatch.setattr(botocore.session.Session, "get_credentials", lambda _session: found.credentials())
    yield found
    found.is_open.set()


def test_temporary_keys_are_renewed_before_they_expire(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given keys that expire within the minutes in which botocore renews them, when they are asked for again, then
    they are newer; as long as they need no look, they stay.
    """
    source.lasts_s = 60.0

    async def work(credentials: AwsCredentials) -> list[str]:
        first = [(await credentials.current()).access_key_id for _ in range(3)]
        monkeypatch.setattr(aws_credentials, "RECHECK_S", -1.0)
        credentials._use_until_s = 0.0
        return first + [(await credentials.current()).access_key_id for _ in range(2)]

    names = run(work)
    assert names[0] == names[1] == names[2]
    assert len(set(names[2:])) == 3


def test_all_senders_wait_for_one_look_up(source: Source) -> None:
    source.is_open.clear()

    async def work(credentials: AwsCredentials) -> set[Keys]:
        waiting = [asyncio.create_task(credentials.current()) for _ in range(100)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        source.is_open.set()
        return set(await asyncio.gather(*waiting[1:]))

    assert len(run(work)) == 1
    assert source.made == 1


def test_a_source_that_fails_may_work_later(source: Source) -> None:
    source.error = CredentialRetrievalError(provider="role", error_msg="away")

    async def work(credentials: AwsCredentials) -> Keys:
        with pytest.raises(CredentialsUnavailable, match="away"):
            await credentials.current()
        source.error = None
        return await credentials.current()

    assert run(work).access_key_id == "K1"


def test_a_source_that_hangs_is_waited_for_within_bounds(source: Source) -> None:
    source.is_open.clear()

    async def work(credentials: AwsCredentials) -> None:
        with pytest.raises(CredentialsUnavailable, match=r"within 0\.01 s"):
            await credentials.current()
        source.is_open.set()

    run(work, timeout_s=0.01)
