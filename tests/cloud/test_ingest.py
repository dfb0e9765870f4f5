"""A site's log arrives: in order, late, twice, cut, edited, forked. Nothing is lost, doubled or held up."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance, dump, read, refused

from cloud import accounts, schema, store
from cloud.calendar import business_date
from cloud.service import Headquarters
from protocols.proof import checkpoint
from protocols.trade import books, wire
from protocols.trade.codec import decode, encode
from protocols.trade.records import CNY, ClockQuality, Effect, EpochOpened, Move, Notice, Record, Stamp
from protocols.trade.wire import BATCH_BYTES_MAX, Batch, BatchReply, Refusal, RefusalCode

NOTE = Notice("nothing", "connector-1", "")


@pytest.fixture
def box(hq: Headquarters) -> Box:
    """An enrolled box whose epoch record headquarters has not seen yet."""
    made = Box("pudong-1")
    admit(hq, made)
    made.enrol(hq)
    return made


@pytest.fixture
def account(hq: Headquarters) -> str:
    """An account with 100 yuan, nothing placed anywhere."""
    limits = accounts.Limits(session_limit=20_000, placed=0, site_max=20_000)
    with store.writing(hq.engine) as connection:
        made = accounts.open_account(connection, hq.keys, hq.clock, home_site=None, limits=limits)
        accounts.top_up(connection, hq.keys, hq.clock, made, 10_000, channel="wechat", reference="wx-1")
    return made


def refuse(hq: Headquarters, box: Box, batch: Batch) -> Refusal:
    return refused(hq.answer(box.request(wire.PATH_BATCH, batch)))


def quarantined(hq: Headquarters) -> list[tuple[int | None, str]]:
    table = schema.quarantine
    with store.reading(hq.engine) as connection:
        return [(row.seq, row.code) for row in connection.execute(sa.select(table).order_by(table.c.id))]


def size(hq: Headquarters, box: Box) -> int:
    table = schema.epochs
    query = sa.select(table.c.size).where(table.c.site == box.site, table.c.epoch == box.epoch)
    with store.reading(hq.engine) as connection:
        return int(connection.execute(query).scalar_one())


# --- what goes well --------------------------------------------------------------------------------------------------


def test_sales_are_posted_and_acknowledged(hq: Headquarters, box: Box, account: str) -> None:
    """Capture, return and overrun move what the chart of accounts says, and the head is cosigned."""
    box.accept(box.ask(hq, account, 5_000).grant)
    box.sell(account, 1_500)
    box.give_back(account, 2_000)
    box.add(NOTE, [box.move(Effect.OVERRUN, account, 30)])
    reply = box.send(hq, 0)

    assert checkpoint.verify_cosignature(reply.cosigned, hq.keys.cosign_vkey) == hq.clock.now_ms() // 1000
    assert checkpoint.parse(reply.cosigned).size == len(box.leaves)
    assert balance(hq, books.cust(account)) == 10_000 - 5_000 + 2_000
    assert balance(hq, books.lease(account, box.site, 1)) == 5_000 - 1_500 - 2_000
    assert balance(hq, books.revenue(box.site)) == 1_500 + 30
    assert balance(hq, books.overrun(box.site)) == -30
    assert quarantined(hq) == []


def test_an_empty_batch_brings_news_alone(hq: Headquarters, box: Box, account: str) -> None:
    """It is answered with the stored note and the grants not yet taken in; the box's boot becomes known."""
    box.send(hq, 0)
    granted = box.ask(hq, account, 100).grant
    reply = box.send(hq, 1)
    assert (checkpoint.parse(reply.cosigned).size, reply.grants) == (1, [granted])
    box.accept(granted)
    assert box.send(hq, 1).grants == []


@pytest.mark.parametrize("cuts", [(0, 9), (0, 1, 9), (0, 3, 6, 9), (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)])
def test_however_it_is_cut_the_books_are_the_same(
    hq: Headquarters, box: Box, account: str, cuts: tuple[int, ...]
) -> None:
    """Batches are only packing: the log's tree and the books do not depend on where they are cut."""
    box.accept(box.ask(hq, account, 5_000).grant)
    for amount in range(1, 8):
        box.sell(account, amount)
    for first, end in pairwise(cuts):
        box.send(hq, first, end)
    assert (size(hq, box), balance(hq, books.revenue(box.site))) == (9, 28)


