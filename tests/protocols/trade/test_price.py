"""What a delivery costs: ledgers told as tables, and laws that hold for any tariff, session and clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.trade.price import (
    SPAN_MS_MAX,
    Bill,
    Delivered,
    bill,
    bounds_by_code,
    ceiling,
    dearest_e3,
    energy_within,
    extend,
    hold_for_energy,
)
from protocols.trade.records import Slice
from protocols.trade.tariff import DAY_S, Offset, Tariff
from protocols.trade.tender import owed_by

from .samples import (
    BERLIN_2026,
    CITY,
    DAY_MS,
    HOUR_MS,
    HOUR_S,
    INSTANTS_MS,
    MINUTE_MS,
    STEP_S,
    slices,
    tariff,
    tariffs,
    unix_ms,
)

SEVEN = unix_ms("2026-05-01 07:00:00")
HALF_PAST_SEVEN = unix_ms("2026-05-01 07:30:00")


def at(start_ms: int, *pieces: tuple[int, int, int], idle_s: int = 0) -> Delivered:
    """A session opened at a known instant; pieces are (from minute, to minute, Wh)."""
    return between(start_ms, start_ms, *pieces, idle_s=idle_s)


def between(lb_ms: int, ub_ms: int | None, *pieces: tuple[int, int, int], idle_s: int = 0) -> Delivered:
    cut = tuple(Slice(start * MINUTE_MS, end * MINUTE_MS, energy_wh) for start, end, energy_wh in pieces)
    return Delivered(cut, idle_s, lb_ms, ub_ms)


def ledger(of: Bill) -> list[tuple[str, int, int, int]]:
    return [(line.code, line.period, line.quantity, line.amount_fen) for line in of.lines]


# --- bills as ledgers ------------------------------------------------------------------------------------------------


def test_a_morning_over_a_boundary() -> None:
    """Ten kWh before eight at 0.7512, five after at 1.50, each slice by its own period."""
    found = bill(CITY, at(HALF_PAST_SEVEN, (0, 30, 10_000), (30, 45, 5_000)))
    assert ledger(found) == [
        ("energy", 0, 10_000, 351),
        ("service", 0, 10_000, 400),
        ("energy", 1, 5_000, 550),
        ("service", 1, 5_000, 200),
    ]
    assert found.exact_fen == Fraction(7512 + 7500, 10)
    assert found.amount_fen == 1501


def test_a_slice_over_an_unread_boundary_takes_the_cheaper_price() -> None:
    """The meter was silent from 07:50 to 08:10: all of it at the valley's price; the cut-off thinks of the peak's."""
    silent = at(HALF_PAST_SEVEN, (20, 40, 1_000))
    assert ledger(bill(CITY, silent)) == [("energy", 0, 1_000, 35), ("service", 0, 1_000, 40)]
    assert ceiling(CITY, silent) == 150


def test_energy_up_to_the_boundary_itself_is_before_it() -> None:
    """A slice excludes its last ms: one that ends at eight is valley, one that begins at eight is peak."""
    assert bill(CITY, at(HALF_PAST_SEVEN, (0, 30, 1_000))).amount_fen == 75
    assert ceiling(CITY, at(HALF_PAST_SEVEN, (0, 30, 1_000))) == Fraction(7512, 100)
    assert bill(CITY, at(HALF_PAST_SEVEN, (30, 31, 1_000))).amount_fen == 150
    noon = at(unix_ms("2026-05-01 11:30:00"), (0, 30, 1_000), (30, 60, 1_000))
    assert ledger(bill(CITY, noon))[::2] == [("energy", 1, 1_000, 110), ("energy", 2, 1_000, 70)]


def test_session_fee_and_idle_by_the_second() -> None:
    """The fee once, idle 100 s of 0.20 yuan a minute, rounded with all the rest, once."""
    fees = tariff(("00:00", 100_000, 0), session_e3=50_000, idle_e3_per_min=20_000)
    found = bill(fees, at(SEVEN, (0, 10, 1_234), idle_s=100))
    assert ledger(found) == [("energy", 0, 1_234, 124), ("session", 0, 1, 50), ("idle", 0, 100, 33)]
    assert found.exact_fen == Fraction(1234, 10) + 50 + Fraction(100, 3)
    assert found.amount_fen == 207  # of 206.73


def test_rounding_happens_once() -> None:
    """Three lines of 0.4 fen are one fen together, not nothing."""
    tiny = tariff(("00:00", 400, 400), session_e3=400)
    found = bill(tiny, at(SEVEN, (0, 1, 1_000)))
    assert found.exact_fen == Fraction(12, 10)
    assert (found.amount_fen, [line.amount_fen for line in found.lines]) == (1, [1, 0, 0])


def test_half_a_fen_goes_up() -> None:
    """0.5 fen exactly is one fen."""
    assert bill(tariff(("00:00", 500, 0)), at(SEVEN, (0, 1, 1_000))).amount_fen == 1


def test_nothing_delivered() -> None:
    """Without slices only the session fee stands; free energy still has its line, at nothing."""
    assert bill(CITY, at(SEVEN)) == Bill((), Fraction(0), 0)
    assert ledger(bill(tariff(("00:00", 0, 0)), at(SEVEN, (0, 1, 7)))) == [("energy", 0, 7, 0)]


# --- clocks that do not know -----------------------------------------------------------------------------------------


def test_the_bill_takes_the_kindest_start_and_the_ceiling_the_harshest() -> None:
    """Opened some time between 06:00 and 09:00: all valley for the bill, all peak for the cut-off."""
    unsure = between(unix_ms("2026-05-01 06:00:00"), unix_ms("2026-05-01 09:00:00"), (0, 60, 10_000))
    assert bill(CITY, unsure).exact_fen == Fraction(7512, 10)
    assert ceiling(CITY, unsure) == 1500


def test_the_bounds_themselves_are_possible_starts() -> None:
    """The last ms of the bounds decides whether a minute's slice can still reach over eight, or over noon."""
    eight, noon = unix_ms("2026-05-01 08:00:00") - MINUTE_MS, unix_ms("2026-05-01 12:00:00") - MINUTE_MS
    assert ceiling(CITY, between(eight - HOUR_MS, eight, (0, 1, 1_000))) == Fraction(7512, 100)
    assert ceiling(CITY, between(eight - HOUR_MS, eight + 1, (0, 1, 1_000))) == 150
    assert bill(CITY, between(noon - HOUR_MS, noon, (0, 1, 1_000))).exact_fen == 150
    assert bill(CITY, between(noon - HOUR_MS, noon + 1, (0, 1, 1_000))).exact_fen == 110


