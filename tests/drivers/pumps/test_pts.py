"""Fillings through a PTS-2 over real TCP: every way they begin, go wrong and end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pts_rig import PRICES, Rig, order, over, pts, pump_config, sell, until

from drivers.api import LinkState, Quality
from drivers.errors import DeviceError, DeviceFault, Misconfigured, Transient, Unsupported
from drivers.pump import Order, Pump, PumpState, Sale
from drivers.pumps.config import DecimalsConfig, NozzleConfig
from drivers.pumps.pts import PtsPump
from drivers.pumps.pts_scan import scan_controller
from drivers.twins.pumps.customer import (
    Customer,
    HangUp,
    Lift,
    Park,
    Squeeze,
    Wait,
    WaitFor,
    drives_off,
    fills,
    pauses,
    returns_nozzle,
    takes_wrong_first,
)
from drivers.twins.pumps.faults import parse_pump_faults
from drivers.twins.pumps.parts import Phase
from protocols.door import Refused
from protocols.fieldbus.jsonpts_packets import PumpAuthorize, PumpCloseTransaction, PumpGetStatus

LONG = Customer((Park(None), Lift(1), WaitFor((Phase.AUTHORISED,)), Squeeze(500), HangUp()), "long")


@pytest.mark.parametrize(
    ("ordered", "customer", "wanted"),
    [
        (order("amount", 10_000), fills(1), Sale(1, 12_740, 10_000, 785_000, 1)),
        (order("volume", 20_000), fills(1), Sale(1, 20_000, 15_700, 785_000, 1)),
        (order("full", 0, (1, 2)), fills(2, room_ml=33_333), Sale(2, 33_330, 27_864, 836_000, 1)),
        (order("amount", 10_000), fills(1, 5_000), Sale(1, 5_000, 3_925, 785_000, 1)),
        (order("amount", 10_000), pauses(1, [2_000, 500, 1_000]), Sale(1, 3_500, 2_748, 785_000, 1)),
        (order("volume", 10_000, (2,)), takes_wrong_first(1, 2), Sale(2, 10_000, 8_360, 836_000, 1)),
        (order("amount", 10_000), returns_nozzle(1), None),
    ],
)
async def test_a_filling(tmp_path: Path, ordered: Order, customer: Customer, wanted: Sale | None) -> None:
    """By amount, by volume, a full tank, less than ordered, in squirts; nothing at all leaves no sale."""
    async with pts(tmp_path) as rig:
        assert isinstance(rig.pump, Pump)
        assert await sell(rig, ordered, customer) == wanted
        assert (await rig.pump.read_status()).value is not None


async def test_sales_are_numbered_by_the_controller(tmp_path: Path) -> None:
    """Rising for each pump, and beginning again at 1 after 65,535."""
    async with pts(tmp_path, twin={"first_number": 65_534}) as rig:
        sales = [await sell(rig, order("volume", 1_000), fills(1)) for _ in range(3)]
        assert [sale.number for sale in sales if sale is not None] == [65_534, 65_535, 1]


async def test_the_order_is_shown_before_authorise_returns(tmp_path: Path) -> None:
    """Authorised with all nozzles hung up, by the status, and asked for once only; the sale before is closed first."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("volume", 1_000))
        status = rig.pump.status()
        assert status.value is not None
        assert (status.quality, status.value.state, status.value.nozzle_out) == (
            Quality.GOOD,
            PumpState.AUTHORISED,
            False,
        )
        with pytest.raises(Transient, match="expected an idle pump"):
            await rig.pump.authorise(order())
        rig.bay.add(fills(1))
        assert (await over(rig.pump)).state is PumpState.ENDED
        await rig.pump.authorise(order("volume", 2_000))
        asked = [question for question in rig.twin.asked if isinstance(question, (PumpAuthorize, PumpCloseTransaction))]
        assert [type(question).__name__ for question in asked] == [
            "PumpAuthorize",
            "PumpCloseTransaction",
            "PumpAuthorize",
        ]


@pytest.mark.parametrize("options", [{"tells_order": False}, {"needs_number": True}])
async def test_firmware_that_tells_less(tmp_path: Path, options: dict[str, bool]) -> None:
    """An idle status that says nothing of an order, and sales told only by number: the other of both is enough."""
    async with pts(tmp_path, twin=options) as rig:
        await rig.pump.authorise(order("volume", 2_000))
        rig.bay.add(fills(1))
        await over(rig.pump)
        assert await rig.pump.read_sale() == Sale(1, 2_000, 1_570, 785_000, 1)


