"""A simulated board by itself: exact energy, ends as on a real one, and the same run from the same seed."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from drivers.twins.ports.battery import MJ_PER_WH, Battery
from drivers.twins.ports.board import Event, Happened, No, PortWorld
from drivers.twins.ports.dny import DnyTwin, Pace
from drivers.twins.ports.faults import PortFault, PortFaultKind, PortFaults, parse_port_faults
from drivers.twins.ports.outlet import Ended, Job
from drivers.twins.ports.serve import board_line, serve_port_board
from drivers.twins.ports.visitors import Visitors
from drivers.twins.ports.wire import befall
from protocols.fieldbus.dny import answer, said_by_board
from protocols.fieldbus.dny_board import Heartbeat, Settlement
from protocols.fieldbus.dny_codes import Command, PortState
from protocols.fieldbus.dny_platform import Taken

HOUR_MS = 3_600_000


def job(port: int = 1, seq: int = 1, **more: int) -> Job:
    return Job(seq.to_bytes(16, "big"), port, **more)  # type: ignore[arg-type]  # keywords as given


def started(world: PortWorld, battery: Battery, **more: int) -> Job:
    world.plug(1, battery)
    order = job(**more)
    assert world.start(order) is None
    return order


@pytest.mark.parametrize("step_ms", [997, 60_000, 999_983, HOUR_MS])
def test_time_passes_alike_in_any_steps(step_ms: int) -> None:
    """To the millijoule, however coarsely it is run."""
    world = PortWorld(2)
    order = started(world, Battery.usual(100, 250), limit_ms=1_700_000)
    while world.now_ms < HOUR_MS:
        world.run(min(step_ms, HOUR_MS - world.now_ms))
    assert (order.ended, order.elapsed_ms) == (Ended.TIME, 1_700_000)
    assert order.energy_mj == 1_152_000 * 250 + 432_000 * 125 + 116_000 * 35


@pytest.mark.parametrize(
    ("battery", "order", "ended", "elapsed_ms"),
    [
        (Battery(((1000, 200),)), {"limit_ms": HOUR_MS}, Ended.TIME, HOUR_MS),
        (Battery(((1000, 200),)), {"limit_mj": 100 * MJ_PER_WH}, Ended.ENERGY, HOUR_MS // 2),
        (Battery(((1000, 200),)), {"time_max_ms": HOUR_MS // 4}, Ended.TIME_MAX, HOUR_MS // 4),
        (Battery(((200, 200),), float_w=5), {}, Ended.FULL, HOUR_MS + 5_400_000),
        (Battery(((1000, 900),)), {"overload_mw": 800_000}, Ended.OVERLOAD, 0),
    ],
    ids=["time", "energy", "longest", "full", "overload"],
)
def test_ends(battery: Battery, order: dict[str, int], ended: Ended, elapsed_ms: int) -> None:
    """By time, by energy, by the board's own limits, and full only after it has floated."""
    world = PortWorld(1)
    told = started(world, battery, **order)
    world.run(20 * HOUR_MS)
    assert (told.ended, told.elapsed_ms) == (ended, elapsed_ms)
    assert world.outlets[1].delivered_mj == told.energy_mj


def test_unplugged_after_ten_seconds_of_nothing() -> None:
    """Plugged in again sooner, it goes on."""
    world = PortWorld(1)
    order = started(world, Battery(((1000, 200),)))
    world.run(60_000)
    battery = world.unplug(1)
    world.run(9_000)
    assert battery is not None
    world.plug(1, battery)
    world.run(60_000)
    world.unplug(1)
    world.run(HOUR_MS)
    assert (order.ended, order.elapsed_ms, order.energy_mj) == (Ended.UNPLUGGED, 139_000, 120_000 * 200)


def test_a_welded_relay_leaks() -> None:
    """What flows while no order runs is delivered and belongs to none."""
    world = PortWorld(1)
    order = started(world, Battery(((1000, 200),)), limit_ms=60_000)
    world.weld(1)
    world.run(120_000)
    outlet = world.outlets[1]
    assert order.energy_mj == outlet.leaked_mj == 60_000 * 200
    assert outlet.delivered_mj == order.energy_mj + outlet.leaked_mj


def test_what_it_refuses() -> None:
    """In this order: dark, smoke, no such port, busy, no charger, another order."""
    world = PortWorld(1, needs_plug=True)
    assert world.start(job()) is No.NO_CHARGER
    assert world.start(job(2)) is No.NO_SUCH_PORT
    started(world, Battery.usual())
    assert world.start(job(seq=2)) is No.BUSY
    assert world.stop(1, job(seq=2).number) is No.OTHER_ORDER
    world.raise_smoke()
    assert world.start(job(seq=3)) is No.SMOKE
    world.cut_power()
    assert world.start(job(seq=3)) is No.DARK