def test_the_unknown_is_stored_and_its_moves_posted(hq: Headquarters, box: Box, account: str) -> None:
    """A kind of record from a newer box is a leaf like any other; books fold its moves alone."""
    box.accept(box.ask(hq, account, 5_000).grant)
    sale = decode(box.leaves[box.sell(account, 700)], Record)
    box.leaves[-1] = encode(msgspec.structs.replace(sale, kind="battery-swapped", version=7, body=b"\x90"))
    box.send(hq, 0)
    assert balance(hq, books.revenue(box.site)) == 700


# --- again, late, out of order ---------------------------------------------------------------------------------------


def test_a_repeat_changes_nothing_and_gets_the_same_bytes(hq: Headquarters, box: Box, account: str) -> None:
    """A lost reply is asked for again: the stored note comes back, byte for byte, even when the clock has moved on."""
    box.accept(box.ask(hq, account, 5_000).grant)
    box.sell(account, 1_500)
    first = box.send(hq, 0)
    before = dump(hq)
    hq.clock.advance(60_000)
    again = box.send(hq, 0)
    assert again.cosigned == first.cosigned
    changed = {name for name, rows in dump(hq).items() if rows != before[name]}
    assert changed == {"epochs"}  # when the box was last heard


def test_an_old_batch_that_comes_late_changes_nothing_at_all(hq: Headquarters, box: Box, account: str) -> None:
    """The same request, delivered again by the network after newer ones."""
    box.accept(box.ask(hq, account, 5_000).grant)
    old = box.request(wire.PATH_BATCH, box.batch(0))
    read(hq.answer(old), BatchReply)
    box.sell(account, 10)
    newest = box.send(hq, 2)
    before = dump(hq)
    assert read(hq.answer(old), BatchReply).cosigned == newest.cosigned
    assert dump(hq) == before


def test_an_overlap_is_skipped(hq: Headquarters, box: Box, account: str) -> None:
    """Records that are here already are compared and passed over; the new ones after them are taken."""
    box.accept(box.ask(hq, account, 5_000).grant)
    box.sell(account, 10)
    box.send(hq, 0)
    box.sell(account, 20)
    box.send(hq, 1)
    assert balance(hq, books.revenue(box.site)) == 30


def test_a_gap_is_refused_with_the_size(hq: Headquarters, box: Box) -> None:
    """The box learns from where to send."""
    for _ in range(4):
        box.add(NOTE)
    box.send(hq, 0, 2)
    before = dump(hq)
    refusal = refuse(hq, box, box.batch(3))
    assert (refusal.code, refusal.size) == (RefusalCode.GAP, 2)
    assert dump(hq) == before


# --- refused, and nothing changes ------------------------------------------------------------------------------------


def test_an_edited_batch_is_refused(hq: Headquarters, box: Box, account: str) -> None:
    """One flipped bit of the body, and the signature no longer holds."""
    request = box.request(wire.PATH_BATCH, box.batch(0), deflate=False)
    body = bytearray(request.body)
    body[40] ^= 1
    before = dump(hq)
    assert refused(hq.answer(replace(request, body=bytes(body)))).code == RefusalCode.BAD_SIGNATURE
    assert dump(hq) == before


