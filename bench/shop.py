"""How fresh is what is known of sixty slots, and how soon after a card, or an ask, do a door and a port move?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Final

from bench.figure import Figure, ratio_at_most
from bench.run import Benchmark, Run, percentile, wait
from bench.selling import raw_append_ms
from bench.shop_front import CABINETS, FRONTS, SLOTS
from bench.shop_site import RIDERS, Gear, card_of, driven, port_hall, shop, until
from bench.shop_twins import PORTS, ShopTwins
from drivers.line import Line
from drivers.packs.config import WIRES
from drivers.ports.dny_options import DnyOptions
from drivers.twins.cabinets.config import ShopConfig
from edge.ports.ports import PortHall
from edge.shop.shop import Shop
from edge.till.ask import Refused, Source
from edge.till.port.ask import PortAsk
from edge.till.port.progress import PortEnds
from protocols.trade.records import Origin, Preset

MEANS = """\
Five cabinets of twelve slots: their lock boards share a line, their input boards another, relay boards a third, and
each pack has its own, all 9,600 baud on ptys at that speed, with the real drivers. *Polled*: how often all of a line
have been asked, as fast as it lets them; *asked anew*: everything of all sixty slots at once, as when the daemon
starts; *behind relays*: twelve packs that share a line, one connected after the other. The limit is the time of all
characters that went over the wire, both ways, the silence before each question, the 3 ms that a board takes to answer,
and the patience with packs that doze and miss the first two; of lines side by side, that of the slowest, with each
board asked once. How late the twin itself was is taken out.
*Card to pulse*: from a card's bytes at the reader until the lock board has heard the pulse, everything polled
meanwhile, the rider's session in a journal with fsync; beside it, right before, one raw append of 4 KiB and the slot
asked, which for an empty one is four questions until its pack link surely is silent. *Ask to start*: from a customer's
ask until a DNY board on TCP has started the port; beside it one raw append, and the pause that the board wants between
the question how its port is and the order.
"""

SECONDS: Final = 4.0
ROUNDS: Final = 3
CARDS: Final = 100
STARTS: Final = 50
QUIET_S: Final = 2.5  # a door that has moved has its pack asked, which ends before anybody comes
PAUSE_S: Final = DnyOptions().gap_s
BOARD_S: Final = 0.003  # a twin's, as of a small processor, from the end of a question to the answer
GREENWAY: Final = WIRES["greenway"]
GOAL: Final = 1.3
Wire = Mapping[str, Mapping[str, int]]


def figures(run: Run) -> list[Figure]:
    folder = run.folder("shop")
    with ShopTwins("doors", folder) as twins:
        rows = wait(_polled(twins, FRONTS["doors"](), run.seconds(SECONDS, least=0.5)))
    with ShopTwins("full", folder) as twins:
        rows.append(wait(_asked_anew(twins, FRONTS["full"](), run.sized(ROUNDS))))
    with ShopTwins("packs", folder) as twins:
        rows += wait(_cards(twins, FRONTS["packs"](), run.folder("swaps"), run.sized(CARDS, least=CABINETS)))
    with ShopTwins("behind-relays", folder) as twins:
        rows.append(wait(_behind_relays(twins, FRONTS["behind-relays"](), run.sized(ROUNDS))))
    with ShopTwins("none", folder) as twins:
        rows += wait(_starts(twins, run.folder("ports"), run.sized(STARTS, least=2)))
    return rows


# --- how fresh -------------------------------------------------------------------------------------------------------


async def _polled(twins: ShopTwins, config: ShopConfig, seconds: float) -> list[Figure]:
    """Of each line: the time in which all of its boards have been asked."""
    async with driven(config, twins) as gear:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(min(1.0, seconds))
        polls, before, began_s = _polls(gear), twins.stats(), loop.time()
        await asyncio.sleep(seconds)
        after, took_s, made = twins.stats(), loop.time() - began_s, _polls(gear)
    rows: list[Figure] = []
    for name, what in (("locks", "locks"), ("inputs", "doors and presence switches")):
        each = [made[board.id] - polls[board.id] for board in config.board if board.line == name]
        late_s, limit_s = _late_s(name, before, after), _limit_s(gear.lines[name], before, after)
        every_ms = 1000 * (took_s - late_s) / min(each)
        limit_ms = 1000 * limit_s * len(each) / sum(each)
        what = f"polled: {CABINETS * SLOTS} {what}"
        rows.append(Figure(what, every_ms, "ms", limit_ms, "the wire's own", ratio_at_most(GOAL)))
    return rows


async def _asked_anew(twins: ShopTwins, config: ShopConfig, rounds: int) -> Figure:
    """Beside it the slowest line: of boards, each asked once; of packs, whatever they were asked."""
    async with driven(config, twins, polls=False) as gear:
        await _all_boards(gear)  # the first finds out about echoes
        before = twins.stats()
        await _all_boards(gear)
        after = twins.stats()
        boards_s = max(_limit_s(gear.lines[name], before, after) for name in {board.line for board in config.board})
        took_s, limit_s = 0.0, 0.0
        for _ in range(rounds):
            before, began_s = twins.stats(), asyncio.get_running_loop().time()
            await asyncio.gather(*(c.read_slot(slot) for c in gear.cabinets.values() for slot in c.slots))
            now_s, after = asyncio.get_running_loop().time(), twins.stats()
            packs = [name for name in gear.lines if name.startswith("pack-")]
            took_s += now_s - began_s
            limit_s += max(boards_s, *(_limit_s(gear.lines[name], before, after) for name in packs))
    what = f"asked anew: {CABINETS * SLOTS} slots and their packs"
    return Figure(
        what, 1000 * took_s / rounds, "ms", 1000 * limit_s / rounds, "the slowest line's own", ratio_at_most(GOAL)
    )


async def _behind_relays(twins: ShopTwins, config: ShopConfig, rounds: int) -> Figure:
    """Relays and packs take turns, so their lines' times add up, and what the relays need to settle."""
    (cabinet_config,) = config.cabinet
    settle_s = sum(slot.pack.settle_ms / 1000 for slot in cabinet_config.slot if slot.pack is not None)
    async with driven(config, twins, polls=False) as gear:
        (cabinet,) = gear.cabinets.values()
        packs = [slot.pack for slot in cabinet.wired.values() if slot.pack is not None]
        for pack in packs:
            await pack.read()
        before, began_s = twins.stats(), asyncio.get_running_loop().time()
        for _ in range(rounds):
            for pack in packs:
                await pack.read()
        took_s, after = asyncio.get_running_loop().time() - began_s, twins.stats()
    lines = ("packs", "mux")
    took_s -= sum(_late_s(name, before, after) for name in lines)
    limit_s = sum(_limit_s(gear.lines[name], before, after) for name in lines) + rounds * settle_s
    what = f"behind relays: {len(packs)} packs once"
    return Figure(what, took_s / rounds, "s", limit_s / rounds, "the wires' own", ratio_at_most(GOAL))


