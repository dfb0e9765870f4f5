"""Ledgers as tables: what each move posts, what must always hold, and what a broken counter looks like."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.books import (
    Balance,
    CounterBreak,
    CounterKey,
    Lease,
    LeaseCounters,
    Transfer,
    breaches,
    check_counters,
    counters_after,
    fold,
    lease_counters,
    overdraws,
    quarantined,
    transfer_of,
    transfers,
    why_unknown,
)
from protocols.trade.records import ClockQuality, Move, Record, Stamp


def move(effect: str, account: str, amount: int, place: str = "", counter: int = 0, asset: str = "CNY") -> Move:
    return Move(effect, account, asset, place, amount, counter)


def record(*moves: Move) -> Record:
    stamp = Stamp(bytes(8), 0, 0, ClockQuality.UNKNOWN, 0, None)
    return Record("session-closed", 1, stamp, list(moves), b"")


@pytest.mark.parametrize(
    ("site", "moved", "debit", "credit"),
    [
        ("s1", move("used", "anna", 500), "lease:anna:s1:3", "revenue:s1"),
        ("s1", move("returned", "anna", 500), "lease:anna:s1:3", "cust:anna"),
        ("s1", move("overrun", "anna", 500), "overrun:s1", "revenue:s1"),
        ("", move("paid-in", "anna", 500, "wechat"), "channel:wechat:clearing", "cust:anna"),
        ("", move("paid-out", "anna", 500, "wechat"), "cust:anna", "channel:wechat:clearing"),
        ("", move("granted", "anna", 500, "s1/3"), "cust:anna", "lease:anna:s1:3"),
        ("", move("granted", "anna", 500, "a/b/3"), "cust:anna", "lease:anna:a/b:3"),
        ("", move("sold", "anna", 500, "swaps-30"), "cust:anna", "prepaid:swaps-30"),
    ],
)
def test_each_effect_debits_and_credits_its_accounts(site: str, moved: Move, debit: str, credit: str) -> None:
    """The chart of accounts, effect by effect."""
    assert transfer_of(site, 3, moved) == Transfer(debit, credit, "CNY", 500)


@pytest.mark.parametrize(
    ("site", "moved"),
    [
        ("s1", move("gifted", "anna", 500)),  # of a later version
        ("s1", move("paid-in", "anna", 500, "wechat")),  # a site cannot make money
        ("", move("used", "anna", 500)),  # and headquarters sells nothing
        ("s1", move("used", "anna", 500, "s2/1")),  # another site's lease
        ("s1", move("used", "anna:s2", 500)),  # an account whose name could be another's code
        ("", move("granted", "anna", 500, "s1")),
        ("", move("granted", "anna", 500, "s1/0")),
        ("", move("granted", "anna", 500, "s1/03")),
        ("", move("granted", "anna", 500, "s1/²")),
        ("", move("paid-in", "anna", 500, "")),
    ],
)
def test_a_move_that_means_nothing_here_stays_inside_suspense(site: str, moved: Move) -> None:
    """It is counted, says why, and moves no customer's money."""
    assert transfer_of(site, 3, moved) == Transfer("suspense:quarantine", "suspense:unknown", "CNY", 500)
    assert why_unknown(site, moved)


def test_a_move_of_nothing_has_no_transfer() -> None:
    """Amounts of transfers are above 0; the others keep their order."""
    assert transfers("s1", 1, record(move("used", "anna", 0), move("used", "bo", 7), move("overrun", "bo", 2))) == [
        Transfer("lease:bo:s1:1", "revenue:s1", "CNY", 7),
        Transfer("overrun:s1", "revenue:s1", "CNY", 2),
    ]


