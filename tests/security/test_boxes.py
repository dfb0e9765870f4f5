"""A box in wrong hands: whoever has all of its keys, a copy of its disk, or runs an admitted site and cheats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hq_box import Box, admit, balance, open_headquarters, read, refused
from hq_say import Say
from hq_say import say as say

from cloud import accounts, balances, caps, epochs, sites, store
from cloud.accounts import Limits
from cloud.service import Headquarters
from protocols.trade import books, wire
from protocols.trade.books import OPERATOR_RISK
from protocols.trade.grants import split
from protocols.trade.records import CNY
from protocols.trade.wire import GrantReply, RefusalCode

SITE, OTHER = "pudong-1", "pudong-2"
PAID_FEN, SITE_CAP_FEN, ACCOUNT_CAP_FEN = 100_000, 30_000, 12_000


@pytest.fixture
def hq(tmp_path: Path) -> Iterator[Headquarters]:
    headquarters = open_headquarters(f"sqlite:///{tmp_path}/hq.db")
    yield headquarters
    headquarters.engine.dispose()


@pytest.fixture
def people(hq: Headquarters) -> list[str]:
    """Five accounts of 1,000 yuan each, of which no more than 120 may be out."""
    made: list[str] = []
    with store.writing(hq.engine) as connection:
        for number in range(5):
            limits = Limits(session_limit=PAID_FEN, placed=0, site_max=PAID_FEN)
            account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None, limits=limits)
            accounts.top_up(
                connection, hq.keys, hq.clock, account, PAID_FEN, channel="cash", reference=f"paid-{number}"
            )
            caps.set_for_account(connection, account, ACCOUNT_CAP_FEN)
            made.append(account)
    return made


@pytest.fixture
def thief(hq: Headquarters, people: list[str]) -> Box:
    """Has device key, log key and log of an enrolled box: whatever he signs is the box's word."""
    return enrolled(hq, SITE)


def enrolled(hq: Headquarters, site: str) -> Box:
    box = Box(site)
    admit(hq, box)
    with store.writing(hq.engine) as connection:
        caps.set_for_site(connection, site, SITE_CAP_FEN)
    box.enrol(hq)
    box.send(hq, 0)
    return box


def ask_all(hq: Headquarters, box: Box, people: list[str]) -> dict[str, int]:
    """What he gets when he asks for all that everybody has."""
    got: dict[str, int] = {}
    for account in people:
        answer = hq.answer(box.request(wire.PATH_GRANT, box.grant_ask(account, PAID_FEN)))
        if answer.status == 200 and (grant := read(answer, GrantReply).grant):
            box.accept(grant)
            got[account] = split(grant)[0].granted
    return got


def charged(hq: Headquarters, people: list[str]) -> int:
    """What customers have lost so far: paid in, and neither free nor at a site."""
    at_sites = sum(
        balance(hq, books.lease(account, site, epoch))
        for account in people for site in (SITE, OTHER) for epoch in (1, 2)
    )  # fmt: skip
    return len(people) * PAID_FEN - sum(balance(hq, books.cust(account)) for account in people) - at_sites


def lose(hq: Headquarters, *, stolen: bool) -> None:
    with store.writing(hq.engine) as connection:
        epochs.mark_lost(connection, hq.keys, hq.clock, SITE, 1, "stolen")
        if stolen:
            sites.admit(connection, SITE, "")


def test_a_stolen_box_sells_within_its_grants_alone(hq: Headquarters, thief: Box, people: list[str]) -> None:
    """He asks for everything and forges sales of ten times that: caps bound what he gets, grants what is charged."""
    got = ask_all(hq, thief, people)
    assert max(got.values()) <= ACCOUNT_CAP_FEN
    assert sum(got.values()) <= SITE_CAP_FEN
    for account in people:
        thief.sell(account, 10 * PAID_FEN)
    thief.send(hq, 0)
    assert 0 <= charged(hq, people) <= SITE_CAP_FEN
    with store.reading(hq.engine) as connection:
        found = balances.of(connection, CNY)
    assert (found.remainder, found.quarantined > 0) == (0, True)


def test_a_stolen_box_gives_nobody_money(hq: Headquarters, thief: Box, people: list[str]) -> None:
    """A return of what was never granted, to an account of the thief's own, stays in suspense."""
    free = balance(hq, books.cust(people[0]))
    thief.give_back(people[0], 5_000_000)
    thief.send(hq, 0)
    assert balance(hq, books.cust(people[0])) == free


def test_lost_means_no_more(hq: Headquarters, thief: Box, people: list[str]) -> None:
    """From the moment at which somebody says so; what he has already is paid to customers from the operator's risk."""
    ask_all(hq, thief, people[:2])
    thief.send(hq, 0)
    lose(hq, stolen=False)
    assert ask_all(hq, thief, people) == {}
    with store.writing(hq.engine) as connection:
        lent = epochs.lend(connection, hq.keys, hq.clock, SITE, 1)
    assert 0 < sum(lent.values()) <= SITE_CAP_FEN
    assert all(balance(hq, books.cust(account)) == PAID_FEN for account in people)
    assert balance(hq, OPERATOR_RISK) == -sum(lent.values())


def test_stolen_means_no_other_epoch(hq: Headquarters, thief: Box, people: list[str]) -> None:
    """The device key would open one more; it is admitted no longer, and the next box is."""
    lose(hq, stolen=True)
    thief.log_key = Box(SITE).log_key
    assert refused(hq.answer(thief.enrol_request())).code == RefusalCode.WRONG_FINGERPRINT
    assert enrolled(hq, SITE).epoch == 2


def test_as_a_person_says_stolen(say: Say) -> None:
    """`epoch lost --stolen` is what both of these come from."""
    say("init")
    assert "--stolen" in say("epoch", "lost", "--help").out


def test_a_copy_of_a_disk_is_caught_by_its_next_word(hq: Headquarters, people: list[str]) -> None:
    """Two boxes with one log: the second history freezes the epoch, and neither gets a fen from then on."""
    box = enrolled(hq, SITE)
    got = ask_all(hq, box, people)
    copy = Box(SITE)
    copy.device, copy.log_key, copy.epoch = box.device, box.log_key, box.epoch
    copy.leaves, copy.counters = [*box.leaves], dict(box.counters)
    for one, account in ((box, people[0]), (copy, people[1])):
        one.sell(account, got.get(account, 0) or 1)
    box.send(hq, 0)
    clash = hq.answer(copy.request(wire.PATH_BATCH, copy.batch(0)))
    assert refused(clash).code == RefusalCode.FORK
    for one in (box, copy):
        assert ask_all(hq, one, people) == {}
    assert charged(hq, people) <= SITE_CAP_FEN


def test_a_site_that_cheats_touches_its_own_money_alone(hq: Headquarters, people: list[str]) -> None:
    """Admitted, with all keys in order: another site's grants, leases and log are not its to move."""
    honest, cheat = enrolled(hq, SITE), enrolled(hq, OTHER)
    there = ask_all(hq, honest, people[:2])
    honest.send(hq, 0)
    for account in there:
        cheat.sell(account, PAID_FEN)
    foreign = honest.leaves[-1]  # a grant for the other site, taken into this log
    cheat.leaves.append(foreign)
    cheat.send(hq, 0)
    leases = {account: balance(hq, books.lease(account, SITE, 1)) for account in there}
    assert leases == there
    assert charged(hq, people) == 0
