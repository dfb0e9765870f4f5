"""Fillings at a Gilbarco pump, driver and twin joined by a line."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from dart_rig import fill, finish, order, ready, shows, until
from gilbarco_rig import DECIMALS, ONE, gilbarco

from drivers.errors import DeviceFault, Misconfigured, Transient, Unsupported
from drivers.line import Line, LineConfig
from drivers.pump import Order, Pump, PumpState, Sale
from drivers.pumps.config import WIRES, NozzleConfig, PumpConfig
from drivers.pumps.gilbarco import GilbarcoPump, probe
from drivers.pumps.gilbarco_options import GilbarcoOptions
from drivers.twins.faults import Piece
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import drives_off, fills, returns_nozzle
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.gilbarco import HEAD, GilbarcoTwin
from drivers.twins.pumps.parts import Nozzle, Phase
from protocols.door import Refused, admit

PAGE = Path(__file__).parents[3] / "docs" / "gilbarco.md"


async def test_a_sale_by_amount_on_a_paced_line() -> None:
    """Twenty yuan at 5787 baud even parity: pump, totals and truth agree to the step and the fen."""
    async with gilbarco(wire="pty", nozzles=ONE) as rig:
        assert isinstance(rig.pump, Pump)
        filling = await fill(rig.pump, rig.bay, order("amount", 2_000, (1,)), fills(1))
        assert filling.sale == Sale(nozzle=1, volume_ml=2_548, amount_fen=2_000, price_e3=785_000)
        assert filling.moved_ml == 2_540  # its totals count steps of 10 mL
        assert filling.after[1].amount_fen == 702_000
        assert rig.dispenser.delivered_ul[1] == 2_548_000


async def test_a_sale_by_volume() -> None:
    """Five litres of the second grade."""
    async with gilbarco() as rig:
        filling = await fill(rig.pump, rig.bay, order("volume", 5_000), fills(2))
        assert filling.sale == Sale(nozzle=2, volume_ml=5_000, amount_fen=4_180, price_e3=836_000)
        assert filling.moved_ml == 5_000


@pytest.mark.parametrize("full_preset", ["none", "cancel"])
async def test_until_the_tank_is_full(full_preset: str) -> None:
    """Without a limit: as much as the tank takes, whatever is sent before."""
    async with gilbarco(options={"full_preset": full_preset}) as rig:
        filling = await fill(rig.pump, rig.bay, order("full"), fills(1, room_ml=7_000))
        assert filling.sale == Sale(nozzle=1, volume_ml=7_000, amount_fen=5_495, price_e3=785_000)


async def test_a_nozzle_hung_up_before_any_flow() -> None:
    """A sale of zero: the memory still shows the one before, and the totals tell."""
    async with gilbarco(speed=3) as rig:
        first = await fill(rig.pump, rig.bay, order("volume", 1_000), fills(1))
        second = await fill(rig.pump, rig.bay, order("volume", 1_000), returns_nozzle(1))
        assert second.sale == first.sale
        assert second.before == second.after == first.after


async def test_what_is_seen_while_fuel_flows() -> None:
    """The money that the pump says, and the volume that follows from it."""
    async with gilbarco(nozzles=ONE, speed=5) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.bay.add(drives_off(1, 2_000, after_ms=500))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full", 0, (1,)))
        await until(lambda: (status := rig.pump.status().value) is not None and (status.amount_fen or 0) > 300)
        status = rig.pump.status().value
        assert status is not None
        assert (status.state, status.reason) == (PumpState.DELIVERING, "9 BUSY")
        assert (status.nozzle, status.nozzle_out, status.price_e3) == (1, True, 785_000)
        assert status.amount_fen is not None
        assert status.volume_ml == status.amount_fen * 1_000_000 // 785_000
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert filling.sale.volume_ml == 2_000


async def test_stopped_in_mid_sale() -> None:
    """A stop ends the sale: it is over with the nozzle still out, and stays over when the nozzle comes in."""
    async with gilbarco(speed=10) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.bay.add(drives_off(1, after_ms=5_000))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full"))
        await until(lambda: rig.dispenser.shown_ml > 1_000)
        await rig.pump.stop()
        status = rig.pump.status().value
        assert status is not None
        assert (status.state, status.reason) == (PumpState.ENDED, "C STOP")
        await rig.pump.stop()
        await until(lambda: rig.dispenser.phase is Phase.IDLE)
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert filling.sale.volume_ml == rig.dispenser.delivered_ul[1] // 1_000
        assert filling.moved_ml == filling.sale.volume_ml // 10 * 10


async def test_an_authorisation_is_taken_back() -> None:
    """Before any flow, a stop is a sale of zero."""
    async with gilbarco() as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full"))
        await rig.pump.stop()
        filling = await finish(rig.pump, before)
        assert filling.moved_ml == 0
        assert rig.dispenser.phase is Phase.IDLE


async def test_paused_and_resumed() -> None:
    """A head that resumes: no more flows while it is paused, and the limit holds over the pause."""
    async with gilbarco(options={"can_resume": True}, twin={"resumes": True}, speed=10) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.bay.add(fills(1))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("volume", 5_000))
        await until(lambda: rig.dispenser.shown_ml > 500)
        await rig.pump.suspend()
        assert await shows(rig.pump, PumpState.SUSPENDED)
        shown_ml = rig.dispenser.shown_ml
        await asyncio.sleep(0.1)
        assert rig.dispenser.shown_ml == shown_ml
        await rig.pump.resume()
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert filling.sale.volume_ml == 5_000


async def test_a_head_that_resumes_is_stopped() -> None:
    """A stop is the end there too: once, and hanging up afterwards is no second one."""
    async with gilbarco(options={"can_resume": True}, twin={"resumes": True}, speed=10) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("volume", 5_000))
        rig.dispenser.squeeze(700)
        await until(lambda: rig.dispenser.shown_ml > 500)
        await rig.pump.stop()
        with pytest.raises(Transient, match="not paused by us"):
            await rig.pump.resume()
        await shows(rig.pump, PumpState.ENDED)
        rig.dispenser.hang_up()
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        assert filling.sale.volume_ml == rig.dispenser.delivered_ul[1] // 1_000
        await shows(rig.pump, PumpState.IDLE)


async def test_a_head_that_does_not_resume() -> None:
    """Pausing it would end its sale, so it is refused."""
    async with gilbarco() as rig:
        assert not rig.pump.traits.can_suspend
        with pytest.raises(Unsupported):
            await rig.pump.suspend()


async def test_the_end_was_shown_in_no_poll() -> None:
    """From BUSY straight to OFF or CALL: a sale is over, and stays so until it is released."""
    async with gilbarco(faults=["missed-end"]) as rig:
        filling = await fill(rig.pump, rig.bay, order("volume", 5_000), fills(1))
        assert filling.sale is not None
        assert filling.moved_ml == filling.sale.volume_ml == 5_000
        await shows(rig.pump, PumpState.IDLE)


async def test_the_next_customer_lifts_before_the_sale_is_stored() -> None:
    """The old sale is over until it is released, also with another nozzle out."""
    async with gilbarco(options={"nozzle_from": "special"}) as rig:
        await ready(rig.pump)
        rig.bay.add(fills(1))
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("volume", 1_000))
        await shows(rig.pump, PumpState.ENDED)
        await until(lambda: (status := rig.pump.status().value) is not None and status.reason == "6 OFF")
        rig.dispenser.lift(2)
        await until(lambda: (status := rig.pump.status().value) is not None and status.reason == "7 CALL")
        status = rig.pump.status().value
        assert status is not None
        assert (status.state, status.nozzle, status.nozzle_out) == (PumpState.ENDED, 1, True)
        await rig.pump.release()
        await until(lambda: (status := rig.pump.status().value) is not None and status.nozzle == 2)
        assert await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("volume", 2_000))
        assert await shows(rig.pump, PumpState.AUTHORISED)


async def test_no_preset_without_a_nozzle_out() -> None:
    """A preset given to a hung-up pump may be lost: it is not given, and nothing is authorised."""
    async with gilbarco() as rig:
        await ready(rig.pump)
        with pytest.raises(Transient, match="once a nozzle is out"):
            await rig.pump.authorise(order("amount", 1_000))
        assert rig.dispenser.sales == 0


async def test_the_nozzle_that_is_out_is_asked_for() -> None:
    """Special function 010 tells; the wrong nozzle is not authorised, the right one is."""
    async with gilbarco(options={"nozzle_from": "special"}) as rig:
        await ready(rig.pump)
        await rig.pump.read_totals()
        rig.dispenser.lift(2)
        await until(lambda: (status := rig.pump.status().value) is not None and status.nozzle == 2)
        with pytest.raises(Transient, match="nozzle 2 is out"):
            await rig.pump.authorise(order("amount", 1_000, (1,)))
        await rig.pump.authorise(order("amount", 1_000, (2,)))
        assert rig.dispenser.sale is not None
        assert rig.dispenser.sale.preset.limit == 1_000


async def test_a_head_that_cannot_tell_its_nozzle() -> None:
    """One nozzle of two can then not be ordered."""
    async with gilbarco() as rig:
        await ready(rig.pump)
        rig.dispenser.lift(2)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(Misconfigured, match="which nozzle"):
            await rig.pump.authorise(order("amount", 1_000, (1,)))


async def test_prices() -> None:
    """Set, shown in the totals, charged."""
    async with gilbarco(options={"both_levels": True}) as rig:
        await ready(rig.pump)
        assert await rig.pump.read_prices() == {1: 785_000, 2: 836_000}
        await rig.pump.set_prices({1: 799_000, 2: 850_000})
        assert await rig.pump.read_prices() == {1: 799_000, 2: 850_000}
        assert rig.dispenser.prices_e3 == {1: 799_000, 2: 850_000}
        with pytest.raises(Misconfigured, match="at most 2 decimals"):
            await rig.pump.set_prices({1: 785_500})
        with pytest.raises(Misconfigured, match=r"expected 1\.\.=9999000"):
            await rig.pump.set_prices({1: 10_000_000})
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(DeviceFault, match="charges 799000"):
            await rig.pump.authorise(order("amount", 1_000))
        with pytest.raises(Transient, match="at an idle pump"):
            await rig.pump.set_prices({1: 785_000})


async def test_a_credit_level() -> None:
    """Prices of level 2 are set, shown and charged where that is what is sold at."""
    async with gilbarco(nozzles=ONE, options={"level": "credit", "preset_says": "grade"}) as rig:
        await ready(rig.pump)
        await rig.pump.set_prices({1: 785_000})
        filling = await fill(rig.pump, rig.bay, order("amount", 1_000, (1,)), fills(1))
        assert filling.sale == Sale(nozzle=1, volume_ml=1_274, amount_fen=1_000, price_e3=785_000)


async def test_extended_mode() -> None:
    """Longer numbers everywhere, presets of eight digits with them; pump 16 has no nibble of its own."""
    async with gilbarco(options={"extended": True}, twin={"extended": True, "amount_digits": 8}, address=16) as rig:
        await ready(rig.pump)
        await rig.pump.set_prices({1: 785_000, 2: 836_000})
        filling = await fill(rig.pump, rig.bay, order("amount", 2_000), fills(2))
        assert filling.sale == Sale(nozzle=2, volume_ml=2_392, amount_fen=2_000, price_e3=836_000)
        assert rig.pump.traits.amount_max_fen == 99_999_999


async def test_the_digits_of_a_money_preset_are_wrong() -> None:
    """A head of five digits refuses six, five times; nothing is authorised, and the remedy names the options."""
    async with gilbarco(twin={"amount_digits": 5}, nozzles=ONE) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(DeviceFault, match="refuses FF E5 F2 F8") as caught:
            await rig.pump.authorise(order("amount", 1_000, (1,)))
        assert "digits of presets" in caught.value.remedy
        assert rig.dispenser.sales == 0


async def test_a_head_with_five_digits_and_e3() -> None:
    """The other common head."""
    options = {"amount_preset_digits": 5, "data_length": "e3"}
    async with gilbarco(options=options, twin={"amount_digits": 5, "counts_length": False}, nozzles=ONE) as rig:
        filling = await fill(rig.pump, rig.bay, order("amount", 1_000, (1,)), fills(1))
        assert filling.sale is not None
        assert filling.sale.amount_fen == 1_000


@pytest.mark.parametrize(
    ("kind", "limit"), [("amount", 1_000_000), ("amount", 0), ("volume", 1_000_000), ("volume", 9)]
)
async def test_a_limit_that_its_digits_cannot_carry(kind: str, limit: int) -> None:
    """It would be cut, or be a preset of 0, which cancels: both would let more flow than was paid for."""
    async with gilbarco(polled=False) as rig:
        with pytest.raises(Misconfigured, match="up to 99999"):
            await rig.pump.authorise(order(kind, limit))  # type: ignore[arg-type]  # one of the kinds


async def test_a_totalizer_is_as_the_pump_shows_it() -> None:
    """Totals of every nozzle; what a pump of one nozzle calls grade 1 is that nozzle."""
    async with gilbarco(nozzles={4: ("92", 785_000)}) as rig:
        await ready(rig.pump)
        assert (await rig.pump.read_totals())[4].volume_ml == 4_000_000
        assert await rig.pump.read_sale() is None
        assert await rig.pump.read_prices() == {4: 785_000}


# What the page says.


def test_the_page_has_every_option_with_its_default() -> None:
    """docs/gilbarco.md lists the options that there are, and what they are without a word."""
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", PAGE.read_text(encoding="utf-8"), re.M))
    fields = {field.name: field.default for field in msgspec.structs.fields(GilbarcoOptions)}
    assert rows.keys() == fields.keys()
    said = {name: shown.strip("`") for name, shown in rows.items() if name != "amount_preset_digits"}
    assert said == {name: json.dumps(value).removesuffix(".0") for name, value in fields.items() if name in said}


def test_the_config_on_the_page_is_one() -> None:
    """The page's line and pump are taken."""
    block = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert block is not None
    tables = tomllib.loads(block[1])
    line, pump = (
        admit(tables["line"][0], LineConfig, source="page"),
        admit(tables["pump"][0], PumpConfig, source="page"),
    )
    assert WIRES["gilbarco"].misfit(line) is None
    assert GilbarcoPump(Line(line), pump).traits.nozzles == (1, 2)


