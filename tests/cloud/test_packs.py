"""Packs and deposits at headquarters: stories over several sites, on both databases, in any order of arrival."""

from __future__ import annotations

import random
import zlib
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hq_box import balance, dump
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_box import A, B, ShopBox, rider

from cloud import accounts, pack_list, pack_words, packs, schema, store
from cloud.acts import Denied
from cloud.clock import SetClock
from cloud.service import Headquarters
from protocols.trade.codec import decode
from protocols.trade.custody import At
from protocols.trade.pack_list import PackList
from protocols.trade.records_pack import DEPOSIT, DEPOSIT_WAIVED
from protocols.trade.tariff import DAY_S


def two_sites(hq: Headquarters) -> tuple[ShopBox, ShopBox]:
    boxes = ShopBox("north"), ShopBox("south")
    for box in boxes:
        box.start(hq)
        box.send(hq, 0)
    return boxes


def place(hq: Headquarters, code: str) -> str:
    with store.reading(hq.engine) as connection:
        row = connection.execute(sa.select(schema.packs).where(schema.packs.c.code == code)).one()
    return " ".join(str(part) for part in (row.at, row.site, row.cabinet, row.slot, row.account) if part)


def owed(hq: Headquarters, account: str, asset: str = DEPOSIT) -> tuple[int, int]:
    """What lies as deposits, and what is free."""
    return balance(hq, f"deposit:{account}", asset), balance(hq, f"cust:{account}", asset)


def later(hq: Headquarters, hours: float = 1) -> None:
    """Headquarters' clock goes on."""
    assert isinstance(hq.clock, SetClock)
    hq.clock.advance(int(hours * 3_600_000))


def word(hq: Headquarters, what: str, code: str, *more: object) -> int | None:
    later(hq)
    with store.writing(hq.engine) as connection:
        say = getattr(pack_words, what)
        serial = say(connection, hq.keys, hq.clock, code, *more)
    assert serial is None or isinstance(serial, int)
    return serial


def rented_out(hq: Headquarters, north: ShopBox, deposit: int = 30_000) -> str:
    """ann has rented A at north."""
    ann = rider(hq, deposit=deposit)
    assert north.ask(hq, ann, deposit, DEPOSIT).refusal == ""
    north.note("put-in", A)
    north.rent(ann, A)
    north.send(hq, 0)
    return ann


def test_a_deposit_comes_back_with_the_pack(hq: Headquarters) -> None:
    """Rented at one site and returned at another: held meanwhile, free in the transaction that brings the return."""
    north, south = two_sites(hq)
    ann = rented_out(hq, north)
    assert place(hq, A) == f"rider north {ann}"
    assert owed(hq, ann) == (30_000, 0)
    south.hours(48)
    south.take_back(ann, A, 3)
    south.send(hq, 0)
    assert place(hq, A) == "slot south cab-1 3"
    assert owed(hq, ann) == (0, 30_000)
    assert balance(hq, "revenue:north", DEPOSIT) == 0
    before = dump(hq)
    south.send(hq, 0)
    with store.writing(hq.engine) as connection:
        packs.refold(connection, hq.keys, hq.clock, [A, B])
    after = dump(hq)
    assert after["transfers"] == before["transfers"]
    assert after["rental_deposits"] == before["rental_deposits"]


def test_a_return_that_comes_before_its_rental(hq: Headquarters) -> None:
    """The other site was silent for days: what its log brings settles what had waited."""
    north, south = two_sites(hq)
    ann = rider(hq, deposit=30_000)
    north.ask(hq, ann, 30_000, DEPOSIT)
    north.rent(ann, A)
    south.hours(24 * 31 + 2)
    south.take_back(ann, A, 3)
    south.send(hq, 0)
    assert place(hq, A) == "slot south cab-1 3"
    assert owed(hq, ann) == (0, 0)
    north.send(hq, 0)
    assert place(hq, A) == "slot south cab-1 3"
    assert owed(hq, ann) == (0, 29_000)  # two days late at 5.00
    assert balance(hq, "revenue:north", DEPOSIT) == 1_000


def test_what_a_site_billed_for_lateness_is_not_kept_again(hq: Headquarters) -> None:
    """The site knew the term and took the fee in money."""
    north, south = two_sites(hq)
    ann = rented_out(hq, north)
    south.hours(24 * 31 + 2)
    south.take_back(ann, A, 3, late_fen=1_000)
    south.send(hq, 0)
    assert owed(hq, ann) == (0, 30_000)


