"""One log in two versions: caught wherever it shows, kept, booked once, charged only by a linked adjustment."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance, dump, refused

from cloud import accounts, adjust, epochs, evidence, forks, schema, store
from cloud.accounts import Done, Limits
from cloud.acts import Denied
from cloud.loans import Held
from cloud.service import Headquarters, Request
from protocols.proof import keys as proof_keys
from protocols.proof.receipt import Receipt
from protocols.proof.receipt_file import ProvenRecord, ReceiptFile
from protocols.proof.tree import inclusion_proof, leaf_hash
from protocols.trade import books, wire
from protocols.trade.records import CNY, EpochClosed
from protocols.trade.records_pack import DEPOSIT
from protocols.trade.wire import RefusalCode

SITE = "pudong-1"


@pytest.fixture
def box(hq: Headquarters) -> Box:
    """An enrolled box that has reported."""
    made = Box(SITE)
    admit(hq, made)
    made.enrol(hq)
    made.send(hq, 0)
    return made


@pytest.fixture
def account(hq: Headquarters, box: Box) -> str:
    """100 yuan, 50 of them granted to the box; both in its log and here."""
    limits = Limits(session_limit=20_000, placed=0, site_max=20_000)
    with store.writing(hq.engine) as connection:
        made = accounts.open_account(connection, hq.keys, hq.clock, home_site=None, limits=limits)
        accounts.top_up(connection, hq.keys, hq.clock, made, 10_000, channel="wechat", reference="wx-1")
    box.accept(box.ask(hq, made, 5_000).grant)
    box.send(hq, 0)
    return made


def clone(box: Box) -> Box:
    """A copy of the disk: the same keys, the same log, from here on another life."""
    made = Box(box.site)
    made.device, made.log_key, made.epoch = box.device, box.log_key, box.epoch
    made.leaves, made.counters = list(box.leaves), dict(box.counters)
    return made


def receipt(box: Box, *seqs: int, size: int | None = None) -> ReceiptFile:
    """What a customer was given: these records, proven in the head of this size; else in the newest."""
    size = len(box.leaves) if size is None else size
    hashes = [leaf_hash(leaf) for leaf in box.leaves[:size]]
    public, note = box.log_public, box.checkpoint(size)
    certificate = proof_keys.certify_log_key(box.device, box.site, box.epoch, public).to_bytes()
    records = tuple(
        ProvenRecord(box.leaves[seq], Receipt(seq, inclusion_proof(hashes, seq, size), note, certificate))
        for seq in seqs
    )
    return ReceiptFile(box.device_key, records, (), {"bill": "50.00"})


def show(hq: Headquarters, shown: ReceiptFile) -> str:
    """Somebody posts a receipt; what headquarters makes of it."""
    answer = hq.answer(Request(wire.PATH_EVIDENCE, shown.to_bytes()))
    assert answer.status == 200, answer
    return str(msgspec.json.decode(answer.body)["state"])


def send_code(hq: Headquarters, box: Box, first: int) -> RefusalCode:
    return RefusalCode(refused(hq.answer(box.request(wire.PATH_BATCH, box.batch(first)))).code)


def book(hq: Headquarters) -> dict[Held, int]:
    with store.writing(hq.engine) as connection:
        return forks.book_branch(connection, hq.keys, hq.clock, SITE, 1)


def charge(hq: Headquarters, account: str, fen: int, because: str, reference: str = "adj-1") -> Done:
    with store.writing(hq.engine) as connection:
        return adjust.charge(
            connection, hq.keys, hq.clock, account, fen, because=because, why="forked", reference=reference
        )


def heads(hq: Headquarters) -> list[tuple[int, bytes, bytes]]:
    table = schema.forks
    with store.reading(hq.engine) as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.id)).all()
    return [(row.seq, row.kept, row.other) for row in rows]


def state(hq: Headquarters) -> str:
    with store.reading(hq.engine) as connection:
        return epochs.show_all(connection, 0, SITE)[0].state


def waiting(hq: Headquarters) -> list[str]:
    table = schema.evidence
    with store.reading(hq.engine) as connection:
        return list(connection.scalars(sa.select(table.c.state).order_by(table.c.id)))


# --- the branch ------------------------------------------------------------------------------------------------------


def test_what_a_clone_sold_is_the_operators_until_somebody_is_charged(hq: Headquarters, box: Box, account: str) -> None:
    """The first branch stays posted; the second is booked once, however often it is sent and the command given."""
    copy = clone(box)
    box.sell(account, 1_000)
    box.send(hq, 0)
    copy.sell(account, 700)
    assert send_code(hq, copy, 2) == RefusalCode.FORK
    copy.sell(account, 300)
    copy.give_back(account, 100)  # rights that were given out once cannot be given back twice
    assert send_code(hq, copy, 2) == RefusalCode.EPOCH_FROZEN
    assert send_code(hq, copy, 2) == RefusalCode.EPOCH_FROZEN
    assert len(heads(hq)) == 2

    assert book(hq) == {Held(account, CNY): 1_000}
    assert book(hq) == {}
    assert balance(hq, books.revenue(SITE)) == 2_000
    assert balance(hq, books.OPERATOR_RISK) == -1_000
    assert balance(hq, books.cust(account)) == 5_000
    copy.sell(account, 50)
    assert send_code(hq, copy, 2) == RefusalCode.EPOCH_FROZEN
    assert book(hq) == {Held(account, CNY): 50}

    link = f"{SITE}/1/2"
    first = charge(hq, account, 600, link)
    assert charge(hq, account, 600, link) == Done(first.serial, True, frozenset())
    assert balance(hq, books.cust(account)) == 4_400
    assert balance(hq, books.OPERATOR_RISK) == -450
    with pytest.raises(Denied, match="used for another act"):
        charge(hq, account, 601, link)
    with store.writing(hq.engine) as connection:
        assert epochs.lend(connection, hq.keys, hq.clock, SITE, 1) == {Held(account, CNY): 4_000}
        assert epochs.lend(connection, hq.keys, hq.clock, SITE, 1) == {}


def test_both_boxes_of_a_frozen_epoch_are_heard(hq: Headquarters, box: Box, account: str) -> None:
    """Neither can be told from its copy, so what the first one goes on selling is kept and booked as well."""
    copy = clone(box)
    box.sell(account, 100)
    box.send(hq, 0)
    copy.sell(account, 200)
    assert send_code(hq, copy, 0) == RefusalCode.FORK
    box.sell(account, 400)
    assert send_code(hq, box, 0) == RefusalCode.EPOCH_FROZEN
    assert book(hq) == {Held(account, CNY): 600}


def test_a_deposit_on_a_branch_is_no_revenue(hq: Headquarters, box: Box, account: str) -> None:
    """A clone rents a pack out: its price is the operator's, and the deposit stays where it was, with the account."""
    copy = clone(box)
    box.sell(account, 100)
    box.send(hq, 0)
    copy.sell(account, 200)
    copy.sell(account, 500, DEPOSIT)
    assert send_code(hq, copy, 0) == RefusalCode.FORK
    assert book(hq) == {Held(account, CNY): 200}
    assert balance(hq, books.revenue(SITE), DEPOSIT) == 0


