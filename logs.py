"""Structured logs: one JSON object per line on stdout, for Postrider's own lines, Dramatiq's and uvicorn's alike.

No line holds an email address: this module masks everything that looks like one to its domain, also in the lines of
libraries. The other modules decide what they log, and when.
"""

from __future__ import annotations

import logging
import os
import re
import select
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec
import structlog
from structlog.typing import Processor

#: Everything up to the last @ of a word, and the domain. Some characters that end a word here are legal in an address,
#: but the rest that then stays unmasked is no address.
_ADDRESS: Final = re.compile(r"""[^\s<>()\[\]"',;:]+@([^\s@<>()\[\]"',;:]+)""")
#: Dramatiq's log line about a message that admission has requeued. The ledger counts those.
_SKIPPED: Final = "Message %s was skipped."


def masked(text: str) -> str:
    """Text with each address in it reduced to its domain."""
    return _ADDRESS.sub(r"***@\1", text) if "@" in text else text


def _mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and "@" in value:
            event[name] = masked(value)
    return event


def _plain(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    event.pop("color_message", None)  # uvicorn's second copy of its line
    return event


class _Messages(logging.Filter):
    """Makes Dramatiq's lines name a message by its id, because its arguments are recipients."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == _SKIPPED:
            return False
        if isinstance(record.args, tuple):
            record.args = tuple(_named(argument) for argument in record.args)
        return True


def _named(argument: object) -> object:
    message_id = getattr(argument, "message_id", None)
    return argument if message_id is None else f"{getattr(argument, 'actor_name', 'message')} {message_id}"


def _json(event: Any, **_options: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def _json_bytes(event: Any, **_options: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=repr)


class _Lines:
    """The output of `write`; `configure` sets it."""

    def __init__(self) -> None:
        self.stdout: BinaryIO | None = None
        self.number = logging.INFO
        self._encode = msgspec.json.Encoder(enc_hook=repr).encode_lines

    def write(self, events: Sequence[dict[str, Any]], level: str, stdout: BinaryIO) -> None:
        stamp = {"level": level, "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
        for event in events:
            event.update(stamp)
        data = self._encode(events)
        if b"@" in data:
            data = self._encode([_mask(None, level, event) for event in events])
        start = 0
        while start < len(data):
            end = data.rfind(b"\n", start, start + select.PIPE_BUF) + 1 or data.index(b"\n", start) + 1
            stdout.write(data[start:end])
            start = end


_lines: Final = _Lines()


def write(events: Sequence[dict[str, Any]], level: str = "info") -> None:
    """Log many events, in a tenth of the time that single calls take.

    Lines of several processes do not mix, because no system call writes more than a pipe accepts atomically.

    Args:
        events: each with its `event` and its whole context. This function changes them.
        level: debug, info, warning or error.
    """
    if logging.getLevelNamesMapping()[level.upper()] < _lines.number:
        return
    if _lines.stdout is not None:
        _lines.write(events, level, _lines.stdout)
        return
    write_one = getattr(structlog.get_logger(), level)
    for event in events:
        write_one(**event)


def configure(level: str, log_format: str) -> None:
    """Set up all logging of this process.

    Args:
        level: debug, info, warning or error.
        log_format: `json`, or `console` for people.
    """
    # The process's real stdout: in a Dramatiq worker `sys.stdout` is a pipe to the parent, which writes to stderr.
    stdout: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [structlog.processors.format_exc_info, _mask]
    if log_format == "console":
        own_renderer: Processor = structlog.dev.ConsoleRenderer(colors=os.isatty(1))
        renderer = own_renderer
        factory: Any = structlog.PrintLoggerFactory(os.fdopen(os.dup(1), "w", buffering=1))
    else:
        own_renderer = structlog.processors.JSONRenderer(serializer=_json_bytes)
        renderer = structlog.processors.JSONRenderer(serializer=_json)
        factory = structlog.BytesLoggerFactory(stdout)
    _lines.stdout = None if log_format == "console" else stdout
    _lines.number = number
    structlog.configure(
        processors=[*shared, *last, own_renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(number, shared, [*last, renderer], stdout)


class _Line(logging.Handler):
    """Writes each formatted line with one system call, so that lines of several processes do not mix."""

    def __init__(self, stdout: BinaryIO) -> None:
        super().__init__()
        self._stdout = stdout

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._stdout.write(self.format(record).encode("utf-8", "replace") + b"\n")
        except OSError:
            self.handleError(record)


def warn_of_settings(lines: Sequence[str]) -> None:
    """Write one line for each name in the environment that is probably meant as a setting, at the start."""
    for line in lines:
        structlog.get_logger(__name__).warning("setting_ignored", reason=line)


def _route_standard_logging(level: int, shared: list[Processor], last: list[Processor], stdout: BinaryIO) -> None:
    handler = _Line(stdout)
    handler.addFilter(_Messages())
    named: list[Processor] = [structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, *named],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _plain, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    for name in ("boto3", "botocore", "s3transfer", "urllib3"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
