"""Attacks on what may pay for fuel: days' limits, payers who come afterwards, and assets that are not money."""

from __future__ import annotations

from dataclasses import replace as with_

from fill_bench import FULL, begin, opened, station
from fill_story import CARD, LIST, POINT, POLICY, FillStory
from msgspec.structs import replace

from edge.till.ask import Refusal, Refused, Source
from edge.till.fill.ask import FillAsk
from edge.till.fill.pay import pay
from edge.till.fill.progress import FillPhase
from edge.till.fill.start import open_filling
from edge.till.state import OpenFilling
from protocols.trade.fuel_terms import FuelTerms, Terms, use_key
from protocols.trade.grants import Grant, join
from protocols.trade.records import Draft, GrantAccepted, Origin, Preset
from protocols.trade.records_fuel import FillingOpened
from protocols.trade.tender import Tender, Tenders

DAY_MS = 86_400_000


# --- limits -----------------------------------------------------------------------------------------------------------


def test_midnight_gives_nobody_a_second_days_limit() -> None:
    """Begun before midnight and closed after another of the new day: the new day's litres stay counted."""
    story = station()
    story.terms = FuelTerms(1, [Terms("ann", b"", [], 60_000, "")])
    story.mono_ms = DAY_MS - 20_000
    filling = begin(story)
    story.pump.flow(10_000)
    story.look(1)
    day = filling.opened.local_day
    used = {use_key("ann", b""): (day + 1, 50_000)}  # meanwhile, at another pump
    story.state = replace(story.state, forecourt=replace(story.state.forecourt, used_ml=used))
    story.pump.hang_up()
    story.look(4)
    assert story.state.forecourt.used_ml[use_key("ann", b"")] == (day + 1, 50_000)


def test_a_clock_that_was_years_ahead_does_not_shut_a_card_out() -> None:
    """The box filled with its clock at 2099; now that it is right, the limit counts from today again."""
    story = station()
    story.terms = FuelTerms(1, [Terms("ann", b"", [], 60_000, "")])
    used = {use_key("ann", b""): (47_000, 60_000)}
    story.state = replace(story.state, forecourt=replace(story.state.forecourt, used_ml=used))
    begin(story)
    story.pump.flow(10_000)
    story.look(1)
    story.pump.hang_up()
    story.look(4)
    assert story.state.forecourt.used_ml[use_key("ann", b"")][1] == 10_000


def test_two_starts_of_one_account_share_a_days_limit() -> None:
    """The first is still running: the second gets what its order leaves."""
    story = station()
    story.terms = FuelTerms(1, [Terms("ann", b"", [], 60_000, "")])
    opened(story.ask(Preset("volume", 45_000)))
    story.point = with_(POINT, id="4")
    assert isinstance(story.ask(Preset("volume", 45_000)), Refused)  # pump 4 has said nothing of its totals yet
    story.state = replace(
        story.state,
        forecourt=replace(
            story.state.forecourt,
            totals={**story.state.forecourt.totals, "4": replace(story.now_totals(), pump="4")},
            prices={**story.state.forecourt.prices, "4": story.state.forecourt.prices["3"]},
        ),
    )
    assert opened(story.ask(Preset("volume", 45_000))).opened.order_limit == 15_000


# --- paying afterwards ------------------------------------------------------------------------------------------------


def waiting_for_a_payer(story: FillStory) -> OpenFilling:
    story.grant("attendant-li", 60_000)
    filling = begin(story, sources=(Source("attendant-li"),), guaranteed=True)
    story.pump.flow(10_000)
    story.look(1)
    story.pump.hang_up()
    story.look(3)
    assert story.rows[filling.seq].phase is FillPhase.PAYING
    return story.state.forecourt.fillings[filling.seq]


def paid(story: FillStory, filling: OpenFilling, source: Source) -> Refusal | None:
    row = story.rows[filling.seq]
    found = pay(story.state, filling, row, source, story.now(), story.point, story.terms)
    return found.refusal if isinstance(found, Refused) else None


