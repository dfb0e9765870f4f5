"""What the receipt of a filling proves: line by line, for honest pumps, unlucky ones, and those of a lying site."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_

from protocols.proof import measurement
from protocols.proof.lines import Mark
from protocols.proof.measured import Told
from protocols.proof.measured import measured as measured_of
from protocols.proof.receipt_file import ReceiptFile
from protocols.proof.statement import state
from protocols.trade.codec import Wire
from protocols.trade.fuel_bill import bill_of
from protocols.trade.fuel_prices import GradePrice, PriceList, PriceStep
from protocols.trade.records import CNY, BillLine, ClockQuality, Effect, Hold, Move, SessionExtended
from protocols.trade.records_fuel import FillingClosed, NozzleTotals
from protocols.trade.tender import MONEY_ALONE, Tender, Tenders
from protocols.trade.tender import draw as tender_draw

from .filled import (
    CHANGE_S,
    CLOSED,
    CLOSING,
    DIESEL,
    ENDED,
    FILLED,
    OPENED,
    OPENING,
    PAGE,
    PETROL,
    PRICES,
    SHOWN_FEN,
    VOIDED,
    VOLUME_ML,
    closed,
    closing,
    fuel_receipt,
    measured,
    paid_by,
    pin,
    totals,
)
from .people import DEVICE, HQ_KEY
from .sold import BEGAN_MS, BOX, SEQ, record, stamp, used
from .sold import CLOSING as CHARGED
from .sold import OPENING as PLUGGED_IN
from .test_statement import TRUST, over, shown

TOLD = (
    "+filling +totals +display +offered +captures +holds +price-list +listed +clock +measurement +view "
    "opump-meter osoftware-keys"
)


def told_of(file: ReceiptFile) -> str:
    return shown(state(file, [BOX], [HQ_KEY])).removeprefix(f"{TRUST} ")


def test_a_receipt_of_a_filling_proves_everything_but_the_pump_and_the_keys() -> None:
    """Display, totalizers, price list and measurement, and who paid."""
    told = state(FILLED, [BOX], [HQ_KEY])
    assert shown(told) == f"{TRUST} {TOLD}"
    assert told.proven


def with_totals(after_ml: int, before_ml: int = 1_234_560) -> ReceiptFile:
    """Billed as usual, while the totalizer went from one to the other."""
    opening = with_(OPENED, begin=totals(before_ml))
    end = measured(with_(closed(), end=totals(after_ml, after_ms=95_000)), opening)
    return fuel_receipt(record(opening, at=stamp()), record(end, [used(SHOWN_FEN)], ENDED))


TOTALS = [
    pytest.param(with_totals(1_234_560 + VOLUME_ML + 10), "+totals", id="a step more: it counts in steps of its own"),
    pytest.param(with_totals(1_234_560 + VOLUME_ML - 10), "+totals", id="a step less"),
    pytest.param(with_totals(1_234_560 + VOLUME_ML + 11), "ototals", id="more went out than was billed"),
    pytest.param(with_totals(1_234_560 + VOLUME_ML - 11), "-totals", id="less went out than was billed"),
    pytest.param(with_totals(6_720, 9_999_980_000), "ototals-round", id="the counter has come round"),
]


@pytest.mark.parametrize(("file", "line"), TOTALS)
def test_totals_go_on_by_what_was_sold(file: ReceiptFile, line: str) -> None:
    """To a step of the pump. More is said with its numbers, and is no harm to whoever paid; less is a lie."""
    told = state(file, [BOX], [HQ_KEY])
    assert line in shown(told).split()
    assert told.proven is not line.startswith("-")


def sold_at(price_e3: int, *, lb_ms: int = BEGAN_MS, ub_ms: int | None = BEGAN_MS) -> ReceiptFile:
    """Petrol at this price, by a box that knew the time so well; its own records agree."""
    sold = with_(PETROL, price_e3=price_e3)
    unsure = lb_ms != ub_ms
    began = stamp(quality=ClockQuality.UNKNOWN if unsure else ClockQuality.SYNCHRONISED)
    opening = with_(OPENED, offered=[sold, DIESEL], clock_lb_ms=lb_ms, clock_ub_ms=ub_ms)
    shown_fen = VOLUME_ML * price_e3 // 1_000_000
    end = measured(closed(VOLUME_ML, shown_fen, sold), opening, began=began)
    return fuel_receipt(record(opening, at=began), record(end, [used(shown_fen)], ENDED))


LISTED = [
    pytest.param(sold_at(785_000, ub_ms=None), "+listed ofill-clock", id="the price before, nobody knows the time"),
    pytest.param(sold_at(799_000, ub_ms=None), "+listed ofill-clock", id="the price after, nobody knows the time"),
    pytest.param(sold_at(799_000, ub_ms=CHANGE_S * 1000), "+listed ofill-clock", id="the change may just have come"),
    pytest.param(
        sold_at(799_000, ub_ms=CHANGE_S * 1000 - 1), "-listed ofill-clock", id="the change cannot have come yet"
    ),
    pytest.param(
        sold_at(785_000, lb_ms=CHANGE_S * 1000, ub_ms=None), "-listed ofill-clock", id="the price before, too late"
    ),
    pytest.param(sold_at(785_000, lb_ms=-(2**62), ub_ms=None), "+listed ofill-clock", id="a clock before all time"),
    pytest.param(sold_at(799_000), "-listed +clock", id="tomorrow's price today"),
    pytest.param(sold_at(700_000), "-listed +clock", id="a price of its own"),
]


@pytest.mark.parametrize(("file", "lines"), LISTED)
def test_the_price_is_one_that_the_list_may_have_had(file: ReceiptFile, lines: str) -> None:
    """At any step that may have been in force when the filling began, by what the box could prove of the time."""
    assert lines in told_of(file)


COUPONS = Tenders(3, [Tender("coupon", [], 1_000, 1, False), Tender("litres", ["fuel"], 785, 1_000, True)])
FLEET, FRIEND = Hold("fleet-1", CNY, 30_000), Hold("acc-78", CNY, 15_000)
PAYERS = [
    pytest.param(paid_by([Hold("acc-77", CNY, 10_000), FRIEND]), "+captures +holds +order", id="two, in their order"),
    pytest.param(
        paid_by([FLEET], guaranteed=True), "+captures +holds +price-list", id="nobody came: the guarantor pays all"
    ),
    pytest.param(
        paid_by([FLEET], guaranteed=True, more=[FRIEND]), "+captures +holds +order", id="the guarantor pays the rest"
    ),
    pytest.param(
        paid_by([FLEET], guaranteed=True, more=[Hold("acc-77", CNY, 30_000)]),
        "+captures +holds +order",
        id="the guarantor pays nothing",
    ),
    pytest.param(paid_by([Hold("acc-77", CNY, 15_000)]), "+overrun +holds", id="beyond the hold: the operator's"),
    pytest.param(
        paid_by([Hold("acc-77", "coupon", 3), Hold("acc-77", "litres", 5_000), FLEET], tenders=COUPONS),
        "+tendered +holds +order",
        id="coupons, litres and money, by the pinned rates",
    ),
    pytest.param(
        replace(
            paid_by([Hold("acc-77", "coupon", 3), FLEET], tenders=COUPONS),
            documents=FILLED.documents,
        ),
        "ocaptures +holds oorder",
        id="without the rates both stay open",
    ),
]


@pytest.mark.parametrize(("file", "lines"), PAYERS)
def test_who_pays_in_which_order(file: ReceiptFile, lines: str) -> None:
    """Each hold pays what those before it leave; a guarantor's, though the first, is drawn on last."""
    told = state(file, [BOX], [HQ_KEY])
    assert lines in shown(told)
    assert told.proven