async def test_a_nozzle_that_calls_and_a_pump_that_is_locked(tmp_path: Path) -> None:
    """CALLING with the number of the nozzle; OUT by the controller's own word."""
    async with pts(tmp_path) as rig:
        rig.bay.add(Customer((Lift(2), Wait(60_000_000))))
        status = await until(rig.pump, lambda status: status.state is PumpState.CALLING)
        assert (status.nozzle, status.nozzle_out) == (2, True)
        rig.twin.places[1].locked = True
        status = await until(rig.pump, lambda status: status.state is PumpState.OUT)
        assert status.reason == "PumpLock"


async def test_stop_in_mid_sale(tmp_path: Path) -> None:
    """What has flowed is the sale; stopping again is harmless."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("full", 0))
        rig.bay.add(LONG)
        await until(rig.pump, lambda status: (status.volume_ml or 0) > 1_000)
        await rig.pump.stop()
        await rig.pump.stop()
        assert (await over(rig.pump)).state is PumpState.ENDED
        sale = await rig.pump.read_sale()
        assert sale is not None
        assert sale.volume_ml == rig.dispenser.total(1).volume_ml - 1_000_000


async def test_stop_takes_an_order_back(tmp_path: Path) -> None:
    """Before the nozzle is lifted; at an idle pump it does nothing."""
    async with pts(tmp_path) as rig:
        await rig.pump.stop()
        await rig.pump.authorise(order())
        await rig.pump.stop()
        assert (await rig.pump.read_status()).value is not None
        assert rig.dispenser.sale is None
        assert await rig.pump.read_sale() is None


async def test_a_stopped_head_that_waits_for_its_nozzle_is_reached(tmp_path: Path) -> None:
    """The controller still says filling; nothing moves any more after our stop: REACHED, then ENDED when hung up."""
    async with pts(tmp_path, head={"waits_after_stop": True}) as rig:
        await rig.pump.authorise(order("full", 0))
        rig.bay.add(Customer((Lift(1), WaitFor((Phase.AUTHORISED,)), Squeeze(500), WaitFor((Phase.ENDED,)))))
        await until(rig.pump, lambda status: status.state is PumpState.DELIVERING)
        await rig.pump.stop()
        status = rig.pump.status().value
        assert status is not None
        assert status.state is PumpState.REACHED
        rig.dispenser.hang_up()
        assert (await over(rig.pump)).state is PumpState.ENDED


async def test_a_reached_preset_waits_for_the_nozzle(tmp_path: Path) -> None:
    """REACHED while the customer stands there; the sale comes when he has hung up."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("volume", 2_000))
        rig.bay.add(drives_off(1, after_ms=20_000))
        status = await until(rig.pump, lambda status: status.state is PumpState.REACHED)
        assert (status.volume_ml, status.amount_fen, await rig.pump.read_sale()) == (2_000, 1_570, None)
        await over(rig.pump)
        assert await rig.pump.read_sale() == Sale(1, 2_000, 1_570, 785_000, 1)


async def test_suspend_and_resume(tmp_path: Path) -> None:
    """Nothing flows in between; the sale goes on after it."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("volume", 60_000))
        rig.bay.add(Customer((Lift(1), WaitFor((Phase.AUTHORISED,)), Squeeze(500), Wait(500), HangUp())))
        await until(rig.pump, lambda status: status.state is PumpState.DELIVERING)
        await rig.pump.suspend()
        first = (await rig.pump.read_status()).value
        await asyncio.sleep(0.1)
        second = (await rig.pump.read_status()).value
        assert first is not None
        assert second is not None
        assert first.state is second.state is PumpState.SUSPENDED
        assert first.volume_ml == second.volume_ml
        await rig.pump.resume()
        await over(rig.pump)
        sale = await rig.pump.read_sale()
        assert sale is not None
        assert sale.volume_ml == 60_000


async def test_a_pump_that_cannot_pause(tmp_path: Path) -> None:
    """By its config; nothing is asked."""
    async with pts(tmp_path, pump={"options": {"can_suspend": False}}) as rig:
        assert not rig.pump.traits.can_suspend
        with pytest.raises(Unsupported):
            await rig.pump.suspend()
        with pytest.raises(Unsupported):
            await rig.pump.resume()


async def test_prices(tmp_path: Path) -> None:
    """Set for all nozzles and shown by the pump; never in mid-sale, never one that it cannot show."""
    async with pts(tmp_path) as rig:
        assert await rig.pump.read_prices() == PRICES
        new = {1: 799_000, 2: 850_000}
        await rig.pump.set_prices(new)
        assert await rig.pump.read_prices() == rig.dispenser.prices_e3 == new
        with pytest.raises(Misconfigured, match="at most 2 decimals"):
            await rig.pump.set_prices({1: 799_500, 2: 850_000})
        with pytest.raises(Misconfigured, match="nozzle 2: expected a price"):
            await rig.pump.set_prices({1: 799_000})
        await rig.pump.authorise(Order("full", 0, (1,), new))
        with pytest.raises(Transient, match="expected an idle pump"):
            await rig.pump.set_prices(PRICES)


async def test_several_nozzles_of_several_prices_need_the_pump_to_have_them(tmp_path: Path) -> None:
    """PumpAuthorize carries one price; with more the pump's own must be the ordered ones."""
    async with pts(tmp_path) as rig:
        with pytest.raises(DeviceFault, match="is to charge"):
            await rig.pump.authorise(Order("full", 0, (1, 2), {1: 785_000, 2: 900_000}))
        assert rig.dispenser.sale is None
        await rig.pump.authorise(order("full", 0, (1, 2)))
        assert rig.dispenser.sale is not None


