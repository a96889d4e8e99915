"""Encodes and decodes the messages on Dramatiq's queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dramatiq
import msgspec


class _Envelope(msgspec.Struct):
    """A message as Dramatiq writes it. The type of its arguments depends on its actor."""

    queue_name: str
    actor_name: str
    args: msgspec.Raw
    kwargs: dict[str, Any]
    options: dict[str, Any]
    message_id: str
    message_timestamp: int


class MsgspecEncoder(dramatiq.Encoder):
    """Dramatiq's JSON, written and read by msgspec.

    Args:
        arguments: the type of the positional arguments by the actor's name; other actors take plain JSON values.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._plain = msgspec.json.Decoder(list[Any])
        self._arguments = {name: msgspec.json.Decoder(type_) for name, type_ in arguments.items()}

    def encode(self, data: dict[str, Any]) -> bytes:
        return msgspec.json.encode(data)

    def decode(self, data: bytes) -> dict[str, Any]:
        message = self._envelope.decode(data)
        return msgspec.structs.asdict(message) | {"args": self._decode_arguments(message)}

    def _decode_arguments(self, message: _Envelope) -> Any:
        """The arguments. If they do not have their actor's type, they stay plain values, and the actor refuses them."""
        try:
            return self._arguments.get(message.actor_name, self._plain).decode(message.args)
        except msgspec.ValidationError:
            return self._plain.decode(message.args)
