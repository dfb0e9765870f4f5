"""One session, several payers: who is drawn on, when delivery must stop; every fen adds up wherever it stops."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.till.progress import StopReason
from edge.till.purse import may_stop
from edge.till.start import Opening, Refusal, Refused, ask_of
from edge.till.state import TillState, lease_key
from protocols.trade.records import (
    CNY,
    ClockQuality,
    Effect,
    Origin,
    Preset,
    SessionExtended,
    SessionOpened,
    body_of,
)
from protocols.trade.tariff import Offset, Period, Tariff
from protocols.trade.tender import Tender, Tenders, draw, owed_by
from tests.edge.till.story import CARD, FLAT, FULL, MIDNIGHT_MS, POLICY, Story

SERVICED = Tariff("s", 1, "UTC", [Offset(0, 0)], [Period(0, "flat", 60_000, 40_000)], 20_000, 0, 0)
"""0.60 for energy and 0.40 for service per kWh, and 0.20 a session."""
SHIFTING = Tariff(
    "t", 1, "UTC", [Offset(0, 0)],
    [Period(0, "valley", 30_000, 50_000), Period(300, "peak", 140_000, 0), Period(420, "flat", 70_000, 30_000)],
    0, 0, 0,
)  # fmt: skip
"""Energy is dear while service is free, and the other way round: at 00:05 and at 00:07."""

SUN = Tender("SUN", ["energy"], 1, 1, True)
POINTS = Tender("POINTS", [], 1, 10, True)
COUPON = Tender("COUPON", [], 100, 1, False)
TENDERS = Tenders(1, [COUPON, POINTS, SUN])


def holds_of(decision: Opening | Refused) -> list[tuple[str, str, int]]:
    assert isinstance(decision, Opening), decision
    body = decision.draft.body
    assert isinstance(body, SessionOpened | SessionExtended)
    return [(hold.account, hold.asset, hold.amount) for hold in body.holds]


def purse(**amounts: int) -> Story:
    """Everybody has money or an asset here: `alice=6000`, `alice_SUN=50`."""
    story = Story(tenders=TENDERS)
    for name, amount in amounts.items():
        account, _, asset = name.partition("_")
        story.grant(amount, account, card=b"", limit=1_000_000, asset=asset or CNY)
    return story


def test_60_stored_and_40_just_paid_hold_a_hundred() -> None:
    """The stated order: the stored value whole, then what is needed of the payment."""
    story = purse(alice=6_000, guest=4_000)
    assert holds_of(story.ask(Preset("money", 10_000), payers="alice+guest")) == [
        ("alice", CNY, 6_000), ("guest", CNY, 4_000)
    ]  # fmt: skip
    assert holds_of(story.ask(Preset("money", 7_000), payers="guest+alice")) == [
        ("guest", CNY, 4_000), ("alice", CNY, 3_000)
    ]  # fmt: skip
    assert holds_of(story.ask(Preset("money", 5_000), payers="alice+guest")) == [("alice", CNY, 5_000)]


def test_what_is_missing_is_asked_of_the_payer_who_lacks_it() -> None:
    """Both are short of what would be needed: headquarters is told whom it is about, first things first."""
    story = purse(alice=6_000, guest=1_000)
    refused = story.ask(Preset("money", 10_000), payers="alice+guest")
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.NOT_ENOUGH
    assert [(want.source.account, want.total) for want in refused.wants] == [("alice", 10_000), ("guest", 4_000)]
    assert "7000 fen may be spent here, 10000 fen are needed" in refused.detail


def test_a_fill_up_takes_from_each_account_no_more_than_its_cap() -> None:
    """R4: one session drains nobody, whatever the assets are called; points and money of one account share its cap."""
    story = purse(alice=60_000, alice_POINTS=100_000, guest=60_000)
    cap_fen = POLICY.fill_up_cap_fen
    assert holds_of(story.ask(payers="alice:POINTS+alice+guest")) == [
        ("alice", "POINTS", 100_000), ("alice", CNY, cap_fen - 10_000), ("guest", CNY, cap_fen)
    ]  # fmt: skip


def test_coupons_are_held_one_by_one() -> None:
    """So that each is captured or given back by itself."""
    story = purse(alice_COUPON=3, alice=1_000)
    assert holds_of(story.ask(Preset("money", 250), payers="alice:COUPON+alice")) == [("alice", "COUPON", 1)] * 3


@pytest.mark.parametrize(
    ("payers", "refusal"),
    [
        ("alice+nobody", Refusal.UNKNOWN_ACCOUNT),
        ("alice:SHELLS", Refusal.UNKNOWN_ACCOUNT),
        ("alice+operator-risk", Refusal.UNKNOWN_ACCOUNT),
        ("alice:SUN", Refusal.NOT_ENOUGH),
    ],
)
def test_every_payer_must_be_fit_to_pay(payers: str, refusal: Refusal) -> None:
    """No service on half of what was promised; nobody can name the operator's pool; energy pays no session fee."""
    story = purse(alice=6_000, alice_SUN=6_000)
    story.tariff = SERVICED
    story.grant(9_000, "operator-risk", card=b"", limit=900)
    refused = story.ask(payers=payers)
    assert isinstance(refused, Refused)
    assert refused.refusal == refusal


@pytest.mark.parametrize("text", ["", "+", "a+", "a:+b", "a+a", ":CNY", "+".join(f"a{n}" for n in range(17))])
def test_payers_that_make_no_sense_are_told(text: str) -> None:
    """As a person typed them, or a command brought them."""
    with pytest.raises(ValueError, match="expected"):
        ask_of("c1", text, FULL, Origin("panel", b"", 0, ""))


