"""Emails per second and CPU per email through Amazon SES: boto3 in threads, botocore's signature, and the provider.

    python -m bench.ses

All three send the same messages to the same double, with `AT_ONCE` requests under way. The results are why
`mail/providers/ses.py` signs its requests itself.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import boto3
import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from bench.report import line, table
from mail.message import Mailbox, Message
from mail.outcome import Kind
from mail.providers.ses import PATH, Ses, payload
from mail.providers.transport import Transport
from settings import SesAccount
from tests.support.doubles.ses import KEY_ID, REGION, SECRET

#: Requests under way at once: as many as four workers have threads by default, and boto3 as many threads.
AT_ONCE: Final = 40
ROUNDS: Final = 3
EMAILS: Final = {"boto3 in threads": 400, "botocore's signature, pooled transport": 1_500, "the provider": 1_500}
LATENCIES_MS: Final = (0, 50)

Send = Callable[[Message], Awaitable[None]]


def message(row: int) -> Message:
    """A message of 1.5 kB."""
    sender = Mailbox("News", "news@shop.test")
    return Message("c1", row, f"r{row}@shop.test", sender, None, f"Hello {row}", "<p>Hi</p>" * 80, "Hi " * 250)


async def boto3_in_threads(url: str) -> float:
    """Send through boto3's client; return emails per second."""
    options = Config(max_pool_connections=AT_ONCE, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
    make: Any = boto3.client  # boto3-stubs has types of S3 alone here
    client = make("sesv2", region_name=REGION, endpoint_url=url, config=options, **keys)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(AT_ONCE) as threads:

        async def send(mail: Message) -> None:
            await loop.run_in_executor(threads, lambda: client.send_email(**payload(mail, None)))

        return await measured(send, EMAILS["boto3 in threads"])


async def botocore_signed(url: str) -> float:
    """Send over the provider's transport, signed by botocore; return emails per second."""
    auth = SigV4Auth(Credentials(KEY_ID, SECRET), "ses", REGION)
    transport = Transport(url + PATH, {"Content-Type": "application/json"}, 15)

    async def send(mail: Message) -> None:
        body = msgspec.json.encode(payload(mail, None))
        request = AWSRequest("POST", url + PATH, headers={"Content-Type": "application/json"}, data=body)
        auth.add_auth(request)
        signed = {name: value for name, value in request.headers.items() if name != "Content-Type"}
        answer = await transport.post(body, signed)
        await answer.body()

    rate = await measured(send, EMAILS["botocore's signature, pooled transport"])
    await transport.close()
    return rate


async def provider(url: str) -> float:
    """Send through the provider; return emails per second."""
    ses = Ses(SesAccount(REGION, url, None, KEY_ID, SECRET), 15)

    async def send(mail: Message) -> None:
        outcome = await ses.send(mail)
        assert outcome.kind is Kind.ACCEPTED, outcome  # noqa: S101 - the double accepts everything

    rate = await measured(send, EMAILS["the provider"])
    await ses.close()
    return rate


async def measured(send: Send, emails: int) -> float:
    """Send this many emails, `AT_ONCE` at a time, after a warm-up; return emails per second."""
    rows = iter(range(1, emails + AT_ONCE + 1))

    async def sender(share: int) -> None:
        for _ in range(share):
            await send(message(next(rows)))

    await asyncio.gather(*(sender(1) for _ in range(AT_ONCE)))
    started = time.perf_counter()
    await asyncio.gather(*(sender(emails // AT_ONCE) for _ in range(AT_ONCE)))
    return emails // AT_ONCE * AT_ONCE / (time.perf_counter() - started)


def main() -> None:
    """Measure each way in turns, and print the table."""
    ways = dict(zip(EMAILS, (boto3_in_threads, botocore_signed, provider), strict=True))
    rows = []
    for latency_ms in LATENCIES_MS:
        command = [sys.executable, "-m", "tests.support.doubles.ses", "--latency-ms", str(latency_ms)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as double:
            url = double.stdout.readline().strip() if double.stdout else ""
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    used_s = time.process_time()
                    rate = asyncio.run(way(url))
                    cpu_us = (time.process_time() - used_s) / (EMAILS[name] + AT_ONCE) * 1e6
                    found[name].append((rate, cpu_us))
                    line(f"  {latency_ms} ms, {name}: {rate:,.0f}/s, {cpu_us:,.0f} us")
            double.terminate()
        for name, samples in found.items():
            rate, cpu_us = (sorted(figures)[ROUNDS // 2] for figures in zip(*samples, strict=True))
            rows.append([f"{latency_ms} ms", name, f"{rate:,.0f}", f"{cpu_us:,.0f}"])
    table(["latency", "way", "emails per second", "CPU us per email"], rows)


if __name__ == "__main__":
    main()
