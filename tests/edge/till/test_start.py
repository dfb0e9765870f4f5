"""Who may start, and what is set aside: each refusal with all earlier conditions met, and the hold of each preset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from edge.till import purse
from edge.till.sight import Sight
from edge.till.start import Ask, Opening, Refusal, Refused, open_session
from protocols.trade import hotlist
from protocols.trade.grants import Grant, join
from protocols.trade.records import (
    CNY,
    ClockQuality,
    Draft,
    GrantAccepted,
    Hold,
    Origin,
    Pin,
    Preset,
    SessionOpened,
    SessionVoided,
)
from protocols.trade.tariff import Tariff
from tests.edge.till.story import CARD, FLAT, FULL, MIDNIGHT_MS, PLACE, POLICY, TWO_PRICES, Story

LEAST_FEN = 7
"""What must be free to start at PLACE and FLAT: 12 s unwatched at 7.2 kW are 24 Wh, 2.4 fen, so a guard of 4 fen; and 1
to sell."""


def decide(story: Story, ask: Ask | None = None, *, tariff: Tariff | None = FLAT) -> Opening | Refused:
    ask = ask or Ask("c1", CARD, "", FULL, Origin("card", CARD, 0, ""))
    place = story.place if ask.connector == story.place.id else None
    return open_session(story.state, ask, place, story.sight(), tariff, story.policy, story.hot_list)


def ready() -> Story:
    """Everything is there: a car, money, a tariff."""
    return Story().grant(10_000)


Spoiler = Callable[[Story], object]


def busy(story: Story) -> None:
    other = ready()
    other.start()
    story.state = changed(story.state, sessions=other.state.sessions)


def no_pin(story: Story) -> None:
    story.state = changed(story.state, pins={})


def silent_charger(story: Story) -> None:
    story.charger_answers, story.status = False, None


def faulted(story: Story) -> None:
    story.faulted = True
    story.see()


def silent_meter(story: Story) -> None:
    story.meter_answers, story.register = False, None


def no_car(story: Story) -> None:
    story.plugged = False
    story.see()


def number_used(story: Story) -> None:
    story.state = changed(story.state, command=(story.boot, 7))


def stolen(story: Story) -> None:
    story.hot_list = hotlist.make(3, 0, 1, [CARD, b"card0002"])


def nobody(story: Story) -> None:
    story.state = changed(story.state, leases={}, wallets={})


def frozen(story: Story) -> None:
    leases = {key: changed(lease, session_limit=0, credentials=()) for key, lease in story.state.leases.items()}
    story.state = changed(story.state, leases=leases)


def expired(story: Story) -> None:
    leases = {key: changed(lease, expires_s=1) for key, lease in story.state.leases.items()}
    story.state = changed(story.state, leases=leases)


def poor(story: Story) -> None:
    leases = {key: changed(lease, granted=lease.used + LEAST_FEN - 1) for key, lease in story.state.leases.items()}
    story.state = changed(story.state, leases=leases)


LADDER: list[tuple[Refusal, Spoiler]] = [
    (Refusal.CONNECTOR_BUSY, busy),
    (Refusal.NO_TARIFF, no_pin),
    (Refusal.CHARGER_SILENT, silent_charger),
    (Refusal.CHARGER_FAULTED, faulted),
    (Refusal.METER_SILENT, silent_meter),
    (Refusal.NO_CAR, no_car),
    (Refusal.OLD_NUMBER, number_used),
    (Refusal.HOT_LISTED, stolen),
    (Refusal.UNKNOWN_ACCOUNT, nobody),
    (Refusal.ACCOUNT_FROZEN, frozen),
    (Refusal.GRANT_EXPIRED, expired),
    (Refusal.NOT_ENOUGH, poor),
]
"""What spoils a start, in order of precedence. The desk's own, LOG_DISPUTED and DISK_FULL, come before all."""

COMMANDED = Ask("c1", CARD, "", FULL, Origin("command", b"", 7, ""))