def test_a_card_with_a_days_limit_of_its_own_does_not_pay_afterwards() -> None:
    """No record names the card that pays afterwards, so nothing would count: it would have no limit at all."""
    story = station()
    story.terms = FuelTerms(1, [Terms("ann", CARD, [], 60_000, "")])
    filling = waiting_for_a_payer(story)
    assert paid(story, filling, Source("", CARD)) is Refusal.DAY_LIMIT
    story.terms = FuelTerms(1, [Terms("ann", b"", [], 60_000, "")])
    assert paid(story, filling, Source("", CARD)) is None
    story.terms = FuelTerms(1, [Terms("ann", b"", [], 9_990, "")])
    assert paid(story, filling, Source("", CARD)) is Refusal.DAY_LIMIT


def test_a_payer_at_the_very_deadline_pays_or_does_not_never_both() -> None:
    """In the look of the deadline the payer's hold is there: it is drawn on, and the guarantor's is not."""
    story = station()
    filling = waiting_for_a_payer(story)
    story.mono_ms = story.rows[filling.seq].since_ms + story.policy.pay_within_s * 1000 - 500
    story.pay(filling.seq, "ann", 7_850)
    story.look(1)
    assert (story.lease("ann").used, story.lease("attendant-li").used) == (7_850, 0)
    assert story.lease("ann").held == story.lease("attendant-li").held == 0


def test_a_guarantor_frozen_meanwhile_still_stands_for_the_fuel() -> None:
    """What was held before is held: freezing keeps the next filling from beginning, not this one from being paid."""
    story = station()
    filling = waiting_for_a_payer(story)
    frozen = replace(story.lease("attendant-li"), expires_s=0)
    story.state = replace(story.state, leases={**story.state.leases, "attendant-li CNY": frozen})
    story.look(260)
    assert story.lease("attendant-li").used == 7_850
    assert filling.seq not in story.state.forecourt.fillings


# --- assets that are not money ----------------------------------------------------------------------------------------

SUN = Tender("SUN", ["energy"], 1, 1, True)  # pays for energy alone
COUPON = Tender("COUPON", [], 100, 1, False)
TENDERS = Tenders(1, [COUPON, SUN])


def own(story: FillStory, asset: str, units: int) -> Source:
    """So much of it for ann."""
    grant = Grant("ann", asset, "hz-1", 1, 1, units, 0, 4_000_000_000, 10**9, 10**9, 1, [])
    story.write(Draft(GrantAccepted(join(grant, bytes(64)))))
    return Source("ann", asset=asset)


def with_assets(story: FillStory, preset: Preset, *sources: Source) -> FillingOpened | Refused:
    story.see()
    story.read()
    ask = FillAsk("3", preset, Origin("panel", b"", 0, "li"), sources)
    found = open_filling(story.state, ask, story.point, story.sight(), LIST, POLICY, tenders=TENDERS)
    if isinstance(found, Refused):
        return found
    assert isinstance(found.draft.body, FillingOpened)
    return found.draft.body


def test_what_may_not_pay_fuel_lets_none_flow() -> None:
    """Sunshine pays for energy: alone it starts nothing, and beside money it adds nothing to the order."""
    story = station()
    sun, money = own(story, "SUN", 10_000), Source("ann")
    alone = with_assets(story, FULL, sun)
    assert isinstance(alone, Refused)
    assert alone.refusal is Refusal.NOT_ENOUGH
    mixed = with_assets(story, FULL, sun, money)
    assert isinstance(mixed, FillingOpened)
    assert mixed.order_limit == 40_000 - POLICY.margin_fen  # the cap of 500.00 yuan, less what is no money


def test_sixteen_coupons_and_no_more() -> None:
    """Each is a hold: the order is what sixteen of them pay, less the margin; a seventeenth hold is refused."""
    story = station()
    found = with_assets(story, FULL, own(story, "COUPON", 40))
    assert isinstance(found, FillingOpened)
    assert (len(found.holds), found.order_limit) == (16, 1_600 - POLICY.margin_fen)
    filling = waiting_for_a_payer(story)
    many = replace(filling, holds=filling.holds * 15)
    row = story.rows[filling.seq]
    answer = pay(story.state, many, row, Source("ann", asset="COUPON"), story.now(), story.point, tenders=TENDERS)
    assert isinstance(answer, Refused)
