"""Who may start a filling and how: cards at an island, commands, codes, the attendant's guarantee; and who may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.twins.pumps.parts import Phase
from edge.carried import Codes, Taken
from edge.forecourt.taps import tap
from edge.till.ask import Refusal, Refused, Source
from edge.till.fill.progress import FillPhase
from edge.till.state import OpenFilling
from protocols.trade.codec import encode
from protocols.trade.fuel_terms import FuelTerms, Terms
from protocols.trade.grants import hide_credential
from protocols.trade.records import Preset, SessionExtended, SessionVoided
from protocols.trade.records_fuel import FillingClosed, FillingOpened
from protocols.trade.wire import Command
from tests.edge.codes import PINNED, code, order
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY, reopen
from tests.edge.forecourt.court_rig import FULL, Court, a_court

OTHER_CARD = "99887766"


async def refusal(court: Court, **more: object) -> Refusal:
    outcome = await court.islands.start(court.fill(**more))  # type: ignore[arg-type]  # as named
    assert isinstance(outcome, Refused), outcome
    return outcome.refusal


# --- a card at the island ---------------------------------------------------------------------------------------------


async def test_a_tap_before_the_nozzle_is_lifted(tmp_path: Path) -> None:
    """At the reader of one pump: a fill-up on the card's account."""
    async with a_court(tmp_path) as court:
        tapped = await tap(court.islands, ["1"], CARD)
        assert tapped.filling is not None
        assert (tapped.pump, tapped.filling.opened.preset, tapped.filling.account) == ("p1", FULL, "ann")
        await court.wait(1)
        await court.pour(12_340)
        assert court.bills == [(12_340, 9_687)]


@pytest.mark.parametrize("totals_lifted", [True, False])
async def test_a_tap_with_the_nozzle_out(tmp_path: Path, totals_lifted: bool) -> None:
    """Also at a pump that gives no totals then: they stand where they stood, since nothing can have flowed."""
    async with a_court(tmp_path) as court:
        court.pump.totals_lifted = totals_lifted
        await court.wait(3)
        court.model.lift(1)
        await court.wait(20)
        tapped = await tap(court.islands, ["p1", "p2"], CARD)
        assert (tapped.pump, tapped.refused) == ("p1", None)
        await court.wait(1)
        court.model.squeeze(700, 7_000)
        await court.wait(11)
        court.model.hang_up()
        await court.wait(1)
        assert court.bills == [(7_000, 5_495)]


async def test_totals_from_before_a_silence_are_not_believed(tmp_path: Path) -> None:
    """The pump was away, and may have sold: with a nozzle out it has no totals, so nothing starts."""
    async with a_court(tmp_path) as court:
        court.pump.totals_lifted = False
        court.pump.answers = False
        await court.wait(10)
        court.model.lift(1)
        court.pump.answers = True
        await court.wait(2)
        assert await refusal(court) is Refusal.PUMP_SILENT


async def test_the_payers_second_tap_takes_it_back(tmp_path: Path) -> None:
    """As long as nothing has flowed; nobody else's does. Afterwards it changes nothing."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        await tap(court.islands, ["p1"], CARD)
        await court.wait(1)
        stranger = await tap(court.islands, ["p1"], OTHER_CARD)
        assert stranger.refused is not None
        assert stranger.refused.refusal is Refusal.PUMP_BUSY
        again = await tap(court.islands, ["p1"], CARD)
        assert again.cancelled
        await court.wait(2)
        assert court.lease().held == 0
        assert [body.reason for body in court.bodies(SessionVoided)] == ["local"]
        await tap(court.islands, ["p1"], CARD)
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700, 7_000)
        await court.wait(5)
        late = await tap(court.islands, ["p1"], CARD)
        assert (late.cancelled, late.refused is None) == (False, False)
        await court.wait(8)
        court.model.hang_up()
        await court.wait(1)
        assert court.bills == [(7_000, 5_495)]


async def test_a_reader_of_two_pumps_needs_one_nozzle_out(tmp_path: Path) -> None:
    """None or two: it is not for the till to guess."""
    async with a_court(tmp_path) as court:
        for lifted in ([], ["p1", "p2"]):
            for name in lifted:
                court.pumps[name].model.lift(1)
            await court.wait(0.5)
            tapped = await tap(court.islands, ["p1", "p2"], CARD)
            assert tapped.refused is not None
            assert tapped.refused.refusal is Refusal.NOZZLE_NOT_LIFTED
        assert court.bodies(FillingOpened) == []


# --- a guarantee ------------------------------------------------------------------------------------------------------


async def poured_on_a_guarantee(court: Court) -> OpenFilling:
    filling = await court.begin_filling(guaranteed=True)
    await court.wait(1)
    await court.pour(7_000)
    found = court.fills.filling(filling.seq)
    assert found is not None
    assert found[1].phase is FillPhase.PAYING
    return filling


async def test_the_customer_pays_what_the_attendant_has_guaranteed(tmp_path: Path) -> None:
    """Fuel first, then the customer's account; the guarantor's hold comes back whole."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        filling = await poured_on_a_guarantee(court)
        assert not isinstance(await court.islands.pay(filling.seq, Source("bob")), Refused)
        await court.wait(1)
        assert (court.lease("bob").used, court.lease("ann").used) == (5_495, 0)
        assert court.lease("ann").held == court.lease("bob").held == 0
        assert (court.bills, court.model.phase) == ([(7_000, 5_495)], Phase.IDLE)