GUARANTEED = record(with_(OPENED, holds=[FLEET], guaranteed=True), at=stamp())
LATER = record(SessionExtended(SEQ, [Hold("acc-77", CNY, 30_000)]), at=ENDED)

LIES: list[tuple[str, tuple[bytes, ...], str]] = [
    ("more litres than were shown", (OPENING, closing(lambda bill: with_(bill, volume_ml=VOLUME_ML + 20))),
     "totals display"),
    ("another amount than was shown",
     (OPENING, closing(lambda bill: with_(bill, shown_fen=SHOWN_FEN + 10, amount_fen=SHOWN_FEN + 10),
                       [used(SHOWN_FEN + 10)])), "display"),
    ("a bill beside the display",
     (OPENING, closing(lambda bill: with_(bill, amount_fen=SHOWN_FEN + 1), [used(SHOWN_FEN + 1)])), "display"),
    ("a second line",
     (OPENING, closing(lambda bill: with_(bill, lines=[*bill.lines, BillLine("service", 0, 1, 1, 0)]))), "display"),
    ("an exact price that is another", (OPENING, closing(lambda bill: with_(bill, exact_num=7))), "display"),
    ("an exact price that is no number", (OPENING, closing(lambda bill: with_(bill, exact_den=0))), "display"),
    ("a nozzle that was not offered",
     (OPENING, closing(lambda bill: with_(bill, sold=with_(PETROL, nozzle=3)))), "totals display offered"),
    ("a grade that the nozzle does not give",
     (OPENING, closing(lambda bill: with_(bill, sold=with_(PETROL, grade="95")))), "offered listed"),
    ("a price that was not shown", (OPENING, closing(lambda bill: with_(bill, sold=with_(PETROL, price_e3=784_999)))),
     "display offered listed"),
    ("another pump's totals", (OPENING, closing(lambda bill: with_(bill, end=with_(bill.end, pump="4")))), "totals"),
    ("no totals of the nozzle",
     (OPENING, closing(lambda bill: with_(bill, end=with_(bill.end, nozzles=[NozzleTotals(2, 5, None)])))), "totals"),
    ("a fen less captured", (OPENING, closing(lambda bill: bill, [used(SHOWN_FEN - 1)])), "captures"),
    ("somebody else's money", (OPENING, closing(lambda bill: bill, [with_(used(SHOWN_FEN), account="acc-78")])),
     "holds"),
    ("the guarantor before the one who came", (GUARANTEED, LATER, record(CLOSED, [
        Move(Effect.USED, "fleet-1", CNY, "", SHOWN_FEN, SHOWN_FEN)], ENDED)), "order"),
    ("an overrun while there was enough", (GUARANTEED, LATER, record(measured(closed(overrun_fen=75)), [
        used(SHOWN_FEN - 75), over(75)], ENDED)), "order"),
    ("a measurement altered", (OPENING, closing(
        lambda bill: with_(bill, meter_record=str(bill.meter_record).replace("1261.280", "1251.280")))),
     "measurement"),
    ("a measurement of another bill",
     (OPENING, closing(lambda bill: with_(bill, meter_record=measured(closed(26_730, 20_983)).meter_record))),
     "measurement"),
    ("no price list pinned", (record(with_(OPENED, pins=[]), at=stamp()), CLOSING), "price-list"),
]  # fmt: skip


