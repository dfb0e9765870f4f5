"""What does a pump say of itself to somebody who only wants to know whether it is there?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from drivers.line import DevicePolicy, Line, LineDevice

GUARD_S = 0.035  # no protocol needs more silence before a question


@dataclass(frozen=True, slots=True)
class Sign:
    """A pump is at `address`. state: the protocol's own word for it. notes: what else it said, for a person."""

    address: int
    state: str
    notes: tuple[str, ...] = ()
    took_ms: float | None = None


@asynccontextmanager
async def probing(line: Line, address: int | str, timeout_s: float) -> AsyncIterator[LineDevice]:
    """A device that is asked once and leaves no trace on the line."""
    policy = DevicePolicy(timeout_s=timeout_s, retries=0, late_s=0.0, guard_s=GUARD_S, back_off=False)
    device = line.attach(f"scan {address}", policy)
    try:
        yield device
    finally:
        device.detach()