def test_an_asset_for_energy_is_worth_no_more_than_the_energy() -> None:
    """3.00 of sunshine and 1.00 of money, at 60 % energy: 1.00 pays the other 40 % and the session; 2.00 are sold."""
    story = purse(alice_SUN=300, alice=100)
    story.tariff = SERVICED
    story.start(payers="alice:SUN+alice")
    story.pass_time(3_000)
    (bill,) = story.bills
    assert bill.reason == StopReason.LOCAL_OUT_OF_CREDIT.value
    assert bill.overrun_fen == 0
    assert 190 < bill.amount_fen <= 220
    sun, money = story.lease("alice", "SUN"), story.lease("alice")
    assert (sun.used, money.used) == (owed_by(bill.lines)["energy"], bill.amount_fen - sun.used)
    assert (sun.held, money.held, sun.returned) == (0, 0, 300 - sun.used)


def test_a_second_payer_takes_over_where_the_first_ends() -> None:
    """A running session takes a further hold: it goes on past the first one, and the newcomer pays only the rest."""
    story = purse(alice=100, guest=100)
    seq = story.start(Preset("money", 100), payers="alice")
    story.pass_time(200)
    assert holds_of(story.extend(seq, "guest")) == [("guest", CNY, 100)]
    story.pass_time(2_000)
    (bill,) = story.bills
    assert 100 < bill.amount_fen <= 200
    assert (story.lease("alice").used, story.lease("guest").used) == (100, bill.amount_fen - 100)


def test_a_further_hold_is_refused_when_it_would_pay_nothing() -> None:
    """After the stop; without rights (headquarters is told what would do); beyond the cap that the account has held."""
    story = purse(alice=25_000, guest=100)
    seq = story.start(payers="alice")
    refused = story.extend(seq, "guest", 500)
    assert isinstance(refused, Refused)
    assert (refused.refusal, refused.want) == (Refusal.NOT_ENOUGH, 500)
    beyond = story.extend(seq, "alice")
    assert isinstance(beyond, Refused)
    assert beyond.refusal == Refusal.NOT_ENOUGH
    assert holds_of(story.extend(seq, "alice", 1_000)) == [("alice", CNY, 1_000)]
    late = story.stop().extend(seq, "guest")
    assert isinstance(late, Refused)
    assert late.refusal == Refusal.NO_SESSION


def test_whoever_pays_a_part_may_stop_it() -> None:
    """And so may the card that started it, whoever pays."""
    story = Story().grant(6_000).grant(4_000, "guest", card=b"card0002")
    seq = story.start(payers="ann+guest")
    session = story.state.sessions[seq]
    assert may_stop(story.state, session, CARD)
    story.extend(seq, "guest", 100)
    assert may_stop(story.state, story.state.sessions[seq], b"card0002")
    assert not may_stop(story.state, session, b"card0003")
    assert not may_stop(story.state, session, b"")


# --- for every stopping point -----------------------------------------------------------------------------------------


def audit(story: Story, before: TillState) -> None:
    """Bill, captures, releases and returns add up; nobody pays beyond a hold; a relay that obeys overruns nothing."""
    (bill,) = story.bills
    opened = next(body for body in map(body_of, story.log) if isinstance(body, SessionOpened))
    held, captured = Counter[str](), Counter[str]()
    for hold in opened.holds:
        held[lease_key(hold.account, hold.asset)] += hold.amount
    for move in next(record.moves for record in story.log if record.kind == "session-closed"):
        assert move.effect == Effect.USED
        captured[lease_key(move.account, move.asset)] += move.amount
    drawn = draw(owed_by(bill.lines), opened.holds, TENDERS)
    assert sum(one.paid_fen for one in drawn.captures) + bill.overrun_fen == bill.amount_fen
    assert bill.overrun_fen == 0
    assert sum(one.units for one in drawn.captures) == sum(captured.values())
    for key, lease in story.state.leases.items():
        assert lease.held == 0
        assert lease.used == captured[key] <= held[key]
        assert lease.returned == (lease.granted - lease.used if held[key] else 0)
        assert lease.granted == before.leases[key].granted


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    amounts=st.fixed_dictionaries(
        {"alice": st.integers(60, 400), "guest": st.integers(1, 400)},
        optional={
            "alice_SUN": st.integers(1, 400), "alice_POINTS": st.integers(1, 4_000), "guest_COUPON": st.integers(1, 2),
        },
    ),
    order=st.permutations(range(5)),
    tariff=st.sampled_from([FLAT, SERVICED, SHIFTING]),
    preset=st.sampled_from([FULL, Preset("energy", 1_500), Preset("time", 500)]),
    stop_s=st.integers(1, 1_200),
    begins_s=st.integers(0, 500),
    known=st.booleans(),
)  # fmt: skip
def test_every_fen_adds_up_wherever_it_stops(
    amounts: dict[str, int], order: list[int], tariff: Tariff, preset: Preset, stop_s: int, begins_s: int, known: bool
) -> None:
    """Any payers in any order, any end, prices that change on the way, a clock that is known or not."""
    story = purse(**amounts)
    story.tariff, story.start_ms = tariff, MIDNIGHT_MS + begins_s * 1_000
    story.quality = ClockQuality.SYNCHRONISED if known else ClockQuality.UNKNOWN
    names = [name.replace("_", ":") for name in amounts]
    payers = "+".join(names[place] for place in order if place < len(names))
    before = story.state
    decision = story.ask(preset, payers=payers)
    if isinstance(decision, Refused):
        assert decision.refusal == Refusal.NOT_ENOUGH
        return
    story.start(preset, payers=payers)
    story.pass_time(stop_s)
    story.stop().pass_time(5)
    if story.bills:
        audit(story, before)