def test_one_start_for_the_whole_session() -> None:
    """The lowest whole session, not the sum of lowest slices: twelve hours cannot all be valley."""
    twelve_hours = [(hour * 60, hour * 60 + 60, 1_000) for hour in range(12)]
    any_time = between(SEVEN, None, *twelve_hours)
    # Opened at 20:30: an hour at flat, and hourly readings that run over 22:00 and 08:00 at the cheaper price.
    assert bill(CITY, any_time).exact_fen == 110 + 11 * Fraction(7512, 100)
    # Opened at 07:30: the readings over 08:00 and 12:00 at the dearer one.
    assert ceiling(CITY, any_time) == 5 * 150 + 7 * 110


def test_a_clock_without_any_bound_may_be_any_second_of_any_season() -> None:
    """The hour that only the autumn night repeats is found: two hours of a one-hour valley."""
    berlin = tariff(("00:00", 100, 0), ("02:00", 1, 0), ("03:00", 100, 0), offsets=BERLIN_2026)
    two_hours = [(minute, minute + 1, 10_000) for minute in range(120)]
    may_ms, september_ms = unix_ms("2026-05-01 00:00:00"), unix_ms("2026-09-01 00:00:00")
    assert bill(berlin, between(may_ms, None, *two_hours)).exact_fen == Fraction(120, 100)
    # Until September an hour is an hour, and at best one minute more that runs over its edge.
    assert bill(berlin, between(may_ms, september_ms, *two_hours)).exact_fen == Fraction(61 + 59 * 100, 100)


