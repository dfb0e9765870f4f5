"""A listener of DNY boards: golden dialogues from the vendors' documents, strangers, and callers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from dny_rig import FAST, PATIENCE_S, UNIX_MS, board_config, listener_config, listening, running, until
from structlog.testing import capture_logs

from drivers.errors import DeviceFault, LineDown, Silent
from drivers.port_board import PortBoard, PortEnd, PortOrder, PortState
from drivers.ports.config import PortBoardConfig
from drivers.ports.dny_tcp import DnySwitchboard
from drivers.ports.listener import Caller, Listener
from drivers.ports.registry import build_port_board
from protocols.door import Refused
from protocols.fieldbus.dny import report
from protocols.fieldbus.dny_board import AskTime, HostAskTime
from protocols.fieldbus.dny_frames import encode_frame

ORDER_1 = bytes.fromhex("12345678" * 4)
ORDER_2 = bytes.fromhex("20190901180000130030380102030405")
ORDER_3 = bytes.fromhex("20230503234223414193991312684105")

REGISTER = "44 4E 59 13 00 3B 37 AB 04 B9 00 20 7E 00 02 14 21 00 00 00 E4 00 91 04"
REGISTERED = "44 4E 59 0A 00 3B 37 AB 04 B9 00 20 00 EF 02"
SETTLED = (
    "44 4E 59 28 00 3B 37 AB 04 01 00 03 10 0E E8 03 30 00 01 01 00 00 00 00 01"
    " 20 19 09 01 18 00 00 13 00 30 38 01 02 03 04 05 E8 03 44 05"
)
TAKEN = "44 4E 59 0A 00 3B 37 AB 04 01 00 03 00 1A 02"
BEAT_10 = "44 4E 59 18 00 3B 37 AB 05 09 00 21 A4 08 0A 00 01 02 03 04 05 08 09 0D 00 00 5A 8C 03"


class Peer:
    """The other end of a connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, text: str | bytes) -> None:
        self.writer.write(bytes.fromhex(text) if isinstance(text, str) else text)

    async def hears(self, text: str) -> None:
        """Exactly this comes next."""
        wanted = bytes.fromhex(text)
        async with asyncio.timeout(PATIENCE_S):
            assert (await self.reader.readexactly(len(wanted))).hex(" ").upper() == wanted.hex(" ").upper()

    async def ended(self) -> bytes:
        """Wait until it is hung up; what was said before."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@asynccontextmanager
async def peer(listener: Listener) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


def dual(listener: Listener, **options: Any) -> PortBoard:
    config = PortBoardConfig(
        id="dual", number=2, protocol="dny-tcp", device=11_220_795, ports=2, listener="yard",
        options={**FAST, "answer_s": 5.0, **options},
    )  # fmt: skip
    return build_port_board(config, listener, lambda: 1000 * 0x5FA90E09)


async def test_a_vendors_dialogue() -> None:
    """Register, time, start and settlement, byte for byte as printed; the settlement is answered when it is stored."""
    async with listening() as listener, peer(listener) as board:
        driver = dual(listener)
        board.say(b"89860413161892009275")
        board.say(REGISTER)
        await board.hears(REGISTERED)
        board.say("44 4E 59 09 00 3B 37 AB 04 B9 00 22 F0 02")
        await board.hears("44 4E 59 0D 00 3B 37 AB 04 B9 00 22 09 0E A9 5F 13 04")
        await driver_asks_twice(board, driver)
        board.say(SETTLED)
        settlement = await first_settlement(driver)
        assert (settlement.port, settlement.number, settlement.end) == (2, ORDER_2, PortEnd.FULL)
        assert (settlement.energy_wh, settlement.elapsed_s, settlement.peak_w) == (480, 3600, 100)
        board.say("44 4E 59 09 00 3B 37 AB 04 B9 00 22 F0 02")
        await board.hears("44 4E 59 0D 00 3B 37 AB 04 B9 00 22 09 0E A9 5F 13 04")  # and nothing before it
        await driver.acknowledge(settlement)
        await board.hears(TAKEN)
        board.say(SETTLED)
        await board.hears(TAKEN)
        assert driver.settlements() == ()


async def driver_asks_twice(board: Peer, driver: PortBoard) -> None:
    """A start, asked again with the same bytes, and answered."""
    order = PortOrder(ORDER_1, "full", 0, time_max_s=28_800, power_w_max=500, prepaid_fen=356)
    starting = asyncio.create_task(driver.start(2, order))
    printed = (
        "44 4E 59 26 00 3B 37 AB 04 01 00 82 00 64 01 00 00 01 01 00 00 12 34 56 78 12 34 56 78 12 34 56 78"
        " 12 34 56 78 80 70 88 13 F7 08"
    )
    await board.hears(printed)  # as printed, but for the message id, which is our first
    board.say("44 4E 59 1D 00 3B 37 AB 04 01 00 82 00 12 34 56 78 12 34 56 78 12 34 56 78 12 34 56 78 01 00 00 FD 06")
    await starting
    status = driver.status()[2].value
    assert status is not None
    assert (status.state, status.reason, status.order) == (PortState.PLUGGED, "ordered", ORDER_1)


async def first_settlement(driver: PortBoard) -> Any:
    return (await until(driver.settlements))[0]


async def test_ten_states_of_ten_ports() -> None:
    """One heartbeat with ten different codes, port 0 of the wire being the customers' port 1."""
    async with listening() as listener, peer(listener) as board:
        driver = build_port_board(board_config("tcp"), listener, lambda: UNIX_MS)
        board.say(BEAT_10)
        await board.hears("44 4E 59 0A 00 3B 37 AB 05 09 00 21 00 41 02")
        states = [(reading.value.state, reading.value.reason) for reading in driver.status().values() if reading.value]
        assert states == [
            (PortState.IDLE, "00 idle"), (PortState.CHARGING, "01 charging"), (PortState.PLUGGED, "02 plugged"),
            (PortState.FULL, "03 full"), (PortState.FAULT, "04 no metering"), (PortState.FULL, "05 floating"),
            (PortState.FAULT, "08 poor contact"), (PortState.FAULT, "09 relay welded"),
            (PortState.FAULT, "0D load short"), (PortState.IDLE, "00 idle"),
        ]  # fmt: skip
        points = {point.name: point.value for point in driver.points()}
        assert (points["voltage"], points["temperature"]) == ("221.2 V", "25 °C")


