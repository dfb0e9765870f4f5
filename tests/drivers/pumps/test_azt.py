"""AZT: the driver and a simulated pump on one paced line, filling after filling, as the field describes them."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from one_nozzle_rig import PRICE_E3, fills_litres, order, station

from drivers.api import Quality
from drivers.errors import Misconfigured, Transient, Unsupported
from drivers.line import Line, LineConfig
from drivers.pump import NozzleTotal, Order, Pump, PumpState, Sale
from drivers.pumps import azt_talk
from drivers.pumps.azt import AztOptions, AztPump, probe
from drivers.pumps.config import WIRES, NozzleConfig, PumpConfig
from drivers.twins.pumps.customer import drives_off, fills, pauses, returns_nozzle
from drivers.twins.pumps.parts import Head, Phase, Preset
from protocols.door import Refused, check
from protocols.fieldbus.azt_app import Command


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated pump answers within milliseconds; what it does not answer need not be waited for long."""
    monkeypatch.setattr(azt_talk, "FIRST_BYTE_S", 0.1)
    monkeypatch.setattr(azt_talk, "LATE_S", 0.05)


async def test_it_is_a_pump() -> None:
    """By the contract of `drivers.pump`, and says what it can."""
    async with station("azt") as site:
        assert isinstance(site.driver, Pump)
        traits = site.driver.traits
        assert (traits.nozzles, traits.can_suspend, traits.lift_first) == ((1,), False, False)
        assert (traits.volume_max_ml, traits.amount_max_fen, traits.price_max_e3) == (999_990, 999_999, 9_999_000)
        assert traits.total_ml_wraps == 1_000_000_000
        assert site.driver.status().quality is Quality.NONE


@pytest.mark.parametrize(
    ("what", "litres", "sold"),
    [
        (order("amount", 10_000), 50, Sale(1, 12_740, 10_000, PRICE_E3)),  # 100 yuan are 12.7388 L
        (order("volume", 20_000), 50, Sale(1, 20_000, 15_700, PRICE_E3)),
        (order("volume", 20_000), 7, Sale(1, 7_000, 5_495, PRICE_E3)),  # hung up before the limit
        (order("full"), 15, Sale(1, 15_000, 11_775, PRICE_E3)),
    ],
    ids=["amount", "volume", "hung up early", "full"],
)
async def test_fillings(what: Order, litres: int, sold: Sale) -> None:
    """Sale, totals and display agree to the mL and the fen, and the pump is told that the sale is stored."""
    async with station("azt", baud=9600) as site:
        assert await site.total() == NozzleTotal(55_030, 18_736)
        assert await site.sell(what, fills_litres(litres)) == sold
        assert await site.total() == NozzleTotal(55_030 + sold.volume_ml, 18_736 + sold.amount_fen)
        assert [request.command for request in site.twin.asked].count(Command.CONFIRM) == 1


async def test_fillings_one_after_the_other() -> None:
    """While the driver polls by itself."""
    async with station("azt") as site:
        task = asyncio.create_task(site.driver.run())
        for litres in (3, 5, 8):
            sale = await site.sell(order("full"), fills_litres(litres))
            assert sale.volume_ml == litres * 1000
        assert site.driver.status().quality is Quality.GOOD
        assert site.driver.link().error is None
        points = {point.name: point.value for point in site.driver.points()}
        assert (points["state"], points["total 1"]) == ("idle (0 idle)", "71030 mL, 31296 fen")
        task.cancel()
    assert site.pump.delivered_ul == {1: 16_000_000}


async def test_states_of_a_filling() -> None:
    """Idle, authorised, delivering with a volume that grows, ended with the sale, idle."""
    async with station("azt", speed=10) as site:
        seen = [(await site.until(PumpState.IDLE)).reason]
        await site.driver.authorise(order("volume", 3_000))
        status = await site.until(PumpState.AUTHORISED)
        assert (status.nozzle, status.nozzle_out, status.volume_ml) == (1, None, None)
        site.bay.add(pauses(1, [1_000, 1_000, 1_000]))
        volumes = []
        while (status := await site.until(PumpState.DELIVERING, PumpState.ENDED)).state is PumpState.DELIVERING:
            volumes.append(status.volume_ml or 0)
        assert volumes == sorted(volumes)
        assert any(0 < volume < 3_000 for volume in volumes)
        assert (status.volume_ml, status.amount_fen, status.price_e3) == (3_000, 2_355, PRICE_E3)
        await site.driver.release()
        seen.append((await site.until(PumpState.IDLE, PumpState.CALLING)).reason)
        assert seen[0] == "0 idle"


async def test_a_lifted_nozzle_calls_and_may_be_authorised() -> None:
    """The customer is first at the pump, then at the till."""
    async with station("azt") as site:
        site.bay.add(fills_litres(4))
        status = await site.until(PumpState.CALLING)
        assert (status.nozzle, status.nozzle_out) == (1, True)
        await site.driver.authorise(order("full"))
        await site.until(PumpState.ENDED)
        assert await site.driver.read_sale() == Sale(1, 4_000, 3_140, PRICE_E3)