def test_an_account_no_book_can_hold_is_the_operators(hq: Headquarters, box: Box) -> None:
    """A branch is anybody's bytes: names that would be another account's, or none, are not believed."""
    copy = clone(box)
    box.sell("A", 1)
    box.send(hq, 0)
    copy.sell("A:pudong-1", 30)
    copy.sell("B\x00", 12)
    assert send_code(hq, copy, 1) == RefusalCode.FORK
    assert book(hq) == {Held("operator-risk", CNY): 42}
    assert balance(hq, books.OPERATOR_RISK) == -42


@pytest.mark.parametrize(
    ("fen", "because", "text"),
    [
        (0, f"{SITE}/1/1", "an amount of 1"),
        (5_001, f"{SITE}/1/1", "less than that is free"),
        (1, f"{SITE}/1/99", "is not here"),
        (1, f"{SITE}/7/1", "no epoch 7"),
        (1, "yesterday", "SITE/EPOCH/SEQ"),
    ],
)
def test_a_charge_names_what_it_corrects(
    hq: Headquarters, box: Box, account: str, fen: int, because: str, text: str
) -> None:
    """Without a record there is no adjustment, and never more than is free."""
    before = dump(hq)
    with pytest.raises(Denied, match=text):
        charge(hq, account, fen, because)
    assert dump(hq) == before