@pytest.mark.parametrize(
    ("text", "end", "energy_wh", "elapsed_s", "peak_w"),
    [
        ("44 4E 59 28 00 3B 37 AB 05 0A 00 03 08 07 50 14 16 00 00 01 00 00 00 00 06"
         " 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05 EC 13 25 07", PortEnd.OVERLOAD, 220, 1800, 520),
        ("44 4E 59 28 00 3B 37 AB 05 0B 00 03 58 02 08 07 03 00 00 01 00 00 00 00 05"
         " 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05 08 07 18 06", PortEnd.UNPLUGGED, 30, 600, 180),
    ],
)  # fmt: skip
async def test_composed_settlements(text: str, end: PortEnd, energy_wh: int, elapsed_s: int, peak_w: int) -> None:
    """The same frame twice is one settlement; another end of the same order is another."""
    async with listening() as listener, peer(listener) as board:
        driver = build_port_board(board_config("tcp"), listener, lambda: UNIX_MS)
        board.say(text)
        board.say(text)
        settlement = await first_settlement(driver)
        assert (settlement.port, settlement.number, settlement.end) == (1, ORDER_3, end)
        assert (settlement.energy_wh, settlement.elapsed_s, settlement.peak_w) == (energy_wh, elapsed_s, peak_w)
        assert settlement.ended_ms is None
        await asyncio.sleep(0.05)
        assert len(driver.settlements()) == 1


async def test_an_answer_for_another_order_is_not_ours() -> None:
    """A board that answers "already" with the order that runs there says whose it is."""
    async with listening() as listener, peer(listener) as board:
        driver = dual(listener, answer_s=0.2)
        board.say(REGISTER)
        await board.hears(REGISTERED)
        starting = asyncio.create_task(driver.start(2, PortOrder(ORDER_1, "full", 0)))
        asked = await board.reader.readexactly(43)
        assert await board.reader.readexactly(43) == asked
        foreign = bytes.fromhex("44 4E 59 1D 00 3B 37 AB 04 01 00 82 02") + ORDER_3 + bytes.fromhex("01 00 00")
        board.say(foreign + (sum(foreign) & 0xFFFF).to_bytes(2, "little"))
        with pytest.raises(DeviceFault, match="02 already"):
            await starting


async def test_an_unknown_board_is_told_of_once_and_hung_up() -> None:
    """It is not answered; a connection that speaks for nobody we know has an end, however much it says."""
    async with listening() as listener, peer(listener) as board:
        dual(listener)
        stranger = encode_frame(report(0x05000001, 7, AskTime()))
        with capture_logs() as logs:
            board.say(stranger)
            board.say(stranger)
            assert await board.ended() == b""
        told = [line for line in logs if line["event"] == "unknown board"]
        assert [line["number"] for line in told] == ["1 (kind 05)"]
        assert "1 (kind 05)" in (listener.stats().error or "")


async def test_nobody_speaks() -> None:
    """A port scan, or a board without power: it is hung up after the greeting's time."""
    async with listening(greeting_s=0.1) as listener, peer(listener) as silent:
        assert await silent.ended() == b""


async def test_a_board_that_falls_silent_is_hung_up() -> None:
    """Half-open connections of a mobile network do not stay."""
    async with listening(silence_s=0.2) as listener, peer(listener) as board:
        driver = dual(listener)
        board.say(REGISTER)
        await board.hears(REGISTERED)
        await board.ended()
        with pytest.raises(LineDown):
            await driver.start(1, PortOrder(ORDER_1, "full", 0))
        assert "has ended" in (driver.link().error or "")