async def _all_boards(gear: Gear) -> None:
    for board in gear.boards.values():
        await board.refresh()


def _polls(gear: Gear) -> dict[str, int]:
    return {name: board.link().counts.get("answered", 0) for name, board in gear.boards.items()}


def _late_s(line: str, before: Wire, after: Wire) -> float:
    return (after[line]["late_us"] - before[line]["late_us"]) / 1e6


def _limit_s(line: Line, before: Wire, after: Wire) -> float:
    """What passed on the line in a time could not have taken less than this."""
    passed = {name: after[line.id][name] - before[line.id][name] for name in after[line.id]}
    patience_s = GREENWAY.timeout_s + GREENWAY.late_s if line.id.startswith("pack") else 0.0  # boards do not doze
    unheard = (passed["requests"] - passed["answers"]) * patience_s
    return passed["wire_us"] / 1e6 + passed["requests"] * line.config.guard_s + passed["answers"] * BOARD_S + unheard


# --- how soon --------------------------------------------------------------------------------------------------------


async def _cards(twins: ShopTwins, config: ShopConfig, folder: Path, cards: int) -> list[Figure]:
    took_ms: list[float] = []
    parts_ms: list[float] = []
    async with driven(config, twins) as gear, shop(folder, gear) as (serving, readers):
        twins.pulses()

        async def come(cabinet: str, times: int) -> None:
            for number in range(times):
                await asyncio.sleep(QUIET_S + number * 37 % 100 / 250)  # not in step with the polls, or with another
                asked = gear.cabinets[cabinet].read_slot(SLOTS)
                parts_ms.append(
                    await asyncio.to_thread(raw_append_ms, folder / f"raw {cabinet}") + await _took_ms(asked)
                )
                said_s = time.monotonic()
                readers[cabinet].say(card_of(cabinet, number % RIDERS))
                pulsed_s = await _pulse_of(twins, pulses, cabinet)
                took_ms.append(1000 * (pulsed_s - said_s))
                await _leave(serving, twins, cabinet)

        pulses: dict[str, float] = {}
        times = -(-cards // len(readers))
        await asyncio.gather(*(come(cabinet, times) for cabinet in readers))
    return _medians("card to pulse", took_ms, parts_ms, "slot asked, raw append")


async def _pulse_of(twins: ShopTwins, pulses: dict[str, float], cabinet: str) -> float:
    """When this cabinet's lock was pulsed first. pulses: those of all, as far as anybody has asked."""

    def heard() -> bool:
        for name, _, at_s in twins.pulses():
            pulses.setdefault(name, at_s)
        return cabinet in pulses

    await until(heard, every_s=0.25)
    return pulses.pop(cabinet)


async def _leave(serving: Shop, twins: ShopTwins, cabinet: str) -> None:
    """The rider changes their mind: shuts the door once its lock lets go, with nothing behind it."""
    swap = serving.swaps.swap_at(cabinet)
    assert swap is not None
    await asyncio.sleep(0.8)
    await serving.cancel(swap.seq)
    twins.shut(cabinet, swap.slot)
    await until(lambda: serving.swaps.swap_at(cabinet) is None)


async def _starts(twins: ShopTwins, folder: Path, starts: int) -> list[Figure]:
    took_ms: list[float] = []
    parts_ms: list[float] = []
    async with port_hall(folder, twins) as hall:
        for number in range(starts):
            port = number % PORTS + 1
            await until(lambda: not hall.ports.sessions())
            await asyncio.sleep(PAUSE_S)
            parts_ms.append(1000 * PAUSE_S + await asyncio.to_thread(raw_append_ms, folder / "raw"))
            asked_s = time.monotonic()
            seq = await _start(hall, port)
            took_ms.append(1000 * (await _start_of(twins, port) - asked_s))
            await hall.stop(seq, PortEnds.LOCAL)
    return _medians("ask to start of a port", took_ms, parts_ms, "the board's pause, raw append")


async def _start(hall: PortHall, port: int) -> int:
    card = card_of("rack", 0)
    ask = PortAsk(f"rack.{port}", Preset("energy", 100), Origin("panel", b"", 0, "bench"), (Source(card),))
    outcome = await hall.start(ask)
    assert not isinstance(outcome, Refused), outcome
    return outcome.seq


async def _start_of(twins: ShopTwins, port: int) -> float:
    while True:
        await asyncio.sleep(0.05)
        for started, at_s in twins.starts():
            if started == port:
                return at_s


async def _took_ms(work: Awaitable[object]) -> float:
    began_s = time.monotonic()
    await work
    return 1000 * (time.monotonic() - began_s)


def _medians(what: str, took_ms: list[float], parts_ms: list[float], parts: str) -> list[Figure]:
    return [
        Figure(f"{what}, {name}", percentile(took_ms, percent), "ms", percentile(parts_ms, percent), parts)
        for name, percent in (("median", 50), ("p99", 99))
    ]


BENCHMARK = Benchmark("shop", MEANS, figures)