async def test_a_zero_sale() -> None:
    """The nozzle is hung up before anything flows: a sale of nothing, totals as before."""
    async with station("azt") as site:
        sale = await site.sell(order("amount", 5_000), returns_nozzle(1))
        assert sale == Sale(1, 0, 0, PRICE_E3)


async def test_stop_takes_an_authorisation_back() -> None:
    """And is harmless before and after."""
    async with station("azt") as site:
        await site.driver.stop()
        await site.driver.authorise(order("full"))
        await site.driver.stop()
        await site.driver.stop()
        assert await site.driver.read_sale() == Sale(1, 0, 0, PRICE_E3)
        await site.driver.release()
        await site.until(PumpState.IDLE)
        await site.driver.release()


async def test_stop_in_mid_sale() -> None:
    """What has flowed is the sale, the last drops of a slow valve included."""
    async with station("azt", head=Head(overrun_ml=30), speed=10) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(drives_off(1, after_ms=1_000))
        await site.until_true(lambda status: (status.volume_ml or 0) > 1_000)
        before = NozzleTotal(55_030, 18_736)
        await site.driver.stop()
        sale, after = await site.driver.read_sale(), await site.total()
        assert sale is not None
        assert sale.volume_ml > 1_000
        assert after.volume_ml - before.volume_ml == sale.volume_ml


async def test_an_overrun_is_told() -> None:
    """More than was ordered: state 4, reason 1. The real volume is billed."""
    async with station("azt", head=Head(overrun_ml=50)) as site:
        await site.driver.authorise(order("volume", 2_000))
        site.bay.add(fills(1))
        status = await site.until(PumpState.ENDED)
        assert (status.reason, status.volume_ml) == ("41 ended", 2_050)


# What is not done, and why.


async def test_a_price_is_set_and_shown() -> None:
    """It returns when the pump shows it, and is not sent again."""
    async with station("azt") as site:
        assert await site.driver.read_prices() == {1: PRICE_E3}
        await site.driver.set_prices({1: 799_000})
        await site.driver.set_prices({1: 799_000})
        assert await site.driver.read_prices() == {1: 799_000}
        assert [request.command for request in site.twin.asked].count(Command.PRICE) == 1


async def test_no_price_erases_a_sale_that_waits() -> None:
    """A price resets the pump's register; so it is refused until the sale is stored and confirmed."""
    async with station("azt") as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(2))
        await site.until(PumpState.ENDED)
        with pytest.raises(Transient, match="erase the sale"):
            await site.driver.set_prices({1: 799_000})
        assert await site.driver.read_sale() == Sale(1, 2_000, 1_570, PRICE_E3)
        await site.driver.release()
        await site.driver.set_prices({1: 799_000})
        assert await site.driver.read_sale() is None


@pytest.mark.parametrize("price_e3", [785_500, 10_000_000, 0])
async def test_prices_that_the_pump_cannot_show(price_e3: int) -> None:
    """Nothing is sent: it would charge another one."""
    async with station("azt") as site:
        with pytest.raises(Misconfigured, match="price"):
            await site.driver.set_prices({1: price_e3})
        assert site.twin.asked == []


@pytest.mark.usefixtures("impatient")
async def test_lost_prices_are_seen_and_set() -> None:
    """A pump that shows 0 sells nothing until it is given its price."""
    async with station("azt", price_e3=None) as site:
        assert await site.driver.read_prices() == {}
        await site.until(PumpState.UNPRICED)
        with pytest.raises(Misconfigured, match="shows the price 0"):
            await site.driver.authorise(order("full"))
        await site.driver.set_prices({1: PRICE_E3})
        await site.until(PumpState.IDLE)
        assert await site.driver.read_prices() == {1: PRICE_E3}


async def test_a_wrong_price_stops_the_authorisation() -> None:
    """The pump shows another price than the order says."""
    async with station("azt") as site:
        with pytest.raises(Misconfigured, match="shows the price 785000"):
            await site.driver.authorise(order("full", price_e3=799_000))
        assert site.pump.phase is Phase.IDLE


@pytest.mark.parametrize(
    "what",
    [
        order("volume", 1_000_000),
        order("amount", 1_000_000),
        order("volume", 5),
        order("amount", 0),
        Order("full", 0, (1, 2), {1: PRICE_E3, 2: PRICE_E3}),
    ],
)
async def test_orders_that_the_pump_has_no_digits_for(what: Order) -> None:
    """Refused before anything is sent. A dose of nothing might be no limit at all."""
    async with station("azt") as site:
        with pytest.raises(Misconfigured, match="ordered"):
            await site.driver.authorise(what)
        assert site.twin.asked == []


async def test_there_is_no_pause() -> None:
    """AZT has no word for it."""
    async with station("azt") as site:
        for act in (site.driver.suspend, site.driver.resume):
            with pytest.raises(Unsupported):
                await act()


