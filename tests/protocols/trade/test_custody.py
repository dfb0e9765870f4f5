"""Custody of packs: tables of what follows from what, and that no order of arrival changes any of it."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_story import CODE, DAY_S, HOUR_MS, RENT, SEEN, T0_MS, fact, unsure

from protocols.trade.codec import encode
from protocols.trade.custody import At, Custody, Doubt, Place, fold, in_order
from protocols.trade.pack_facts import Deposit, Fact, What, facts_of
from protocols.trade.records import ClockQuality, Origin, Record, Stamp
from protocols.trade.records_pack import PackNoted, SwapClosed, SwapKind, SwapOpened
from protocols.trade.rentals import Done, settle

SLOT = Place(At.SLOT, "s1", "cab-1", 5)
TAKEN = fact(What.TAKEN, "s1", 10, 1, account="ann", session=9, rent=RENT)


def put_in(site: str, seq: int, hour: float, account: str = "ann", **more: object) -> Fact:
    return fact(What.PUT_IN, site, seq, hour, account=account, session=seq - 1, **more)


def scan(site: str, seq: int, hour: float, slot: int = 5) -> Fact:
    return fact(What.STANDS, site, seq, hour, slot=slot, scan=True)


@pytest.mark.parametrize(
    ("facts", "place", "answers"),
    [
        ([put_in("s1", 5, 0)], SLOT, "s1"),
        ([put_in("s1", 5, 0), fact(What.TAKEN, "s1", 9, 1, account="bo")], Place(At.RIDER, "s1", account="bo"), "bo"),
        ([scan("s1", 5, 0)], SLOT, "s1"),
        ([scan("s1", 5, 0), fact(What.GONE, "s1", 6, 1)], Place(At.UNKNOWN, "s1"), "s1"),
        ([scan("s1", 5, 0), fact(What.STAFF, "s1", 6, 1)], Place(At.STAFF, "s1"), "s1"),
        ([TAKEN, fact(What.LOST, "", 3, 9)], Place(At.LOST), ""),
        ([TAKEN, fact(What.STAFF, "", 3, 9, cabinet="s2")], Place(At.STAFF, "s2"), "s2"),
        ([fact(What.HOT, "", 3, 9)], Place(At.UNKNOWN), ""),
    ],
)
def test_where_a_pack_is_and_who_answers(facts: list[Fact], place: Place, answers: str) -> None:
    """The last fact leaves it there; a rider answers for what was taken, a site for what stands in it."""
    custody = fold(CODE, facts)
    assert (custody.place, custody.answers, custody.questions) == (place, answers, ())


def test_who_returns_another_pack_still_answers_for_the_own_one() -> None:
    """Each pack by itself: the own one stays with the rider, the other one stands, whoever had it before."""
    own, other = "BT307202012FTIL240101001", "BT307202012FTIL240101002"
    facts = [
        msgspec.structs.replace(fact(What.TAKEN, "s1", 4, 0, account="ann"), code=own),
        msgspec.structs.replace(fact(What.TAKEN, "s1", 6, 1, account="bo"), code=other),
        msgspec.structs.replace(put_in("s2", 5, 2, "ann"), code=other),
    ]
    places = {code: fold(code, [one for one in facts if one.code == code]) for code in (own, other)}
    assert (places[own].place, places[own].answers) == (Place(At.RIDER, "s1", account="ann"), "ann")
    assert places[other].place == Place(At.SLOT, "s2", "cab-1", 5)
    assert [one.doubt for one in places[other].questions] == [Doubt.OTHER_RIDER]


def test_what_went_out_of_sight_in_a_session_is_asked_of_its_rider() -> None:
    """By the note and the opening record of the session that it names; a pack that vanished by itself, of nobody."""
    opened = SwapOpened(
        "cab-1", "swap", "ann", [], "single", "", 5, None, 900, None, Origin("card", b"", 0, ""), [], 0, None
    )
    stamp = Stamp(bytes(8), 5, T0_MS, ClockQuality.SYNCHRONISED, T0_MS, T0_MS)

    def noted(session: int | None) -> Custody:
        note = PackNoted("vanished", "cab-1", 5, CODE, CODE, session, "", "")
        record = Record("pack-noted", 1, stamp, [], encode(note))
        return fold(CODE, facts_of("s1", 1, 9, record, note, lambda seq: opened, lambda pin: None))

    assert noted(8).place == Place(At.UNKNOWN, "s1", account="ann")
    assert (noted(8).answers, noted(None).answers) == ("ann", "s1")
    assert "ann" in str(noted(8).place)


@pytest.mark.parametrize(
    ("facts", "doubts"),
    [
        ([put_in("s1", 5, 0), put_in("s2", 5, 1)], [Doubt.TWO_PLACES]),
        ([put_in("s1", 5, 0), scan("s1", 6, 1, slot=7)], [Doubt.TWO_PLACES]),
        ([TAKEN, fact(What.TAKEN, "s2", 4, 2, account="bo")], [Doubt.NOT_THERE]),
        ([put_in("s1", 5, 0), fact(What.TAKEN, "s1", 7, 1, slot=8, account="bo")], [Doubt.NOT_THERE]),
        ([fact(What.TAKEN, "s1", 4, 0, account="ann"), put_in("s2", 9, 1, account="bo")], [Doubt.OTHER_RIDER]),
        ([TAKEN, scan("s2", 4, 2)], [Doubt.RENTED_STANDS]),
        ([fact(What.LOST, "", 2, 0), put_in("s1", 5, 1)], [Doubt.LOST_TURNED_UP]),
        ([put_in("s1", 5, 0), unsure(put_in("s2", 5, 1))], [Doubt.TWO_PLACES, Doubt.EITHER_WAY]),
    ],
)
def test_what_does_not_follow_is_a_question(facts: list[Fact], doubts: list[Doubt]) -> None:
    """A pack in two places, or taken from where it was not, is named with both records, and the fold goes on."""
    assert [it.doubt for it in fold(CODE, facts).questions] == doubts


def test_bounds_decide_before_clocks_do() -> None:
    """A clock that is wrong by years puts nothing before what surely happened earlier."""
    early = put_in("s1", 5, 0)
    late = fact(What.TAKEN, "s1", 9, 1, account="ann")
    wrong = unsure(put_in("s2", 4, 2), at_ms=0, lb_ms=T0_MS + 2 * HOUR_MS)
    assert in_order([wrong, late, early]) == [early, late, wrong]
    assert fold(CODE, [wrong, late, early]).place == Place(At.SLOT, "s2", "cab-1", 5)


def test_a_site_is_in_the_order_of_its_log() -> None:
    """Also where its clock was set back between two records."""
    first, then = put_in("s1", 5, 9), fact(What.TAKEN, "s1", 6, 2, account="bo", lb_ms=0, ub_ms=None)
    assert in_order([then, first]) == [first, then]


def test_where_the_last_place_is_open_the_latest_scan_saw_it() -> None:
    """Two sites of which one does not know the time: the one that has seen the pack in a scan is believed."""
    seen = unsure(scan("s1", 8, 3))
    custody = fold(CODE, [put_in("s2", 5, 4), seen])
    assert custody.place == Place(At.SLOT, "s1", "cab-1", 5)
    assert custody.questions[-1].doubt is Doubt.EITHER_WAY


FACTS = st.lists(
    st.builds(
        lambda what, site, seq, hour, slot, account, clock: (
            fact(What(what), site, seq, hour, slot=slot, account=account, rent=RENT if account == "ann" else None)
            if clock
            else unsure(fact(What(what), site, seq, hour, slot=slot, account=account))
        ),
        st.sampled_from(["put-in", "taken", "stands", "gone", "staff"]),
        st.sampled_from(["s1", "s2", "s3"]),
        st.integers(1, 9),
        st.integers(0, 20),
        st.integers(1, 3),
        st.sampled_from(["ann", "bo"]),
        st.booleans(),
    ),
    max_size=14,
    unique_by=lambda one: (one.site, one.seq),
)


@given(FACTS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_ledger(facts: list[Fact], chance: random.Random) -> None:
    """Custody is a function of the set of facts: shuffled, repeated, all the same; and what is provably earlier, or
    earlier in one log, stands earlier.
    """
    shuffled = facts * 2
    chance.shuffle(shuffled)
    ordered = in_order(facts)
    assert in_order(shuffled) == ordered
    assert fold(CODE, shuffled) == fold(CODE, facts)
    sound = all(one.lb_ms <= after.lb_ms for one, after in _neighbours(facts))
    for at, one in enumerate(ordered):
        for later in ordered[at + 1 :]:
            assert later.site != one.site or later.seq > one.seq
            assert not sound or later.ub_ms is None or later.ub_ms >= one.lb_ms


def _neighbours(facts: list[Fact]) -> list[tuple[Fact, Fact]]:
    """Each two facts of one site, one after the other in its log, that both know the time."""
    logs: dict[str, list[Fact]] = {}
    for one in sorted(facts, key=lambda one: one.seq):
        if one.ub_ms is not None:
            logs.setdefault(one.site, []).append(one)
    return [pair for log in logs.values() for pair in pairwise(log)]


# --- rentals ---------------------------------------------------------------------------------------------------------


def rented(*more: Fact) -> Custody:
    return fold(CODE, [put_in("s1", 2, 0, account="staff"), TAKEN, *more])


TERM_H = 30 * 24


@pytest.mark.parametrize(
    ("ended", "state", "late_fen", "kept"),
    [
        (None, "out", 0, [0]),
        (put_in("s2", 30, 48), "returned", 0, [0]),
        (put_in("s2", 30, TERM_H + 0.9), "returned", 0, [0]),  # within the grace
        (put_in("s2", 30, TERM_H + 2), "returned", 500, [500]),
        (put_in("s2", 30, TERM_H + 25), "returned", 1000, [1000]),
        (put_in("s2", 30, TERM_H + 25, late_fen=600), "returned", 1000, [400]),
        (put_in("s2", 30, TERM_H + 24 * 200), "returned", 100_000, [20_000]),
        (put_in("s2", 30, 48, account="bo"), "returned", 0, [0]),  # a friend brings it
        (fact(What.LOST, "", 7, 50), "lost", 0, [20_000]),
        (fact(What.STAFF, "", 7, 50, cabinet="s2"), "returned", 0, [0]),
        (fact(What.TAKEN, "s2", 30, 60, account="bo"), "returned", 0, [0]),  # it was back, unseen
    ],
)
def test_how_a_rental_ends(ended: Fact | None, state: str, late_fen: int, kept: list[int]) -> None:
    """Late by days begun after term and grace; the deposit covers what no site billed; a lost pack keeps it whole."""
    rental = rented(*([] if ended is None else [ended])).rentals[0]
    assert (rental.state, rental.late_fen) == (state, late_fen)
    assert rental.keeps() == kept or rental.open
    assert rental.uncovered_fen == max(0, rental.owed_fen - sum(kept)) or state == "lost"


def test_a_term_that_was_extended_is_late_later() -> None:
    """Headquarters' word moves the end of a rental that is out."""
    paid_to = T0_MS // 1000 + 60 * DAY_S
    more = fact(What.EXTENDED, "", 8, 20, value=paid_to)
    assert rented(more, put_in("s2", 30, TERM_H + 48)).rentals[0].late_fen == 0


