"""What is done to an account at headquarters, each act one record of its own log."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance, dump

from cloud import accounts, schema, store
from cloud.accounts import CROCKFORD, Denied, Done
from cloud.service import Headquarters
from protocols.proof import checkpoint
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade import books
from protocols.trade.codec import decode
from protocols.trade.records import CNY, AccountActed, Record, body_of


@pytest.fixture
def account(hq: Headquarters) -> str:
    with store.writing(hq.engine) as connection:
        return accounts.open_account(connection, hq.keys, hq.clock, home_site=None)


def top_up(hq: Headquarters, account: str, amount: int, reference: str) -> Done:
    with store.writing(hq.engine) as connection:
        return accounts.top_up(connection, hq.keys, hq.clock, account, amount, channel="wechat", reference=reference)


def pay_out(hq: Headquarters, account: str, amount: int, reference: str) -> Done:
    with store.writing(hq.engine) as connection:
        return accounts.pay_out(connection, hq.keys, hq.clock, account, amount, channel="wechat", reference=reference)


def add_card(hq: Headquarters, account: str, number: str) -> Done:
    with store.writing(hq.engine) as connection:
        return accounts.add_card(connection, hq.keys, hq.clock, account, number)


def test_an_id_says_nothing(account: str) -> None:
    """Ten characters of Crockford's base32: none that is read as another, none that tells of a person."""
    assert len(account) == 10
    assert set(account) <= set(CROCKFORD)


def test_a_top_up_is_done_once(hq: Headquarters, account: str) -> None:
    """Its reference is the payer's own; the repeat is answered with the same serial and changes nothing."""
    first = top_up(hq, account, 10_000, "wx-1")
    before = dump(hq)
    assert top_up(hq, account, 10_000, "wx-1") == Done(first.serial, True, frozenset())
    assert dump(hq) == before
    assert balance(hq, books.cust(account)) == 10_000
    assert balance(hq, books.channel("wechat")) == -10_000


@pytest.mark.parametrize("amount", [9_999, 10_001])
def test_a_reference_names_one_payment(hq: Headquarters, account: str, amount: int) -> None:
    """The same number for another amount, account or channel is somebody's mistake."""
    top_up(hq, account, 10_000, "wx-1")
    before = dump(hq)
    with pytest.raises(Denied, match="reference wx-1 was used for another act"):
        top_up(hq, account, amount, "wx-1")
    assert dump(hq) == before


@pytest.mark.parametrize("amount", [0, -1, accounts.AMOUNT_MAX + 1])
def test_amounts_that_are_slips(hq: Headquarters, account: str, amount: int) -> None:
    """Nothing, less than nothing, and a billion yuan."""
    with pytest.raises(Denied, match="expected an amount"):
        top_up(hq, account, amount, "wx-1")


def test_only_free_money_is_paid_out(hq: Headquarters, account: str) -> None:
    """What is out at a site has to come back first; a customer never goes below zero."""
    box = Box("pudong-1")
    admit(hq, box)
    box.enrol(hq)
    top_up(hq, account, 10_000, "wx-1")
    box.accept(box.ask(hq, account, 4_000).grant)
    with pytest.raises(Denied, match="less than that is free"):
        pay_out(hq, account, 6_001, "r-1")
    pay_out(hq, account, 6_000, "r-1")
    assert balance(hq, books.cust(account)) == 0
    box.give_back(account, 4_000)
    box.send(hq, 0)
    pay_out(hq, account, 4_000, "r-2")
    assert balance(hq, books.channel("wechat")) == 0


def test_a_card_belongs_to_one_account(hq: Headquarters, account: str) -> None:
    """Its number is nowhere in the database; a second account cannot take it."""
    assert add_card(hq, account, "04A1B2C3D4E5F6").repeated is False
    assert add_card(hq, account, " 04a1b2c3d4e5f6").repeated is True
    with store.writing(hq.engine) as connection:
        other = accounts.open_account(connection, hq.keys, hq.clock, home_site=None)
    with pytest.raises(Denied, match="another account"):
        add_card(hq, other, "04A1B2C3D4E5F6")
    assert "04A1B2C3D4E5F6" not in str(dump(hq)).upper()


def test_a_frozen_account_takes_no_money(hq: Headquarters, account: str) -> None:
    """Freezing twice is freezing once; what is there can still be paid out."""
    top_up(hq, account, 10_000, "wx-1")
    for repeated in (False, True):
        with store.writing(hq.engine) as connection:
            done = accounts.set_status(connection, hq.keys, hq.clock, account, "frozen")
        assert done.repeated is repeated
    with pytest.raises(Denied, match="frozen"):
        top_up(hq, account, 1, "wx-2")
    pay_out(hq, account, 10_000, "r-1")


def test_the_statement(hq: Headquarters, account: str) -> None:
    """Balances, what is out, and the newest movements first, with their numbers."""
    box = Box("pudong-1")
    admit(hq, box)
    box.enrol(hq)
    top_up(hq, account, 10_000, "wx-1")
    box.accept(box.ask(hq, account, 8_000).grant)
    seq = box.sell(account, 1_500)
    box.send(hq, 0)
    with store.reading(hq.engine) as connection:
        statement = accounts.show(connection, account)
    assert statement.free == {CNY: 2_000}
    ((site, epoch, granted, used),) = [(it.site, it.epoch, it.granted, it.used) for it in statement.leases]
    assert (site, epoch, granted, used) == ("pudong-1", 1, 8_000, 1_500)
    assert [(m.effect, m.amount, m.place) for m in statement.movements] == [
        ("used", 1_500, "pudong-1"),
        ("granted", 8_000, "pudong-1/1"),
        ("paid-in", 10_000, "wechat"),
    ]
    assert statement.movements[0].serial == f"pudong-1/1/{seq}/0"


def test_strangers_are_denied(hq: Headquarters) -> None:
    """No account, no site, no channel of that name."""
    with pytest.raises(Denied, match="no account"):
        top_up(hq, "NOBODY", 1, "wx-1")
    with store.writing(hq.engine) as connection, pytest.raises(Denied, match="no site"):
        accounts.open_account(connection, hq.keys, hq.clock, home_site="nowhere")


def test_headquarters_own_log_proves_itself(hq: Headquarters, account: str) -> None:
    """Its records hash to the root that its key has signed and cosigned, and each act's serial is its place there."""
    top_up(hq, account, 10_000, "wx-1")
    done = top_up(hq, account, 500, "wx-2")
    with store.reading(hq.engine) as connection:
        head = connection.execute(sa.select(schema.epochs).where(schema.epochs.c.site == books.HQ)).one()
        leaves = connection.scalars(
            sa.select(schema.records.c.bytes).where(schema.records.c.log == head.id).order_by(schema.records.c.seq)
        ).all()
    signed = checkpoint.verify_checkpoint(head.cosigned, hq.keys.log_vkey)
    checkpoint.verify_cosignature(head.cosigned, hq.keys.cosign_vkey)
    frontier = Frontier().append_many([leaf_hash(leaf) for leaf in leaves])
    assert (signed.size, signed.root) == (len(leaves), frontier.root())
    body = body_of(decode(leaves[done.serial or 0], Record))
    assert isinstance(body, AccountActed)
    assert (body.serial, body.account) == (done.serial, account)
