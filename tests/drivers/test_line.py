"""One line, many devices: every answer goes to the request it belongs to, or to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from line_rig import PtyBus, Slave, ask, dead, honest, read

from drivers.api import LinkState
from drivers.errors import Garbled, Silent, Transient
from drivers.line import DevicePolicy, Line, LineConfig, Priority
from protocols.fieldbus.modbus import (
    Answer,
    Framing,
    Refused,
    Request,
    Space,
    WriteRegisters,
    answer_frame,
    exception_frame,
    request_frame,
)

QUICK = DevicePolicy(timeout_s=0.5, retries=0)
"""For a device that may not answer."""
STEADY = DevicePolicy(timeout_s=10.0, retries=0)
"""For one that does, however busy this machine is."""


@asynccontextmanager
async def rig(tmp_path: Path, slaves: dict[int, Slave], **config: object) -> AsyncIterator[tuple[PtyBus, Line]]:
    async with PtyBus(tmp_path / "by-id", slaves) as bus:
        settings = {"id": "yard", "path": str(bus.link), "baud": 115200, **config}
        async with Line(LineConfig(**settings)) as line:  # type: ignore[arg-type]  # a test may set any field
            yield bus, line


async def test_answers_and_refusals_come_back(tmp_path: Path) -> None:
    """A value is an Answer, an exception is Refused; both mean that the device is there."""

    def picky(request: Request) -> list[tuple[float, bytes]]:
        return [(0, exception_frame(Framing.RTU, request, 2))]

    async with rig(tmp_path, {1: honest, 2: picky}) as (_, line):
        meter, charger = line.attach("meter", STEADY), line.attach("charger", STEADY)
        assert await ask(meter, 1, read(72, 2)) == Answer(registers=(72, 73))
        assert await ask(charger, 2, read(0)) == Refused(2)
        assert charger.link().state is LinkState.ONLINE
        assert charger.link().counts == {"answered": 1}
        assert set(meter.link().latency_ms) == {"p50", "p90", "p99"}
        assert line.stats().exchanges == 2


async def test_smartevse_11_late_answer(tmp_path: Path) -> None:
    """An answer after its time-out is not taken for the next request's, though unit, function and count agree."""

    def slow_once(request: Request) -> list[tuple[float, bytes]]:
        [(_, frame)] = honest(request)
        return [(0.6 if request.pdu == read(1000, 2) else 0.0, frame)]

    async with rig(tmp_path, {1: slow_once}) as (_, line):
        meter = line.attach("meter", QUICK)
        with pytest.raises(Silent):
            await ask(meter, 1, read(1000, 2))
        assert await ask(meter, 1, read(2000, 2)) == Answer(registers=(2000, 2001))
        assert meter.link().counts == {"timeouts": 1, "late": 1, "answered": 1}


async def test_a_late_answer_is_not_given_to_another_device_on_the_same_unit(tmp_path: Path) -> None:
    """A wallbox and the meter inside it share a unit: the time-out of one makes the other wait as well."""

    def slow_once(request: Request) -> list[tuple[float, bytes]]:
        return [(0.6 if request.pdu == read(1000) else 0.0, honest(request)[0][1])]

    async with rig(tmp_path, {1: slow_once}) as (_, line):
        wallbox, meter = line.attach("wallbox", QUICK), line.attach("meter", QUICK)
        with pytest.raises(Silent):
            await ask(wallbox, 1, read(1000))
        assert await ask(meter, 1, read(2000)) == Answer(registers=(2000,))
        assert wallbox.link().counts == {"timeouts": 1, "late": 1}


async def test_others_are_served_while_a_late_answer_may_come(tmp_path: Path) -> None:
    """The long wait for a late answer concerns its own device alone."""
    policy = DevicePolicy(timeout_s=0.05, retries=1, late_s=0.4)
    async with rig(tmp_path, {1: dead, 2: honest}) as (bus, line):
        gone, meter = line.attach("gone", policy), line.attach("meter", STEADY)
        waiting = asyncio.create_task(ask(gone, 1, read(0)))
        await bus.spoken_to.wait()
        for _ in range(5):
            await ask(meter, 2, read(0))
        with pytest.raises(Silent):
            await waiting
        assert [request.unit for request in bus.heard] == [1, 2, 2, 2, 2, 2, 1]