def test_the_ladder_is_complete_and_in_order() -> None:
    """Every refusal of a start has its row, in the order of the enum; the others are told below and at the desk."""
    elsewhere = {
        Refusal.START_EXPIRED, Refusal.EPOCH_CLOSING, Refusal.LOG_DISPUTED, Refusal.ROLLED_BACK, Refusal.COUNTER_SILENT,
        Refusal.DISK_FULL, Refusal.UNKNOWN_CONNECTOR, Refusal.UNKNOWN_PRESET, Refusal.NO_SESSION,
        Refusal.UNKNOWN_PUMP, Refusal.NO_PRICES, Refusal.PUMP_SILENT, Refusal.PUMP_OUT, Refusal.PUMP_BUSY,
        Refusal.PRICE_DIFFERS, Refusal.WRONG_GRADE, Refusal.DAY_LIMIT, Refusal.ANSWER_MISSING,
        Refusal.NOZZLE_NOT_LIFTED, Refusal.UNKNOWN_PORT, Refusal.PORT_SILENT, Refusal.PORT_FAULTED, Refusal.PORT_BUSY,
        Refusal.NOT_PLUGGED, Refusal.LOCKER_EMPTY, Refusal.LOCKER_FULL, Refusal.NOT_OWNER, Refusal.WRONG_PIN,
        Refusal.PIN_LOCKED, Refusal.TOO_MANY_LOCKERS, Refusal.PORTS_CLOSED, Refusal.DOOR_STUCK,
        Refusal.UNKNOWN_CABINET, Refusal.NO_SWAP_TERMS, Refusal.SCAN_EXPIRED, Refusal.CABINET_SILENT,
        Refusal.CABINET_ALARM, Refusal.MAINS_LOST, Refusal.CABINET_BUSY, Refusal.DOOR_OPEN, Refusal.UNKNOWN_OFFER,
        Refusal.CABINET_CLOSED, Refusal.PACK_OWED, Refusal.TOO_SOON, Refusal.NO_EMPTY_SLOT, Refusal.NO_FULL_PACK,
        Refusal.CONSENT_NEEDED,
    }  # fmt: skip
    assert [refusal for refusal, _ in LADDER] == [refusal for refusal in Refusal if refusal not in elsewhere]


@pytest.mark.parametrize(("refusal", "spoil"), LADDER, ids=[str(refusal) for refusal, _ in LADDER])
def test_each_refusal_alone(refusal: Refusal, spoil: Spoiler) -> None:
    """One thing is wrong, and that is what the customer is told."""
    story = ready()
    assert isinstance(decide(story, COMMANDED), Opening)
    spoil(story)
    refused = decide(story, COMMANDED)
    assert isinstance(refused, Refused)
    assert refused.refusal == refusal
    assert refused.detail


@pytest.mark.parametrize("first", range(len(LADDER)), ids=[str(refusal) for refusal, _ in LADDER])
def test_of_several_reasons_the_first_is_told(first: int) -> None:
    """Everything from one rung down is wrong: the highest rung answers."""
    story = ready()
    for _, spoil in reversed(LADDER[first:]):
        spoil(story)
    refused = decide(story, COMMANDED)
    assert isinstance(refused, Refused)
    assert refused.refusal == LADDER[first][0]


def test_a_preset_of_later_software_is_refused() -> None:
    """What this till does not understand is not served as something else."""
    story = ready()
    refused = decide(story, replace(COMMANDED, preset=Preset("until-8-o-clock", 480)))
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.UNKNOWN_PRESET


def test_a_listed_card_is_refused_with_money_or_without() -> None:
    """Headquarters is not asked to grant it anything; a card beside it on the list's shelf is served."""
    for story in (ready(), Story()):
        stolen(story)
        refused = decide(story, COMMANDED)
        assert isinstance(refused, Refused)
        assert (refused.refusal, refused.want) == (Refusal.HOT_LISTED, None)
    story = ready()
    story.hot_list = hotlist.make(3, 0, 1, [b"card0000", b"card0002"])
    assert isinstance(decide(story, COMMANDED), Opening)


