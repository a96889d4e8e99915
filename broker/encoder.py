"""How messages are encoded on the queues."""

from __future__ import annotations

from typing import Any

import dramatiq
import msgspec


class MsgspecEncoder(dramatiq.Encoder):
    """Dramatiq's JSON, written and read by msgspec."""

    def encode(self, data: dict[str, Any]) -> bytes:
        return msgspec.json.encode(data)

    def decode(self, data: bytes) -> dict[str, Any]:
        return msgspec.json.decode(data, type=dict[str, Any])