def test_a_lost_pack_that_turns_up_is_a_late_return() -> None:
    """What was kept beyond the days gives back; what was given back is never taken again."""
    lost, back = fact(What.LOST, "", 7, TERM_H), put_in("s2", 30, TERM_H + 25)
    (step,) = settle(rented(lost).rentals[0], [Done()], [20_000])
    assert (step.keep, step.unkeep, step.back) == (20_000, 0, 0)
    (step,) = settle(rented(lost, back).rentals[0], [Done(kept=20_000)], [0])
    assert (step.keep, step.unkeep, step.back) == (0, 19_000, 0)
    (step,) = settle(rented(fact(What.LOST, "", 7, 50)).rentals[0], [Done(back=20_000)], [0])
    assert not step


def test_a_waiver_is_kept_for_a_lost_pack_alone() -> None:
    """Being late leaves the word of headquarters as it was, and the fee for a person to see."""
    waived = [Deposit("ann", "DEPOSIT-WAIVED", 1)]
    taken = msgspec.structs.replace(TAKEN, rent=msgspec.structs.replace(RENT, deposits=waived))
    late = fold(CODE, [taken, put_in("s2", 30, TERM_H + 25)]).rentals[0]
    assert (late.keeps(), late.uncovered_fen) == ([0], 1000)
    assert fold(CODE, [taken, fact(What.LOST, "", 7, 50)]).rentals[0].keeps() == [1]