@pytest.mark.parametrize(("records", "claims"), [pytest.param(*rest, id=name) for name, *rest in LIES])
def test_a_lying_site_is_caught(records: tuple[bytes, ...], claims: str) -> None:
    """What a site has signed and headquarters has posted still must add up."""
    told = state(fuel_receipt(*records), [BOX], [HQ_KEY])
    wrong = [line.code for line in told.lines if line.mark is Mark.FAILED]
    assert set(claims.split()) <= set(wrong) <= {*claims.split(), "measurement"}
    assert not told.proven


DOCUMENTS = [
    pytest.param((), "oprice-list", id="no price list"),
    pytest.param((with_(PRICES, version=13),), "-price-list", id="another version"),
]


@pytest.mark.parametrize(("documents", "line"), DOCUMENTS)
def test_the_price_list_is_the_pinned_one(documents: tuple[Wire, ...], line: str) -> None:
    """By its hash; without it the price stays open."""
    told = state(fuel_receipt(OPENING, CLOSING, documents=documents), [BOX], [HQ_KEY])
    assert line in shown(told).split()
    assert told.proven is line.startswith("o")


def test_a_filling_that_was_not_billed_has_a_receipt_too() -> None:
    """Whatever flowed: nothing was charged, or something was and must not have been."""
    assert told_of(fuel_receipt(OPENING, record(VOIDED))) == (
        "+filling +not-billed +clock +view opump-meter osoftware-keys"
    )
    charged = state(fuel_receipt(OPENING, record(VOIDED, [used(5)])), [BOX], [HQ_KEY])
    assert charged.mark_of("not-billed") is Mark.FAILED


