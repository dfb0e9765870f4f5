"""What goes wrong at a Gilbarco pump, its wire and its customer, and what the driver makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import pytest
from dart_rig import fill, finish, order, ready, shows, until
from gilbarco_rig import ONE, Rig, gilbarco

from drivers.errors import DeviceError, DeviceFault, Garbled, Transient
from drivers.pump import Order, PumpState
from drivers.twins.faults import Piece
from drivers.twins.pumps.bay import PumpTwin
from drivers.twins.pumps.customer import Customer, HangUp, Squeeze, Wait, fills
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaultKind, parse_pump_faults
from drivers.twins.pumps.parts import Change, Phase
from protocols.fieldbus.gilbarco import Level
from protocols.fieldbus.gilbarco_replies import SaleReply, encode_sale

T = TypeVar("T")


async def fill_as_the_till_does(rig: Rig, wanted: Order, customer: Customer) -> None:
    """As `fill`, but a fault is met as the till meets it: look, and try again where the pump still calls."""
    pump = rig.pump
    await ready(pump)
    before = None
    while before is None:
        with suppress(Transient):
            before = await pump.read_totals()
    rig.bay.add(customer)
    while True:
        await shows(pump, PumpState.CALLING)
        try:
            await pump.authorise(wanted)
            break
        except Transient:
            status = (await pump.read_status()).value
            if status is not None and status.state is not PumpState.CALLING:
                break
    filling = await finish(pump, before)
    truth = rig.bay.sold[-1]
    assert filling.sale is not None
    assert filling.sale.volume_ml == rig.dispenser.volume_ml(truth)
    assert filling.sale.amount_fen == rig.dispenser.amount_fen(truth) == wanted.limit
    assert filling.moved_ml == filling.sale.volume_ml // 10 * 10
    assert len(rig.bay.sold) == 1


async def all_of(scenario: Callable[[T], Awaitable[None]], cases: Iterable[T]) -> None:
    """Every case at once, each at a pump of its own; a failure names its case."""

    async def one(case: T) -> None:
        try:
            await scenario(case)
        except Exception as error:
            error.add_note(f"case {case!r}")
            raise

    async with asyncio.TaskGroup() as group:
        for case in cases:
            group.create_task(one(case))


BAD_WIRES = (
    "silent:4",
    "silent@delivering:6",
    "late:3:120",
    "slow:6:5",
    "garble:4",
    "garble@delivering:6:2",
    "noise-before:6",
    "noise-after:6",
    "short:4",
    "duplicate:6",
    "foreign:3",
    "stale@delivering:3",
    "refuse:4",
)


async def test_bad_wires() -> None:
    """Whatever a bad wire does to some answers, the sale is the one that was ordered, once, to the fen."""

    async def sell(fault: str) -> None:
        async with gilbarco(nozzles=ONE) as rig:
            await ready(rig.pump)
            await rig.pump.read_totals()
            for one in parse_pump_faults([fault]):
                rig.bay.faults.set(one)
            await fill_as_the_till_does(rig, order("amount", 2_000, (1,)), fills(1))

    await all_of(sell, BAD_WIRES)


class Lying:
    """A wire that gives a sound sale with other numbers once, as one spoilt frame in sixteen is."""

    def __init__(self, twin: PumpTwin, instead: bytes) -> None:
        self._twin, self._instead = twin, [instead]

    def hear(self, data: bytes) -> Sequence[Piece]:
        pieces = self._twin.hear(data)
        return [Piece(self._instead.pop())] if data == b"\x43" and self._instead else pieces

    def silence(self) -> None:
        self._twin.silence()


async def test_a_spoilt_sale_whose_sum_holds() -> None:
    """Four bits of check are few: only what was said twice is a sale."""
    async with gilbarco(nozzles=ONE) as rig:
        filling = await fill(rig.pump, rig.bay, order("amount", 2_000, (1,)), fills(1))
        assert rig.bay.twin is not None
        rig.bay.twin = Lying(rig.bay.twin, encode_sale(SaleReply(3, 1, Level.CASH, 785, 2_548, 9_000)))
        assert await rig.pump.read_sale() == filling.sale


@pytest.mark.parametrize("wire", ["pty", "tcp"])
async def test_an_adapter_that_echoes(wire: str) -> None:
    """A current loop hears itself: the echo of a status question is not taken for the word for data error."""
    async with gilbarco(wire=wire, echo=True, nozzles=ONE) as rig:  # type: ignore[arg-type]  # one of the kinds
        await fill_as_the_till_does(rig, order("amount", 2_000, (1,)), fills(1))
        assert rig.pump.link().counts.get("echo")


async def test_an_echo_and_no_pump() -> None:
    """Only our own words come back: that is no answer, and no state."""
    async with gilbarco(echo=True, polled=False) as rig:
        rig.dispenser.cut_power()
        with pytest.raises(Garbled, match="as an echo of our question would") as caught:
            await rig.pump.read_status()
        assert "echo = true" in caught.value.remedy
        assert rig.pump.status().value is None


async def test_a_block_is_refused_to_the_end() -> None:
    """Five times data error: nothing is authorised."""
    async with gilbarco(nozzles=ONE, faults=["refuse"]) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(DeviceFault, match="5 times"):
            await rig.pump.authorise(order("amount", 1_000, (1,)))
        assert rig.dispenser.sales == 0


class Noisy:
    """A wire on which every third status word of a pump that delivers is another one."""

    def __init__(self, twin: PumpTwin, pump: Dispenser, instead: bytes) -> None:
        self._twin, self._pump, self._instead = twin, pump, instead
        self._heard = 0

    def hear(self, data: bytes) -> Sequence[Piece]:
        pieces = self._twin.hear(data)
        self._heard += data == b"\x03"
        if data == b"\x03" and self._pump.phase is Phase.DELIVERING and self._heard % 3 == 0:
            return [Piece(self._instead)]
        return pieces

    def silence(self) -> None:
        self._twin.silence()


async def test_noise_does_not_end_a_sale() -> None:
    """One word that says that the sale is over is not believed while the next says that fuel flows."""

    async def sell(word: bytes) -> None:
        async with gilbarco(nozzles=ONE, speed=10) as rig:
            assert rig.bay.twin is not None
            rig.bay.twin = Noisy(rig.bay.twin, rig.dispenser, word)
            await ready(rig.pump)
            await rig.pump.read_totals()
            rig.bay.add(fills(1))
            await shows(rig.pump, PumpState.CALLING)
            await rig.pump.authorise(order("amount", 2_000, (1,)))
            seen = set()
            while rig.dispenser.phase in (Phase.AUTHORISED, Phase.DELIVERING):
                status = rig.pump.status().value
                assert status is not None
                seen.add(status.state)
                await asyncio.sleep(0.002)
            assert PumpState.DELIVERING in seen
            assert seen <= {PumpState.AUTHORISED, PumpState.DELIVERING}

    await all_of(sell, (b"\xb3", b"\x63", b"\x73", b"\xc3", b"\x03"))


async def test_an_authorisation_that_is_lost() -> None:
    """The word has no answer: it is taken back, and the whole order is given anew."""
    async with gilbarco(nozzles=ONE, options={"authorise_s": 0.3}) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        for fault in parse_pump_faults(["no-effect:1"]):
            rig.bay.faults.set(fault)
        with pytest.raises(Transient, match="told to stop"):
            await rig.pump.authorise(order("full", 0, (1,)))
        status = (await rig.pump.read_status()).value
        assert status is not None
        assert status.state is PumpState.CALLING
        await rig.pump.authorise(order("full", 0, (1,)))
        assert rig.dispenser.sales == 1


async def test_an_authorisation_that_shows_late() -> None:
    """Until it shows, it is waited for; one sale."""
    async with gilbarco(nozzles=ONE, speed=1, faults=["late-status:1:400"]) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("amount", 1_000, (1,)))
        assert rig.dispenser.sales == 1


async def test_an_authorisation_that_does_not_show() -> None:
    """It is taken back, and nothing flows."""
    options = {"authorise_s": 0.5}
    async with gilbarco(nozzles=ONE, speed=1, options=options, faults=["late-status:1:60000"]) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(Transient, match=r"told to stop|is at OFF"):
            await rig.pump.authorise(order("amount", 1_000, (1,)))
        assert rig.dispenser.phase is Phase.IDLE
        assert not any(rig.dispenser.delivered_ul.values())


async def test_a_stop_while_it_is_being_authorised() -> None:
    """The stop comes first, whatever is under way: nothing is authorised after it."""
    async with gilbarco(nozzles=ONE, speed=1, faults=["refuse:3"]) as rig:
        await ready(rig.pump)
        await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        giving = asyncio.create_task(rig.pump.authorise(order("amount", 1_000, (1,))))
        await until(lambda: not rig.bay.faults.active())
        await rig.pump.stop()
        with pytest.raises(Transient, match="stopped before"):
            await giving
        assert rig.dispenser.sales == 0
        assert await shows(rig.pump, PumpState.CALLING)


async def test_a_stop_that_is_lost() -> None:
    """It is said until the pump no longer delivers."""
    async with gilbarco(nozzles=ONE, speed=5) as rig:
        await ready(rig.pump)
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full", 0, (1,)))
        rig.dispenser.squeeze(700)
        await until(lambda: rig.dispenser.phase is Phase.DELIVERING)
        for fault in parse_pump_faults(["no-effect:2"]):
            rig.bay.faults.set(fault)
        await rig.pump.stop()
        assert rig.dispenser.phase is Phase.REACHED


async def test_a_power_cut() -> None:
    """In every state of a sale: afterwards memory and totals say what was truly sold, and the sale is over."""
    steps = (Wait(6_000), Squeeze(700), Wait(3_000), HangUp())

    async def sell(at: Phase) -> None:
        async with gilbarco(nozzles=ONE) as rig:
            await ready(rig.pump)
            before = await rig.pump.read_totals()
            rig.dispenser.lift(1)
            await shows(rig.pump, PumpState.CALLING)
            await rig.pump.authorise(order("amount", 2_000, (1,)))
            for fault in parse_pump_faults([f"power-cut@{at.value}:1:4000"]):
                rig.bay.faults.set(fault)
            rig.bay.add(Customer(steps))
            filling = await finish(rig.pump, before)
            truth_ml = rig.dispenser.delivered_ul[1] // 1_000
            assert filling.moved_ml == truth_ml // 10 * 10
            assert (truth_ml == 0) == (at is Phase.AUTHORISED)
            assert (0 < truth_ml < 2_548) == (at is Phase.DELIVERING)
            if truth_ml:
                assert filling.sale is not None
                assert filling.sale.volume_ml == truth_ml

    await all_of(sell, (Phase.AUTHORISED, Phase.DELIVERING, Phase.REACHED, Phase.ENDED))


@pytest.mark.parametrize("kind", ["amount", "volume"])
async def test_a_preset_that_is_taken_and_not_kept(kind: str) -> None:
    """It cannot be read back: a pump that delivers beyond it is stopped by us, and says so as an alarm."""
    async with gilbarco(nozzles=ONE, speed=2, faults=["no-effect:1"]) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order(kind, 200, (1,)))  # type: ignore[arg-type]  # one of the kinds
        rig.dispenser.squeeze(700)
        await shows(rig.pump, PumpState.ENDED)
        status = rig.pump.status().value
        assert status is not None
        assert status.alarm == "delivered beyond its preset"
        filling = await finish(rig.pump, before)
        assert filling.sale is not None
        sold = filling.sale.amount_fen if kind == "amount" else filling.sale.volume_ml
        assert sold > 200
        assert rig.dispenser.phase is Phase.REACHED
        assert rig.dispenser.flow_ml_s == 0


async def test_a_power_cut_while_it_is_being_authorised() -> None:
    """The pump wakes calling, and has forgotten the preset: it is not authorised without one."""
    async with gilbarco(nozzles=ONE, speed=1, options={"authorise_s": 0.3}) as rig:
        await ready(rig.pump)
        await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        rig.dispenser.listeners.append(_dark_once(rig.dispenser))
        with pytest.raises(Transient):
            await rig.pump.authorise(order("amount", 2_000, (1,)))
        await shows(rig.pump, PumpState.CALLING, PumpState.ENDED)
        assert rig.dispenser.sale is None
        await rig.pump.authorise(order("amount", 2_000, (1,)))
        assert rig.dispenser.sale is not None
        assert rig.dispenser.sale.preset.limit == 2_000


def _dark_once(pump: Dispenser) -> Callable[[Change], None]:
    """Cuts the power for an instant the first time that the pump is authorised."""
    cut = [True]

    def hear(change: Change) -> None:
        if change is Change.AUTHORISED and cut:
            cut.clear()
            pump.cut_power()
            pump.return_power()

    return hear


async def test_the_pump_forgets_everything() -> None:
    """Neither prices nor sale survive: the totals do, and new prices make it sell again."""
    async with gilbarco(nozzles=ONE) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.cut_power(forgets=True)
        rig.dispenser.return_power()
        assert await rig.pump.read_prices() == {}
        assert await rig.pump.read_sale() is None
        assert await rig.pump.read_totals() == before
        await rig.pump.set_prices({1: 785_000})
        filling = await fill(rig.pump, rig.bay, order("amount", 1_000, (1,)), fills(1))
        assert filling.sale is not None
        assert filling.sale.amount_fen == 1_000


async def test_totals_that_move_by_themselves() -> None:
    """They are told as they are; the sale is told as it was."""
    async with gilbarco(nozzles=ONE) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.move_total(1, 12_340)
        filling = await fill(rig.pump, rig.bay, order("volume", 1_000, (1,)), fills(1))
        assert filling.before[1].volume_ml - before[1].volume_ml == 12_340
        assert filling.moved_ml == 1_000


async def test_a_second_nozzle_is_lifted() -> None:
    """It stays dead, and the sale is that of the first."""
    async with gilbarco(options={"nozzle_from": "special"}, faults=["second-nozzle@delivering:1:1000"]) as rig:
        filling = await fill(rig.pump, rig.bay, order("volume", 3_000), fills(2))
        assert filling.sale is not None
        assert (filling.sale.nozzle, filling.sale.volume_ml) == (2, 3_000)
        assert not rig.bay.faults.active()


async def test_an_emergency_stop() -> None:
    """The sale is over with what flowed until then."""
    async with gilbarco(nozzles=ONE, faults=["emergency@delivering:1:3000"], speed=10) as rig:
        await ready(rig.pump)
        before = await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        await rig.pump.authorise(order("full", 0, (1,)))
        rig.dispenser.squeeze(700)
        filling = await finish(rig.pump, before)
        assert filling.moved_ml == rig.dispenser.delivered_ul[1] // 10_000 * 10


async def test_special_function_010_is_not_known() -> None:
    """A head that refuses it: the nozzle stays unknown, and nothing is authorised at an unknown nozzle."""
    async with gilbarco(options={"nozzle_from": "special"}, twin={"special": False}) as rig:
        await ready(rig.pump)
        await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await shows(rig.pump, PumpState.CALLING)
        with pytest.raises(DeviceError):
            await rig.pump.authorise(order("amount", 1_000))
        assert rig.dispenser.sales == 0


async def test_a_word_of_another_pump_is_not_ours() -> None:
    """Pump 4 answers for pump 3: nothing is believed."""
    async with gilbarco(polled=False, faults=["foreign"]) as rig:
        with pytest.raises(Garbled):
            await rig.pump.read_status()
        assert rig.pump.status().value is None
        assert rig.bay.faults.clear() == [PumpFaultKind.FOREIGN]
        assert (await rig.pump.read_status()).value is not None
