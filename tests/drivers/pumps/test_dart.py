"""Fillings at a DART pump, driver and twin joined by a line."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from dart_rig import GRADES, Filling, Rig, dart, fill, finish, order, ready, shows, until

from drivers.errors import Misconfigured, Transient, Unsupported
from drivers.pump import Decimals, NozzleTotal, Order, Pump, PumpState, Sale
from drivers.twins.pumps.customer import (
    Customer,
    drives_off,
    fills,
    lifts_two,
    pauses,
    returns_nozzle,
    takes_wrong_first,
    tops_up,
)
from drivers.twins.pumps.parts import Phase


def exact(rig: Rig, filling: Filling, nozzle: int = 1) -> None:
    """The sale, the totalizers and what truly left the nozzle are one number, in whole steps of the display."""
    assert filling.sale is not None
    assert filling.sale.volume_ml == filling.moved_ml
    step_ml = rig.pump.traits.volume_step_ml
    total_ml = filling.after[nozzle].volume_ml - 1_000_000 * nozzle
    assert rig.dispenser.delivered_ul[nozzle] // (1_000 * step_ml) * step_ml == total_ml


async def test_a_sale_by_amount_on_a_paced_line() -> None:
    """Twenty yuan at 9600 baud odd parity: pump, totals and truth agree to the mL and the fen."""
    async with dart(wire="pty", speed=50) as rig:
        filling = await fill(rig.pump, rig.bay, order("amount", 2_000), fills(1))
        assert filling.sale == Sale(nozzle=1, volume_ml=2_550, amount_fen=2_000, price_e3=785_000)
        exact(rig, filling)


@pytest.mark.parametrize(
    ("wanted", "customer", "sale"),
    [
        (order("amount", 10_000), fills(1), Sale(1, 12_740, 10_000, 785_000)),
        (order("volume", 10_000), fills(2), Sale(2, 10_000, 8_360, 836_000)),
        (order("volume", 10_000), fills(1, 4_000), Sale(1, 4_000, 3_140, 785_000)),
        (order("full"), fills(1, room_ml=33_330), Sale(1, 33_330, 26_164, 785_000)),
        (order("amount", 50_000), tops_up(1, 20_000, [100, 50]), Sale(1, 20_150, 15_818, 785_000)),
        (order("full"), pauses(2, [3_000, 20, 1_000]), Sale(2, 4_020, 3_361, 836_000)),
        (order("amount", 5_000, (2,)), takes_wrong_first(1, 2, 5_000), Sale(2, 5_000, 4_180, 836_000)),
        (order("volume", 5_000), lifts_two(1, 2), Sale(1, 5_000, 3_925, 785_000)),
        (order("volume", 5_000), drives_off(1, 2_000), Sale(1, 2_000, 1_570, 785_000)),
        (order("full"), returns_nozzle(1), Sale(1, 0, 0, 785_000)),
    ],
    ids=[
        "amount reached", "volume reached", "hung up before", "tank full", "tops up", "pauses", "wrong grade first",
        "two nozzles lifted", "drives off", "nozzle returned before flow",
    ],
)  # fmt: skip
async def test_a_sale(wanted: Order, customer: Customer, sale: Sale) -> None:
    """Whatever the customer does, sale, totals and truth agree."""
    async with dart() as rig:
        filling = await fill(rig.pump, rig.bay, wanted, customer)
        assert filling.sale is not None
        assert filling.sale.volume_ml == sale.volume_ml
        assert filling.sale == sale
        exact(rig, filling, sale.nozzle or 1)


async def test_the_status_of_a_sale_is_followed() -> None:
    """Calling, authorised, delivering with what the display shows, ended; after release it is free again."""
    async with dart(speed=10) as rig:
        await ready(rig.pump)
        assert await shows(rig.pump, PumpState.IDLE)
        rig.bay.add(fills(1, 2_000))
        await shows(rig.pump, PumpState.CALLING)
        status = (await rig.pump.read_status()).value
        assert status is not None
        assert (status.nozzle, status.nozzle_out, status.price_e3, status.volume_ml) == (1, True, 785_000, None)
        await rig.pump.authorise(order("full"))
        await shows(rig.pump, PumpState.DELIVERING)
        await until(lambda: (value := rig.pump.status().value) is not None and bool(value.volume_ml))
        with pytest.raises(Transient, match="totals"):
            await rig.pump.read_totals()
        with pytest.raises(Transient, match="no order is taken"):
            await rig.pump.authorise(order("full"))
        assert await rig.pump.read_sale() is None
        await shows(rig.pump, PumpState.ENDED)
        status = (await rig.pump.read_status()).value
        assert status is not None
        assert (status.volume_ml, status.amount_fen, status.nozzle) == (2_000, 1_570, 1)
        await rig.pump.release()
        assert await shows(rig.pump, PumpState.IDLE)


async def test_sale_after_sale() -> None:
    """Each wipes the memory of the one before, only when it is authorised; block numbers wrap on the way."""
    async with dart() as rig:
        for limit in (1_000, 2_000, 3_000, 4_000):
            filling = await fill(rig.pump, rig.bay, order("volume", limit), fills(1))
            assert filling.sale is not None
            assert (filling.sale.volume_ml, filling.moved_ml) == (limit, limit)
        assert rig.dispenser.delivered_ul[1] == 10_000_000


async def test_stop_in_mid_sale() -> None:
    """The pump stops with its nozzle out: reached, and its totals come once it is hung up."""
    async with dart(speed=20) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.bay.add(fills(1))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full"))
        await until(lambda: rig.dispenser.shown_ml > 1_000)
        await rig.pump.stop()
        await rig.pump.stop()  # harmless
        filling = await finish(rig.pump, before)
        exact(rig, filling)
        assert filling.moved_ml > 1_000


async def test_a_stopped_pump_with_its_nozzle_out_is_reached() -> None:
    """State 5 alone does not say that the totals are final."""
    async with dart(speed=20) as rig:
        await ready(rig.pump)
        rig.bay.add(drives_off(1, 3_000, after_ms=10_000))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full"))
        await until(lambda: rig.dispenser.shown_ml >= 1_000)
        await rig.pump.stop()
        assert await shows(rig.pump, PumpState.REACHED)
        with pytest.raises(Transient):
            await rig.pump.read_totals()
        assert await shows(rig.pump, PumpState.ENDED)


async def test_an_authorisation_is_taken_back() -> None:
    """By stop, before anything has flowed: a sale of zero."""
    async with dart() as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        before = await rig.pump.read_totals()
        await rig.pump.authorise(order("full"))
        await shows(rig.pump, PumpState.AUTHORISED)
        await rig.pump.stop()
        rig.dispenser.squeeze(500)
        rig.dispenser.hang_up()
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert (filling.sale.volume_ml, filling.moved_ml) == (0, 0)


async def test_stop_at_an_idle_pump_is_harmless() -> None:
    """It stays idle, and sells afterwards."""
    async with dart() as rig:
        await ready(rig.pump)
        await rig.pump.stop()
        filling = await fill(rig.pump, rig.bay, order("volume", 1_000), fills(1))
        exact(rig, filling)


@pytest.mark.parametrize("way", ["cd14", "cd1"])
async def test_suspend_and_resume(way: str) -> None:
    """By the configured transaction; the flow stops in between, and the sale goes on to its end."""
    async with dart(speed=20, options={"suspend": way}, twin={"suspend": way}) as rig:
        assert rig.pump.traits.can_suspend
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.bay.add(fills(1))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("volume", 8_000))
        await shows(rig.pump, PumpState.DELIVERING)
        await rig.pump.suspend()
        assert await shows(rig.pump, PumpState.SUSPENDED)
        stood = rig.dispenser.shown_ml
        await rig.pump.read_status()
        assert rig.dispenser.shown_ml == stood
        await rig.pump.suspend()  # harmless
        await rig.pump.resume()
        filling = await finish(rig.pump, before)
        assert filling.moved_ml == 8_000


async def test_suspend_has_to_be_configured() -> None:
    """No head was ever seen doing it, so none is asked to by default."""
    async with dart() as rig:
        assert not rig.pump.traits.can_suspend
        with pytest.raises(Unsupported):
            await rig.pump.suspend()


async def test_lift_first_is_asked_for() -> None:
    """By default no order is given to a pump whose nozzles are hung up; by option it may be."""
    async with dart() as rig:
        await ready(rig.pump)
        with pytest.raises(Transient, match="lifted"):
            await rig.pump.authorise(order("full"))
    async with dart(options={"lift_first": False}) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        await rig.pump.authorise(order("volume", 3_000))
        await shows(rig.pump, PumpState.AUTHORISED)
        rig.bay.add(fills(2))
        filling = await finish(rig.pump, before)
        assert filling.moved_ml == 3_000


@pytest.mark.parametrize(
    ("options", "twin"),
    [
        ({"numbering": "f-0"}, {"numbering": "f-0"}),
        ({"numbering": "f-1"}, {"numbering": "f-0"}),
        ({"numbering": "0"}, {"master-zero": True}),
        ({"pump_numbers_zero": True}, {"numbering": "0"}),
        ({"ack_poll": True}, {}),
        ({"join_blocks": True}, {}),
        ({"full_preset": "volume"}, {"lift-first": True}),
        ({"full_preset": "amount"}, {"last-nozzle": False}),
    ],
    ids=lambda options: ", ".join(f"{name} {value}" for name, value in options.items()) or "-",
)
async def test_heads_that_differ(options: dict[str, Any], twin: dict[str, Any]) -> None:
    """With the option set that fits, each sells as any other."""
    async with dart(options=options, twin=twin) as rig:
        for _ in range(3):
            filling = await fill(rig.pump, rig.bay, order("full"), fills(1, room_ml=4_000))
            exact(rig, filling)
            assert filling.sale is not None
            assert filling.sale.nozzle == 1


@pytest.mark.parametrize(
    ("layout", "way", "amount_fen"),
    [(16, "none", None), (6, "none", None), (13, "none", 702_355), (16, "65", 702_355), (6, "66", 702_355)],
)
async def test_totals_in_every_layout(layout: int, way: Literal["none", "65", "66"], amount_fen: int | None) -> None:
    """The length tells them apart; totals of money come along, or are asked for as configured."""
    async with dart(options={"amount_totals": way}, twin={"totals": layout, "amount-totals": way}) as rig:
        filling = await fill(rig.pump, rig.bay, order("volume", 3_000), fills(1))
        assert filling.after == {
            1: NozzleTotal(1_003_000, amount_fen),
            2: NozzleTotal(2_000_000, None if amount_fen is None else 700_000),
        }


async def test_a_head_that_gives_no_totals_with_a_nozzle_out() -> None:
    """By option it is not even asked."""
    async with dart(options={"totals_lifted": False}, twin={"totals-lifted": False}) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(Transient, match="nozzle out"):
            await rig.pump.read_totals()
        rig.dispenser.hang_up()
        await shows(rig.pump, PumpState.IDLE)
        assert (await rig.pump.read_totals())[1].volume_ml == 1_000_000


@pytest.mark.parametrize(
    ("decimals", "volume_ml", "amount_fen"),
    [({"volume": 3, "amount": 2, "price": 2}, 2_548, 2_000), ({"volume": 2, "amount": 1, "price": 3}, 2_550, 2_000)],
)
async def test_digits_mean_what_the_config_says(decimals: dict[str, int], volume_ml: int, amount_fen: int) -> None:
    """Decimals differ between heads; with the right ones the sale is exact."""
    async with dart(decimals=decimals) as rig:
        filling = await fill(rig.pump, rig.bay, order("amount", 2_000), fills(1))
        assert filling.sale == Sale(1, volume_ml, amount_fen, 785_000)
        exact(rig, filling)


async def test_decimals_that_the_pump_denies() -> None:
    """Where a head answers with DC7, a wrong config is found before the first sale."""
    async with dart(head={"decimals": Decimals(volume=3)}, options={"ask_parameters": True}) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(Misconfigured, match="3, 2 and 2 decimals, the config says 2, 2 and 2"):
            await rig.pump.authorise(order("full"))
        assert rig.dispenser.phase is Phase.ENDED


async def test_prices_are_set_and_read() -> None:
    """What the pump has taken counts for all nozzles, until it shows another."""
    async with dart() as rig:
        await ready(rig.pump)
        await rig.pump.set_prices({1: 799_000, 2: 850_000})
        assert rig.dispenser.prices_e3 == {1: 799_000, 2: 850_000}
        assert await rig.pump.read_prices() == {1: 799_000, 2: 850_000}
        rig.dispenser.set_prices({1: 800_000})  # at the pump itself
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        assert await rig.pump.read_prices() == {1: 800_000}
        with pytest.raises(Misconfigured, match="shows the prices"):
            await rig.pump.authorise(order("full"))
        with pytest.raises(Transient, match="prices are not set"):
            await rig.pump.set_prices({1: 785_000, 2: 836_000})


async def test_a_new_pump_has_to_be_given_prices() -> None:
    """State 0 is unpriced; with prices for all nozzles it sells."""
    async with dart(nozzles={1: ("92", None), 2: ("95", None)}) as rig:
        await shows(rig.pump, PumpState.UNPRICED)
        assert await rig.pump.read_prices() == {}
        assert await rig.pump.read_sale() is None
        with pytest.raises(Transient):
            await rig.pump.authorise(order("full"))
        await rig.pump.set_prices({nozzle: price for nozzle, (_, price) in GRADES.items()})
        filling = await fill(rig.pump, rig.bay, order("volume", 1_000), fills(2))
        exact(rig, filling, 2)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Order("amount", 0, (1,), {1: 785_000}), "preset"),
        (Order("volume", 5, (1,), {1: 785_000}), "preset"),
        (Order("full", 0, (3,), {3: 785_000}), "nozzles"),
        (Order("full", 0, (), {}), "nozzles"),
        (Order("full", 0, (1,), {1: 785_500}), "decimals"),
        (Order("full", 0, (1,), {1: 0}), "prices"),
    ],
)
async def test_orders_that_it_cannot_carry_out(wanted: Order, why: str) -> None:
    """Refused before anything is said to the pump."""
    async with dart() as rig:
        rig.dispenser.lift(1)
        await ready(rig.pump)
        with pytest.raises(Misconfigured, match=why):
            await rig.pump.authorise(wanted)


async def test_it_is_a_pump() -> None:
    """And says of itself what it is told in the config."""
    async with dart(polled=False) as rig:
        assert isinstance(rig.pump, Pump)
        assert rig.pump.traits.nozzles == (1, 2)
        assert (rig.pump.traits.volume_step_ml, rig.pump.traits.total_ml_wraps) == (10, 100_000_000_000)
        assert rig.pump.status().value is None
        assert (await rig.pump.read_status()).value is not None  # without `run` too
        assert {point.name for point in rig.pump.points()} >= {"state", "nozzle", "price", "alarm"}


@pytest.mark.parametrize("stops", [True, False])
async def test_a_nozzle_returned_before_flow_takes_the_authorisation_back(stops: bool) -> None:
    """At a head that would keep it for the next customer; unless the option says to leave it."""
    options = {"stop_returned": stops}
    async with dart(head={"keeps_authorisation": True}, options=options) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full"))
        rig.dispenser.hang_up()
        if stops:
            filling = await finish(rig.pump, before)
            assert filling.sale is not None
            assert (filling.sale.volume_ml, filling.moved_ml) == (0, 0)
        else:
            await until(lambda: (value := rig.pump.status().value) is not None and value.nozzle_out is False)
            assert await shows(rig.pump, PumpState.AUTHORISED)
