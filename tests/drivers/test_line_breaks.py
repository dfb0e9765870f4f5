"""Devices that fall silent, adapters pulled out, peers that hang up: nothing stalls and everything comes back."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from line_rig import PtyBus, Slave, ask, dead, honest, read

from drivers.api import LinkState
from drivers.errors import LineDown, Silent
from drivers.line import DevicePolicy, Line, LineConfig, LineDevice
from protocols.fieldbus.modbus import (
    NEED_MORE,
    Answer,
    DeviceSide,
    Expectation,
    Framing,
    ReadRegisters,
    Refused,
    answer_frame,
    request_frame,
)

# Offline after two failures, however quick they are.
NERVOUS = DevicePolicy(timeout_s=0.05, retries=0, late_s=0.0, offline_after_s=0.0)
STEADY = DevicePolicy(timeout_s=2.0, retries=0)  # for devices that do answer, on a busy machine too


@asynccontextmanager
async def rig(tmp_path: Path, slaves: dict[int, Slave], **config: object) -> AsyncIterator[tuple[PtyBus, Line]]:
    async with PtyBus(tmp_path / "by-id", slaves) as bus:
        settings = {"id": "yard", "path": str(bus.link), "baud": 115200, **config}
        async with Line(LineConfig(**settings)) as line:  # type: ignore[arg-type]  # a test may set any field
            yield bus, line


async def fall_silent(device: LineDevice, unit: int) -> None:
    """Ask until the line calls the device offline."""
    while device.link().state is not LinkState.OFFLINE:
        with pytest.raises(Silent):
            await ask(device, unit, read(0))


async def test_offline_needs_time_and_count(tmp_path: Path) -> None:
    """A device is offline only when both the number of failures and the time without an answer are reached."""
    hasty = DevicePolicy(timeout_s=0.03, retries=0, late_s=0.0, offline_after_s=0.25, offline_after_fails=2)
    async with rig(tmp_path, {1: dead}) as (bus, line):
        device = line.attach("charger", hasty)
        for _ in range(3):
            with pytest.raises(Silent):
                await ask(device, 1, read(0))
        assert device.link().state is LinkState.NEW
        await fall_silent(device, 1)
        assert len(bus.heard) > 3


async def test_wb_989_dead_device_probed_once_per_backoff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a device is offline, its polls fail at once and only one per back-off step reaches the bus."""
    monkeypatch.setattr("drivers.line_state.BACK_OFF_MIN_S", 0.1)
    monkeypatch.setattr("drivers.line_state.BACK_OFF_MAX_S", 0.4)
    async with rig(tmp_path, {1: dead}) as (bus, line):
        device = line.attach("charger", NERVOUS)
        await fall_silent(device, 1)
        asked, loop = len(bus.heard), asyncio.get_running_loop()
        end = loop.time() + 0.8
        refused = 0
        while loop.time() < end:
            results = await asyncio.gather(*(ask(device, 1, read(0)) for _ in range(3)), return_exceptions=True)
            assert all(isinstance(result, Silent) for result in results)
            refused += 3
            await asyncio.sleep(0.01)
        probes = len(bus.heard) - asked
        assert 2 <= probes <= 4  # at 0.1, +0.2, +0.4 s and what the time-outs add
        assert device.link().counts["refused_in_back_off"] == refused - probes


async def test_telegraf_11782_one_slave_off(tmp_path: Path) -> None:
    """Seven meters go on being read while the eighth is dead: it costs the bus its probes and nothing else."""
    async with rig(tmp_path, dict.fromkeys(range(1, 8), honest)) as (bus, line):
        eighth = line.attach("meter 8", NERVOUS)
        await fall_silent(eighth, 8)
        asked = len(bus.heard)

        async def poll(unit: int) -> None:
            meter = line.attach(f"meter {unit}", STEADY)
            for address in range(20):
                assert await ask(meter, unit, read(address)) == Answer(registers=(address,))

        async def poll_the_dead() -> None:
            for _ in range(20):
                with pytest.raises(Silent):
                    await ask(eighth, 8, read(0))
                await asyncio.sleep(0.01)

        await asyncio.gather(poll_the_dead(), *(poll(unit) for unit in range(1, 8)))
        assert sum(request.unit == 8 for request in bus.heard[asked:]) <= 1
        assert "timeouts" not in {kind for unit in line.devices[1:] for kind in unit.link().counts}


