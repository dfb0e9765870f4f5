"""Modbus boards through their drivers: Xunming, relay and input boards, VMO, thermometers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from board_rig import Bus, Polled, Unit, board_on, until

from drivers.boards.config import BoardConfig
from drivers.boards.registry import channels_of
from drivers.errors import DeviceFault, Silent, Unsupported
from protocols.door import Refused


@pytest.mark.parametrize(
    ("protocol", "options", "lock", "frame"),
    [
        ("xunming", {}, 1, "01 05 00 65 01 f4 dd c2"),
        ("xunming", {}, 2, "01 05 00 66 01 f4 2d c2"),
        ("xunming", {}, 16, "01 05 00 74 01 f4 8d c7"),
        ("xunming", {"hold_ms": 5000}, 1, "01 05 00 65 13 88 d0 83"),
        ("relay", {"pulse_ms": 700}, 1, "01 05 02 00 00 07 8d b0"),
        ("relay", {}, 3, "01 05 02 02 00 05 ad b1"),
    ],
)
async def test_locks_by_the_vectors_of_the_facts(protocol: str, options: dict[str, Any], lock: int, frame: str) -> None:
    """One frame, once, and the board counts the time by itself."""
    async with Bus([Unit()]) as bus, bus.line() as line:
        await board_on(line, protocol, options=options).open(lock)
        assert [said for said in bus.log if said.startswith(">>")] == [f">> {frame}"]


@pytest.mark.parametrize(
    ("protocol", "options", "on", "frame"),
    [
        ("xunming", {"model": "bays-8"}, True, "01 05 00 c9 ff 00 5c 04"),
        ("xunming", {"model": "bays-8"}, False, "01 05 00 c9 00 00 1d f4"),
        ("relay", {}, True, "01 05 00 00 ff 00 8c 3a"),
        ("relay", {}, False, "01 05 00 00 00 00 cd ca"),
        ("relay", {"by": "registers", "pulse": "gateway"}, True, "01 06 00 00 00 01 48 0a"),
        ("vmo", {}, True, "01 06 00 4b 00 01 38 1c"),
    ],
)
async def test_relays_by_the_vectors_of_the_facts(protocol: str, options: dict[str, Any], on: bool, frame: str) -> None:
    """And whatever can be read back is, before a switch counts as done."""
    unit = Unit()
    async with Bus([unit]) as bus, bus.line() as line:
        board = board_on(line, protocol, options=options)
        await board.switch(1, on)
        assert bus.log[0] == f">> {frame}"
        read_back = board.channels.reads_outputs
        assert board.output(1).value is (on if read_back else None)
        assert (len(bus.said()) > 1) == read_back


@pytest.mark.parametrize(
    ("protocol", "options", "frames"),
    [
        ("relay", {"inputs": 8}, ["01 02 00 00 00 08 79 cc", "01 01 00 00 00 08 3d cc"]),
        ("relay", {"relays": 0, "inputs": 1, "inputs_by": "input-registers"}, ["01 04 00 00 00 01 31 ca"]),
        ("vmo", {}, ["01 03 00 48 00 04 c4 1f"]),
        ("xunming", {}, ["01 05 00 65 00 00 dd d5"]),
    ],
)
async def test_what_a_refresh_asks(protocol: str, options: dict[str, Any], frames: list[str]) -> None:
    """All that a board knows, in as few frames as it takes."""
    async with Bus([Unit()]) as bus, bus.line() as line:
        await board_on(line, protocol, options=options).refresh()
        assert [said[3:] for said in bus.log if said.startswith(">>")] == frames


async def test_inputs_as_the_vector_says() -> None:
    """01 02 01 05 61 8B: inputs 1 and 3 are on."""
    async with Bus([Unit(inputs={0: True, 2: True})]) as bus, bus.line() as line:
        board = board_on(line, "relay", options={"inputs": 8})
        await board.refresh()
        assert "<< 01 02 01 05 61 8b" in bus.log
        assert [n for n in range(1, 9) if board.input(n).value] == [1, 3]


async def test_a_relay_that_does_not_follow() -> None:
    """F-52: it took the word and stays as it was: that is its fault, and nothing of ours to try again for ever."""
    async with Bus([Unit(stuck={2})]) as bus, bus.line() as line:
        board = board_on(line, "relay")
        with pytest.raises(DeviceFault, match="output 3 was switched on, and does not read back so"):
            await board.switch(3, True)
        await board.switch(2, True)
        assert (board.output(2).value, board.output(3).value) == (True, False)


async def test_a_pulse_is_not_repeated() -> None:
    """Its answer is lost; the board has had it."""
    unit = Unit(mute=lambda request: request.function == 5)
    async with Bus([unit]) as bus, bus.line() as line:
        for protocol in ("xunming", "relay"):
            with pytest.raises(Silent):
                await board_on(line, protocol, id=protocol).open(1)
    assert unit.writes == [(0x65, 500), (0x200, 5)]


async def test_a_pulse_that_the_gateway_times_is_ended_whatever_happens() -> None:
    """Even when whoever wanted it has gone in the middle."""
    unit = Unit()
    async with Bus([unit]) as bus, bus.line() as line:
        board = board_on(line, "relay", options={"pulse": "gateway", "pulse_ms": 5000})
        task = asyncio.create_task(board.open(2))
        await until(lambda: unit.coils.get(1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (unit.coils[1], unit.writes) == (False, [(1, 0xFF00), (1, 0)])


async def test_locks_that_a_dead_gateway_left_energised_are_let_go() -> None:
    """A board that times nothing by itself is put at rest when it is first seen: its locks, and nothing else."""
    unit = Unit(coils={0: True, 1: True, 4: True})
    async with Bus([unit]) as bus, bus.line() as line:
        board = board_on(line, "relay", options={"pulse": "gateway"})
        board.wire_lock(1)
        board.wire_lock(2)
        async with Polled(board):
            await until(lambda: board.output(5).value is not None)
    assert unit.coils == {0: False, 1: False, 4: True}


async def test_no_question_ends_a_pulse() -> None:
    """The question that shows a Xunming board to be there would: so it waits until the pulse is over."""
    unit = Unit()
    async with Bus([unit]) as bus, bus.line() as line:
        board = board_on(line, "xunming", options={"hold_ms": 300})
        async with Polled(board):
            await until(lambda: (0x65, 0) in unit.writes)
            await board.open(1)
            mark = len(unit.writes)
            await asyncio.sleep(0.15)
            assert unit.writes[mark:] == []
            await until(lambda: unit.writes[mark:])
    assert unit.writes[mark - 1 : mark + 1] == [(0x65, 300), (0x65, 0)]


async def test_a_board_that_has_no_inputs_says_so() -> None:
    """Its relays are polled all the same, and the fault is told in words."""
    unit = Unit(refuse=frozenset({2}))
    async with Bus([unit]) as bus, bus.line() as line:
        board = board_on(line, "relay", options={"inputs": 4})
        with pytest.raises(Unsupported, match="inputs is refused with exception 1"):
            await board.refresh()
        assert board.output(1).value is False
        async with Polled(board):
            await until(lambda: board.fault is not None)
        assert "inputs is refused" in (board.link().error or "")


async def test_the_slot_board() -> None:
    """Presence, BMS link, emergency stop and relay are four registers."""
    unit = Unit(registers={72: 1, 74: 1})
    async with Bus([unit]) as bus, bus.line() as line:
        board = board_on(line, "vmo")
        await board.refresh()
        assert [board.input(n).value for n in (1, 2, 3)] == [True, False, True]
        assert board.output(1).value is False


async def test_the_slot_board_switches_off_by_itself() -> None:
    """Without a pack it takes no charge: what it says afterwards counts."""
    async with Bus([Unit(stuck={75})]) as bus, bus.line() as line:
        with pytest.raises(DeviceFault, match="does not read back so") as error:
            await board_on(line, "vmo").switch(1, True)
    assert "without a pack" in error.value.remedy


async def test_an_older_slot_board() -> None:
    """Read at 72 it gives no flags; the remedy names the setting."""
    unit = Unit(registers={48: 1, 72: 4100})
    async with Bus([unit]) as bus, bus.line() as line:
        with pytest.raises(DeviceFault, match="not four flags") as error:
            await board_on(line, "vmo").refresh()
        assert "first = 48" in error.value.remedy
        old = board_on(line, "vmo", id="old", options={"first": 48})
        await old.refresh()
        assert old.input(1).value is True


@pytest.mark.parametrize(("raw", "shown"), [(235, "23.5 °C"), (0xFFCE, "-5.0 °C"), (0, "0.0 °C")])
async def test_the_thermometer(raw: int, shown: str) -> None:
    """Tenths of a degree, and below zero."""
    async with Bus([Unit(registers={1: raw})]) as bus, bus.line() as line:
        board = board_on(line, "thermometer")
        await board.refresh()
        assert [point.value for point in board.points()] == [shown]


async def test_a_torn_thermometer() -> None:
    """-3276.8 degrees is no temperature."""
    async with Bus([Unit(registers={1: 0x8000})]) as bus, bus.line() as line:
        with pytest.raises(DeviceFault, match=r"-3276\.8"):
            await board_on(line, "thermometer").refresh()


@pytest.mark.parametrize(
    ("protocol", "options", "fault"),
    [
        ("xor", {"locks": 25}, "options.locks: expected one of 24, 32, got 25."),
        ("xunming", {"hold_ms": 60_000}, "options.hold_ms: expected `int` <= 10000, got 60000."),
        ("relay", {"pulse_ms": 550}, "options.pulse_ms: expected `int` that's a multiple of 100, got 550."),
        ("relay", {"relays": 0}, "options: expected values that fit together, got a board has `relays` or `inputs`."),
        ("kerong", {"locks": 16}, "options.locks: expected one of , got an unknown key. Remove it."),
    ],
)
def test_options_that_no_board_has(protocol: Any, options: dict[str, Any], fault: str) -> None:
    """Told with their path, before anything is opened."""
    with pytest.raises(Refused) as refused:
        channels_of(BoardConfig(id="b", protocol=protocol, line="l", options=options))
    assert [str(one) for one in refused.value.faults] == [fault]


async def test_slots_of_a_board_are_asked_at_once_and_it_only_once() -> None:
    """Whoever asks while a refresh waits shares it; one that is under way is too old for whoever comes then."""
    async with Bus([Unit()]) as bus, bus.line() as line:
        board = board_on(line, "relay", options={"inputs": 8})
        await asyncio.gather(*(board.refresh() for _ in range(12)))
        assert len(bus.log) == 4, "inputs and outputs, one question and one answer each"
        first = asyncio.ensure_future(board.refresh())
        await until(lambda: len(bus.log) >= 5)
        await asyncio.gather(first, *(board.refresh() for _ in range(12)))
        assert len(bus.log) == 12


async def test_whoever_goes_takes_nobody_s_refresh_along() -> None:
    """The one who asked first is cancelled, and the second still has its answer."""
    async with Bus([Unit()]) as bus, bus.line() as line:
        board = board_on(line, "relay", options={"inputs": 8})
        first, second = (asyncio.ensure_future(board.refresh()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert board.input(1).value is not None