def test_without_a_measurement_the_rest_holds() -> None:
    """A key that failed leaves the log's word, and the receipt says so."""
    told = state(fuel_receipt(OPENING, closing(lambda bill: with_(bill, meter_record=None))), [BOX], [HQ_KEY])
    assert told.mark_of("measurement") is Mark.OPEN
    assert told.proven


MIXED_UP = [(OPENING, CHARGED), (PLUGGED_IN, CLOSING), (OPENING, OPENING, CLOSING), (CLOSING, CLOSING)]


@pytest.mark.parametrize("records", MIXED_UP)
def test_a_filling_is_no_charge(records: tuple[bytes, ...]) -> None:
    """A pump's opening has no charge's end, nor the other way round."""
    told = state(fuel_receipt(*records, with_view=False), [BOX], [HQ_KEY])
    assert told.lines[-1].code == "session"
    assert told.lines[-1].facts["why"] == "kind"


def test_the_measurement_says_what_it_is() -> None:
    """Tag, number in its row, totalizers and display; it agrees with the log to the last field."""
    assert CLOSED.meter_record is not None
    record = measurement.verified(CLOSED.meter_record, DEVICE.public_key())
    assert record.page == PAGE
    assert [str(reading["RV"]) for reading in record.readings] == ["1234.560", "1261.280"]
    filling = measured_of(Told("shanghai-7", 3, SEQ, stamp(), OPENED, CLOSED, ENDED))
    assert filling is not None
    assert list(measurement.disagreements(record, filling, PAGE)) == []
    other = measured_of(Told("shanghai-7", 3, SEQ, stamp(), OPENED, with_(CLOSED, volume_ml=7), ENDED))
    assert other is not None
    assert list(measurement.disagreements(record, other, PAGE + 1)) == [
        f"PG says T{PAGE}, the log T{PAGE + 1}",
        f"U_VOLUME_ML says {VOLUME_ML}, the log 7",
    ]