async def test_a_device_that_returns_asks_for_its_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """on_return is set from the start, cleared by the driver, and set again by the first answer after a break."""
    monkeypatch.setattr("drivers.line_state.BACK_OFF_MIN_S", 0.01)
    async with rig(tmp_path, {1: dead}) as (bus, line):
        charger = line.attach("charger", NERVOUS)
        assert charger.on_return.is_set()
        charger.on_return.clear()
        await fall_silent(charger, 1)
        assert not charger.on_return.is_set()
        bus.slaves[1] = honest
        await asyncio.sleep(0.02)
        assert await ask(charger, 1, read(3)) == Answer(registers=(3,))
        assert charger.on_return.is_set()
        assert charger.link().state is LinkState.ONLINE
        assert charger.link().error is None


async def test_foxess_modbus_925_usb_comes_back(tmp_path: Path) -> None:
    """An adapter that is pulled out fails what waits, and serves again when it is back under another tty."""
    async with rig(tmp_path, {1: honest, 2: dead}) as (bus, line):
        meter, gone = line.attach("meter", STEADY), line.attach("gone", DevicePolicy(timeout_s=30))
        await ask(meter, 1, read(0))
        meter.on_return.clear()
        waiting = [asyncio.create_task(ask(gone, 2, read(0))), asyncio.create_task(ask(meter, 1, read(0)))]
        await asyncio.sleep(0.05)
        bus.unplug()
        assert [type(result) for result in await asyncio.gather(*waiting, return_exceptions=True)] == [LineDown] * 2
        with pytest.raises(LineDown):
            await ask(meter, 1, read(0))
        assert not line.up
        assert line.stats().error is not None
        bus.plug_in()
        await until_up(line)
        assert await ask(meter, 1, read(9)) == Answer(registers=(9,))
        assert meter.on_return.is_set()
        assert line.stats().opened == 2


async def until_up(line: Line) -> None:
    async with asyncio.timeout(10):
        while not line.up:  # noqa: ASYNC110  # a line tells by its state
            await asyncio.sleep(0.01)


async def test_what_waits_when_a_device_goes_offline_costs_no_bus_time(tmp_path: Path) -> None:
    """Requests that were queued before the device was known to be offline fail without being sent."""
    async with rig(tmp_path, {1: dead}) as (bus, line):
        device = line.attach("charger", NERVOUS)
        results = await asyncio.gather(*(ask(device, 1, read(n)) for n in range(6)), return_exceptions=True)
        assert [type(result) for result in results] == [Silent] * 6
        assert len(bus.heard) == 2


async def test_evcc_14496_starts_with_the_adapter_missing(tmp_path: Path) -> None:
    """A port that is not there at start is no error of the daemon's; the line comes up when it appears."""
    bus = PtyBus(tmp_path / "by-id", {1: honest})
    async with Line(LineConfig(id="yard", path=str(bus.link))) as line:
        meter = line.attach("meter", STEADY)
        with pytest.raises(LineDown, match="by-id"):
            await ask(meter, 1, read(0))
        async with bus:
            await until_up(line)
            assert await ask(meter, 1, read(1)) == Answer(registers=(1,))


async def test_a_line_on_which_nobody_answers_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no device answers for the set time and twice, the port is closed and opened anew."""
    monkeypatch.setattr("drivers.line_state.BACK_OFF_MIN_S", 0.01)
    async with rig(tmp_path, {1: dead}, reopen_after_s=0.1) as (_, line):
        device = line.attach("meter", NERVOUS)
        while line.up:
            with pytest.raises(Silent):
                await ask(device, 1, read(0))
            await asyncio.sleep(0.01)
        await until_up(line)
        assert line.stats().opened == 2


async def test_two_lines_cannot_own_one_port(tmp_path: Path) -> None:
    """The second owner of a serial port gets LineDown instead of half of the first one's bytes."""
    async with rig(tmp_path, {1: honest}) as (bus, line):
        async with Line(LineConfig(id="thief", path=str(bus.link))) as thief:
            with pytest.raises(LineDown, match="lock"):
                await ask(thief.attach("meter", STEADY), 1, read(0))
        assert await ask(line.attach("meter", STEADY), 1, read(0)) == Answer(registers=(0,))


async def test_shutting_down_fails_whoever_waits(tmp_path: Path) -> None:
    """Leaving the line ends every request, in the queue and on the wire, with LineDown."""
    async with rig(tmp_path, {}) as (_, line):
        device = line.attach("gone", DevicePolicy(timeout_s=30))
        waiting = [asyncio.create_task(ask(device, 1, read(n))) for n in range(3)]
        await asyncio.sleep(0.02)
    assert [type(result) for result in await asyncio.gather(*waiting, return_exceptions=True)] == [LineDown] * 3