def test_another_sites_key_is_refused(hq: Headquarters, box: Box) -> None:
    """A box cannot speak for its neighbour, nor an old epoch's key for the new one."""
    other = Box("pudong-2")
    admit(hq, other)
    other.enrol(hq)
    before = dump(hq)
    request = other.request(wire.PATH_BATCH, other.batch(0))
    assert refused(hq.answer(replace(request, site=box.site))).code == RefusalCode.BAD_SIGNATURE
    assert refused(hq.answer(replace(request, site="nowhere"))).code == RefusalCode.UNKNOWN_SITE
    assert refused(hq.answer(replace(request, epoch=2))).code == RefusalCode.UNKNOWN_EPOCH
    assert refused(hq.answer(replace(request, signature="%%%"))).code == RefusalCode.BAD_SIGNATURE
    assert refused(hq.answer(replace(request, path=wire.PATH_GRANT))).code == RefusalCode.BAD_SIGNATURE
    assert dump(hq) == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"checkpoint": b"no note"}, RefusalCode.WRONG_CHECKPOINT),
        ({"checkpoint": b"x" * 5_000}, RefusalCode.WRONG_CHECKPOINT),
        ({"records": []}, RefusalCode.WRONG_CHECKPOINT),
    ],
    ids=["no note", "long note", "another size"],
)
def test_a_head_that_does_not_fit_is_refused(
    hq: Headquarters, box: Box, change: dict[str, object], code: RefusalCode
) -> None:
    """The signed head must be the one after the last record sent."""
    before = dump(hq)
    assert refuse(hq, box, msgspec.structs.replace(box.batch(0), **change)).code == code
    assert dump(hq) == before


def test_a_bomb_is_refused(light_hq: Headquarters) -> None:
    """A small body that inflates beyond the limit is not inflated further."""
    box = Box("pudong-1")
    admit(light_hq, box)
    box.enrol(light_hq)
    request = box.request(wire.PATH_BATCH, b"\x00" * (BATCH_BYTES_MAX + 1))
    assert len(request.body) < 10_000
    assert refused(light_hq.answer(request)).code == RefusalCode.TOO_LARGE


@pytest.mark.parametrize("tail", [b"", b"more"])
def test_half_a_stream_or_more_than_one_is_unreadable(light_hq: Headquarters, tail: bytes) -> None:
    """A cut transfer, or bytes after its end."""
    body = zlib.compress(b"x" * 100)
    request = Box("x").enrol_request()
    cut = body + tail if tail else body[:-3]
    assert refused(light_hq.answer(replace(request, body=cut, deflated=True))).code == RefusalCode.UNREADABLE


# --- what cannot be read ---------------------------------------------------------------------------------------------


def test_a_batch_that_cannot_be_read_is_kept_once(hq: Headquarters, box: Box) -> None:
    """It is refused with the reason, and its bytes are there for whoever mends the box."""
    box.leaves.append(b"\x93\x00")
    for _ in range(3):
        refusal = refuse(hq, box, box.batch(0))
    assert (refusal.code, refusal.size) == (RefusalCode.NOT_CANONICAL, 0)
    assert "record 1" in refusal.got
    assert quarantined(hq) == [(None, "not-canonical")]
    assert size(hq, box) == 0


def test_the_first_record_must_open_this_epoch(hq: Headquarters, box: Box) -> None:
    """A log that begins with a sale, or with another box's opening, is not this epoch's."""
    stranger = Box(box.site)
    stranger.open_epoch(1)
    opening = list(box.leaves)
    box.leaves = list(stranger.leaves)
    assert "enrolled for this epoch" in refuse(hq, box, box.batch(0)).got
    box.leaves = []
    box.add(NOTE)
    assert "expected epoch-opened" in refuse(hq, box, box.batch(0)).got
    box.leaves = opening
    box.send(hq, 0)


def test_an_opening_without_the_devices_word_is_refused(hq: Headquarters) -> None:
    """The device key certifies the log key in record 0."""
    box = Box("pudong-1")
    admit(hq, box)
    box.enrol(hq)
    genuine, box.device = box.device, Box("x").device
    box.open_epoch(1)
    opening = decode(box.leaves[0], Record)
    box.device = genuine
    body = encode(msgspec.structs.replace(decode(opening.body, EpochOpened), device_key=box.device_key))
    box.leaves[0] = encode(msgspec.structs.replace(opening, body=body))
    assert "certificate" in refuse(hq, box, box.batch(0)).got


# --- value that does not add up --------------------------------------------------------------------------------------


