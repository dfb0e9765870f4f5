"""How is a PN532 served? It is woken, told to read cards, and asked again and again which are there.

Its answers are its sign of life. A number that a phone makes up anew at each tap is nobody's, and left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import structlog

from drivers.errors import DeviceFault
from drivers.readers.config import ReaderSetup
from drivers.readers.dialogue import ask
from drivers.readers.port import ReaderPort, opened
from protocols.fieldbus.card_number import CardNumber
from protocols.fieldbus.pn532 import WAKE_UP, Refused, ResponseExpect, command_frame
from protocols.fieldbus.pn532_app import ListTargets, NormalMode, Question, Tries
from protocols.fieldbus.pn532_app import ask as command
from protocols.fieldbus.pn532_targets import Modulation, Target, TargetA, targets

POLL_S: Final = 0.15
AGAIN: Final = 1  # further tries within one question: an empty field is answered in some 10 ms

log = structlog.get_logger()


async def cards(setup: ReaderSetup) -> AsyncGenerator[CardNumber | None, None]:
    """A `reader.Driver`. Raises Silent for a chip that does not answer, DeviceFault for one that refuses."""
    modulations = (Modulation.A_106, Modulation.FELICA_212) if setup.felica else (Modulation.A_106,)
    made_up = False
    async with opened(setup) as port:
        await _ask(port, NormalMode(), wake=True)
        await _ask(port, Tries(AGAIN))
        while True:
            found = [target for modulation in modulations for target in await _targets(port, modulation)]
            yield None
            for target in found:
                if isinstance(target, TargetA) and target.made_up:
                    if not made_up:
                        log.info("a phone without a number of its own", reader=setup.id)
                else:
                    yield target.card
            made_up = any(isinstance(target, TargetA) and target.made_up for target in found)
            await asyncio.sleep(POLL_S)


async def _targets(port: ReaderPort, modulation: Modulation) -> tuple[Target, ...]:
    """Damage that its check sum has let through counts as no card: the next question is near."""
    return targets(modulation, await _ask(port, ListTargets(modulation))) or ()


async def _ask(port: ReaderPort, question: Question, *, wake: bool = False) -> bytes:
    data = command(question)
    said = await ask(port, command_frame(data), ResponseExpect(data), before=WAKE_UP if wake else b"")
    if isinstance(said, Refused):
        name = type(question).__name__
        raise DeviceFault(
            f"it refuses {name} ({said.value})", where=port.where, remedy="Is it a PN532 in HSU (UART) mode?"
        )
    return said