@st.composite
def fillings(draw: st.DrawFn) -> ReceiptFile:
    """What an honest till makes of any pump: its steps, its way of rounding, its clock, and whoever pays."""
    step_ml, step_fen = draw(st.sampled_from([1, 5, 10, 100])), draw(st.sampled_from([1, 10, 100]))
    total_step_ml = draw(st.sampled_from([1, 10, 1_000, 100_000]))
    listed, price_e3, bounds = draw(price_lists())
    volume_ml = step_ml * draw(st.integers(0, 999_999 // step_ml))
    least = volume_ml * price_e3 // (step_fen * 1_000_000) * step_fen
    shown_fen = least + draw(st.sampled_from([0, step_fen])) * (least > 0)
    moved_ml = volume_ml + draw(st.integers(-total_step_ml, 2 * total_step_ml))
    before_ml = draw(st.integers(0, 10**10)) + total_step_ml
    sold = with_(PETROL, price_e3=price_e3)
    every = [Hold(f"acc-{at}", CNY, fen) for at, fen in enumerate(draw(st.lists(st.integers(0, 30_000), min_size=1)))]
    every = every[:16]
    cut = draw(st.integers(1, len(every)))
    opening = with_(
        OPENED, holds=every[:cut], guaranteed=draw(st.booleans()), offered=[sold, DIESEL], begin=totals(before_ml),
        volume_step_ml=step_ml, amount_step_fen=step_fen, total_step_ml=total_step_ml, pins=[pin(listed)],
        clock_lb_ms=bounds[0], clock_ub_ms=bounds[1],
    )  # fmt: skip
    drawing = [*every[1:], every[0]] if opening.guaranteed else every
    drawn = tender_draw({"fuel": shown_fen}, drawing, MONEY_ALONE)
    moves = [
        Move(Effect.USED, hold.account, CNY, "", capture.units, capture.units)
        for hold, capture in zip(drawing, drawn.captures, strict=True)
        if capture.units
    ]
    moves += [over(drawn.overrun_fen)] if drawn.overrun_fen else []
    bill = bill_of(volume_ml, price_e3, shown_fen, step_ml, step_fen)
    assert bill is not None, "both ways to round are within a step"
    end = with_(
        CLOSED, sold=sold, volume_ml=volume_ml, shown_fen=shown_fen, amount_fen=shown_fen,
        end=totals(before_ml + moved_ml, after_ms=95_000), overrun_fen=drawn.overrun_fen,
        lines=[BillLine("fuel", 1, volume_ml, price_e3, shown_fen)],
        exact_num=bill.exact_fen.numerator, exact_den=bill.exact_fen.denominator,
    )  # fmt: skip
    more = [record(SessionExtended(SEQ, every[cut:]), at=ENDED)] if every[cut:] else []
    last = record(measured(end, opening), moves, ENDED)
    return fuel_receipt(record(opening, at=stamp()), *more, last, documents=(listed,))


@st.composite
def price_lists(draw: st.DrawFn) -> tuple[PriceList, int, tuple[int, int | None]]:
    """A list, a price of petrol on it, and between which Unix ms the filling began, such that it may have held."""
    times = sorted(draw(st.sets(st.integers(-(10**6), 4 * 10**9), min_size=1, max_size=4)))
    prices = [draw(st.integers(1, 2_000_000)) for _ in times]
    steps = [
        PriceStep(from_s, [GradePrice("92", price), GradePrice("0", 750_000)])
        for from_s, price in zip(times, prices, strict=True)
    ]
    at = draw(st.integers(0, len(times) - 1))
    begins_ms = times[at] * 1000
    lb_ms = begins_ms - draw(st.sampled_from([0, 1, 5_000_000, 10**12]))
    ub_ms = draw(st.none() | st.just(begins_ms) | st.integers(begins_ms, begins_ms + 10**12))
    return with_(PRICES, steps=steps), prices[at], (lb_ms, ub_ms)


@settings(max_examples=60, deadline=None)
@given(fillings())
def test_what_an_honest_till_closes_is_proven(file: ReceiptFile) -> None:
    """Whatever the pump's steps, its rounding, the time that nobody knew, and the number of payers."""
    told = state(file, [BOX], [HQ_KEY])
    assert told.proven, shown(told)


@st.composite
def odd_fillings(draw: st.DrawFn) -> bytes:
    """A closing record with any numbers in it, or any bytes in its place."""
    amount, instant = st.integers(0, 2**53), st.integers(-(2**63), 2**63 - 1)
    sold = with_(PETROL, nozzle=draw(st.integers(1, 15)), price_e3=draw(amount))
    bill = FillingClosed(
        session=SEQ,
        reason="?",
        sold=draw(st.sampled_from([PETROL, DIESEL, sold])),
        volume_ml=draw(amount),
        shown_fen=draw(amount),
        end=with_(CLOSED.end, nozzles=draw(st.lists(st.builds(NozzleTotals, st.integers(1, 3), amount, st.none())))),
        lines=draw(st.lists(st.builds(BillLine, st.sampled_from(["fuel", "?"]), amount, amount, amount, amount))),
        amount_fen=draw(amount),
        exact_num=draw(instant),
        exact_den=draw(instant),
        overrun_fen=draw(st.just(0) | amount),
        meter_record=draw(st.none() | st.text(max_size=40) | st.just(CLOSED.meter_record)),
    )
    odd = record(bill, [Move(Effect.USED, "acc-77", CNY, "", draw(amount), 0)], ENDED)
    return draw(st.sampled_from([odd, CLOSING]) | st.binary(max_size=80).map(lambda junk: odd[:-3] + junk))


@settings(max_examples=100, deadline=None)
@given(odd_fillings())
def test_whatever_a_site_signs_is_answered(last: bytes) -> None:
    """Any numbers in a bill, and any bytes for a record: a statement, never an exception, and proven if it is true."""
    told = state(replace(fuel_receipt(OPENING, last, with_view=False), view=FILLED.view), [BOX], [HQ_KEY])
    assert told.proven is (last == CLOSING)