# TCP peers.


class Peer:
    """A Modbus TCP device: answers in its framing, `late` transactions first, hangs up or resets when told to."""

    def __init__(self, framing: Framing = Framing.TCP) -> None:
        self.framing = framing
        self.mood = "answer"
        self.port = 0
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Peer:
        await self.listen()
        return self

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        ear = DeviceSide(self.framing)
        while data := await reader.read(1024):
            ear.receive_data(data)
            while (request := ear.next_event()) is not NEED_MORE:
                assert isinstance(request.pdu, ReadRegisters)
                if self.mood == "reset":
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
                    return
                if self.mood == "hang up":
                    writer.close()
                    return
                values = Answer(registers=tuple(range(request.pdu.address, request.pdu.address + request.pdu.count)))
                if self.mood == "slow":
                    await asyncio.sleep(0.1)
                writer.write(answer_frame(self.framing, request, values))
        writer.close()


async def tcp_ask(line: Line, device: LineDevice, address: int) -> Answer | Refused:
    return await ask(device, 1, read(address), framing=Framing(line.config.modbus_framing), line=line)


async def test_tcp_late_answers_are_known_by_their_transaction() -> None:
    """Over TCP a late answer is told by its number, so the next request goes out at once and gets its own."""
    async with Peer() as peer, Line(LineConfig(id="net", host="127.0.0.1", port=peer.port)) as line:
        device = line.attach("wallbox", DevicePolicy(timeout_s=0.05, retries=0))
        peer.mood = "slow"
        with pytest.raises(Silent):
            await tcp_ask(line, device, 1000)
        peer.mood = "answer"
        slow = device.exchange(
            request_frame(Framing.TCP, 1, read(2000), 77), Expectation(Framing.TCP, 1, read(2000), 77), timeout_s=1.0
        )
        assert await slow == Answer(registers=(2000,))


@pytest.mark.parametrize("mood", ["reset", "hang up"])
async def test_evcc_31794_peer_hangs_up_on_the_first_read(mood: str) -> None:
    """RST or EOF in place of an answer is LineDown at once, and the connection is made again."""
    async with Peer() as peer, Line(LineConfig(id="net", host="127.0.0.1", port=peer.port)) as line:
        device = line.attach("wallbox", DevicePolicy(timeout_s=5.0, retries=0))
        peer.mood = mood
        with pytest.raises(LineDown):
            await tcp_ask(line, device, 0)
        peer.mood = "answer"
        await until_up(line)
        assert await tcp_ask(line, device, 4) == Answer(registers=(4,))
        assert peer.connections == 2


async def test_evcc_21359_a_box_that_wants_to_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some boxes take no new connection for a while after one has ended: the line waits for that, and then goes on."""
    monkeypatch.setattr("drivers.line.REOPEN_MIN_S", 0.001)
    loop = asyncio.get_running_loop()
    async with Peer() as peer, Line(LineConfig(id="net", host="127.0.0.1", port=peer.port)) as line:
        device = line.attach("unite", DevicePolicy(timeout_s=0.5, retries=0, hold_off_s=0.4))
        peer.mood = "hang up"
        with pytest.raises(LineDown):
            await tcp_ask(line, device, 0)
        ended_s = loop.time()
        peer.mood = "answer"
        await until_up(line)
        assert loop.time() - ended_s >= 0.35
        assert await tcp_ask(line, device, 4) == Answer(registers=(4,))


async def test_a_refused_connection_is_tried_again() -> None:
    """Nobody listens: LineDown with the peer's address in it; somebody does later: it works."""
    async with Peer() as peer:
        peer._server.close()
        async with Line(LineConfig(id="net", host="127.0.0.1", port=peer.port)) as line:
            device = line.attach("wallbox", STEADY)
            with pytest.raises(LineDown, match=str(peer.port)):
                await tcp_ask(line, device, 0)
            await peer.listen()
            await until_up(line)
            assert await tcp_ask(line, device, 1) == Answer(registers=(1,))


async def test_rtu_over_tcp() -> None:
    """A serial server carries RTU frames as they are, guard time and all."""
    config = LineConfig(id="net", host="127.0.0.1", port=1, framing="rtu")
    assert config.guard_s == pytest.approx(0.00401, abs=1e-5)
    async with (
        Peer(Framing.RTU) as peer,
        Line(LineConfig(id="net", host="127.0.0.1", port=peer.port, framing="rtu")) as line,
    ):
        assert await tcp_ask(line, line.attach("meter", STEADY), 8) == Answer(registers=(8,))