def test_a_lost_pack_keeps_the_deposit_until_it_turns_up(hq: Headquarters) -> None:
    """`pack lost` keeps it and lists the pack as hot; put in after all, all but the late days goes back."""
    north, south = two_sites(hq)
    ann = rented_out(hq, north)
    assert word(hq, "lost", A, "rider says so") is not None
    assert word(hq, "lost", A, "rider says so") is None
    assert (place(hq, A), owed(hq, ann)) == ("lost", (0, 0))
    assert balance(hq, "revenue:north", DEPOSIT) == 30_000
    south.hours(24 * 32)
    south.take_back(ann, A, 3)
    south.send(hq, 0)
    assert owed(hq, ann) == (0, 29_000)
    assert balance(hq, "revenue:north", DEPOSIT) == 1_000


def test_staff_that_has_found_it_ends_the_rental(hq: Headquarters) -> None:
    """Headquarters' word that it is back gives the deposit back, and takes the pack off the list."""
    north, _ = two_sites(hq)
    ann = rented_out(hq, north)
    word(hq, "hot", A, "")
    word(hq, "found", A, "south", "at the counter")
    assert (place(hq, A), owed(hq, ann)) == ("staff south", (0, 30_000))
    with store.reading(hq.engine) as connection:
        custody = packs.custody_of(connection, A)
    assert custody is not None
    assert (custody.hot, custody.place.at) == (False, At.STAFF)


def test_a_waiver_stands_in_for_a_deposit(hq: Headquarters) -> None:
    """Used for the term and back after it, as money would be."""
    north, south = two_sites(hq)
    ann = rider(hq)
    with store.writing(hq.engine) as connection:
        accounts.top_up(connection, hq.keys, hq.clock, ann, 1, channel="hq", reference="w1", asset=DEPOSIT_WAIVED)
    north.ask(hq, ann, 1, DEPOSIT_WAIVED)
    north.rent(ann, A, deposit=1, asset=DEPOSIT_WAIVED)
    north.send(hq, 0)
    assert owed(hq, ann, DEPOSIT_WAIVED) == (1, 0)
    south.take_back(ann, A)
    south.send(hq, 0)
    assert owed(hq, ann, DEPOSIT_WAIVED) == (0, 1)


def test_a_deposit_that_was_never_granted_is_never_paid_back(hq: Headquarters) -> None:
    """A box that lies about a deposit makes suspense, and no money."""
    north, south = two_sites(hq)
    ann = rider(hq)
    north.rent(ann, A)
    north.send(hq, 0)
    south.take_back(ann, A)
    south.send(hq, 0)
    assert owed(hq, ann) == (0, 0)


@pytest.mark.parametrize("code", ["\u00df" * 64, "A\x00B", "\U0001f50b", " "])
def test_a_pack_may_say_anything_of_itself(hq: Headquarters, code: str) -> None:
    """Letters that grow in upper case, NUL, no letters at all: taken in, and kept under some code."""
    north, _ = two_sites(hq)
    north.note("appeared", code)
    north.scan({2: code})
    north.rent(rider(hq), code, deposit=0)
    north.send(hq, 0)
    with store.reading(hq.engine) as connection:
        (row,) = connection.execute(sa.select(schema.packs)).all()
    assert row.at == "rider"


def test_numbers_have_their_range_and_their_pack(hq: Headquarters) -> None:
    """Outside of it, or another pack's: refused, with the range in the message."""
    assert word(hq, "number", A, 200_001) is not None
    assert word(hq, "number", A, 200_001) is None
    with pytest.raises(Denied, match="200,001 to 5,000,000, got 5,000,001, which is a tbox's"):
        word(hq, "number", B, 5_000_001)
    with pytest.raises(Denied, match=f"the number of {A}"):
        word(hq, "number", B, 200_001)
    word(hq, "number", A, 0)
    word(hq, "number", B, 200_001)


def test_a_term_is_extended_for_free_money(hq: Headquarters) -> None:
    """Sold at headquarters by the site's own terms; the end moves, and no late day is kept."""
    north, south = two_sites(hq)
    ann = rented_out(hq, north)
    with pytest.raises(Denied, match="are needed"):
        word_extend(hq, A)
    with store.writing(hq.engine) as connection:
        accounts.top_up(connection, hq.keys, hq.clock, ann, 25_000, channel="wechat", reference="more")
    assert word_extend(hq, A)[0] == 19_900
    assert balance(hq, f"cust:{ann}") == 100
    assert balance(hq, "prepaid:rent month") == 19_900
    south.hours(24 * 40)
    south.take_back(ann, A)
    south.send(hq, 0)
    assert owed(hq, ann) == (0, 30_000)