def test_what_was_lent_and_used_is_charged_first(hq: Headquarters, box: Box, account: str) -> None:
    """The customer had 15 yuan twice: a charge for it pays the loan back, so that no return is taken for it again."""
    with store.writing(hq.engine) as connection:
        epochs.mark_lost(connection, hq.keys, hq.clock, SITE, 1, "flood")
        epochs.lend(connection, hq.keys, hq.clock, SITE, 1)
    used = box.sell(account, 1_500)
    box.send(hq, 0)
    charge(hq, account, 1_600, f"{SITE}/1/{used}")
    box.give_back(account, 3_500)
    box.send(hq, 0)
    assert balance(hq, books.cust(account)) == 10_000 - 1_500 - 100
    assert balance(hq, books.OPERATOR_RISK) == 100
    assert balance(hq, books.lease(account, SITE, 1)) == 0


# --- a box that was set back -----------------------------------------------------------------------------------------


def test_a_restored_disk_that_asks_for_news_is_told(hq: Headquarters, box: Box, account: str) -> None:
    """An empty batch of an older head is no fork yet: the answer names more records than the disk has, and the box
    stops by itself.
    """
    old = clone(box)
    box.sell(account, 100)
    box.send(hq, 0)
    reply = old.send(hq, len(old.leaves))
    assert reply.cosigned == box.send(hq, len(box.leaves)).cosigned
    assert state(hq) == "open"


def test_a_clone_that_asks_for_money_first_is_caught(hq: Headquarters, box: Box, account: str) -> None:
    """A customer at the clone's reader is its first contact: the ask shows the clone's head, so it gets nothing and
    the epoch freezes.
    """
    copy = clone(box)
    box.sell(account, 10)
    kept = box.send(hq, 0).cosigned
    copy.sell(account, 99)
    ask = copy.grant_ask(account, 9_000)
    refusal = refused(hq.answer(copy.request(wire.PATH_GRANT, ask)))
    assert (refusal.code, refusal.size) == (RefusalCode.FORK, 3)
    assert (state(hq), heads(hq)) == ("frozen", [(3, kept, ask.checkpoint)])
    assert balance(hq, books.cust(account)) == 5_000


def test_a_restored_disk_that_asks_for_money_first_gets_none(hq: Headquarters, box: Box, account: str) -> None:
    """It shows an older head: no grant, and the size by which the box finds out about itself."""
    old = clone(box)
    box.sell(account, 10)
    box.send(hq, 0)
    assert old.ask(hq, account, 9_000) == wire.GrantReply(b"", wire.BEHIND, 3)
    assert box.ask(hq, account, 5_010).grant
    box.sell(account, 10)
    assert box.ask(hq, account, 5_020).grant
    assert state(hq) == "open"


def test_an_ask_shows_a_head_of_its_own_log(hq: Headquarters, box: Box, account: str) -> None:
    """No note, or one by another key, is no head of this log."""
    stranger = Box(SITE)
    stranger.open_epoch(1)
    for shown in (b"", b"x" * 5_000, stranger.checkpoint(1)):
        ask = wire.GrantAsk(0, b"", account, CNY, 100, shown)
        refusal = refused(hq.answer(box.request(wire.PATH_GRANT, ask)))
        assert refusal.code == RefusalCode.WRONG_CHECKPOINT


def test_a_fork_after_the_close_is_a_fork(hq: Headquarters, box: Box, account: str) -> None:
    """A disk restored from before the CLOSE sells on: what was freed stays freed, the sale is the operator's."""
    old = clone(box)
    box.add(EpochClosed("replaced"))
    box.send(hq, 0)
    old.sell(account, 250)
    assert send_code(hq, old, 0) == RefusalCode.FORK
    assert book(hq) == {Held(account, CNY): 250}
    assert balance(hq, books.cust(account)) == 10_000


# --- evidence --------------------------------------------------------------------------------------------------------


def test_a_receipt_of_what_is_here_agrees(hq: Headquarters, box: Box, account: str) -> None:
    """Of the newest head and of an older one; nothing is posted twice, and nothing of it is kept."""
    seqs = [box.sell(account, 10), box.sell(account, 20)]
    box.send(hq, 0)
    assert show(hq, receipt(box, *seqs)) == "agrees"
    assert show(hq, receipt(box, 1, seqs[0], size=3)) == "agrees"
    assert show(hq, receipt(box, *seqs)) == "agrees"
    assert balance(hq, books.revenue(SITE)) == 30
    assert waiting(hq) == ["agrees", "agrees"]


def test_a_receipt_ahead_of_its_log_waits_for_it(hq: Headquarters, box: Box, account: str) -> None:
    """A customer's phone was here first: it moves no money; the log, when it comes, agrees and is posted."""
    seqs = [box.sell(account, 10), box.sell(account, 20)]
    shown = receipt(box, *seqs)
    box.sell(account, 5)
    assert show(hq, shown) == "waiting"
    assert show(hq, shown) == "waiting"
    assert (balance(hq, books.revenue(SITE)), waiting(hq)) == (0, ["waiting"])
    box.send(hq, 2, 3)
    assert waiting(hq) == ["waiting"]
    box.send(hq, 3)
    assert (balance(hq, books.revenue(SITE)), waiting(hq)) == (35, ["agrees"])