@given(
    st.lists(st.sampled_from(["return", "late", "lost", "again"]), max_size=6),
    st.integers(0, 20_000),
)
def test_a_deposit_is_settled_once_whatever_comes_when(arrivals: list[str], held: int) -> None:
    """Settling after each arrival moves at most what was deposited and is held, each unit once, and ends settled."""
    known = {
        "return": put_in("s2", 30, 48),
        "late": put_in("s3", 30, TERM_H + 100),
        "lost": fact(What.LOST, "", 7, TERM_H + 10),
        "again": fact(What.TAKEN, "s2", 31, TERM_H + 200, account="bo"),
    }
    facts: list[Fact] = []
    kept = back = 0
    for name in arrivals:
        facts.append(known[name])
        rental = rented(*facts).rentals[0]
        before = kept + back
        (step,) = settle(rental, [Done(kept, back)], [held - before])
        assert step.unkeep <= kept
        kept, back = kept + step.keep - step.unkeep, back + step.back + step.unkeep
        assert min(kept, back) >= 0
        assert before <= kept + back <= min(held, 20_000)
        (again,) = settle(rental, [Done(kept, back)], [held - kept - back])
        assert not again
    if arrivals:
        assert kept + back == min(held, 20_000)


def opened(kind: SwapKind, offer: str, resumes: int | None) -> SwapOpened:
    origin = Origin("card", b"", 0, "")
    return SwapOpened("cab-1", kind, "ann", [], offer, "", 5, SEEN, 900, resumes, origin, [], T0_MS, T0_MS)


