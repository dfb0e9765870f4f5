"""Is there a DART pump at an address? For `fieldtill scan`, which knows nothing of the site yet."""

from __future__ import annotations

import time
from typing import Final

from drivers.errors import Silent
from drivers.line import Line
from drivers.line_turn import Turn
from drivers.pumps.probe import Sign, probing
from protocols.fieldbus.dart_app import (
    Ask,
    Command,
    Filled,
    FromPump,
    NozzlePrice,
    State,
    Status,
    decode_from_pump,
    encode_to_pump,
)
from protocols.fieldbus.dart_expect import DartExpect
from protocols.fieldbus.dart_frames import Control, Frame, encode_frame
from protocols.fieldbus.dart_link import Master

POLLS: Final = 3
_STATES: Final = {state.value: state.name for state in State}


async def probe(line: Line, address: int, *, timeout_s: float) -> Sign | None:
    """Poll, ask for the status, and acknowledge what comes: nothing that changes a pump. None: nobody answers.

    Raises Garbled when bytes come and none of them are an answer, and LineDown.
    """
    master, heard = Master(address), list[FromPump]()
    async with probing(line, address, timeout_s) as device:
        try:
            async with device.turn() as turn:
                started = time.monotonic()
                heard += await _fetch(turn, master)
                took_ms = round((time.monotonic() - started) * 1000, 1)
        except Silent:
            return None
        try:
            async with device.turn() as turn:
                block = master.send(encode_to_pump(Command(Ask.STATUS)))
                await turn.ask(encode_frame(block), DartExpect(master, block))
                heard += await _fetch(turn, master)
        except Silent:
            pass  # it is there, and says no more
    states = [word.state for word in heard if isinstance(word, Status)]
    state = _STATES.get(states[-1], str(states[-1])) if states else "answers a poll"
    return Sign(address, state, tuple(_notes(heard)), took_ms)


async def _fetch(turn: Turn, master: Master) -> list[FromPump]:
    words: list[FromPump] = []
    for _ in range(POLLS):
        asked: Frame = master.poll()
        frame = await turn.ask(encode_frame(asked), DartExpect(master, asked))
        heard = master.hear(frame)
        if frame.control is Control.EOT or heard.reply is None:
            break
        await turn.tell(encode_frame(heard.reply))
        words += decode_from_pump(heard.data or b"")
    return words


def _notes(heard: list[FromPump]) -> list[str]:
    notes = []
    for word in heard:
        match word:
            case NozzlePrice(price, nozzle, out):
                notes.append(f"price digits {price:06d}, nozzle {nozzle or '-'} {'out' if out else 'in'}")
            case Filled(volume, amount):
                notes.append(f"volume digits {volume:08d}, amount digits {amount:08d}")
            case _:
                pass
    return list(dict.fromkeys(notes))
