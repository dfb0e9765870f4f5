"""PC/SC readers: with a terminal of the test's, and with pyscard where it is installed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from drivers.errors import LineDown, Misconfigured
from drivers.readers import pcsc
from drivers.readers.config import ReaderSetup
from protocols.fieldbus.card_number import CardNumber
from protocols.fieldbus.pcsc import answer

SETUP = ReaderSetup("desk", "pcsc", terminal="ACR122U")
UID = bytes.fromhex("04A1B2C3D4E5F6")


class Desk:
    """A terminal with a card on it, or none, or unplugged. It blocks like a real one."""

    def __init__(self, *uids: bytes | None) -> None:
        self._uids = list(uids)

    def __call__(self, name: str, where: str) -> Desk:
        assert (name, where) == ("ACR122U", "desk")
        return self

    def transmit(self, command: bytes) -> bytes | None:
        if not self._uids:
            raise LineDown("unplugged", where="desk")
        uid = self._uids.pop(0)
        return None if uid is None else answer(command, uid)


async def heard(desk: Desk) -> list[CardNumber | None]:
    """Everything until it is unplugged."""
    said = list[CardNumber | None]()
    async with aclosing(pcsc.cards(SETUP, desk)) as cards:
        while True:
            try:
                said.append(await anext(cards))
            except LineDown:
                return said


async def test_cards_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a sign of life; a card is said at each; a phone's made-up number never."""
    monkeypatch.setattr(pcsc, "POLL_S", 0.0)
    said = await heard(Desk(None, UID, UID, bytes.fromhex("08112233"), None))
    assert said == [None, None, CardNumber(UID), None, CardNumber(UID), None, None]


async def test_the_loop_goes_on_while_a_terminal_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked in a thread of its own."""
    monkeypatch.setattr(pcsc, "POLL_S", 0.0)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    await heard(Desk(*[None] * 10))
    task.cancel()
    assert ticks > 10


async def test_without_pyscard() -> None:
    """It is said what to install."""
    try:
        import smartcard  # noqa: F401
    except ImportError:
        with pytest.raises(Misconfigured) as caught:
            async with aclosing(pcsc.cards(SETUP)) as cards:
                await anext(cards)
        assert "fieldtill[pcsc]" in caught.value.remedy
    else:
        pytest.skip("pyscard is installed here, so its absence cannot be seen")


async def test_with_pyscard() -> None:
    """A name that no terminal has is no reader, whether pcscd runs or not."""
    pytest.importorskip(
        "smartcard", reason="pyscard is not installed: `pip install fieldtill[pcsc]`", exc_type=ImportError
    )
    with pytest.raises(LineDown):
        await asyncio.to_thread(pcsc.pyscard_terminal, "no such reader", "desk")