def test_a_bound_that_cannot_be() -> None:
    """An upper bound below the lower one, slices that run backwards or for ever: refused, not priced."""
    with pytest.raises(ValueError, match="clock_ub_ms"):
        Delivered((), 0, 10, 9)
    for piece in (Slice(5, 4, 1), Slice(-1, 4, 1), Slice(0, SPAN_MS_MAX + 1, 1)):
        with pytest.raises(ValueError, match="slice"):
            bill(CITY, Delivered((piece,), 0, 0, 0))


# --- laws ------------------------------------------------------------------------------------------------------------


def naive_price(of: Tariff, delivered: Delivered, start_ms: int, *, dear: bool) -> Fraction:
    """An independent oracle: walks calendar half hours with datetime, slice by slice."""

    def period_price(at_ms: int) -> int:
        offset = [o for o in of.offsets if o.since_s * 1000 <= at_ms] or of.offsets[:1]
        local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=offset[-1].offset_s, milliseconds=at_ms)
        second = local.hour * HOUR_S + local.minute * 60 + local.second
        begun = [p for p in of.periods if p.from_s <= second] or of.periods[-1:]
        return begun[-1].energy_e3 + begun[-1].service_e3

    total = Fraction(of.session_e3, 1000) + Fraction(delivered.idle_s * of.idle_e3_per_min, 60_000)
    step_ms = STEP_S * 1000
    for piece in delivered.slices:
        first, last = start_ms + piece.from_ms, start_ms + max(piece.to_ms - 1, piece.from_ms)
        prices = [
            period_price(at_ms) for at_ms in (first, last, *range(first - first % step_ms + step_ms, last, step_ms))
        ]
        total += Fraction(piece.energy_wh * (max(prices) if dear else min(prices)), 1_000_000)
    return total


def edges_on_half_hours(delivered: Delivered) -> set[int]:
    """Every start instant within the bounds at which the price could change, and the first."""
    assert delivered.clock_ub_ms is not None
    step_ms, starts = STEP_S * 1000, {delivered.clock_lb_ms}
    for piece in delivered.slices:
        for edge_ms in (piece.from_ms, piece.to_ms - 1):
            first = delivered.clock_lb_ms + -(delivered.clock_lb_ms + edge_ms) % step_ms
            starts.update(range(first, delivered.clock_ub_ms + 1, step_ms))
    return starts


@given(tariffs(), slices(), INSTANTS_MS, st.integers(0, 9_999))
def test_a_known_clock_bills_as_the_oracle_does(of: Tariff, cut: tuple[Slice, ...], start_ms: int, idle_s: int) -> None:
    """Bill and ceiling to the last fraction of a fen."""
    delivered = Delivered(cut, idle_s, start_ms, start_ms)
    assert bill(of, delivered).exact_fen == naive_price(of, delivered, start_ms, dear=False)
    assert ceiling(of, delivered) == naive_price(of, delivered, start_ms, dear=True)


@settings(max_examples=60)
@given(tariffs(), slices(HOUR_MS), INSTANTS_MS, st.integers(0, 20 * HOUR_MS))
def test_an_unsure_clock_bills_the_lowest_of_all_starts(
    of: Tariff, cut: tuple[Slice, ...], lb_ms: int, width_ms: int
) -> None:
    """Equal to trying every start instant at which a slice's edge meets a half hour."""
    delivered = Delivered(cut[:4], 60, lb_ms, lb_ms + width_ms)
    starts = edges_on_half_hours(delivered)
    assert bill(of, delivered).exact_fen == min(naive_price(of, delivered, start, dear=False) for start in starts)
    assert ceiling(of, delivered) == max(naive_price(of, delivered, start, dear=True) for start in starts)


@given(tariffs(), slices(), INSTANTS_MS, st.integers(0, 400 * DAY_MS), st.data())
def test_no_start_within_the_bounds_is_cheaper_or_dearer(
    of: Tariff, cut: tuple[Slice, ...], lb_ms: int, width_ms: int, data: st.DataObject
) -> None:
    """Bounds over many days and seasons: the bill is at most, the ceiling at least, that of any instant in them."""
    start_ms = lb_ms + data.draw(st.integers(0, width_ms))
    known = Delivered(cut, 0, start_ms, start_ms)
    for ub_ms in (lb_ms + width_ms, None):
        unsure = Delivered(cut, 0, lb_ms, ub_ms)
        assert bill(of, unsure).exact_fen <= bill(of, known).exact_fen <= ceiling(of, known) <= ceiling(of, unsure)