async def test_nothing_is_read_in_mid_sale() -> None:
    """No totals, no sale, no second authorisation while fuel flows."""
    async with station("azt", speed=5) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(10))
        await site.until(PumpState.DELIVERING)
        assert await site.driver.read_sale() is None
        with pytest.raises(Transient, match="totals"):
            await site.driver.read_totals()
        with pytest.raises(Transient, match="under way"):
            await site.driver.authorise(order("full"))
        await site.driver.release()
        assert site.pump.phase is Phase.DELIVERING


# Heads differ.


async def test_a_dose_set_at_the_panel_makes_way() -> None:
    """State 8 is somebody who wants fuel; what was set there is taken back before ours is given."""
    async with station("azt") as site:
        site.twin.set_at_panel(Preset("volume", 50_000))
        assert (await site.until(PumpState.CALLING)).reason == "8 local_dose"
        await site.driver.authorise(order("volume", 2_000))
        assert site.pump.sale is not None
        assert site.pump.sale.preset == Preset("volume", 2_000)


async def test_a_head_without_doses_of_money() -> None:
    """An amount becomes the volume that it buys, rounded down: never more than was paid for."""
    async with station("azt", options={"money_dose": False}, twin={"knows_money": False}) as site:
        sale = await site.sell(order("amount", 10_000), fills(1))
        assert sale == Sale(1, 12_730, 9_993, PRICE_E3)


@pytest.mark.parametrize("kind", ["A", "B", "H"])
async def test_the_type_is_asked(kind: str) -> None:
    """And with it the widths of a sale."""
    async with station("azt", twin={"type": kind, "total_digits": 10}) as site:
        sale = await site.sell(order("volume", 3_000), fills(1))
        assert sale.amount_fen == 2_355
        assert site.driver.traits.total_ml_wraps == 100_000_000_000


async def test_a_head_that_tells_no_type_and_no_sale_but_in_state_4() -> None:
    """It is an H; prices are not known by its own word, and nothing is claimed."""
    async with station("azt", twin={"tells_type": False, "tells_sale_always": False}) as site:
        assert await site.driver.read_prices() == {}
        await site.driver.set_prices({1: 799_000})
        assert await site.driver.read_prices() == {}
        sale = await site.sell(order("volume", 3_000, price_e3=799_000), fills(1))
        assert sale == Sale(1, 3_000, 2_397, 799_000)


async def test_a_wrong_type_is_found_out() -> None:
    """A sale of other widths is no sale, and the remedy is said."""
    async with station("azt", options={"type": "B"}) as site:
        with pytest.raises(Misconfigured, match="no sale of") as caught:
            await site.driver.read_prices()
        assert "options.type" in caught.value.remedy


@pytest.mark.parametrize("above_15", ["blocks", "modulo"])
async def test_addresses_above_15(above_15: str) -> None:
    """Both ways of writing 30, where they differ."""
    site_options = {"above_15": above_15}
    async with station("azt", address=30, options=site_options, twin=site_options) as site:
        await site.until(PumpState.IDLE)


async def test_an_adapter_that_hears_itself() -> None:
    """Its echo is no answer."""
    async with station("azt", echo=True) as site:
        sale = await site.sell(order("volume", 1_000), fills(1))
        assert sale.volume_ml == 1_000


async def test_scan_finds_a_pump() -> None:
    """By one harmless question."""
    async with station("azt") as site:
        sign = await probe(site.line, 1, timeout_s=5.0)
        assert sign is not None
        assert (sign.address, sign.state) == (1, "0 idle")
        assert await probe(site.line, 2, timeout_s=0.1) is None
        assert site.twin.asked == []


def test_config_is_checked_at_the_door() -> None:
    """All faults at once, with what to do."""
    nozzles = (NozzleConfig(number=1, grade="92"), NozzleConfig(number=2, grade="95"))
    config = PumpConfig(
        id="p", number=1, protocol="azt", address=225, nozzles=nozzles, line="l", options={"above_15": "modulo"}
    )
    line = Line(LineConfig(id="l", path="/dev/null"))
    with pytest.raises(Refused) as caught:
        AztPump(line, config)
    assert [fault.path for fault in caught.value.faults] == ["nozzles", "address"]


def test_docs_have_every_option_and_a_config_that_loads() -> None:
    """docs/azt.md: its tables and its example."""
    text = (Path(__file__).parents[3] / "docs" / "azt.md").read_text()
    for field in msgspec.structs.fields(AztOptions):
        shown = "none" if field.default is None else str(field.default).lower()
        assert re.search(rf"\| `{field.name}` \| `?{shown}`? \|", text), field.name
    site = tomllib.loads(text.split("```toml")[1].split("```")[0])
    line = LineConfig(**site["line"][0])
    assert WIRES["azt"].misfit(line) is None
    config, faults = check(site["pump"][0], PumpConfig)
    assert config is not None, faults
    AztPump(Line(line), config)