def taken_in(seq: int, session: int, sessions: dict[int, SwapOpened]) -> Fact:
    """What the end of a session says of the pack that was taken."""
    stamp = Stamp(b"boot", 1, T0_MS + seq * HOUR_MS, ClockQuality.SYNCHRONISED, T0_MS + seq * HOUR_MS, None)
    body = SwapClosed(session, "taken", "", None, None, SEEN, 5, None, None, [], 0, 0, 1, 0, None)
    record = Record("swap-closed", 1, stamp, [], encode(body))
    (fact,) = facts_of("s1", 1, seq, record, body, sessions.get, lambda pin: None)
    return fact


def test_a_rented_pack_left_behind_and_taken_once_more_is_still_rented() -> None:
    """Its door is opened again for nothing, twice: no return, and the deposit stays where it is."""
    sessions = {9: opened("rent", "month", None), 12: opened("rent", "", 9), 15: opened("rent", "", 12)}
    again = [taken_in(13, 12, sessions), taken_in(16, 15, sessions)]
    rental = fold(CODE, [TAKEN, fact(What.STANDS, "s1", 11, 2), *again]).rentals
    assert [(one.state, one.deposits) for one in rental] == [("out", tuple(TAKEN.rent.deposits) if TAKEN.rent else ())]


def test_a_rented_pack_given_out_anew_was_returned() -> None:
    """To anybody, by another session: it had come back unseen."""
    anew = fact(What.TAKEN, "s1", 13, 3, account="ann", session=12)
    assert [one.state for one in fold(CODE, [TAKEN, anew]).rentals] == ["returned"]