def word_extend(hq: Headquarters, code: str) -> tuple[int, int]:
    later(hq)
    with store.writing(hq.engine) as connection:
        return pack_words.extend(connection, hq.keys, hq.clock, code)


def test_the_list_that_sites_get(hq: Headquarters) -> None:
    """Hot, rented and due packs, by a version that rises with each change and with nothing else."""
    north, _ = two_sites(hq)
    ann = rented_out(hq, north)
    word(hq, "hot", B, "stolen")
    word(hq, "inspected", A, hq.clock.now_ms() // 1000 + 90 * DAY_S, "")
    with store.writing(hq.engine) as connection:
        assert pack_list.publish(connection, hq.clock) == 1
        assert pack_list.publish(connection, hq.clock) is None
        payload = connection.execute(sa.select(schema.pack_lists.c.payload)).scalar_one()
        assert pack_list.told(connection) == ["north", "south"]
        told = pack_list.in_force(connection, "north")
    listed = decode(zlib.decompress(payload), PackList)
    assert [(one.code, one.hot, one.rented_by, one.late_e3) for one in listed.packs] == [
        (A, False, ann, 500_000),
        (B, True, "", 0),
    ]
    assert told is not None
    reply = north.send(hq, 0)
    assert told in reply.documents


STEPS = st.lists(
    st.tuples(st.sampled_from(["rent", "return", "scan", "gone"]), st.integers(0, 1), st.integers(0, 2)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, chance=st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_books_of_packs(
    light_hq: Headquarters, steps: list[tuple[str, int, int]], chance: random.Random
) -> None:
    """Two headquarters that hear the same two logs in other pieces and orders have the same packs; and deposits are
    never lost or doubled in either.
    """
    name = uuid4().hex[:8].upper()
    boxes = [ShopBox(f"{side}-{name}") for side in ("n", "s")]
    codes = [f"BT3072020{name}{number}" for number in range(2)]
    riders = [rider(light_hq, deposit=60_000) for _ in range(2)]
    for box in boxes:
        box.start(light_hq)
        box.send(light_hq, 0)
        for ann in riders:
            box.ask(light_hq, ann, 30_000, DEPOSIT)
    sizes = [len(box.leaves) for box in boxes]
    for number, (what, which, pack) in enumerate(steps):
        box, code, ann = boxes[which], codes[pack % 2], riders[pack // 2]
        for one in boxes:
            one.hours(7)
        match what:
            case "rent":
                box.rent(ann, code, deposit=10_000)
            case "return":
                box.take_back(ann, code, 1 + number % 3)
            case "scan":
                box.scan({1 + number % 3: code})
            case "gone":
                box.note("vanished", "", 1, before=code)
    while any(size < len(box.leaves) for size, box in zip(sizes, boxes, strict=True)):
        which = chance.choice([at for at, box in enumerate(boxes) if sizes[at] < len(box.leaves)])
        end = min(len(boxes[which].leaves), sizes[which] + chance.randint(1, 4))
        boxes[which].send(light_hq, sizes[which], end)
        sizes[which] = end
        for ann in riders:
            _conserved(light_hq, ann)
    shown = dump(light_hq)
    with store.writing(light_hq.engine) as connection:
        packs.refold(connection, light_hq.keys, light_hq.clock, codes)
    again = dump(light_hq)
    assert again["packs"] == shown["packs"]
    assert again["rentals"] == shown["rentals"]
    assert again["transfers"] == shown["transfers"]


def _conserved(hq: Headquarters, account: str) -> None:
    """Paid in is free, at sites, held, or kept of this account's rentals."""
    with store.reading(hq.engine) as connection:
        table = schema.ledger
        mine = sa.or_(
            table.c.code == f"cust:{account}",
            table.c.code == f"deposit:{account}",
            table.c.code.startswith(f"lease:{account}:"),
        )
        query = sa.select(sa.func.sum(table.c.credits - table.c.debits)).where(mine, table.c.asset == DEPOSIT)
        total = connection.execute(query).scalar_one()
        kept = schema.rental_deposits
        query = sa.select(sa.func.coalesce(sa.func.sum(kept.c.kept), 0)).where(kept.c.account == account)
        assert total + connection.execute(query).scalar_one() == 60_000