def test_what_cannot_be_posted_is_quarantined_and_holds_up_nobody(hq: Headquarters, box: Box, account: str) -> None:
    """More used than granted, a broken counter, an effect of headquarters' own: each is kept with its reason."""
    box.accept(box.ask(hq, account, 1_000).grant)
    bad = [
        box.add(NOTE, [box.move(Effect.USED, account, 5_000)]),
        box.add(NOTE, [Move(Effect.PAID_IN, account, CNY, "", 1_000_000, 1_000_000)]),
        box.add(NOTE, [Move("melted", account, CNY, "", 3, 3)]),
        box.add(NOTE, [Move(Effect.USED, account, CNY, "", 10, 9_999)]),
    ]
    box.counters[Effect.USED, account, CNY] = 9_999
    good = box.sell(account, 400)
    box.send(hq, 0)

    assert quarantined(hq) == [
        (bad[0], "overdrawn"),
        (bad[1], "not-understood"),
        (bad[2], "not-understood"),
        (bad[3], "counter-broken"),
    ]
    assert size(hq, box) == good + 1
    assert balance(hq, books.lease(account, box.site, 1)) == 600
    assert balance(hq, books.cust(account)) == 9_000
    assert balance(hq, books.revenue(box.site)) == 5_000 + 10 + 400
    assert balance(hq, books.QUARANTINE) == -(5_000 + 1_000_000 + 3 + 10)


def test_a_site_cannot_give_customers_what_it_never_had(hq: Headquarters, box: Box, account: str) -> None:
    """A return beyond the lease stays in suspense: nobody can spend it until a person agrees."""
    box.accept(box.ask(hq, account, 1_000).grant)
    box.give_back(account, 500_000)
    box.send(hq, 0)
    assert balance(hq, books.cust(account)) == 9_000
    assert balance(hq, books.UNKNOWN) == 500_000


@pytest.mark.parametrize("amount", [2**53, 2**53 - 1])
def test_nonsense_never_overflows_the_books(hq: Headquarters, box: Box, amount: int) -> None:
    """Amounts that would leave a column's range are kept as findings, and the log goes on."""
    for _ in range(600):
        box.add(NOTE, [Move(Effect.OVERRUN, "A", CNY, "", amount, amount)])
    box.send(hq, 0)
    assert ("too-large" in {code for _, code in quarantined(hq)}) == (600 * amount > 2**62)
    assert size(hq, box) == 601


def test_names_that_no_database_holds(hq: Headquarters, box: Box) -> None:
    """PostgreSQL's text has no NUL; a box that writes one is not held up by it."""
    box.add(NOTE, [Move(Effect.USED, "A\x00B", CNY, "", 5, 5)])
    record = decode(box.leaves[box.add(NOTE)], Record)
    box.leaves[-1] = encode(msgspec.structs.replace(record, kind="no\x00tice"))
    box.send(hq, 0)
    assert quarantined(hq) == [(1, "unreadable-name")]
    assert size(hq, box) == 3


# --- forks -----------------------------------------------------------------------------------------------------------


def test_a_cloned_disk_freezes_the_epoch(hq: Headquarters, box: Box, account: str) -> None:
    """Two boxes with one log: the later branch is refused, both signed heads are kept, and nothing more is taken."""
    box.accept(box.ask(hq, account, 5_000).grant)
    box.send(hq, 0)
    original = list(box.leaves)
    box.sell(account, 100)
    kept = box.send(hq, 2).cosigned
    box.leaves = original
    box.counters.clear()
    box.sell(account, 999)
    other = box.batch(2)

    refusal = refuse(hq, box, other)
    assert (refusal.code, refusal.size) == (RefusalCode.FORK, 3)
    with store.reading(hq.engine) as connection:
        evidence = connection.execute(sa.select(schema.forks)).one()
    assert (evidence.seq, evidence.kept, evidence.other) == (2, kept, other.checkpoint)
    assert decode(evidence.batch, Batch) == other
    assert balance(hq, books.revenue(box.site)) == 100
    assert refuse(hq, box, other).code == RefusalCode.EPOCH_FROZEN
    assert (
        refused(hq.answer(box.request(wire.PATH_GRANT, box.grant_ask(account, 9_000)))).code == RefusalCode.EPOCH_FROZEN
    )