async def test_a_request_of_another_shape_does_not_wait_for_a_late_answer(tmp_path: Path) -> None:
    """Function 6 cannot be mistaken for function 3, so a command goes out although a read has just timed out."""

    def deaf_to_reads(request: Request) -> list[tuple[float, bytes]]:
        return [] if request.function == 3 else list(honest(request))

    policy = DevicePolicy(timeout_s=0.5, retries=0, late_s=30.0)
    async with rig(tmp_path, {1: deaf_to_reads}) as (_, line):
        charger = line.attach("charger", policy)
        with pytest.raises(Silent):
            await ask(charger, 1, read(0))
        assert await ask(charger, 1, WriteRegisters(261, (160,), single=True)) == Answer()


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        ("noise", b"\x00\xff\x7f"),
        ("foreign", answer_frame(Framing.RTU, Request(2, read(0)), Answer(registers=(5,)))),
        ("length", bytes.fromhex("01 03 04 42 F6 E0 00 47 B9")),  # two registers, one was asked for
        ("crc", bytes.fromhex("01 03 02 00 00 00 00")),
    ],
)
async def test_what_comes_before_the_answer_is_counted(tmp_path: Path, kind: str, before: bytes) -> None:
    """Junk in front of an answer is skipped, and counted once against the device under its kind."""

    def messy(request: Request) -> list[tuple[float, bytes]]:
        return [(0, before), (0.02, honest(request)[0][1])]

    async with rig(tmp_path, {1: messy}) as (_, line):
        meter = line.attach("meter", STEADY)
        assert await ask(meter, 1, read(7)) == Answer(registers=(7,))
        assert meter.link().counts == {"answered": 1, kind: 1}


@pytest.mark.parametrize(
    "broken",
    [
        lambda frame: frame[:-1],
        lambda frame: frame[:-1] + bytes((frame[-1] ^ 1,)),
        lambda frame: frame[:4] + frame[5:],  # a byte lost on the way
        lambda frame: b"\x02" + frame[1:],
    ],
    ids=["short", "crc", "byte lost", "unit garbled"],
)
async def test_a_broken_answer_is_no_answer(tmp_path: Path, broken: object) -> None:
    """Bytes that are no valid answer give Garbled, which names what came; a retry brings the value."""
    plays = 0

    def once_broken(request: Request) -> list[tuple[float, bytes]]:
        nonlocal plays
        plays += 1
        frame = honest(request)[0][1]
        return [(0, broken(frame) if plays == 1 else frame)]  # type: ignore[operator]  # a lambda of the table

    async with rig(tmp_path, {1: once_broken}) as (_, line):
        meter = line.attach("meter", QUICK)
        with pytest.raises(Garbled, match="only"):
            await ask(meter, 1, read(300, 2))
        plays = 0
        patient = line.attach("meter again", DevicePolicy(timeout_s=0.5, retries=1, late_s=0.0))
        assert await ask(patient, 1, read(300, 2)) == Answer(registers=(300, 301))


async def test_an_echoing_adapter_is_recognised(tmp_path: Path) -> None:
    """After one read, the echo of a write is not taken for the device's consent to it."""
    async with rig(tmp_path, {1: lambda request: honest(request) if request.function == 3 else []}) as (bus, line):
        bus.echo = True
        charger = line.attach("charger", QUICK)
        assert await ask(charger, 1, read(5)) == Answer(registers=(5,))
        with pytest.raises(Silent):
            await ask(charger, 1, WriteRegisters(261, (160,), single=True))
        assert charger.link().counts["echo"] == 1


async def test_an_echo_known_from_the_config_is_taken_away_from_the_first_write_on(tmp_path: Path) -> None:
    """With `echo = true` not even the first write can be confirmed by its own echo."""
    async with rig(tmp_path, {1: honest, 2: dead}, echo=True) as (bus, line):
        bus.echo = True
        alive, gone = line.attach("alive", STEADY), line.attach("gone", QUICK)
        assert await ask(alive, 1, WriteRegisters(261, (160,), single=True)) == Answer()
        with pytest.raises(Silent):
            await ask(gone, 2, WriteRegisters(261, (160,), single=True))


async def test_commands_overtake_polls(tmp_path: Path) -> None:
    """Whatever waits when a command comes, the command is next on the wire."""
    async with rig(tmp_path, {1: honest}) as (bus, line):
        meter = line.attach("meter", STEADY)
        polls = [asyncio.create_task(ask(meter, 1, read(address))) for address in range(5)]
        await bus.spoken_to.wait()
        command = ask(meter, 1, WriteRegisters(261, (0,), single=True), priority=Priority.COMMAND)
        await asyncio.gather(command, *polls)
        assert [request.function for request in bus.heard] == [3, 6, 3, 3, 3, 3]


async def test_a_full_queue_turns_requests_away(tmp_path: Path) -> None:
    """The queue has an end: what does not fit is refused at once and counted, and what fits is served."""
    async with rig(tmp_path, {1: honest}, queue_max=3) as (bus, line):
        meter = line.attach("meter", STEADY)
        results = await asyncio.gather(*(ask(meter, 1, read(n)) for n in range(8)), return_exceptions=True)
        turned_away = [result for result in results if isinstance(result, Transient)]
        assert len(turned_away) + len(bus.heard) == 8
        assert line.stats().overruns == len(turned_away) > 0


