"""Whatever the network does to a site's messages, headquarters' books come out the same.

Two boxes with real keys sell, give back, and ask for grants, as they must, within what they have accepted. Their
requests are lost, doubled, cut short, merged and delivered late and out of order. A plain sum kept beside is the truth.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hq_box import Box, admit, balance, dump

from cloud import accounts, balances, store
from cloud.service import Headquarters, Request
from protocols.trade import wire
from protocols.trade.codec import decode
from protocols.trade.grants import split
from protocols.trade.records import CNY, Effect
from protocols.trade.wire import BatchReply, GrantReply, Refusal, RefusalCode

PAID_IN = 30_000
HARMLESS = {RefusalCode.GAP}
"""All that a late or early request of an honest box may be told."""


@dataclass
class Till:
    """A box and what it knows for certain: totals by account."""

    box: Box
    granted: dict[str, int] = field(default_factory=dict)
    serial: dict[str, int] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    returned: dict[str, int] = field(default_factory=dict)

    def rights(self, account: str) -> int:
        return self.granted.get(account, 0) - self.used.get(account, 0) - self.returned.get(account, 0)

    def take(self, signed: bytes) -> None:
        """Any grant that ever came, in any order: what is no news leaves no record."""
        grant, _, _ = split(signed)
        account, news = grant.account, grant.granted > self.granted.get(grant.account, 0)
        if news or grant.serial > self.serial.get(account, -1):
            self.box.accept(signed)
            self.granted[account] = max(self.granted.get(account, 0), grant.granted)
            self.serial[account] = max(self.serial.get(account, -1), grant.serial)

    def act(self, account: str, chance: random.Random) -> None:
        """Sell or give back some of what is here."""
        rights = self.rights(account)
        if rights == 0:
            return
        amount = chance.randint(1, rights)
        if chance.random() < 0.6:
            self.box.sell(account, amount)
            self.used[account] = self.used.get(account, 0) + amount
        else:
            self.box.give_back(account, amount)
            self.returned[account] = self.returned.get(account, 0) + amount


@dataclass
class World:
    """Headquarters, two tills, three customers, and a network that keeps everything that was ever sent."""

    hq: Headquarters
    chance: random.Random
    tills: list[Till] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    post: list[tuple[Till, Request]] = field(default_factory=list)
    answers: list[tuple[Till, bytes]] = field(default_factory=list)

    def begin(self) -> None:
        for site in ("site-1", "site-2"):
            box = Box(site)
            admit(self.hq, box)
            box.enrol(self.hq)
            self.tills.append(Till(box))
        with store.writing(self.hq.engine) as connection:
            for number, placed in enumerate((0, 2_000, 5_000)):
                keys, clock = self.hq.keys, self.hq.clock
                account = accounts.open_account(
                    connection, keys, clock, home_site="site-1", limits=accounts.Limits(20_000, placed, 20_000)
                )
                reference = f"pay-{number}"
                accounts.top_up(connection, keys, clock, account, PAID_IN // 3, channel="cash", reference=reference)
                self.accounts.append(account)

    def step(self) -> None:
        chance, till = self.chance, self.chance.choice(self.tills)
        account = chance.choice(self.accounts)
        match chance.randrange(10):
            case 0 | 1 | 2:
                till.act(account, chance)
            case 3:
                want = till.used.get(account, 0) + till.returned.get(account, 0) + chance.randint(1, 4_000)
                self.send(till, wire.PATH_GRANT, till.box.grant_ask(account, want))
                if chance.random() < 0.5:
                    self.deliver(*self.post[-1])
            case 4 | 5:
                end = chance.randint(0, len(till.box.leaves))
                first = chance.randint(0, end)
                self.send(till, wire.PATH_BATCH, till.box.batch(chance.choice([0, first]), end))
            case 6 | 7 if self.post:
                self.deliver(*chance.choice(self.post))
            case 8 | 9 if self.answers:
                self.hear(*chance.choice(self.answers))

    def send(self, till: Till, path: str, struct: object) -> None:
        self.post.append((till, till.box.request(path, struct)))

    def deliver(self, till: Till, request: Request) -> None:
        """It arrives, now or again. The answer may be lost, or heard at any later time, more than once."""
        answer = self.hq.answer(request)
        if answer.status == 200:
            self.answers.append((till, answer.body))
        else:
            refusal = decode(answer.body, Refusal)
            assert refusal.code in HARMLESS, refusal

    def hear(self, till: Till, body: bytes) -> None:
        try:
            for signed in decode(body, BatchReply).grants:
                till.take(signed)
        except ValueError:
            reply = decode(body, GrantReply)
            if reply.grant:
                till.take(reply.grant)

    def heal(self) -> None:
        """Everything gets through at last."""
        for till in self.tills:
            till.box.send(self.hq, 0)

    def check(self) -> None:
        """The books never show anybody below zero, and never lose a fen."""
        with store.reading(self.hq.engine) as connection:
            found = balances.of(connection, CNY)
        assert found.remainder == 0
        assert found.quarantined == 0
        assert found.paid_in == PAID_IN
        for account in self.accounts:
            assert balance(self.hq, f"cust:{account}") >= 0
            assert sum(till.used.get(account, 0) + till.rights(account) for till in self.tills) <= PAID_IN // 3
        for till in self.tills:
            assert all(till.rights(account) >= 0 for account in self.accounts)


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_messages_gives_the_same_books(light_hq: Headquarters, seed: int) -> None:
    """After the network heals: used and returned agree with each till to the fen, and a repeat changes nothing."""
    world = World(light_hq, random.Random(seed))
    world.begin()
    for _ in range(200):
        world.step()
        world.check()
    world.heal()
    world.check()
    for till in world.tills:
        box = till.box
        assert balance(light_hq, f"revenue:{box.site}") == sum(till.used.values())
        for account in world.accounts:
            left = balance(light_hq, f"lease:{account}:{box.site}:{box.epoch}")
            assert left >= till.rights(account)
    assert sum(len(till.box.leaves) for till in world.tills) > 20, "nothing has happened"
    before = {table: rows for table, rows in dump(light_hq).items() if table not in SEEN}
    for till, request in world.post:
        if request.path == wire.PATH_BATCH:
            world.deliver(till, request)
    after = {table: rows for table, rows in dump(light_hq).items() if table not in SEEN}
    assert after == before


SEEN = {"epochs", "visits"}
"""Tables that also say when a box was last heard of."""


def test_a_request_for_a_total_is_answered_once_however_often_it_comes(light_hq: Headquarters) -> None:
    """Grants are totals: a hundred copies of a question grant once, and an older question grants nothing."""
    world = World(light_hq, random.Random(1))
    world.begin()
    till, account = world.tills[1], world.accounts[0]
    small, large = (till.box.grant_ask(account, want) for want in (1_000, 3_000))
    for ask in (small, large, small, large, small):
        for _ in range(5):
            world.send(till, wire.PATH_GRANT, ask)
            world.deliver(*world.post[-1])
    code = f"lease:{account}:{till.box.site}:{till.box.epoch}"
    assert balance(light_hq, code) == 3_000
    assert balance(light_hq, f"cust:{account}") == PAID_IN // 3 - 3_000
    assert till.box.counters.get((Effect.USED, account, CNY), 0) == 0
