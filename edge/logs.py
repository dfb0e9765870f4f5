"""How the daemon's log looks, and what never gets into it.

JSON lines for machines, coloured ones on a terminal. Quiet when all is well: changes are told, states are not repeated.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN: Final = "[hidden]"
TEXT_MAX: Final = 2_000
"""Longest value in characters; a log line is for a person, and journald cuts at 48 KiB."""

_SECRET_NAME = re.compile(
    r"pass(word)?$|secret|token|credential|authori[sz]ation|^card|^pin$|private|_key$|^key$", re.I
)
_SECRET_TEXT = re.compile(
    r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password in an address
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|(?<=Bearer )\S+",
    re.S,
)


def set_up(wall_ms: Callable[[], int], *, level: str = "info", terminal: bool | None = None) -> None:
    """For the whole process. wall_ms: the time on the lines. terminal: None: whether stdout is one."""
    terminal = sys.stdout.isatty() if terminal is None else terminal
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ, pad_event_to=28)
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            redact,
            _stamped(wall_ms, terminal=terminal),
            *([] if terminal else [structlog.processors.format_exc_info]),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,  # lines are few; and a test may set it up again
    )
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Hide what must not be known by whoever reads a log: keys, passwords, card numbers."""
    for name, value in event.items():
        event[name] = HIDDEN if _SECRET_NAME.search(name) and value not in (None, "", False) else hide(value)
    return event


def hide(value: Any) -> Any:
    """The value as it may be shown: bytes in hex; in it, however deep, whatever has a secret's name or form is gone."""
    if isinstance(value, bytes):
        value = value.hex()
    if isinstance(value, dict):
        return {name: HIDDEN if _SECRET_NAME.search(str(name)) else hide(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [hide(part) for part in value]
    if not isinstance(value, str):
        return value
    value = _SECRET_TEXT.sub(HIDDEN, value)
    return value if len(value) <= TEXT_MAX else f"{value[:TEXT_MAX]}... ({len(value)} characters)"


def _stamped(wall_ms: Callable[[], int], *, terminal: bool) -> Processor:
    def stamp(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        now = datetime.fromtimestamp(wall_ms() / 1000, UTC)
        text = now.astimezone().strftime("%H:%M:%S") if terminal else now.isoformat(timespec="milliseconds")
        return {"timestamp": text, "level": event.pop("level", method), "event": event.pop("event", ""), **event}

    return stamp


class _FromLibraries(logging.Handler):
    """What libraries tell the standard log goes the same way, warnings and worse."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), library=record.name, exc_info=record.exc_info or None
        )
