"""Who answers on a line, and what comes back on raw bytes? For technicians, beside running polls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final

from drivers.errors import Garbled, Silent
from drivers.line import DevicePolicy, Line, Priority
from protocols.fieldbus.expect import NEED_MORE, NeedMore
from protocols.fieldbus.modbus import Answer, Expectation, Framing, ReadRegisters, Space, request_frame

ALL_UNITS: Final = range(1, 248)
RAW_MAX: Final = 65536  # bytes kept of what comes back


@dataclass(frozen=True, slots=True)
class Found:
    """A unit that answered: `how` says with what, for a person; `sure` is False for bytes that were no valid answer.

    unit: by the protocol's own count.
    """

    unit: int
    how: str
    sure: bool
    took_ms: float | None
    protocol: str = "modbus"


async def scan(
    line: Line, framing: Framing | None = None, units: Iterable[int] = ALL_UNITS, *, timeout_s: float = 0.15
) -> AsyncIterator[Found]:
    """Ask each Modbus unit once for holding register 0; a refusal is as good a sign of life as a value.

    Runs beside polls, as one more device on the line. Raises LineDown when the line is not there.
    """
    framing = framing or Framing(line.config.modbus_framing)
    pdu = ReadRegisters(Space.HOLDING, 0, 1)
    policy = DevicePolicy(timeout_s=timeout_s, retries=0, late_s=0.0, back_off=False)
    for unit in units:
        device = line.attach(f"scan {unit}", policy)
        transaction_id = line.next_transaction_id()
        try:
            reply = await device.exchange(
                request_frame(framing, unit, pdu, transaction_id), Expectation(framing, unit, pdu, transaction_id)
            )
        except Silent:
            continue
        except Garbled as error:
            yield Found(unit, error.what, sure=False, took_ms=None)
        else:
            how = "answers" if isinstance(reply, Answer) else f"refuses register 0 with exception {reply.code}"
            yield Found(unit, how, sure=True, took_ms=device.last_took_ms)
        finally:
            device.detach()


@dataclass(slots=True)
class Everything:
    """An `Expect` that takes whatever comes until there is silence."""

    discarded: dict[str, int] = field(default_factory=dict)
    shape: None = None
    _taken: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> bytes | NeedMore:
        self._taken += data[: RAW_MAX - len(self._taken)]
        return NEED_MORE

    def give_up(self) -> bytes | NeedMore:
        return bytes(self._taken)


async def raw(line: Line, frame: bytes, *, timeout_s: float = 1.0) -> bytes:
    """Send `frame` as it is, between two polls, and give all that came until the line fell silent; b"" for nothing.

    timeout_s: how long to wait for the first byte. Raises LineDown.
    """
    device = line.attach("raw", DevicePolicy(timeout_s=timeout_s, retries=0, back_off=False))
    try:
        return await device.exchange(frame, Everything(), priority=Priority.COMMAND)
    finally:
        device.detach()