@settings(max_examples=30)
@given(tariffs(offsets=BERLIN_2026), slices(), INSTANTS_MS)
def test_without_a_bound_is_as_every_day_up_to_the_last_offset(of: Tariff, cut: tuple[Slice, ...], lb_ms: int) -> None:
    """No start range left out as a repeat shows another price: compared with each half day on its own."""
    ends_ms = max(lb_ms, of.offsets[-1].since_s * 1000) + 2 * DAY_MS
    halves = [Delivered(cut, 0, at_ms, at_ms + DAY_MS // 2) for at_ms in range(lb_ms, ends_ms, DAY_MS // 2)]
    unbounded = Delivered(cut, 0, lb_ms, None)
    assert bill(of, unbounded).exact_fen == min(bill(of, half).exact_fen for half in halves)
    assert ceiling(of, unbounded) == max(ceiling(of, half) for half in halves)


@given(tariffs(), slices(), INSTANTS_MS, st.none() | st.integers(0, 3 * DAY_MS), st.integers(0, 9_999))
def test_lines_add_up(of: Tariff, cut: tuple[Slice, ...], lb_ms: int, width_ms: int | None, idle_s: int) -> None:
    """Fen to the amount, Wh to the energy, exact prices to the exact sum; the amount is it, rounded half up."""
    found = bill(of, Delivered(cut, idle_s, lb_ms, None if width_ms is None else lb_ms + width_ms))
    assert sum(line.amount_fen for line in found.lines) == found.amount_fen
    assert sum(line.quantity for line in found.lines if line.code == "energy") == sum(piece.energy_wh for piece in cut)
    divisor = {"energy": 10**6, "service": 10**6, "session": 10**3, "idle": 60_000}
    assert sum(Fraction(line.quantity * line.price_e3, divisor[line.code]) for line in found.lines) == found.exact_fen
    assert found.exact_fen - Fraction(1, 2) < found.amount_fen <= found.exact_fen + Fraction(1, 2)


@given(tariffs(), slices(), INSTANTS_MS, st.integers(0, 2 * DAY_MS), st.integers(0, 9_999), st.data())
def test_lines_of_each_code_stay_within_their_bounds(
    of: Tariff, cut: tuple[Slice, ...], lb_ms: int, width_ms: int, idle_s: int, data: st.DataObject
) -> None:
    """Whatever the clock turns out to have been: who may pay energy alone can be relied on for no less."""
    wide = Delivered(cut, idle_s, lb_ms, data.draw(st.sampled_from([lb_ms + width_ms, None])))
    least, most = bounds_by_code(of, wide)
    start_ms = lb_ms + data.draw(st.integers(0, width_ms))
    for known in (wide, Delivered(cut, idle_s, start_ms, start_ms)):
        owed = owed_by(bill(of, known).lines)
        assert owed.keys() <= least.keys() == most.keys()
        for code in least:
            assert 0 <= least[code] <= owed.get(code, 0) <= most[code], code


@given(tariffs(), slices(), INSTANTS_MS, st.none() | st.integers(0, DAY_MS), st.integers(1, 9_999), st.data())
def test_more_never_costs_less(
    of: Tariff, cut: tuple[Slice, ...], lb_ms: int, width_ms: int | None, more: int, data: st.DataObject
) -> None:
    """More energy in any slice, or more idle time, raises bill and ceiling or leaves them."""
    ub_ms = None if width_ms is None else lb_ms + width_ms
    less = Delivered(cut, 100, lb_ms, ub_ms)
    greater = [Delivered(cut, 100 + more, lb_ms, ub_ms)]
    if cut:
        index = data.draw(st.integers(0, len(cut) - 1))
        fuller = Slice(cut[index].from_ms, cut[index].to_ms, cut[index].energy_wh + more)
        greater.append(Delivered((*cut[:index], fuller, *cut[index + 1 :]), 100, lb_ms, ub_ms))
    for delivered in greater:
        assert bill(of, less).exact_fen <= bill(of, delivered).exact_fen
        assert ceiling(of, less) <= ceiling(of, delivered)


# --- holds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "width_ms", "horizon_ms", "price_e3"),
    [
        ("2026-05-01 06:00:00", 0, HOUR_MS, 75_120),
        ("2026-05-01 06:59:59", 0, HOUR_MS, 75_120),
        ("2026-05-01 07:00:00", 0, HOUR_MS, 150_000),  # eight o'clock itself is within the horizon
        ("2026-05-01 06:00:00", HOUR_MS, HOUR_MS, 150_000),
        ("2026-05-01 23:00:00", 0, 0, 75_120),
        ("2026-05-01 23:00:00", None, 0, 150_000),
    ],
)
def test_the_dearest_price_in_reach(local: str, width_ms: int | None, horizon_ms: int, price_e3: int) -> None:
    """Over every instant from the lower bound to the horizon after the upper one."""
    lb_ms = unix_ms(local)
    assert dearest_e3(CITY, lb_ms, None if width_ms is None else lb_ms + width_ms, horizon_ms) == price_e3


@given(tariffs(), slices(), INSTANTS_MS, st.none() | st.integers(0, DAY_MS))
def test_a_hold_for_energy_covers_it(of: Tariff, cut: tuple[Slice, ...], lb_ms: int, width_ms: int | None) -> None:
    """Whatever is delivered within the horizon costs at most the hold; the fen before it would not surely do."""
    ub_ms = None if width_ms is None else lb_ms + width_ms
    energy_wh = sum(piece.energy_wh for piece in cut)
    hold_fen = hold_for_energy(of, energy_wh, lb_ms, ub_ms, 2 * DAY_MS)
    assert ceiling(of, Delivered(cut, 0, lb_ms, ub_ms)) <= hold_fen
    within = energy_within(of, hold_fen, lb_ms, ub_ms, 2 * DAY_MS)
    assert within is None or within >= energy_wh
    if hold_fen and energy_wh and within is not None:
        short_wh = energy_within(of, hold_fen - 1, lb_ms, ub_ms, 2 * DAY_MS)
        assert short_wh is not None
        assert short_wh < energy_wh


def test_energy_that_money_buys() -> None:
    """At 1.50 a kWh and a fee of half a yuan; less than the fee buys nothing, free energy has no end."""
    with_fee = tariff(("00:00", 110_000, 40_000), session_e3=50_000)
    assert energy_within(with_fee, 200, SEVEN, SEVEN) == 1_000
    assert energy_within(with_fee, 50, SEVEN, SEVEN) == 0
    assert energy_within(with_fee, 49, SEVEN, SEVEN) == 0
    assert energy_within(tariff(("00:00", 0, 0)), 1, SEVEN, SEVEN) is None
    assert hold_for_energy(with_fee, 1_001, SEVEN, SEVEN) == 201


# --- slices kept few -------------------------------------------------------------------------------------------------


def all_of(cut: tuple[Slice, ...], of: Tariff, lb_ms: int, ub_ms: int | None) -> tuple[Slice, ...]:
    kept: tuple[Slice, ...] = ()
    for piece in cut:
        kept = extend(kept, piece, of, lb_ms, ub_ms)
    return kept


def every(step_ms: int, length_ms: int) -> tuple[Slice, ...]:
    return tuple(Slice(at_ms, at_ms + step_ms, 10 + at_ms // step_ms % 7) for at_ms in range(0, length_ms, step_ms))


@given(tariffs(), slices(), INSTANTS_MS)
@example(CITY, (Slice(0, 30 * MINUTE_MS, 5), Slice(30 * MINUTE_MS, 30 * MINUTE_MS, 5)), HALF_PAST_SEVEN)
@example(CITY, (Slice(0, 40_000, 5), Slice(40_000, 5 * HOUR_MS, 5)), unix_ms("2026-05-01 07:59:30"))
def test_a_known_clock_loses_nothing_by_merging(of: Tariff, cut: tuple[Slice, ...], start_ms: int) -> None:
    """Bill, its lines, and ceiling are those of the slices as they came."""
    came, kept = (
        Delivered(cut, 0, start_ms, start_ms),
        Delivered(all_of(cut, of, start_ms, start_ms), 0, start_ms, start_ms),
    )
    assert bill(of, came) == bill(of, kept)
    assert ceiling(of, came) == ceiling(of, kept)


@given(tariffs(), slices(5 * MINUTE_MS), INSTANTS_MS, st.none() | st.integers(1, DAY_MS))
def test_merging_under_an_unsure_clock_favours_the_customer(
    of: Tariff, cut: tuple[Slice, ...], lb_ms: int, width_ms: int | None
) -> None:
    """No energy is lost, the bill never rises, the ceiling never falls."""
    ub_ms = None if width_ms is None else lb_ms + width_ms
    kept = all_of(cut, of, lb_ms, ub_ms)
    assert sum(piece.energy_wh for piece in kept) == sum(piece.energy_wh for piece in cut)
    assert bill(of, Delivered(kept, 0, lb_ms, ub_ms)).exact_fen <= bill(of, Delivered(cut, 0, lb_ms, ub_ms)).exact_fen
    assert ceiling(of, Delivered(kept, 0, lb_ms, ub_ms)) >= ceiling(of, Delivered(cut, 0, lb_ms, ub_ms))


@pytest.mark.parametrize(
    ("width_ms", "kept"),
    [
        (0, 5),  # valley, peak, flat, night, and the valley after midnight
        (200, 9),  # and the four ten-second slices that may lie on either side of a boundary
        (None, 1440),
    ],
)
def test_a_day_of_readings_stays_small(width_ms: int | None, kept: int) -> None:
    """8,640 slices of ten seconds from 07:00 on, by how well the clock is known."""
    ub_ms = None if width_ms is None else SEVEN + width_ms
    assert len(all_of(every(10_000, DAY_MS), CITY, SEVEN, ub_ms)) == kept


def test_a_slightly_unsure_clock_still_tells_the_sides_of_a_boundary() -> None:
    """Only the slice that may lie on both sides is given away, not the whole minute around it."""
    cut, start_ms = every(10_000, HOUR_MS * 2), SEVEN + 25_000
    kept = Delivered(all_of(cut, CITY, start_ms, start_ms + 200), 0, start_ms, start_ms + 200)
    assert len(kept.slices) == 3
    assert bill(CITY, kept) == bill(CITY, Delivered(cut, 0, start_ms, start_ms + 200))


def test_a_stretch_that_is_not_known_may_overlap_others() -> None:
    """After a power cut energy may have flowed at any time of a day: it costs the valley's price."""
    unknown = Slice(HOUR_MS, HOUR_MS + DAY_MS, 1_000)
    later = Slice(2 * HOUR_MS, 2 * HOUR_MS + 1_000, 1_000)
    kept = extend((unknown,), later, CITY, SEVEN, SEVEN)
    assert kept == (unknown, later)
    assert bill(CITY, Delivered(kept, 0, SEVEN, SEVEN)).exact_fen == Fraction(7512, 100) + 150


def test_a_fixed_price_keeps_one_slice_whatever_the_clock() -> None:
    """With one period there is nothing to be unsure of."""
    assert len(all_of(every(1_000, HOUR_MS), tariff(("00:00", 5, 5)), 0, None)) == 1


def test_many_years_of_offsets_stay_cheap() -> None:
    """Twenty years of summer times repeat each other: an unbounded clock prices as with one year of them."""
    years = [Offset(BERLIN_2026[1].since_s + half * 182 * DAY_S, HOUR_S * (2 - half % 2)) for half in range(40)]
    of = tariff(("00:00", 1, 0), ("08:00", 9, 0), ("20:00", 4, 0), offsets=[Offset(0, HOUR_S), *years])
    one_year = tariff(("00:00", 1, 0), ("08:00", 9, 0), ("20:00", 4, 0), offsets=[Offset(0, HOUR_S), *years[:3]])
    unbounded = Delivered(every(MINUTE_MS, 12 * HOUR_MS), 0, 0, None)
    assert bill(of, unbounded).exact_fen == bill(one_year, unbounded).exact_fen
    assert ceiling(of, unbounded) == ceiling(one_year, unbounded)
