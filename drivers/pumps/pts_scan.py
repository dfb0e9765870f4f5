"""Which pumps does a PTS-2 controller have? By questions that change nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from drivers.line_tools import Found
from drivers.pump import Pump
from drivers.pumps.pts_controller import PUMPS_IN_ONE, PtsController
from protocols.fieldbus.jsonpts import Answer
from protocols.fieldbus.jsonpts_errors import Refusal
from protocols.fieldbus.jsonpts_packets import PumpGetStatus

PROTOCOL: Final = "pts"


async def scan_controller(
    controller: PtsController, addresses: Sequence[int], known: Mapping[int, Pump]
) -> AsyncIterator[Found]:
    """Each that the controller is configured for, whether it hears the pump or not. Raises DeviceError.

    known: the pumps that the daemon has there. They are told of and not asked: a question for their status may be
    answered by totals that somebody else waits for.
    """
    asked = [address for address in addresses if address not in known]
    found: dict[int, Found] = {address: _known(address, known[address]) for address in addresses if address in known}
    for first in range(0, len(asked), PUMPS_IN_ONE):
        some = asked[first : first + PUMPS_IN_ONE]
        started = time.monotonic()
        answers = await controller.ask([PumpGetStatus(pump=address) for address in some])
        took_ms = round((time.monotonic() - started) * 1000, 1)
        for address, answer in zip(some, answers, strict=True):
            if (how := _how(answer)) is not None:
                found[address] = Found(address, how, sure=True, took_ms=took_ms, protocol=PROTOCOL)
    for address in addresses:
        if address in found:
            yield found[address]


def _how(answer: Answer) -> str | None:
    """The controller's own word; None: it has no such pump."""
    return None if isinstance(answer, Refusal) else type(answer).__name__


def _known(address: int, pump: Pump) -> Found:
    status = pump.status().value
    state = "no status yet" if status is None else f"{status.state.value} ({status.reason})"
    return Found(address, f"{pump.id}, {state}", True, pump.link().latency_ms.get("p50"), PROTOCOL)