async def test_connections_have_a_limit() -> None:
    """Beyond it the new one is closed, and told of; those that are there go on."""
    async with listening(connections_max=2) as listener, peer(listener) as board:
        dual(listener)
        board.say(REGISTER)
        await board.hears(REGISTERED)
        async with peer(listener) as second, peer(listener) as third:
            assert await third.ended() == b""
            assert listener.turned_away == 1
            assert listener.calls == 2
            second.writer.close()
        board.say(REGISTER)
        await board.hears(REGISTERED)


async def test_only_peers_may_connect() -> None:
    """An address that is not named is closed at once."""
    async with listening(peers=("10.0.0.0/8", "127.0.0.2")) as listener, peer(listener) as board:
        assert await board.ended() == b""
        assert listener.turned_away == 1
    async with listening(peers=("127.0.0.0/8",)) as listener, peer(listener) as board:
        dual(listener)
        board.say(REGISTER)
        await board.hears(REGISTERED)


async def test_the_newest_connection_of_a_board_counts() -> None:
    """The old one, lost without a word, is hung up; what is asked goes to the new one."""
    async with listening() as listener, peer(listener) as old, peer(listener) as new:
        driver = dual(listener)
        old.say(REGISTER)
        await old.hears(REGISTERED)
        new.say(REGISTER)
        await new.hears(REGISTERED)
        await old.ended()
        asking = asyncio.create_task(driver.read_status(1))
        await new.hears("44 4E 59 09 00 3B 37 AB 04 01 00 81 97 02")
        new.say("44 4E 59 10 00 3B 37 AB 04 01 00 21 98 08 02 00 00 09 05 EE 02")
        reading = await asking
        assert reading.value is not None
        assert reading.value.state is PortState.IDLE
        assert driver.link().counts["taken_over"] == 1


async def test_a_host_speaks_for_several_boards() -> None:
    """Frames of two boards and of the host on one connection; each board gets its own answers, the host its time."""
    async with listening() as listener, peer(listener) as host:
        first = dual(listener, heartbeat_s=180)
        second = build_port_board(board_config("tcp"), listener, lambda: 1_604_934_878_000)
        host.say(encode_frame(report(0x09D62684, 5, HostAskTime())))
        await host.hears("44 4E 59 0D 00 84 26 D6 09 05 00 12 DE 5C A9 5F DA 04")
        host.say(REGISTER)
        await host.hears(REGISTERED)
        host.say(BEAT_10)
        await host.hears("44 4E 59 0A 00 3B 37 AB 05 09 00 21 00 41 02")
        async with asyncio.timeout(PATIENCE_S):
            asking = asyncio.create_task(second.stop(2, ORDER_3))
            raw = await host.reader.readexactly(43)
            assert raw[5:9] == bytes.fromhex("3B 37 AB 05")
            with pytest.raises(Silent):
                await asking
        assert first.link().error is None


@pytest.mark.parametrize(
    "noise",
    [b"GET / HTTP/1.1\r\n\r\n", b"DNY" * 50, b"DNY\xff\xff" + bytes(300), bytes(1000), b"linklin", b"8986041316"],
    ids=["http", "heads", "length", "zeros", "link", "iccid"],
)
async def test_malformed_bytes_before_a_frame(noise: bytes) -> None:
    """They are skipped, and what follows is understood."""
    async with listening() as listener, peer(listener) as board:
        dual(listener)
        board.say(noise)
        for _ in range(3):  # a frame may be swallowed by what looked like a longer one
            board.say(REGISTER)
        await board.hears(REGISTERED)


async def test_a_caller_that_takes_nothing_is_cut_off() -> None:
    """What is kept for a board that never reads has an end."""
    cut = asyncio.Event()

    class Talker:
        async def serve(self, caller: Caller) -> None:
            for _ in range(100):
                try:
                    caller.send(bytes(1 << 20))
                except LineDown:
                    cut.set()
                    return

    listener = Listener(listener_config(), Talker())
    async with running(listener.run()):
        await until(lambda: listener.up)
        async with peer(listener) as board:
            board.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's transport has it
            async with asyncio.timeout(PATIENCE_S):
                await cut.wait()


async def test_a_port_that_is_taken_is_tried_again() -> None:
    """The listener says so, and opens as soon as it can."""
    async with listening() as first:
        second = Listener(listener_config(port=first.port), first.switchboard)
        async with running(second.run()):
            await until(lambda: second.stats().error)
            assert not second.up
            assert "nothing else uses the port" in (second.stats().error or "")


def test_what_is_written_down_is_checked() -> None:
    """A host that the internet reaches, a peer that is no address, a board whose type nobody can tell."""
    for bad in ({"host": "0.0.0.0"}, {"host": "8.8.8.8"}, {"host": "box"}, {"peers": ("yard",)}):
        with pytest.raises(ValueError, match=r"host|peers"):
            listener_config(**bad)
    with pytest.raises(Refused, match=r"options\.kind"):
        build_port_board(
            PortBoardConfig(id="b", number=1, protocol="dny-tcp", device=1, ports=7, listener="yard"),
            Listener(listener_config(), DnySwitchboard()),
            lambda: None,
        )