async def test_a_card_at_the_reader_pays_too(tmp_path: Path) -> None:
    """The pump waits for a payer: a tap is the payment, not another start."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        await poured_on_a_guarantee(court)
        tapped = await tap(court.islands, ["1", "2"], OTHER_CARD)
        assert tapped.refused is None
        await court.wait(1)
        assert court.lease("bob").used == 5_495
        assert len(court.bodies(SessionExtended)) == 1


@pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["killed", "power-cut"])
async def test_nobody_pays(tmp_path: Path, boot: bytes | None) -> None:
    """The guarantor does, after a while; a daemon that dies meanwhile knows what was sold."""
    async with a_court(tmp_path) as court:
        await poured_on_a_guarantee(court)
        await reopen(court, tmp_path, boot=boot)
        await court.wait(10)
        assert court.bills == []
        await court.wait(60)
        assert (court.bills, court.lease().used, court.lease().held) == ([(7_000, 5_495)], 5_495, 0)


async def test_a_payer_who_may_not_have_it_does_not_pay(tmp_path: Path) -> None:
    """A card for diesel pays for no petrol, and an empty account for nothing."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        await court.terms(FuelTerms(1, [Terms("bob", b"", ["0"], 0, "")]))
        filling = await poured_on_a_guarantee(court)
        for account, why in (("bob", Refusal.WRONG_GRADE), ("eve", Refusal.UNKNOWN_ACCOUNT)):
            paid = await court.islands.pay(filling.seq, Source(account))
            assert isinstance(paid, Refused)
            assert paid.refusal is why


async def test_only_a_guaranteed_filling_takes_another_payer(tmp_path: Path) -> None:
    """And only once it is over."""
    async with a_court(tmp_path) as court:
        filling = await court.begin_filling()
        paid = await court.islands.pay(filling.seq, Source("ann"))
        assert isinstance(paid, Refused)
        assert paid.refusal is Refusal.NO_SESSION


# --- from afar --------------------------------------------------------------------------------------------------------


def command(court: Court, number: int, verb: str, session: int = 0, place: str = "1") -> bytes:
    preset = Preset("money", 3_000)
    told = Command("hz-1", court.time.boot, number, verb, place, "ann", preset, session, "", False, 4_000_000_000)
    return encode(told)


async def test_headquarters_starts_and_stops(tmp_path: Path) -> None:
    """By the pump's number; each command once."""
    async with a_court(tmp_path) as court:
        assert await court.site.command(command(court, 1, "start")) == "started"
        assert await court.site.command(command(court, 1, "start")) == "old-number"
        await court.wait(1)
        found = court.fills.filling_at("p1")
        assert found is not None
        assert found[0].opened.order_limit == 3_000
        assert await court.site.command(command(court, 2, "stop", found[0].seq)) == "stopping"
        await court.wait(2)
        assert (court.bodies(FillingClosed), court.lease().held) == ([], 0)
        assert await court.site.command(command(court, 3, "start", place="9")) == "unknown-connector"


# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_what_is_refused(tmp_path: Path) -> None:
    """With the reason that the customer is told; nothing is held for any of them."""
    async with a_court(tmp_path) as court:
        hidden = hide_credential(CREDENTIAL_KEY, CARD)
        assert await refusal(court, pump="p9") is Refusal.UNKNOWN_PUMP
        assert await refusal(court, account="eve") is Refusal.UNKNOWN_ACCOUNT
        assert await refusal(court, preset=Preset("energy", 5)) is Refusal.UNKNOWN_PRESET
        assert await refusal(court, preset=Preset("money", 60_000)) is Refusal.NOT_ENOUGH
        await court.terms(FuelTerms(1, [Terms("ann", b"", ["0"], 20_000, ""), Terms("ann", hidden, [], 0, "odometer")]))
        assert await refusal(court, nozzle=1) is Refusal.WRONG_GRADE
        assert await refusal(court, nozzle=2, credential=hidden) is Refusal.ANSWER_MISSING
        court.model.raise_alarm()
        await court.wait(1)
        assert await refusal(court, nozzle=2) is Refusal.PUMP_OUT
        court.model.clear_alarm()
        court.pump.answers = False
        await court.wait(10)
        assert await refusal(court, nozzle=2) is Refusal.PUMP_SILENT
        court.pump.answers = True
        await court.wait(2)
        court.model.prices_e3[2] = 1
        assert await refusal(court, nozzle=2) is Refusal.PRICE_DIFFERS
        assert (court.lease().held, court.bodies(FillingOpened)) == (0, [])


async def test_a_code_starts_once(tmp_path: Path) -> None:
    """A code on a phone names the pump and brings the money; shown again, it finds the same filling, then nothing."""
    async with a_court(tmp_path) as court:
        court.clock.learn(court.time.wall_ms, court.time.wall_ms + 1)
        text, codes = code(4_000, start=order(1, "1", Preset("money", 4_000))), Codes(court.site, PINNED)
        taken, again = await codes.take(text), await codes.take(text)
        assert isinstance(taken, Taken)
        assert isinstance(again, Taken)
        assert isinstance(taken.session, OpenFilling)
        assert (again.session, again.again) == (taken.session, True)
        await court.wait(1)
        await court.pour(9_000)
        assert [fen for _, fen in court.bills] == [4_000]
        late = await codes.take(text)
        assert isinstance(late, Taken)
        assert late.refused is not None
        assert late.refused.refusal is Refusal.OLD_NUMBER
