"""The encoding of messages: recipients are decoded once, and what is malformed stays plain for the actor to refuse."""

from __future__ import annotations

from typing import Any

import dramatiq
import msgspec
import pytest

from broker.encoder import MsgspecEncoder
from lists.recipient import Recipient

ANN = Recipient(7, "Ann@Shop.test", ["Ann"])


@pytest.fixture
def encoder() -> MsgspecEncoder:
    return MsgspecEncoder({"SendEmail": tuple[str, str, list[Recipient]]})


def message(actor: str, *args: Any) -> dict[str, Any]:
    return dramatiq.Message("queue", actor, args, {}, {"retries": 1}, "m1", 5).asdict()


def test_recipients_are_decoded_into_their_type(encoder: MsgspecEncoder) -> None:
    data = encoder.encode(message("SendEmail", "c1", "g1", [ANN]))
    assert msgspec.json.decode(data)["args"] == ["c1", "g1", [[7, "Ann@Shop.test", ["Ann"]]]]
    assert encoder.decode(data) == message("SendEmail", "c1", "g1", [ANN])
    assert ANN.domain == "shop.test"


def test_other_actors_take_plain_values(encoder: MsgspecEncoder) -> None:
    assert encoder.decode(encoder.encode(message("ParseCsv", "c1", "g1", 0)))["args"] == ["c1", "g1", 0]


@pytest.mark.parametrize(
    "args", [("c1",), ("c1", "g1", [[7, "a@shop.test"]]), ("c1", "g1", [["7", "a@shop.test", []]])]
)
def test_malformed_arguments_stay_plain_values(encoder: MsgspecEncoder, args: tuple[Any, ...]) -> None:
    assert encoder.decode(encoder.encode(message("SendEmail", *args)))["args"] == list(args)