@pytest.mark.parametrize("longer", [0, 1, 2])
def test_another_history_is_a_fork_even_where_no_record_overlaps(hq: Headquarters, box: Box, longer: int) -> None:
    """The root tells it: a head of the same size, of a larger one, or of an earlier one than ours."""
    box.add(NOTE)
    box.add(NOTE)
    box.send(hq, 0)
    box.leaves[1] = box.leaves[1].replace(b"nothing", b"another")
    box.add(NOTE)
    box.add(NOTE)
    refusal = refuse(hq, box, box.batch(2 + longer, 2 + longer) if longer < 2 else box.batch(3))
    assert refusal.code == RefusalCode.FORK


# --- business days ---------------------------------------------------------------------------------------------------

MIDNIGHT_MS = 1_780_070_400_000  # 2026-05-30 00:00 in Shanghai
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("wall", "quality", "lb", "ub", "received", "starts_h", "expected"),
    [
        (0, 2, 0, 0, 10, 0, "2026-05-30"),
        (-1, 2, -1, -1, 10, 0, "2026-05-29"),
        (4 * 3_600_000 - 1, 2, 0, None, DAY_MS, 4, "2026-05-29"),
        (4 * 3_600_000, 2, 0, None, DAY_MS, 4, "2026-05-30"),
        (40 * DAY_MS, 2, 0, None, DAY_MS, 0, "2026-05-31"),
        (-9_000 * DAY_MS, 1, 0, None, DAY_MS, 0, "2026-05-30"),
        (-9_000 * DAY_MS, 0, -9_000 * DAY_MS, None, 2 * DAY_MS, 0, "2026-06-01"),
        (-9_000 * DAY_MS, 0, -9_000 * DAY_MS, DAY_MS, 2 * DAY_MS, 0, "2026-05-31"),
    ],
    ids=[
        "midnight",
        "a moment before",
        "before the cut-off hour",
        "at the cut-off hour",
        "a clock ahead of ours: the day it came",
        "a clock behind what is proven: the earliest proven",
        "no clock at all: the day it came",
        "no clock, but an upper bound",
    ],
)
def test_the_business_day(
    wall: int, quality: int, lb: int, ub: int | None, received: int, starts_h: int, expected: str
) -> None:
    """The site's zone and cut-off hour decide, on its clock as far as that can be trusted. Times from midnight."""
    bounds = (MIDNIGHT_MS + lb, None if ub is None else MIDNIGHT_MS + ub)
    stamp = Stamp(bytes(8), 0, MIDNIGHT_MS + wall, ClockQuality(quality), *bounds)
    assert business_date(stamp, MIDNIGHT_MS + received, "Asia/Shanghai", starts_h) == expected


# --- all at once -----------------------------------------------------------------------------------------------------


def test_many_sites_and_the_desk_at_once(hq: Headquarters) -> None:
    """Uploads, asks and top-ups of the same accounts in parallel: no deadlock, and the books add up."""
    boxes = [Box(f"site-{n}") for n in range(3)]
    for box in boxes:
        admit(hq, box)
        box.enrol(hq)
    with store.writing(hq.engine) as connection:
        ids = [accounts.open_account(connection, hq.keys, hq.clock, home_site="site-0") for _ in range(3)]

    def sell(box: Box) -> None:
        for turn in range(6):
            for account in ids:
                reply = box.ask(hq, account, 100 * (turn + 1))
                if reply.grant:
                    box.accept(reply.grant)
                    box.sell(account, 10)
            box.send(hq, 0)

    def pay(account: str) -> None:
        for turn in range(6):
            with store.writing(hq.engine) as connection:
                reference = f"{account}-{turn}"
                accounts.top_up(connection, hq.keys, hq.clock, account, 1_000, channel="c", reference=reference)

    with ThreadPoolExecutor(6) as threads:
        for done in [*(threads.submit(sell, box) for box in boxes), *(threads.submit(pay, it) for it in ids)]:
            done.result()
    with store.reading(hq.engine) as connection:
        rows = connection.execute(sa.select(schema.ledger)).all()
    assert sum(row.credits - row.debits for row in rows) == 0
    assert balance(hq, books.channel("c")) == -3 * 6 * 1_000
    assert quarantined(hq) == []
