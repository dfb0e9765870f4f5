"""The KERONG lock board through its driver: an unlock is not answered, so the states speak for it."""

from __future__ import annotations

import pytest
from board_rig import Bus, KerongBoard, board_on

from drivers.errors import Silent


async def test_an_unlock_stands_between_two_states() -> None:
    """The vectors of the facts: 02 00 31 03 36 unlocks lock 1 of board 0, 02 00 30 03 35 asks."""
    fake = KerongBoard(items={1})
    async with Bus([fake]) as bus, bus.line() as line:
        board = board_on(line, "kerong", 0)
        await board.open(1)
        assert bus.log[:5] == [
            ">> 02 00 30 03 35",
            "<< 02 00 35 00 00 02 00 03 3c",
            ">> 02 00 31 03 36",
            ">> 02 00 30 03 35",
            "<< 02 00 35 01 00 02 00 03 3d",
        ]
        assert (board.contact(1).value, board.input(2).value, board.feedback) == (True, True, "no")
    assert fake.opened == [0]


async def test_board_1_lock_6() -> None:
    """02 15 31 03 4B."""
    async with Bus([KerongBoard(1)]) as bus, bus.line() as line:
        await board_on(line, "kerong", 1).open(6)
        assert ">> 02 15 31 03 4b" in bus.log


async def test_no_pulse_is_sent_to_a_board_that_is_not_there() -> None:
    """It would be lost in silence, and might count as done."""
    fake = KerongBoard(dead=True)
    async with Bus([fake]) as bus, bus.line() as line:
        with pytest.raises(Silent):
            await board_on(line, "kerong", 0).open(1)
    assert fake.opened == []


async def test_a_board_that_dies_of_a_pulse_leaves_it_open_whether_it_opened() -> None:
    """The error of a time-out: who gets it looks at the door."""
    fake = KerongBoard(dies_of_it=True)
    async with Bus([fake]) as bus, bus.line() as line:
        with pytest.raises(Silent):
            await board_on(line, "kerong", 0).open(3)
    assert fake.opened == [2]