@pytest.mark.parametrize(
    "ordered",
    [
        Order("amount", 0, (1,), PRICES),
        Order("amount", 100_000_001, (1,), PRICES),
        Order("volume", 9, (1,), PRICES),
        Order("full", 0, (), PRICES),
        Order("full", 0, (3,), {3: 785_000}),
        Order("full", 0, (1,), {}),
        Order("full", 0, (1,), {1: 0}),
    ],
)
async def test_orders_that_no_pump_can_take(tmp_path: Path, ordered: Order) -> None:
    """Refused before anything is asked."""
    async with pts(tmp_path, polled=False) as rig:
        with pytest.raises(Misconfigured):
            await rig.pump.authorise(ordered)
        assert rig.twin.asked == []


async def test_presets_are_rounded_down(tmp_path: Path) -> None:
    """Never more than was paid for: with one decimal of yuan, 99.99 becomes 99.9."""
    async with pts(tmp_path, pump={"decimals": DecimalsConfig(amount=1)}) as rig:
        await rig.pump.authorise(order("amount", 9_999))
        (asked,) = [question for question in rig.twin.asked if isinstance(question, PumpAuthorize)]
        assert str(asked.dose) == "99.9"


async def test_the_power_of_the_controller_fails_in_mid_sale(tmp_path: Path) -> None:
    """The link says so; when it is back, the sale and its number are there."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("volume", 30_000))
        rig.bay.add(fills(1))
        await until(rig.pump, lambda status: status.state is PumpState.DELIVERING)
        await rig.server.close()
        with pytest.raises(Transient):
            await rig.pump.read_status()
        assert not rig.controller.up
        await _link(rig, LinkState.OFFLINE)
        await rig.server.open()
        await _link(rig, LinkState.ONLINE)
        await over(rig.pump)
        assert await rig.pump.read_sale() == Sale(1, 30_000, 23_550, 785_000, 1)


async def test_the_controller_forgets_the_sale_and_its_card_does_not(tmp_path: Path) -> None:
    """Lost transaction memory: the sale of the known number comes from the memory card."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("volume", 3_000))
        rig.bay.add(fills(1))
        await over(rig.pump)
        rig.twin.forget()
        assert (await rig.pump.read_status()).value is not None
        assert await rig.pump.read_sale() == Sale(1, 3_000, 2_355, 785_000, 1)


async def test_the_controller_forgets_everything(tmp_path: Path) -> None:
    """No memory and no card: no sale, and the totals still tell what flowed."""
    async with pts(tmp_path) as rig:
        before = await rig.pump.read_totals()
        await rig.pump.authorise(order("volume", 3_000))
        rig.bay.add(fills(1))
        await over(rig.pump)
        rig.twin.forget(card=True)
        assert await rig.pump.read_sale() is None
        rig.twin.has_card = False
        assert await rig.pump.read_sale() is None
        after = await rig.pump.read_totals()
        assert after[1].volume_ml - before[1].volume_ml == 3_000


@pytest.mark.parametrize("needs_number", [False, True])
async def test_the_box_is_away_during_the_end_of_a_sale(tmp_path: Path, needs_number: bool) -> None:
    """A box that starts anew finds the sale still standing, reads it and closes it."""
    async with pts(tmp_path, twin={"needs_number": needs_number}) as rig:
        await rig.pump.authorise(order("volume", 4_000))
        rig.bay.add(fills(1))
        await over(rig.pump)
        controller, pump = rig.another()
        assert (await over(pump)).state is PumpState.ENDED
        assert await pump.read_sale() == Sale(1, 4_000, 3_140, 785_000, 1)
        await pump.release()
        await pump.release()
        assert (await over(pump)).state is PumpState.IDLE
        assert await pump.read_sale() == Sale(1, 4_000, 3_140, 785_000, 1)
        controller.close()