def test_a_receipt_from_a_clone_freezes_at_once(hq: Headquarters, box: Box, account: str) -> None:
    """The clone never reports, but its customer does: both signed heads are kept."""
    copy = clone(box)
    box.sell(account, 10)
    kept = box.send(hq, 0).cosigned
    shown = receipt(copy, copy.sell(account, 99), 1)
    assert show(hq, shown) == "contradicts"
    assert (state(hq), heads(hq)) == ("frozen", [(3, kept, shown.checkpoint)])
    assert show(hq, shown) == "contradicts"
    assert len(heads(hq)) == 1


def test_a_log_that_arrives_and_contradicts_a_receipt_is_a_fork(hq: Headquarters, box: Box, account: str) -> None:
    """The receipt waited; the other branch came first by the wire. It is not posted, and the receipt's head is kept."""
    copy = clone(box)
    shown = receipt(copy, copy.sell(account, 99), 1)
    assert show(hq, shown) == "waiting"
    box.sell(account, 10)
    box.sell(account, 11)
    batch = box.batch(2)
    assert refused(hq.answer(box.request(wire.PATH_BATCH, batch))).code == RefusalCode.FORK
    assert heads(hq) == [(3, shown.checkpoint, batch.checkpoint)]
    assert (balance(hq, books.revenue(SITE)), waiting(hq)) == (0, ["contradicts"])
    assert book(hq) == {Held(account, CNY): 21}


def test_two_receipts_that_contradict_each_other(hq: Headquarters, box: Box, account: str) -> None:
    """Neither branch has reported: two customers prove the fork between them."""
    copy = clone(box)
    one, other = receipt(box, box.sell(account, 10), 1), receipt(copy, copy.sell(account, 99), 1)
    assert (show(hq, one), show(hq, other)) == ("waiting", "contradicts")
    assert heads(hq) == [(3, one.checkpoint, other.checkpoint)]


def test_a_receipt_that_proves_nothing_is_refused(hq: Headquarters, box: Box, account: str) -> None:
    """A flipped byte, another site's key, a log nobody enrolled, no receipt at all: nothing is stored."""
    shown = receipt(box, box.sell(account, 10), 1)
    flipped = msgspec.json.decode(shown.to_bytes())
    flipped["records"][0]["record"] = flipped["records"][1]["record"]
    stranger, foreign = Box("nowhere"), Box(SITE)
    stranger.open_epoch(1)
    stranger.sell("A", 1)
    foreign.open_epoch(1)
    foreign.sell("A", 1)
    before = dump(hq)
    codes = [
        RefusalCode(msgspec.json.decode(hq.answer(Request(wire.PATH_EVIDENCE, body)).body)["code"])
        for body in (
            msgspec.json.encode(flipped),
            receipt(foreign, 0, 1).to_bytes(),
            receipt(stranger, 0, 1).to_bytes(),
            b"{}",
            b" " * 70_000,
        )
    ]
    assert codes == [
        RefusalCode.BAD_SIGNATURE,
        RefusalCode.BAD_SIGNATURE,
        RefusalCode.UNKNOWN_EPOCH,
        RefusalCode.UNREADABLE,
        RefusalCode.TOO_LARGE,
    ]
    assert dump(hq) == before


def test_no_more_waits_than_anybody_can_have_been_given(
    light_hq: Headquarters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound on what strangers can have stored here; what contradicts is taken all the same."""
    hq, box = light_hq, Box(SITE)
    admit(hq, box)
    box.enrol(hq)
    box.send(hq, 0)
    monkeypatch.setattr(evidence, "WAITING_MAX", 2)
    copy = clone(box)
    for amount in (1, 2, 3):
        box.sell("A", amount)
    assert [show(hq, receipt(box, 0, size - 1, size=size)) for size in (2, 3)] == ["waiting", "waiting"]
    answer = hq.answer(Request(wire.PATH_EVIDENCE, receipt(box, 0, 3).to_bytes()))
    assert (answer.status, answer.outcome) == (429, RefusalCode.TOO_MANY)
    copy.sell("A", 9)
    assert show(hq, receipt(copy, 0, 1)) == "contradicts"
