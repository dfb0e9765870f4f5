"""What goes wrong at a DART pump or on its line, and what a sale is worth after it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import pytest
from dart_rig import Till, dart, fill, finish, order, ready, shows, until

from drivers.api import LinkState, Quality
from drivers.errors import DeviceFault, Silent, Transient
from drivers.pump import Order, PumpState
from drivers.twins.pumps.customer import fills, random_customers
from drivers.twins.pumps.faults import PumpFault, parse_pump_faults
from drivers.twins.pumps.parts import Phase

NOISE = [
    "silent:3",
    "silent@delivering:1",
    "silent@ended:2",
    "garble:4",
    "garble:2:3",
    "short:3",
    "duplicate:20",
    "noise-before:20",
    "noise-after:20",
    "echo:5",
    "slow:2:3",
    "late:2:200",
    "foreign:3",
    "wrong-sequence:3",
    "refuse:2",
    "no-effect@ended:1",
    "stale:2",
    "late-status:1:20000",
]


@pytest.mark.parametrize("fault", NOISE)
async def test_a_sale_survives(fault: str) -> None:
    """Repeats, renumbered blocks and questions asked again: nothing is lost, and nothing is done twice."""
    async with dart() as rig:
        await ready(rig.pump)
        for one in parse_pump_faults([fault]):
            rig.bay.faults.set(one)
        filling = await fill(rig.pump, rig.bay, order("volume", 5_000), fills(1))
        assert filling.sale is not None
        assert (filling.sale.volume_ml, filling.sale.amount_fen, filling.moved_ml) == (5_000, 3_925, 5_000)
        assert rig.dispenser.delivered_ul[1] == 5_000_000
        assert rig.dispenser.sales == 1


@pytest.mark.parametrize("chance", [100])
async def test_a_noisy_line_on_a_paced_pty(chance: int) -> None:
    """A third of all answers garbled, lost, doubled or behind noise, at 9600 baud."""
    async with dart(wire="pty", speed=50) as rig:
        await ready(rig.pump)
        for kind in ("silent", "garble", "duplicate", "noise-before"):
            (one,) = parse_pump_faults([kind])
            rig.bay.faults.set(type(one)(kind=one.kind, chance_permille=chance))
        rig.bay.add(fills(1))
        await shows(rig.pump, PumpState.CALLING)
        before = await _again(rig.pump.read_totals)
        await rig.pump.authorise(order("amount", 5_000))
        await shows(rig.pump, PumpState.ENDED)
        rig.bay.faults.clear()
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert (filling.sale.volume_ml, filling.sale.amount_fen, filling.moved_ml) == (6_370, 5_000, 6_370)
        assert rig.dispenser.delivered_ul[1] == 6_370_000


async def _again(read):  # type: ignore[no-untyped-def]  # any read of a pump
    for _ in range(5):
        try:
            return await read()
        except Transient:
            continue
    return await read()


async def test_a_reset_that_never_takes_effect() -> None:
    """Acknowledged again and again, and still in state 5: nothing is authorised."""
    async with dart(options={"reset_tries": 1}, faults=["no-effect@ended:*"]) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises((DeviceFault, Transient)):
            await rig.pump.authorise(order("full"))
        assert rig.dispenser.phase is Phase.ENDED


async def test_an_authorisation_that_is_not_shown_is_open() -> None:
    """AUTHORIZE is said once; after the time-out the status tells what became of it."""
    async with dart(options={"authorise_s": 0.5}, faults=["late-status:1:200000"]) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(Transient, match="AUTHORIZED"):
            await rig.pump.authorise(order("full"))
        assert await shows(rig.pump, PumpState.AUTHORISED)
        assert rig.dispenser.sales == 1
        await rig.pump.stop()
        assert rig.dispenser.phase is Phase.ENDED


async def test_an_authorisation_without_effect_is_not_repeated() -> None:
    """The pump shows RESET still; whoever asked decides."""
    async with dart(options={"authorise_s": 0.5, "lift_first": False}, twin={"lift-first": True}) as rig:
        await ready(rig.pump)
        with pytest.raises(Transient, match="1 RESET"):
            await rig.pump.authorise(order("full"))
        assert rig.dispenser.sales == 0
        assert await shows(rig.pump, PumpState.IDLE)


async def test_an_allowance_without_effect_sells_nothing() -> None:
    """CD2 acknowledged and lost: the pump is not authorised, and the next try is a whole one."""
    async with dart(options={"authorise_s": 0.5}, faults=["no-effect@idle:1"]) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(Transient, match="1 RESET"):
            await rig.pump.authorise(order("full"))
        await rig.pump.authorise(order("full"))
        assert rig.dispenser.sales == 1


@pytest.mark.parametrize("at", ["idle", "authorised", "delivering", "reached", "ended"])
@pytest.mark.parametrize("kind", ["power-cut", "restart"])
async def test_the_pump_loses_its_power(at: str, kind: str) -> None:
    """At each state: what has flowed stands in its memory and its totals, and is read when it is back."""
    async with dart(speed=50, head={"keeps_prices": True}) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        (fault,) = parse_pump_faults([f"{kind}@{at}:1" + (":20000" if kind == "power-cut" else "")])
        if at == "delivering":
            fault = type(fault)(kind=fault.kind, count=1, amount=fault.amount, at=fault.at, after_ms=2_000)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        rig.bay.faults.set(fault)
        try:
            await rig.pump.authorise(order("volume", 4_000))
            rig.dispenser.squeeze(700)
        except (Transient, DeviceFault):
            assert at in ("idle", "authorised", "ended")  # it was in the middle of the order
        await until(lambda: not rig.bay.faults.active())
        await until(lambda: rig.dispenser.powered and rig.dispenser.phase in (Phase.ENDED, Phase.REACHED))
        rig.dispenser.hang_up()
        await rig.pump.stop()
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        step_ul = 10_000
        assert filling.moved_ml == rig.dispenser.delivered_ul[1] // step_ul * 10
        assert filling.sale.volume_ml == filling.moved_ml
        after = await fill(rig.pump, rig.bay, order("volume", 1_000), fills(1))
        assert after.sale is not None
        assert after.sale.volume_ml == 1_000


async def test_a_pump_that_comes_up_without_prices() -> None:
    """Unpriced until it is given them; nothing it was said to have taken before counts."""
    async with dart(faults=["cold-start@ended:1:5000"]) as rig:
        await shows(rig.pump, PumpState.UNPRICED)
        assert await rig.pump.read_prices() == {}
        await rig.pump.set_prices({1: 785_000, 2: 836_000})
        filling = await fill(rig.pump, rig.bay, order("volume", 1_000), fills(1))
        assert filling.moved_ml == 1_000


async def test_an_emergency_stop_in_mid_sale() -> None:
    """The sale ends, the alarm is shown until the sale is stored, and what has flowed is known."""
    async with dart(speed=20, faults=["emergency@delivering:1:500"]) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.bay.add(fills(1))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full"))
        await until(lambda: (value := rig.pump.status().value) is not None and value.alarm == "emergency stop")
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert filling.sale.volume_ml == filling.moved_ml
        status = (await rig.pump.read_status()).value
        assert status is not None
        assert status.alarm is None


async def test_the_line_is_lost_in_mid_sale() -> None:
    """The pump goes on to its limit alone; when the line is back, its memory and totals tell the whole sale."""
    async with dart(speed=60) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.bay.add(fills(1))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("volume", 20_000))
        await shows(rig.pump, PumpState.DELIVERING)
        await rig.wire.close()
        await until(lambda: rig.pump.link().state is LinkState.OFFLINE)
        await rig.wire.open()
        rig.bay.catch_up()
        await until(lambda: rig.dispenser.phase is Phase.ENDED)
        await until(lambda: rig.pump.link().state is LinkState.ONLINE)
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert (filling.sale.nozzle, filling.sale.volume_ml, filling.moved_ml) == (1, 20_000, 20_000)


async def test_a_silent_pump_is_offline_and_its_status_stale() -> None:
    """After five polls missed and three seconds; acts then fail at once, and it comes back by itself."""
    async with dart() as rig:
        await ready(rig.pump)
        (fault,) = parse_pump_faults(["silent:*"])
        rig.bay.faults.set(fault)
        await until(lambda: rig.pump.link().state is LinkState.OFFLINE)
        await until(lambda: rig.pump.status().quality is Quality.STALE)
        with pytest.raises(Silent):
            await rig.pump.authorise(order("full"))
        rig.bay.faults.clear()
        await until(lambda: rig.pump.link().state is LinkState.ONLINE)
        assert await shows(rig.pump, PumpState.ENDED)  # somebody may have sold there: the totals are looked at again
        assert rig.pump.status().quality is Quality.GOOD


async def test_totals_that_move_by_themselves_are_seen() -> None:
    """The driver smooths nothing: what moved without a sale stands in the totals."""
    async with dart() as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.move_total(2, 12_340)
        after = await rig.pump.read_totals()
        assert after[2].volume_ml - before[2].volume_ml == 12_340
        assert after[1] == before[1]


async def test_a_stop_during_an_authorisation_wins() -> None:
    """Whichever of its blocks is under way, nothing may flow afterwards."""
    async with dart(options={"authorise_s": 2.0}, faults=["late-status:1:100000"]) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        asked = asyncio.create_task(rig.pump.authorise(order("full")))
        await until(lambda: rig.dispenser.phase in (Phase.IDLE, Phase.AUTHORISED))
        await rig.pump.stop()
        with pytest.raises(Transient):
            await asked
        rig.dispenser.squeeze(700)
        assert rig.dispenser.flow_ml_s == 0
        assert rig.dispenser.phase is Phase.ENDED


async def test_polls_survive_whatever_a_pump_says() -> None:
    """Random bytes for every answer: the link says so, and the driver goes on."""
    async with dart(faults=["garble:*:40"]) as rig:
        await until(lambda: rig.pump.link().counts.get("timeouts", 0) > 3)
        rig.bay.faults.clear()
        await shows(rig.pump, PumpState.ENDED)


async def test_a_sale_that_nobody_has_read_is_not_wiped() -> None:
    """AUTHORIZE was taken, its acknowledgement and the whole sale were not heard: the next order has to wait."""
    async with dart(faults=["late-status:1:600000"], options={"authorise_s": 0.5}, polled=False) as rig:
        await rig.pump.read_status()
        await rig.pump.release()
        rig.dispenser.lift(1)
        before = await rig.pump.read_totals()
        with pytest.raises(Transient, match="AUTHORIZED"):
            await rig.pump.authorise(order("volume", 1_000))
        rig.dispenser.squeeze(700)
        await until(lambda: rig.dispenser.phase is Phase.REACHED)
        rig.dispenser.hang_up()
        rig.dispenser.lift(2)  # the next customer
        await rig.pump.read_status()
        with pytest.raises(Transient, match="has not been read"):
            await rig.pump.authorise(order("volume", 1_000))
        sale = await rig.pump.read_sale()
        assert sale is not None
        assert sale.volume_ml == 1_000
        after = await rig.pump.read_totals()
        assert after[1].volume_ml - before[1].volume_ml == 1_000


@pytest.mark.parametrize("seed", [1])
async def test_random_customers_at_a_pump_with_random_faults(seed: int) -> None:
    """Each answer goes wrong in one of twelve ways now and then, the pump loses its power: sold is what has flowed."""
    random = Random(seed)
    kinds = "silent garble duplicate noise-before short foreign wrong-sequence refuse stale restart power-cut emergency"

    def orders() -> Iterator[Order]:
        while True:
            yield random.choice([order("full"), order("amount", random.randint(500, 20_000)), order("volume", 12_340)])

    async with dart(speed=1_000) as rig:
        start = await rig.pump.read_totals()
        for one in parse_pump_faults(kinds.split()):
            rig.bay.faults.set(PumpFault(kind=one.kind, chance_permille=10))
        for customer in random_customers(seed, [1, 2], gap_ms=1_000, count=12):
            rig.bay.add(customer)
        till = Till(rig.pump, orders())
        async with asyncio.timeout(60):
            await till.serve(lambda: not rig.bay.busy)
        rig.bay.faults.clear()
        end = await rig.pump.read_totals()
        moved_ml = sum(end[nozzle].volume_ml - start[nozzle].volume_ml for nozzle in end)
        assert till.unexplained_ml == 0
        assert abs(till.billed_ml - moved_ml) <= 10 * till.sales  # the display drops less than a step of each sale
        assert abs(sum(rig.dispenser.delivered_ul.values()) // 1_000 - moved_ml) < 20
        assert till.sales > 3