def test_a_day_in_the_books() -> None:
    """Paid in 100.00, granted 60.00, used 20.00, given back 30.00, overrun 1.00: every account to the fen."""
    books = fold(
        {},
        [
            transfer_of("", 1, move("paid-in", "anna", 10_000, "wechat")),
            transfer_of("", 1, move("granted", "anna", 6_000, "s1/1")),
            transfer_of("s1", 1, move("used", "anna", 2_000)),
            transfer_of("s1", 1, move("overrun", "anna", 100)),
            transfer_of("s1", 1, move("returned", "anna", 3_000)),
        ],
    )
    assert books == {
        ("channel:wechat:clearing", "CNY"): Balance(10_000, 0),
        ("cust:anna", "CNY"): Balance(6_000, 13_000),
        ("lease:anna:s1:1", "CNY"): Balance(5_000, 6_000),
        ("revenue:s1", "CNY"): Balance(0, 2_100),
        ("overrun:s1", "CNY"): Balance(100, 0),
    }
    assert breaches(books, {Lease("anna", "CNY", "s1", 1): LeaseCounters(6_000, 2_000, 3_000)}) == []


@pytest.mark.parametrize(
    ("books", "leases", "rule", "account", "expected", "got"),
    [
        ({("cust:a", "CNY"): Balance(0, 1)}, {}, "debits-equal-credits", "", 0, 1),
        ({("cust:a", "CNY"): Balance(2, 1), ("x", "CNY"): Balance(0, 1)}, {}, "never-negative", "cust:a", 0, -1),
        (
            {("lease:a:s:1", "CNY"): Balance(0, 9), ("x", "CNY"): Balance(9, 0)},
            {Lease("a", "CNY", "s", 1): LeaseCounters(10, 2, 0)},
            "lease-is-what-is-left-of-the-grant",
            "lease:a:s:1",
            8,
            9,
        ),
        (
            {("lease:a:s:1", "CNY"): Balance(0, 9), ("x", "CNY"): Balance(9, 0)},
            {},
            "lease-is-what-is-left-of-the-grant",
            "lease:a:s:1",
            0,
            9,
        ),
    ],
)
def test_a_broken_invariant_names_its_account(
    books: dict[tuple[str, str], Balance],
    leases: dict[Lease, LeaseCounters],
    rule: str,
    account: str,
    expected: int,
    got: int,
) -> None:
    """One fen is enough, and a lease that was never granted counts as 0."""
    found = [(it.rule, it.account, it.expected, it.got) for it in breaches(books, leases)]
    assert (rule, account, expected, got) in found


def test_assets_do_not_make_up_for_each_other() -> None:
    """Ten swaps debited and ten fen credited are two breaches."""
    books = {("x", "swap"): Balance(10, 0), ("y", "CNY"): Balance(0, 10)}
    assert [(it.rule, it.asset) for it in breaches(books)] == [
        ("debits-equal-credits", "CNY"),
        ("debits-equal-credits", "swap"),
    ]


def test_what_overdraws_is_owed_by_suspense() -> None:
    """The sale is revenue all the same; what was allegedly given back is nobody's money yet."""
    books = fold({}, [Transfer("cust:a", "lease:a:s:1", "CNY", 100)])
    used = transfer_of("s", 1, move("used", "a", 101))
    returned = transfer_of("s", 1, move("returned", "a", 101))
    assert overdraws(books, used)
    assert not overdraws(books, transfer_of("s", 1, move("used", "a", 100)))
    assert quarantined(used) == Transfer("suspense:quarantine", "revenue:s", "CNY", 101)
    assert quarantined(returned) == Transfer("suspense:quarantine", "suspense:unknown", "CNY", 101)


def test_a_counter_follows_on_from_record_to_record_and_within_one() -> None:
    """Each counter is its predecessor plus the amount; the first starts at 0."""
    first = [move("used", "a", 5, counter=5), move("used", "b", 7, counter=7), move("used", "a", 1, counter=6)]
    assert check_counters({}, first) == []
    after = counters_after(first)
    assert check_counters(after, [move("used", "a", 4, counter=10)]) == []
    assert check_counters(after, [move("used", "a", 4, counter=9)]) == [
        CounterBreak(CounterKey("used", "a", "CNY", ""), 4, 10, 9)
    ]


def test_counters_of_both_logs_make_a_lease() -> None:
    """Headquarters' log tells what was granted where; the site's what was used and returned there."""
    lease = Lease("a", "CNY", "s1", 2)
    site = counters_after([move("used", "a", 5, counter=5), move("returned", "a", 3, counter=3)])
    hq = counters_after([move("granted", "a", 20, "s1/2", counter=20), move("paid-in", "a", 50, "cash", counter=50)])
    assert lease_counters("s1", 2, site) == {lease: LeaseCounters(0, 5, 3)}
    assert lease_counters("", 1, hq) == {lease: LeaseCounters(20, 0, 0)}


