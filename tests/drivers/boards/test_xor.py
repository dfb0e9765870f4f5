"""The XOR lock board through its driver: what is sent, what is believed, and what is not."""

from __future__ import annotations

import pytest
from board_rig import Bus, Polled, XorBoard, board_on, until

from drivers.api import Quality
from drivers.errors import Garbled, Silent, Unsupported
from drivers.line import Line, LineConfig
from protocols.fieldbus.lock_xor import Open


async def test_open_is_sent_once_between_two_readings() -> None:
    """The board is read before its first pulse, and read back after it."""
    fake = XorBoard(set_={1, 5})
    async with Bus([fake]) as bus, bus.line() as line:
        board = board_on(line, "xor")
        await board.open(5)
        assert bus.log == [
            ">> 80 01 00 33 b2",
            "<< 80 01 00 00 11 33 a3",
            ">> 8a 01 05 11 9f",
            "<< 8a 01 05 00 8e",
            ">> 80 01 00 33 b2",
            "<< 80 01 00 00 01 33 b3",
        ]
        assert (board.contact(5).value, board.contact(1).value) == (False, True)
        assert fake.opened == [5]


async def test_how_long_the_lock_is_held() -> None:
    """The vector of facts: 8A 01 01 11 03 98 holds lock 1 for 3 s."""
    fake = XorBoard()
    async with Bus([fake]) as bus, bus.line() as line:
        await board_on(line, "xor", options={"hold_s": 3}).open(1)
        assert ">> 8a 01 01 11 03 98" in bus.log


async def test_32_locks() -> None:
    """A 32-lock board answers with four bytes; lock 32 is the first bit of the first."""

    class Wide(XorBoard):
        def hear(self, data: bytes) -> list[bytes]:
            return [bytes.fromhex("80 01 80 00 00 01 33 33")]

    async with Bus([Wide()]) as bus, bus.line() as line:
        board = board_on(line, "xor", options={"locks": 32})
        await board.refresh()
        assert [lock for lock in range(1, 33) if board.contact(lock).value] == [1, 32]


@pytest.mark.parametrize("configured", [True, False], ids=["said", "found-out"])
async def test_an_echo_is_not_the_boards_consent(configured: bool) -> None:
    """On a line that hears itself, the question to open equals the answer of a lock whose contact is set."""
    fake = XorBoard(mute=lambda question: isinstance(question, Open))
    async with Bus([fake], echo=True) as bus, bus.line(echo=configured) as line:
        board = board_on(line, "xor")
        with pytest.raises(Silent):
            await board.open(3)
        fake.mute = lambda question: False
        await board.open(4)
        assert board.contact(4).value is True
    assert fake.opened == [3, 4]


async def test_nothing_opens_twice_for_one_open() -> None:
    """A pulse whose answer is lost is not repeated: whether the lock opened is for the sensors to say."""
    fake = XorBoard(mute=lambda question: isinstance(question, Open))
    async with Bus([fake]) as bus, bus.line() as line:
        with pytest.raises(Silent):
            await board_on(line, "xor").open(7)
    assert fake.opened == [7]


async def test_a_wrong_sum_is_no_answer() -> None:
    """F-10: a frame whose BCC is wrong says nothing."""
    fake = XorBoard(spoil=True)
    async with Bus([fake]) as bus, bus.line() as line:
        board = board_on(line, "xor")
        with pytest.raises(Garbled):
            await board.refresh()
        assert board.contact(1).quality is Quality.NONE


async def test_the_answer_of_another_lock_is_no_answer() -> None:
    """Two boards on one address, or a fault in one: the answer names another lock than was asked for."""
    fake = XorBoard(tell_wrong=True)
    async with Bus([fake]) as bus, bus.line() as line:
        with pytest.raises(Garbled):
            await board_on(line, "xor").open(2)


async def test_a_lock_that_does_not_move_is_no_error_of_the_board() -> None:
    """F-11: the board took the pulse and says so; the contact says that nothing moved."""
    fake = XorBoard(set_={2}, moves=False)
    async with Bus([fake]) as bus, bus.line() as line:
        board = board_on(line, "xor")
        await board.open(2)
        assert board.contact(2).value is True


async def test_a_board_that_falls_silent_grows_old_and_comes_back() -> None:
    """F-60: what it said last is kept with its instant; it is asked by probes, and found again."""
    fake = XorBoard(set_={1})
    async with Bus([fake]) as bus, bus.line() as line:
        board = board_on(line, "xor")
        async with Polled(board):
            await until(lambda: board.contact(1).quality is Quality.GOOD)
            bus.dead = True
            await until(lambda: board.silent and board.contact(1).quality is Quality.STALE)
            assert board.contact(1).value is True
            assert board.link().error is not None
            bus.dead = False
            await until(lambda: board.contact(1).quality is Quality.GOOD and not board.silent)


async def test_a_line_that_was_never_there() -> None:
    """An adapter that is not plugged in: the board counts as silent from the first poll on."""
    async with Line(LineConfig(id="bus", path="/dev/does-not-exist")) as line:
        board = board_on(line, "xor")
        async with Polled(board):
            await until(lambda: board.silent)
        assert "does-not-exist" in (board.link().error or "")


async def test_two_boards_on_one_line() -> None:
    """Each hears its own address."""
    fakes = [XorBoard(1, {1}), XorBoard(2, {2})]
    async with Bus(fakes) as bus, bus.line() as line:
        first, second = board_on(line, "xor", 1), board_on(line, "xor", 2)
        await first.refresh()
        await second.refresh()
        await second.open(9)
        assert [first.contact(1).value, second.contact(1).value] == [True, False]
    assert (fakes[0].opened, fakes[1].opened) == ([], [9])


async def test_what_the_board_does_not_have() -> None:
    """It has 24 locks, and no outputs."""
    async with Bus([]) as bus, bus.line() as line:
        board = board_on(line, "xor")
        with pytest.raises(Unsupported, match="no lock 25"):
            await board.open(25)
        with pytest.raises(Unsupported, match="no output 1"):
            await board.switch(1, True)
        assert bus.log == []