def test_too_many_nozzles() -> None:
    """Its totals have six grades."""
    nozzles = tuple(NozzleConfig(number=number, grade="92") for number in range(1, 8))
    config = PumpConfig(id="P", number=1, protocol="gilbarco", address=1, line="l", nozzles=nozzles)
    with pytest.raises(Refused, match="at most 6"):
        GilbarcoPump(Line(LineConfig(id="l", path="/dev/null")), config)


async def test_who_is_there() -> None:
    """A probe says the state, the mode and the digits of the last sale; nobody is None."""
    async with gilbarco(polled=False, twin={"extended": True}) as rig:
        rig.dispenser.lift(1)
        sign = await probe(rig.line, 3, timeout_s=5.0)
        assert sign is not None
        assert (sign.address, sign.state) == (3, "CALL")
        assert sign.notes == ("extended mode", "digits of the last sale: price 0, volume 0, amount 0")
        assert await probe(rig.line, 4, timeout_s=0.1) is None


async def test_two_pumps_on_one_line() -> None:
    """A block has no address: nobody else is asked between the word that announces it and its end."""
    async with gilbarco(nozzles=ONE, options={"amount_preset_digits": 6}) as rig:
        heard: list[bytes] = []
        other = Dispenser([Nozzle(1, "95", 836_000)], HEAD)
        bay = Bay(other, speed=20)
        bay.twin = twin = GilbarcoTwin(other, 4, bay.faults, {})
        config = PumpConfig(
            id="P4",
            number=4,
            protocol="gilbarco",
            address=4,
            line="forecourt",
            nozzles=(NozzleConfig(number=1, grade="95"),),
            decimals=DECIMALS,
            poll_s=0.02,
        )
        listening = rig.bay.twin
        assert listening is not None

        class Both:
            def hear(self, data: bytes) -> list[Piece]:
                heard.append(data)
                bay.catch_up()
                return [*listening.hear(data), *twin.hear(data)]

            def silence(self) -> None:
                listening.silence()

        rig.bay.twin = Both()
        second = GilbarcoPump(rig.line, config)
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(second.run())
            filling = await fill(rig.pump, rig.bay, order("amount", 1_000, (1,)), fills(1))
            assert filling.sale is not None
            assert filling.sale.amount_fen == 1_000
            other.lift(1)
            await shows(second, PumpState.CALLING)
            await second.authorise(Order("volume", 3_000, (1,), {1: 836_000}))
            assert other.sale is not None
            assert other.sale.preset.limit == 3_000
            polling.cancel()
    announced = [at for at, data in enumerate(heard) if data in (b"\x23", b"\x24")]
    assert len(announced) == 2
    for at in announced:
        assert heard[at + 1][:1] == b"\xff"
        assert heard[at + 2] == bytes([heard[at][0] & 0xF])