@pytest.mark.parametrize("asset", ["DEPOSIT", "DEPOSIT-WAIVED"])
@pytest.mark.parametrize(
    ("site", "moved", "debit", "credit"),
    [
        ("s1", ("used", ""), "lease:anna:s1:3", "deposit:anna"),
        ("s1", ("returned", ""), "lease:anna:s1:3", "cust:anna"),
        ("", ("deposit-back", "s1"), "deposit:anna", "cust:anna"),
        ("", ("deposit-kept", "s1"), "deposit:anna", "revenue:s1"),
        ("", ("deposit-unkept", "s1"), "revenue:s1", "cust:anna"),
    ],
)
def test_a_deposit_that_is_used_stays_the_customers(
    asset: str, site: str, moved: tuple[str, str], debit: str, credit: str
) -> None:
    """It waits at headquarters until the pack is back; only what is kept of it becomes revenue."""
    effect, place = moved
    assert transfer_of(site, 3, move(effect, "anna", 500, place, asset=asset)) == Transfer(debit, credit, asset, 500)


def test_a_deposit_that_was_never_granted_is_nobodys() -> None:
    """A site's word alone makes no deposit that could be paid back."""
    used = transfer_of("s1", 1, move("used", "anna", 500, asset="DEPOSIT"))
    assert overdraws({}, used)
    assert quarantined(used) == Transfer("suspense:quarantine", "suspense:unknown", "DEPOSIT", 500)
    assert overdraws({}, transfer_of("", 1, move("deposit-back", "anna", 500, "s1", asset="DEPOSIT")))


DEPOSIT_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                ("", "paid-in", "cash"),
                ("", "granted", "s1/1"),
                ("s1", "used", ""),
                ("s1", "returned", ""),
                ("", "deposit-back", "s1"),
                ("", "deposit-kept", "s1"),
                ("", "paid-out", "cash"),
            ]
        ),
        st.integers(1, 40),
    ),
    max_size=40,
)


@given(DEPOSIT_STEPS)
def test_deposits_are_never_lost_and_never_doubled(steps: list[tuple[tuple[str, str, str], int]]) -> None:
    """Whatever is done in whatever order, what was paid in is owed to the customer, was paid out, or was kept by name;
    an act that the books cannot bear moves none of it.
    """
    books = fold({}, [])
    for (site, effect, place), amount in steps:
        transfer = transfer_of(site, 1, move(effect, "anna", amount, place, asset="DEPOSIT"))
        if overdraws(books, transfer):
            transfer = quarantined(transfer)
        books = fold(books, [transfer])
    assert breaches(books) == []

    def owed(code: str) -> int:
        return books.get((code, "DEPOSIT"), Balance()).owed

    customers = owed("cust:anna") + owed("lease:anna:s1:1") + owed("deposit:anna")
    assert -owed("channel:cash:clearing") == customers + owed("revenue:s1")
    assert owed("suspense:quarantine") == -owed("suspense:unknown")


TRANSFERS = st.lists(
    st.builds(
        Transfer,
        st.sampled_from(["cust:a", "lease:a:s:1", "revenue:s", "overrun:s"]),
        st.sampled_from(["cust:a", "lease:a:s:1", "revenue:s", "overrun:s"]),
        st.sampled_from(["CNY", "swap"]),
        st.integers(1, 2**53),
    ),
    max_size=20,
)


@given(TRANSFERS, st.randoms(use_true_random=False))
def test_the_fold_knows_no_order_and_always_balances(posted: list[Transfer], chance: random.Random) -> None:
    """Any order of the same transfers, in one go or in two, gives the same books, debits equal to credits."""
    shuffled = posted.copy()
    chance.shuffle(shuffled)
    books = fold({}, posted)
    assert fold(fold({}, shuffled[: len(posted) // 2]), shuffled[len(posted) // 2 :]) == books
    assert not [it for it in breaches(books) if it.rule == "debits-equal-credits"]