async def test_the_box_is_away_while_a_pump_is_authorised(tmp_path: Path) -> None:
    """A new box sees the order that an older one gave, and can take it back."""
    async with pts(tmp_path, twin={"tells_order": False}) as rig:
        await rig.pump.authorise(order())
        controller, pump = rig.another()
        assert (await pump.read_status()).value is not None
        status = pump.status().value
        assert status is not None
        assert (status.state, status.reason) == (PumpState.AUTHORISED, "WaitingNozzleUpForAuthorization")
        await pump.stop()
        assert rig.dispenser.sale is None
        controller.close()


async def test_a_head_without_power_is_offline(tmp_path: Path) -> None:
    """OUT by the controller's word, the link says why; sold is what the head kept, once it is back."""
    async with pts(tmp_path, faults=["power-cut@delivering:1:80000"]) as rig:
        await rig.pump.authorise(order("full", 0))
        rig.bay.add(fills(1, 20_000))
        status = await until(rig.pump, lambda status: status.state is PumpState.OUT)
        assert status.reason == "PumpOfflineStatus"
        link = rig.pump.link()
        assert link.state is LinkState.OFFLINE
        assert link.error is not None
        assert "does not hear the pump" in link.error
        assert (await over(rig.pump)).state is PumpState.ENDED
        sale = await rig.pump.read_sale()
        assert sale is not None
        assert sale.volume_ml == rig.dispenser.total(1).volume_ml - 1_000_000


async def test_money_in_the_volume_of_the_filling_status(tmp_path: Path) -> None:
    """The field note: `display` says what it is; the bill comes from the end of the sale, whatever it said."""
    options = {"act_s": 3.0, "display": "money"}
    async with pts(tmp_path, twin={"money_in_volume": True}, pump={"options": options}) as rig:
        await rig.pump.authorise(order("amount", 20_000))
        rig.bay.add(fills(1))
        status = await until(rig.pump, lambda status: (status.amount_fen or 0) > 1_000)
        assert status.volume_ml is None
        assert status.amount_fen is not None
        assert status.amount_fen <= 20_000
        await over(rig.pump)
        assert await rig.pump.read_sale() == Sale(1, 25_480, 20_000, 785_000, 1)


