"""What the receipts of cabinets and ports prove: line by line, for honest sites and for lying ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_

from protocols.proof import measurement
from protocols.proof.measured import Told, measured
from protocols.proof.receipt_file import ReceiptFile
from protocols.proof.statement import state
from protocols.trade.records import ClockQuality, Effect, Hold, Move, SessionHeld, SessionVoided, Slice
from protocols.trade.records_pack import DEPOSIT
from protocols.trade.records_port import LockerDoor, LockerOverdue, LockerStored
from protocols.trade.tariff import Offset

from .fronted import (
    ACTS,
    BY_PLAN,
    ENDED,
    FULL,
    LOCKERS,
    LOW,
    MUTE,
    ORIGIN,
    PAGE,
    PLAN,
    PORT,
    PORTED,
    PRICES,
    RENT,
    RENTED,
    RETURN,
    RETURNED,
    STAY,
    STAYED,
    STEPS,
    SWAP,
    SWAPPED,
    TERMS,
    pin,
    port_end,
    port_receipt,
    stay_end,
    stay_receipt,
    swap_end,
    swap_receipt,
)
from .people import DEVICE, HQ_KEY
from .sold import BOX, CITY, SEQ, receipt_file, record, stamp, used
from .test_statement import TRUST, shown


def told_of(file: ReceiptFile) -> str:
    """The marks and codes after those of the chain."""
    lines = [part for part in shown(state(file, [BOX], [HQ_KEY])).split() if not part.endswith("included")]
    return " ".join(lines).removeprefix(TRUST.replace(" +included", "")).strip()


END = "+clock +measurement +view opack-meter osoftware-keys"
RESUMED = with_(SWAP, resumes=1, slot=5, pack=FULL)
GOOD = [
    pytest.param(
        SWAPPED, f"+swap +steps +put-in +taken-out +sum +holds +swap-terms +offered-so +captures {END}", id="by energy"
    ),
    pytest.param(
        swap_receipt(BY_PLAN),
        f"+swap +steps +put-in +taken-out +sum +holds +swap-terms +offered-so +units +captures {END}",
        id="by a plan",
    ),
    pytest.param(
        RENTED,
        f"+rent +steps +taken-out +sum +holds +swap-terms +offered-so +paid-until +deposit +captures {END}",
        id="rented",
    ),
    pytest.param(RETURNED, f"+return +steps +put-in +not-charged {END}", id="returned"),
    pytest.param(
        swap_receipt(RESUMED, STEPS[3:]),
        f"+swap +steps oput-in +taken-out +sum +holds +swap-terms +offered-so +captures {END}",
        id="put in during a session before",
    ),
    pytest.param(
        swap_receipt(documents=()), f"+swap +steps +put-in +taken-out +sum +holds oswap-terms {END}", id="without terms"
    ),
    pytest.param(
        swap_receipt(SWAP, STEPS[:2], swap_end(taken=None, returned=LOW)),
        f"+swap +steps +put-in +not-charged {END}",
        id="kept",
    ),
    pytest.param(
        swap_receipt(RETURN, [with_(STEPS[1], pack=MUTE)], swap_end(RETURN, returned=MUTE, taken=None)),
        "+return +steps +put-in +not-charged +clock omeasurement-doubt +view opack-meter osoftware-keys",
        id="a pack that says nothing",
    ),
]
PORT_END = "+clock +measurement +view oboard-meter osoftware-keys"
PILE = with_(PORT, price="piles")
PORTS = [
    pytest.param(PORTED, f"+port +settled +sum +captures +holds +port-prices +port-priced {PORT_END}", id="by time"),
    pytest.param(
        port_receipt(with_(PORT, price="cars")),
        f"+port +settled +sum +captures +holds +port-prices +port-priced {PORT_END}",
        id="by energy",
    ),
    pytest.param(
        port_receipt(PILE, port_end(PILE, register_wh=[1_000, 1_481])),
        f"+port +settled +register +sum +captures +holds +port-prices +tariff +port-priced {PORT_END}",
        id="a pile by the tariff",
    ),
    pytest.param(
        port_receipt(PORT, port_end(settled=False), between=[SessionHeld(SEQ, "board-silent", "")]),
        "+port osettled +sum +captures +holds +port-prices +port-priced +clock omeasurement-doubt +view "
        "oboard-meter osoftware-keys",
        id="never settled",
    ),
    pytest.param(
        port_receipt(documents=()), f"+port +settled +sum +captures +holds oport-prices {PORT_END}", id="no prices"
    ),
    pytest.param(
        receipt_file(record(PORT, at=stamp()), record(SessionVoided(SEQ, "not-started"), at=ENDED), documents=()),
        "+port +voided +clock +view oboard-meter osoftware-keys",
        id="voided",
    ),
]

STAY_END = "+clock +view olocker-content osoftware-keys"
CASH_FREE = with_(STAY, account="", holds=[])
STUCK = SessionVoided(SEQ, "door-stuck")
STAYS = [
    pytest.param(
        STAYED,
        f"+locker +collected +stayed +sum +captures +holds +port-prices +port-priced {STAY_END}",
        id="a day begun",
    ),
    pytest.param(
        stay_receipt(CASH_FREE, closed=stay_end(60)),
        f"+locker +collected +stayed +not-billed +port-prices +port-priced {STAY_END}",
        id="free, by a PIN",
    ),
    pytest.param(
        stay_receipt(
            acts=[LockerStored(SEQ, False), LockerOverdue(SEQ, 80), LockerDoor(SEQ, "remove", ORIGIN, "nobody came")],
            closed=stay_end(90, outcome="removed"),
        ),
        f"+locker +removed +stayed +sum +captures +holds +port-prices +port-priced {STAY_END}",
        id="taken out by staff",
    ),
    pytest.param(
        stay_receipt(documents=()), f"+locker +collected +stayed +sum +captures +holds oport-prices {STAY_END}",
        id="no list",
    ),
    pytest.param(
        stay_receipt(acts=(), closed=STUCK, documents=()),
        f"+locker +voided {STAY_END}",
        id="a door that never opened",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("file", "told"), [*GOOD, *PORTS, *STAYS])
def test_honest_sessions(file: ReceiptFile, told: str) -> None:
    """Everything is proven but what nobody can; what is missing stays open."""
    assert told_of(file) == told
    assert state(file, [BOX], [HQ_KEY]).proven


UNSURE = stamp(95_000, ClockQuality.UNKNOWN)
TO_AND_FRO = with_(TERMS, offsets=[Offset(5, 28_800), Offset(5, 21_600)])
NOWHERE = with_(PRICES, offsets=[])
LIES = [
    ("never given", swap_receipt(steps=STEPS[:3]), "steps"),
    ("a step that cannot follow", swap_receipt(steps=[STEPS[3], *STEPS]), "steps"),
    ("another pack taken", swap_receipt(closed=with_(swap_end(), taken=with_(FULL, code="BT1"))), "steps"),
    ("another slot", swap_receipt(closed=with_(swap_end(), taken_slot=6)), "steps"),
    ("never put in", swap_receipt(RETURN, [], swap_end(RETURN, taken=None)), "steps"),
    ("ends as no swap does", swap_receipt(closed=with_(swap_end(), outcome="taken")), "steps"),
    ("charged for nothing", swap_receipt(RETURN, STEPS[:2], swap_end(RETURN, taken=None), [used(1)]), "not-charged"),
    ("another sum", swap_receipt(closed=with_(swap_end(), amount_fen=265)), "sum"),
    ("another energy", swap_receipt(closed=with_(swap_end(), energy_wh=1)), "offered-so"),
    ("an offer that is none", swap_receipt(with_(SWAP, offer="cheap"), closed=swap_end()), "offered-so"),
    ("other terms", swap_receipt(documents=(with_(TERMS, version=4),)), "swap-terms"),
    ("terms whose clock goes back and forth", swap_receipt(
        with_(SWAP, pins=[pin(TO_AND_FRO)]), documents=(TO_AND_FRO,)), "swap-terms"),
    ("terms that cannot be", swap_receipt(
        with_(SWAP, pins=[]), documents=(with_(TERMS, models=TERMS.models[:1]),)), "swap-terms"),
    ("more than was held", swap_receipt(moves=[used(401)]), "holds"),
    ("more than the bill", swap_receipt(moves=[used(265)]), "captures"),
    ("a plan's unit twice", swap_receipt(
        BY_PLAN, moves=[Move(Effect.USED, "acc-77", PLAN, "", 2, 2)]), "units"),
    ("half a deposit", swap_receipt(RENT, STEPS[3:], swap_end(RENT, returned=None), [
        used(800), Move(Effect.USED, "acc-77", DEPOSIT, "", 15_000, 15_000)]), "deposit"),
    ("a deposit nobody set aside", swap_receipt(
        moves=[used(264), Move(Effect.USED, "acc-77", DEPOSIT, "", 1, 1)]), "deposit"),
    ("a shorter rent", swap_receipt(RENT, STEPS[3:], with_(swap_end(RENT, returned=None), until_s=5)), "paid-until"),
    ("no end of the rent", swap_receipt(RENT, STEPS[3:], with_(swap_end(RENT, returned=None), until_s=None)),
     "paid-until"),
    ("another measurement", swap_receipt(
        closed=with_(swap_end(), meter_record="FTM|{}|{}"), sign=False), "measurement"),
    ("another port's seconds", port_receipt(closed=with_(port_end(), step_s=[3_600])), "port-priced"),
    ("a step that the price has not", port_receipt(
        with_(PORT, price="cars"), with_(port_end(with_(PORT, price="cars")), step_s=[1])), "port-priced"),
    ("a price that is none", port_receipt(with_(PORT, price="cheap"), port_end()), "port-priced"),
    ("a register that went elsewhere", port_receipt(closed=port_end(register_wh=[1_000, 1_400])), "register"),
    ("half a register", port_receipt(closed=port_end(register_wh=[1_000])), "register"),
    ("other prices", port_receipt(documents=(with_(PRICES, version=9),)), "port-prices"),
    ("prices of no zone", port_receipt(with_(PORT, pins=[pin(NOWHERE)]), documents=(NOWHERE,)), "port-prices"),
    ("paid twice", port_receipt(moves=[used(600)]), "captures"),
    ("energy nobody sold", port_receipt(PILE, with_(port_end(PILE), energy_wh=481)), "port-priced"),
    ("a bill of its own", port_receipt(closed=with_(port_end(), lines=[])), "sum"),
    ("a pack that was never put in", stay_receipt(acts=ACTS[1:]), "collected"),
    ("a door that never opened", stay_receipt(acts=ACTS[:1]), "collected"),
    ("staff who took it", stay_receipt(closed=stay_end(outcome="removed")), "removed"),
    ("a longer stay than there was time", stay_receipt(closed=stay_end(96)), "stayed"),
    ("days of another price", stay_receipt(closed=with_(stay_end(), stay_s=60)), "port-priced"),
    ("charged for a free stay", stay_receipt(closed=stay_end(60), moves=[used(1)]), "not-billed"),
    ("voided, and yet charged", stay_receipt(acts=(), closed=STUCK, moves=[used(1)]), "voided"),
    ("voided with the pack in it", stay_receipt(acts=ACTS[:1], closed=STUCK), "voided"),
    ("another sum for days", stay_receipt(closed=with_(stay_end(), amount_fen=499)), "sum"),
    ("a locker's other prices", stay_receipt(documents=(with_(LOCKERS, version=9),)), "port-prices"),
    ("a price for lockers that is none", stay_receipt(with_(STAY, price="cheap"), closed=stay_end()), "port-priced"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "code"), [pytest.param(file, code, id=name) for name, file, code in LIES])
def test_lies(file: ReceiptFile, code: str) -> None:
    """A site that signs what is not so is found out by its own records."""
    told = state(file, [BOX], [HQ_KEY])
    assert f"-{code}" in shown(told).split()
    assert not told.proven


MIXED_UP = [
    [record(SWAP, at=stamp()), record(port_end(), at=ENDED)],
    [record(SWAP, at=stamp()), record(SessionVoided(SEQ, "x"), at=ENDED)],
    [record(PORT, at=stamp()), record(STEPS[0], at=ENDED), record(port_end(), at=ENDED)],
    [record(STAY, at=stamp()), record(port_end(), at=ENDED)],
    [record(STAY, at=stamp()), record(SessionHeld(SEQ, "x", ""), at=ENDED), record(stay_end(), at=ENDED)],
    [record(SWAP, at=stamp()), record(SessionHeld(SEQ, "x", ""), at=ENDED), record(swap_end(), at=ENDED)],
]


@pytest.mark.parametrize("records", MIXED_UP)
def test_records_of_other_sessions_are_no_story(records: list[bytes]) -> None:
    """What ends one kind of session does not end another."""
    told = state(receipt_file(*records, with_view=False), [BOX], [HQ_KEY])
    assert (told.lines[-1].code, told.lines[-1].facts["why"]) == ("session", "kind")


def test_a_rent_in_uncertain_time() -> None:
    """The latest that may be meant; the clock stays open."""
    opening, end = with_(RENT, clock_ub_ms=None), swap_end(RENT, returned=None)
    records = [record(opening, at=stamp(quality=ClockQuality.UNKNOWN)), record(STEPS[3], at=UNSURE)]
    moves = [used(800), Move(Effect.USED, "acc-77", DEPOSIT, "", 30_000, 30_000)]
    file = receipt_file(*records, record(end, moves, UNSURE), documents=(TERMS,))
    assert "+paid-until" in told_of(file).split()
    assert "oswap-clock" in told_of(file).split()


def test_the_measurement_says_what_changed_hands() -> None:
    """Both packs with their energy, their codes and slots; it agrees with the log to the last field."""
    end = with_(swap_end(), meter_record=None)
    told = measured(Told("shanghai-7", 3, SEQ, stamp(), SWAP, end, ENDED))
    assert told is not None
    payload = state(SWAPPED, [BOX], []).story
    assert payload is not None
    assert payload.closed is not None
    assert payload.closed.meter_record is not None
    read = measurement.verified(payload.closed.meter_record, DEVICE.public_key())
    assert read.page == PAGE
    assert [(one["RI"], str(one["RV"])) for one in read.readings] == [("pack-in", "0.245"), ("pack-out", "1.301")]
    assert list(measurement.disagreements(read, told, PAGE)) == []
    other = measured(Told("shanghai-7", 3, SEQ, stamp(), SWAP, with_(end, taken=with_(FULL, energy_wh=None)), ENDED))
    assert other is not None
    assert list(measurement.disagreements(read, other)) == [
        "reading 2 RV says 1.301, the log 96.5",
        "reading 2 RU says kWh, the log %",
    ]


def test_several_holds_are_drawn_in_their_order() -> None:
    """Money of two accounts: the first pays as far as it goes."""
    opening = with_(SWAP, holds=[Hold("acc-77", "CNY", 100), Hold("acc-78", "CNY", 400)])
    fen = swap_end().amount_fen
    fair = [used(100), Move(Effect.USED, "acc-78", "CNY", "", fen - 100, fen - 100)]
    unfair = [used(50), Move(Effect.USED, "acc-78", "CNY", "", fen - 50, fen - 50)]
    assert "+order" in told_of(swap_receipt(opening, moves=fair)).split()
    assert "-order" in told_of(swap_receipt(opening, moves=unfair)).split()
    assert CITY.version == 7


SOME = st.sampled_from([0, 1, 7, 60, 264, 480, 3_600, 30_000, 2**52])
PACKS = st.sampled_from([None, LOW, FULL, MUTE, with_(FULL, energy_wh=0)])


@st.composite
def odd_fronts(draw: st.DrawFn) -> ReceiptFile:
    """Whatever a site may sign of a cabinet, a port or a locker, in the shape of records."""
    what = draw(st.sampled_from(["cabinet", "port", "locker"]))
    if what == "locker":
        acts = draw(st.lists(st.sampled_from([*ACTS, LockerOverdue(SEQ, 9)]), max_size=4))
        emptied = with_(
            stay_end(),
            outcome=draw(st.sampled_from(["collected", "removed"])),
            stay_s=draw(SOME),
            amount_fen=draw(SOME),
            lines=draw(st.sampled_from([[], stay_end().lines])),
        )
        return stay_receipt(STAY, acts, emptied, [used(draw(SOME))])
    if what == "cabinet":
        opened = draw(st.sampled_from([SWAP, BY_PLAN, RENT, RETURN, RESUMED]))
        end = with_(
            swap_end(opened, returned=LOW, taken=FULL),
            outcome=draw(st.sampled_from(["swapped", "taken", "returned", "cancelled", "kept"])),
            returned=draw(PACKS),
            taken=draw(PACKS),
            taken_slot=draw(st.sampled_from([None, 5, 255])),
            until_s=draw(st.none() | SOME),
            energy_wh=draw(st.none() | SOME),
            amount_fen=draw(SOME),
        )
        steps = draw(st.lists(st.sampled_from(STEPS), max_size=6))
        return swap_receipt(opened, steps, end, [used(draw(SOME))], sign=draw(st.booleans()))
    opened_port = with_(PORT, price=draw(st.sampled_from(["bikes", "cars", "piles", "none"])))
    closed = with_(
        port_end(),
        settled=draw(st.booleans()),
        energy_wh=draw(st.none() | SOME),
        elapsed_s=draw(st.none() | SOME),
        register_wh=draw(st.lists(SOME, max_size=3)),
        step_s=draw(st.lists(SOME, max_size=3)),
        slices=draw(st.lists(st.builds(Slice, SOME, SOME, SOME), max_size=2)),
        amount_fen=draw(SOME),
    )
    return port_receipt(opened_port, closed, [used(draw(SOME))], sign=draw(st.booleans()))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(odd_fronts())
def test_whatever_is_signed_is_answered(file: ReceiptFile) -> None:
    """With lines, never with an error."""
    assert state(file, [BOX], [HQ_KEY]).lines
