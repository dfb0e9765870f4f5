"""Which DNY boards answer on an RS-485 line? By polls alone: a poll orders nothing, and what it brings comes again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from drivers.api import LinkState
from drivers.errors import Garbled, Silent
from drivers.line import DevicePolicy, Line
from drivers.line_tools import Found
from drivers.port_board import PortBoard
from drivers.ports.config import DNY, POLL_ANSWER_S, VIRTUAL_IDS
from protocols.fieldbus.dny import DnyExpect
from protocols.fieldbus.dny_codes import Command
from protocols.fieldbus.dny_frames import Frame, device_kind, encode_frame, poll, printed_number

POLLS: Final = 3
"""Of each virtual id: a board with nothing to say may be silent, and says soon again what nobody has answered."""

_LATE_S: Final = 0.05


async def scan_dny(
    line: Line, virtual_ids: Iterable[int], known: Mapping[int, PortBoard], *, timeout_s: float = POLL_ANSWER_S
) -> AsyncIterator[Found]:
    """Poll each virtual id up to POLLS times. known: boards that the daemon polls already; they are told of.

    Runs beside polls. Raises LineDown when the line is not there.
    """
    device = line.attach("scan", DevicePolicy(timeout_s=timeout_s, retries=POLLS - 1, late_s=_LATE_S, back_off=False))
    try:
        for virtual_id in virtual_ids:
            if virtual_id not in VIRTUAL_IDS:
                continue
            if (board := known.get(virtual_id)) is not None:
                if board.link().state is LinkState.ONLINE:
                    how = ", ".join(f"{point.name} {point.value}" for point in board.points()[:2])
                    yield Found(virtual_id, f"{board.id}; {how}", sure=True, took_ms=None, protocol=DNY)
                continue
            asked = poll(virtual_id)
            try:
                frame = await device.exchange(encode_frame(asked), DnyExpect(asked))
            except Silent:
                continue
            except Garbled as error:
                yield Found(virtual_id, error.what, sure=False, took_ms=None, protocol=DNY)
            else:
                yield Found(virtual_id, _in_words(frame), sure=True, took_ms=device.last_took_ms, protocol=DNY)
    finally:
        device.detach()


def _in_words(frame: Frame) -> str:
    """What goes into the config, and what it said."""
    said = f"{frame.command:02X}"
    if frame.command in list(Command):
        said = f"{said} {Command(frame.command).name.lower().replace('_', ' ')}"
    return f"device = {printed_number(frame.device)}, kind = {device_kind(frame.device)}; says {said}"