async def test_totals_of_a_pump_that_is_filling(tmp_path: Path) -> None:
    """Transient, by the controller's own code."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("full", 0))
        with pytest.raises(Transient, match="PUMP_BUSY_FILLING"):
            await rig.pump.read_totals()


async def test_a_head_without_a_totalizer_of_money(tmp_path: Path) -> None:
    """0 yuan beside litres is not told, and so unknown."""
    async with pts(tmp_path) as rig:
        rig.dispenser.meters[1].fen = 0
        totals = await rig.pump.read_totals()
        assert (totals[1].amount_fen, totals[2].amount_fen) == (None, 700_000)


async def test_two_pumps_are_polled_in_one_envelope(tmp_path: Path) -> None:
    """Their statuses come together, and each is its own."""
    async with pts(tmp_path, pumps=3) as rig:
        rig.bays[2].add(Customer((Lift(2), Wait(60_000_000))))
        await _link(rig, LinkState.ONLINE, pump=2)
        await until(rig.pumps[2], lambda status: status.state is PumpState.CALLING)
        answered, asked = rig.server.requests, len([q for q in rig.twin.asked if isinstance(q, PumpGetStatus)])
        assert asked > answered
        status = rig.pumps[1].status().value
        assert status is not None
        assert status.state is PumpState.IDLE


async def test_a_controller_that_reads_short_requests_only(tmp_path: Path) -> None:
    """`JSON request is too long`: fewer pumps are asked at once, until it answers."""
    async with pts(tmp_path, pumps=5, twin={"longest": 400}) as rig:
        for pump in range(5):
            await _link(rig, LinkState.ONLINE, pump=pump)


async def test_decimals_that_the_controller_is_set_to(tmp_path: Path) -> None:
    """A price with more is refused, a preset is rounded down, whatever the config says of the head."""
    async with pts(tmp_path, pump={"decimals": DecimalsConfig(volume=3, price=3)}) as rig:
        await _link(rig, LinkState.ONLINE)
        with pytest.raises(Misconfigured, match="at most 2 decimals"):
            await rig.pump.set_prices({1: 785_500, 2: 836_000})
        await rig.pump.authorise(order("volume", 9_999))
        (asked,) = [question for question in rig.twin.asked if isinstance(question, PumpAuthorize)]
        assert str(asked.dose) == "9.99"


async def test_a_pump_that_the_controller_does_not_have(tmp_path: Path) -> None:
    """Misconfigured, with what to check; its neighbours do not suffer."""
    async with pts(tmp_path) as rig:
        strange = PtsPump(rig.controller, pump_config(9))
        with pytest.raises(Misconfigured, match="PUMP_IS_NOT_CONFIGURED") as caught:
            await strange.read_status()
        assert "address" in caught.value.remedy
        await _link(rig, LinkState.ONLINE)


async def test_a_scan_of_a_controller(tmp_path: Path) -> None:
    """The pumps it has, those of the config as the daemon knows them; numbers that it does not have are left out."""
    async with pts(tmp_path, pumps=3) as rig:
        await _link(rig, LinkState.ONLINE)
        known = {1: rig.pump}
        found = [one async for one in scan_controller(rig.controller, range(1, 51), known)]
        assert [(one.unit, one.how) for one in found] == [
            (1, "P1, idle (PumpIdleStatus)"),
            (2, "PumpIdleStatus"),
            (3, "PumpIdleStatus"),
        ]


@pytest.mark.parametrize(
    ("code", "error"),
    [(41, Transient), (6, Misconfigured), (1, Unsupported), (78, DeviceFault), (999, DeviceFault)],
)
async def test_refusals_by_what_is_to_be_done(tmp_path: Path, code: int, error: type[DeviceError]) -> None:
    """Try again, ask a person, leave it out, do not repeat."""
    async with pts(tmp_path, polled=False, faults=[f"refuse:1:{code}"]) as rig:
        with pytest.raises(DeviceError, match=f"code {code}") as caught:
            await rig.pump.suspend()
        assert type(caught.value) is error


async def test_what_was_acknowledged_and_not_done(tmp_path: Path) -> None:
    """An OK is not believed: the status must show it."""
    async with pts(tmp_path, pump={"options": {"act_s": 0.3}}) as rig:
        _arm(rig, "no-effect:1")
        with pytest.raises(Transient, match="expected it authorised"):
            await rig.pump.authorise(order())
        assert rig.dispenser.sale is None
        _arm(rig, "no-effect:1")
        with pytest.raises(DeviceFault, match="was told the prices"):
            await rig.pump.set_prices({1: 700_000, 2: 700_000})


async def test_an_end_that_nobody_showed(tmp_path: Path) -> None:
    """The controller closes the sale itself: an idle pump, and the sale is still known."""
    async with pts(tmp_path, faults=["missed-end:1"]) as rig:
        await rig.pump.authorise(order("volume", 1_000))
        rig.bay.add(fills(1))
        assert (await over(rig.pump)).state is PumpState.IDLE
        assert await rig.pump.read_sale() == Sale(1, 1_000, 785, 785_000, 1)


async def test_points_and_traits(tmp_path: Path) -> None:
    """What a technician sees, and what does not change."""
    async with pts(tmp_path) as rig:
        await sell(rig, order("volume", 1_000), fills(1))
        values = {point.name: point.value for point in rig.pump.points()}
        assert (values["state"], values["sale number"]) == ("idle", "1")
        traits = rig.pump.traits
        assert (traits.nozzles, traits.volume_step_ml, traits.amount_step_fen, traits.price_step_e3) == (
            (1, 2),
            10,
            1,
            1_000,
        )


async def test_config_that_a_controller_cannot_have(tmp_path: Path) -> None:
    """More nozzles than six, and options that there are not."""
    async with pts(tmp_path, polled=False) as rig:
        with pytest.raises(Refused, match="numbers from 1 to 6"):
            PtsPump(rig.controller, pump_config(1, nozzles=(NozzleConfig(number=7, grade="92"),)))
        with pytest.raises(Refused, match="options"):
            PtsPump(rig.controller, pump_config(1, options={"act": 1}))


async def _link(rig: Rig, state: LinkState, pump: int = 0) -> None:
    async with asyncio.timeout(10):
        while rig.pumps[pump].link().state is not state:  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.02)


def _arm(rig: Rig, fault: str) -> None:
    for parsed in parse_pump_faults([fault]):
        rig.bay.faults.set(parsed)