def test_a_settlement_is_kept_over_a_power_cut_until_it_is_answered() -> None:
    """Said again every half hour, each time under a new message id; any of them answers it."""
    world = PortWorld(1)
    twin = DnyTwin(world, 0x03000001, pace=Pace())
    started(world, Battery.usual(), limit_ms=60_000)
    ids = []
    for _ in range(5):
        world.run(1_800_000)
        twin.tick()
        ids += [frame.message_id for frame in twin.outbox if frame.command == Command.SETTLEMENT]
        twin.outbox.clear()
        world.cut_power(1_000)
    assert len(set(ids)) == 5
    (kept,) = twin.kept
    assert isinstance(kept.said, Settlement)
    world.run(2_000)
    twin.tick()
    asked = next(frame for frame in twin.outbox if frame.command == Command.SETTLEMENT)
    twin.hear(answer(asked, Taken(1)))
    assert twin.kept == [kept]
    twin.hear(answer(asked, Taken(0)))
    assert twin.kept == []


def test_what_nobody_asked_for_does_not_pile_up() -> None:
    """On a line that is polled after an hour a board says each thing once, as it stands now."""
    world = PortWorld(2)
    twin = DnyTwin(world, 0x04000001)
    for _ in range(3_600):
        world.run(1_000)
        twin.tick()
    world.plug(1, Battery.usual())
    world.run(180_000)
    twin.tick()
    said = [frame.command for frame in twin.outbox]
    assert len(said) == len(set(said)) <= 3
    (beat,) = [said_by_board(frame) for frame in twin.outbox if frame.command == Command.HEARTBEAT]
    assert isinstance(beat, Heartbeat)
    assert beat.states[0] == PortState.PLUGGED


def run_of(seed: int) -> list[Event]:
    """A day of a board by itself: visitors, orders on whatever is plugged in, and chance."""
    events: list[Event] = []
    world = PortWorld(6, doors=seed % 2 == 0)
    world.listeners.append(events.append)
    kinds = (PortFaultKind.POWER_CUT, PortFaultKind.OVERLOAD, PortFaultKind.UNPLUG, PortFaultKind.SMOKE)
    faults = [PortFault(kind=kind, count=None, chance_permille=2) for kind in kinds]
    twin = DnyTwin(world, 0x05000001, PortFaults(seed, faults))
    visitors, random = Visitors(world, seed), Random(seed)
    for minute in range(24 * 60):
        visitors.step()
        befall(twin)
        port = random.randrange(1, 7)
        world.start(job(port, minute, limit_ms=random.randrange(60_000, 5 * HOUR_MS)))
        world.run(60_000)
        twin.tick()
        twin.outbox.clear()
        for unsettled in list(world.unsettled):
            world.open_door(unsettled)
            world.shut_door(unsettled)
    return events


@pytest.mark.parametrize("seed", range(4))
def test_a_day_replays(seed: int) -> None:
    """Equal events from an equal seed; every order that ended is settled once; all energy belongs to somebody."""
    events = run_of(seed)
    assert events == run_of(seed)
    settled = [event.job.number for event in events if event.what is Happened.SETTLED and event.job is not None]
    ended = [event.job.number for event in events if event.what is Happened.ENDED and event.job is not None]
    assert settled == ended
    assert len(set(settled)) == len(settled) > 20


def test_faults_by_name() -> None:
    """From a command line; a name that is none lists those there are."""
    found = parse_port_faults(["smoke@2", "lost:*", "overload@3:2:1500"])
    assert [(one.kind.value, one.port, one.count, one.amount) for one in found] == [
        ("smoke", 2, 1, None), ("lost", 1, None, None), ("overload", 3, 2, 1500),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="power-cut"):
        parse_port_faults(["fire"])
    faults = PortFaults(1, found)
    faults.clear(PortFaultKind.LOST)
    assert [one.kind.value for one in faults.active()] == ["smoke", "overload"]


async def test_served_for_a_person() -> None:
    """On a pty, saying where it is and what hangs on it; over TCP it needs to know whom to call."""
    said: list[str] = []
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_port_board("dny", speed=100, seed=3, say=said.append, stop=stop))
    while len(said) < 2:  # noqa: ASYNC110  (what is waited for is a line of text)
        await asyncio.sleep(0.01)
    stop.set()
    await serving
    assert said[0].startswith("dny board 11220795 with 10 ports, address 20, /dev/")
    assert "plugged; 0 orders ended, 0 wait for an answer" in said[1]
    with pytest.raises(ValueError, match="listener"):
        await serve_port_board("dny-tcp")
    assert board_line(DnyTwin(PortWorld(1), 1)) == "nothing plugged in; 0 orders ended, 0 wait for an answer"