def test_a_card_that_becomes_listed_finishes_its_session() -> None:
    """The opening record pins what was in force (R8); the next start is refused."""
    story = ready()
    story.start()
    stolen(story)
    story.pass_time(60).stop().pass_time(2)
    assert len(story.bills) == 1
    refused = decide(story)
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.HOT_LISTED


def test_an_unknown_connector_comes_first() -> None:
    """Nothing else is looked at where there is no such place."""
    story = ready()
    for _, spoil in reversed(LADDER):
        spoil(story)
    refused = decide(story, replace(COMMANDED, connector="c9"))
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.UNKNOWN_CONNECTOR


@pytest.mark.parametrize(
    ("refusal", "want"),
    [
        (Refusal.NO_CAR, None),
        (Refusal.OLD_NUMBER, None),
        (Refusal.UNKNOWN_ACCOUNT, 20_000),
        (Refusal.ACCOUNT_FROZEN, 20_000),
        (Refusal.GRANT_EXPIRED, 20_000),
        (Refusal.NOT_ENOUGH, 20_000),
    ],
)
def test_headquarters_is_asked_only_where_value_is_short(refusal: Refusal, want: int | None) -> None:
    """`want` is the total that would do; None where no grant could help."""
    story = ready()
    dict(LADDER)[refusal](story)
    refused = decide(story, COMMANDED)
    assert isinstance(refused, Refused)
    assert refused.want == want


def test_the_total_asked_for_counts_what_is_used_returned_and_held() -> None:
    """The want is U + R + H + need: asking again, or late, names the same total."""
    story = Story().grant(1_000, may_stay=100)
    story.start(Preset("energy", 100))
    story.pass_time(60)
    story.plugged = False
    story.pass_time(3)
    lease = story.lease()
    assert (lease.used, lease.rights) == (10, 100)
    story.plugged = True
    story.pass_time(1)
    refused = story.ask(Preset("money", 500))
    assert isinstance(refused, Refused)
    assert refused.want == lease.used + lease.returned + 500 == purse.want(lease, 500)
    assert story.ask(Preset("money", 500)) == refused


@pytest.mark.parametrize(
    ("preset", "granted", "limit", "hold", "wants_more"),
    [
        (FULL, 50_000, 0, 20_000, False),  # the cap of a fill-up, so that one session cannot drain the account
        (FULL, 5_000, 0, 5_000, True),  # all that is there, and more is asked for while the car is let go
        (FULL, 50_000, 700, 700, False),  # the account's own limit
        (Preset("money", 300), 50_000, 0, 300, False),
        (Preset("money", 300), 50_000, 200, 200, False),
        (Preset("time", 60), 50_000, 0, 20_000, False),
        (Preset("energy", 1_000), 50_000, 0, 108, False),  # 100 fen, less than one for 2 s of overshoot, the guard
    ],
)
def test_what_is_held(preset: Preset, granted: int, limit: int, hold: int, wants_more: bool) -> None:
    """R4: the preset, or for fill-ups what there is up to the cap."""
    decision = Story().grant(granted, limit=limit).ask(preset)
    assert isinstance(decision, Opening)
    opened = decision.draft.body
    assert isinstance(opened, SessionOpened)
    assert opened.holds == [Hold("ann", CNY, hold)]
    assert (decision.want is not None) == wants_more


def test_the_least_that_starts_can_really_sell() -> None:
    """The smallest hold that is accepted delivers something before its cut-off, and stays inside."""
    assert isinstance(Story().grant(LEAST_FEN - 1).ask(), Refused)
    story = Story().grant(LEAST_FEN)
    story.start()
    story.pass_time(120)
    (bill,) = story.bills
    assert bill.energy_wh > 0
    assert bill.amount_fen <= LEAST_FEN
    assert bill.overrun_fen == 0


def test_a_preset_below_the_least_is_not_worth_asking_for() -> None:
    """No grant makes a preset of 1 fen startable, so none is asked for."""
    refused = Story().grant(10_000).ask(Preset("money", 1))
    assert isinstance(refused, Refused)
    assert (refused.refusal, refused.want) == (Refusal.NOT_ENOUGH, None)