async def test_evcc_17500_two_tasks_on_one_line_do_not_mix(tmp_path: Path) -> None:
    """Many tasks ask several units at the same time and each gets its own answers."""
    async with rig(tmp_path, dict.fromkeys(range(1, 5), honest)) as (_, line):

        async def poll(unit: int) -> None:
            device = line.attach(f"meter {unit}", DevicePolicy(timeout_s=10.0))
            for address in range(unit * 1000, unit * 1000 + 40):
                assert await ask(device, unit, read(address)) == Answer(registers=(address,))

        await asyncio.gather(*(poll(unit) for unit in (1, 2, 3, 4, 1, 2)))


async def test_cancelling_a_request_leaves_the_line_clean(tmp_path: Path) -> None:
    """The answer to a cancelled request is not given to the next."""

    def slow(request: Request) -> list[tuple[float, bytes]]:
        return [(0.05, honest(request)[0][1])]

    async with rig(tmp_path, {1: slow}) as (bus, line):
        meter = line.attach("meter", STEADY)
        task = asyncio.create_task(ask(meter, 1, read(1)))
        await bus.spoken_to.wait()
        task.cancel()
        assert await ask(meter, 1, read(2)) == Answer(registers=(2,))
        assert await asyncio.gather(task, return_exceptions=True) != [Answer(registers=(1,))]


async def test_a_request_gap_is_kept_per_device(tmp_path: Path) -> None:
    """A device that needs rest gets it, while another is served."""
    async with rig(tmp_path, {1: honest, 2: honest}) as (bus, line):
        tired = line.attach("tired", DevicePolicy(timeout_s=10.0, request_gap_s=0.1))
        brisk = line.attach("brisk", STEADY)
        await ask(tired, 1, read(0))
        await asyncio.gather(ask(tired, 1, read(1)), *(ask(brisk, 2, read(n)) for n in range(3)))
        assert [request.unit for request in bus.heard] == [1, 2, 2, 2, 1]


async def test_a_babbling_line_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody never stops talking, a request ends with Garbled."""
    monkeypatch.setattr("drivers.line.BABBLE_MAX_S", 0.1)
    async with rig(tmp_path, {1: honest}, baud=300) as (bus, line):
        meter = line.attach("meter", STEADY)

        async def babble() -> None:
            while True:
                bus.say(b"\x55" * 8)
                await asyncio.sleep(0.01)

        talker = asyncio.create_task(babble())
        await asyncio.sleep(0.05)
        with pytest.raises(Garbled):
            await ask(meter, 1, read(0))
        talker.cancel()


async def test_a_broadcast_is_followed_by_the_turnaround_silence(tmp_path: Path) -> None:
    """Nobody answers unit 0, so it returns once sent; the next request comes after the turnaround time."""
    async with rig(tmp_path, {1: honest}, turnaround_ms=50) as (bus, line):
        device = line.attach("meter", STEADY)
        loop = asyncio.get_running_loop()
        await device.broadcast(request_frame(Framing.RTU, 0, WriteRegisters(0, (1,), single=True)))
        sent = loop.time()
        await ask(device, 1, read(0))
        assert loop.time() - sent >= 0.05
        assert [request.unit for request in bus.heard] == [0, 1]


async def test_an_answer_in_small_pieces_is_waited_for(tmp_path: Path) -> None:
    """An answer that has begun within the time-out may take as long as its bytes need."""

    def crawling(request: Request) -> list[tuple[float, bytes]]:
        frame = honest(request)[0][1]
        return [(0.4, frame[:1])] + [(0.02, frame[n : n + 1]) for n in range(1, len(frame))]

    async with rig(tmp_path, {1: crawling}, baud=1200) as (_, line):
        assert await ask(line.attach("meter", QUICK), 1, read(0, 4)) == Answer(registers=(0, 1, 2, 3))


async def test_a_fault_in_an_expect_is_its_owners(tmp_path: Path) -> None:
    """A matcher that raises fails its own request, and the line goes on."""

    class Broken:
        discarded: dict[str, int] = {}  # noqa: RUF012
        shape = None

        def feed(self, data: bytes) -> int:
            raise ZeroDivisionError

        def give_up(self) -> int:
            raise ZeroDivisionError

    async with rig(tmp_path, {1: honest}) as (_, line):
        meter = line.attach("meter", QUICK)
        for unit in (1, 9):
            with pytest.raises(ZeroDivisionError):
                await meter.exchange(request_frame(Framing.RTU, unit, read(0)), Broken())
        assert await ask(meter, 1, read(0)) == Answer(registers=(0,))


def test_the_answer_frame_of_the_rig_is_what_a_device_sends() -> None:
    """The rig's honest slave speaks golden bytes (EKEPC2 state C)."""
    request = Request(0xFF, read(0x8D))
    assert read(0x8D).space is Space.HOLDING
    assert answer_frame(Framing.RTU, request, Answer(registers=(5,))).hex(" ") == "ff 03 02 00 05 51 93"