def test_a_frozen_account_is_not_served_by_its_name_either() -> None:
    """Headquarters' grant for a frozen account names no card and no limit: a start by account is refused as well."""
    story = ready()
    lease = story.lease()
    grant = Grant("ann", CNY, "hz-1", 1, lease.serial + 1, lease.granted, 0, 4_000_000_000, 0, 0, 1, [])
    story.write(Draft(GrantAccepted(join(grant, bytes(64)))))
    by_card, by_name = story.ask(), decide(story, replace(COMMANDED, credential=b"", account="ann"))
    assert isinstance(by_card, Refused)
    assert isinstance(by_name, Refused)
    assert (by_card.refusal, by_name.refusal) == (Refusal.UNKNOWN_ACCOUNT, Refusal.ACCOUNT_FROZEN)


def test_soft_expiry_tests_the_lower_bound() -> None:
    """A clock that may be years ahead expires nobody; only proof that time has passed does."""
    story = Story(quality=ClockQuality.UNKNOWN)
    story.start_ms = MIDNIGHT_MS + 10**12
    grant = Grant("ann", CNY, "hz-1", 1, 1, 1_000, 0, MIDNIGHT_MS // 1000 + 60, 0, 0, 1, [CARD])
    story.write(Draft(GrantAccepted(join(grant, bytes(64)))))
    assert isinstance(story.ask(), Opening)
    story.quality = ClockQuality.SYNCHRONISED
    refused = story.ask()
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.GRANT_EXPIRED


def test_openpaygo_3_a_start_number_is_used_once() -> None:
    """A QR code that starts a session names a number that only rises per account; shown again, it is refused."""
    story = ready()
    shown = Origin("qr", CARD, 5, "")
    decision = story.ask(origin=shown)
    assert isinstance(decision, Opening)
    seq = story.write(decision.draft)
    story.write(Draft(SessionVoided(seq, "Timeout")))
    for number in (5, 4):
        refused = story.ask(origin=replace_number(shown, number))
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.OLD_NUMBER
    assert isinstance(story.ask(origin=replace_number(shown, 6)), Opening)


def replace_number(origin: Origin, number: int) -> Origin:
    return changed(origin, number=number)


def test_the_opening_pins_what_is_in_force() -> None:
    """R8: the record names tariff and all other documents by hash, and both ends of the clock's interval."""
    story = ready()
    story.state = changed(story.state, pins={**story.state.pins, "offers": Pin("offers", 3, bytes(32))})
    decision = story.ask()
    assert isinstance(decision, Opening)
    opened = decision.draft.body
    assert isinstance(opened, SessionOpened)
    assert [pin.kind for pin in opened.pins] == ["offers", "tariff"]
    assert opened.clock_lb_ms == opened.clock_ub_ms == story.wall_ms


def test_an_unknown_clock_holds_at_the_dearest_price() -> None:
    """Whether it is valley or peak cannot be told, so the hold covers peak."""
    known = Story(TWO_PRICES, policy=POLICY).grant(50_000)
    unknown = Story(TWO_PRICES, policy=POLICY, quality=ClockQuality.UNKNOWN).grant(50_000)
    holds = []
    for story in (known, unknown):
        decision = story.ask(Preset("energy", 10_000))
        assert isinstance(decision, Opening)
        assert isinstance(decision.draft.body, SessionOpened)
        holds.append(decision.draft.body.holds[0].amount)
    assert holds[0] == holds[1] >= 1_500  # within a day of now lies the peak, too


@pytest.mark.parametrize("age_ms", [10_000, 10_001])
def test_a_reading_counts_for_as_long_as_silence_is_allowed(age_ms: int) -> None:
    """evcc: a stale reading is not a reading."""
    story = ready()
    now = story.sight()
    later = Sight(changed(now.now, mono_ms=now.now.mono_ms + age_ms), now.status, now.register, None)
    decision = open_session(story.state, COMMANDED, PLACE, later, FLAT, story.policy)
    assert isinstance(decision, Opening if age_ms <= 10_000 else Refused)
