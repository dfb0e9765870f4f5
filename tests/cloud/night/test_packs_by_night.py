"""Nights of a shop front: a golden day over two sites, and which fault of packs is found where."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hq_box import NOON_MS
from shop_box import A, B, ShopBox, rider

from cloud import accounts, hqlog, pack_words, plans, schema, store
from cloud.clock import SetClock
from cloud.hqlog import Act, Change
from cloud.night import nightly, report, report_model
from cloud.night.nightly import NightlyResult
from cloud.night.report_model import Report
from cloud.plans import Plan
from cloud.service import Headquarters
from protocols.trade.records import Effect
from protocols.trade.records_pack import DEPOSIT, ShopDayClosed

DAY = datetime.date(2026, 5, 29)
"""The business day of NOON_MS, at whose 04:26 these stories begin."""
C, OLD = "BT3072020120000200521003", "BT3072020120000200521009"
FEE = 19_900


@dataclass
class Front:
    """Two sites with a cabinet each. ann has a pass for both, a deposit, and the pack OLD."""

    hq: Headquarters
    north: ShopBox
    south: ShopBox
    ann: str

    def later(self, hours: float) -> None:
        for box in (self.north, self.south):
            box.hours(hours)
        assert isinstance(self.hq.clock, SetClock)
        self.hq.clock.advance(int(hours * 3_600_000))

    def report(self) -> None:
        for box in (self.north, self.south):
            box.send(self.hq, 0)

    def night(self, out: Path) -> tuple[NightlyResult, Report]:
        """All is told, and the day is over."""
        self.later(24)
        self.report()
        result = nightly.run(self.hq.engine, DAY, out)
        return result, report_model.decode(result.json_path.read_bytes())


@pytest.fixture
def front(light_hq: Headquarters) -> Front:
    hq, boxes = light_hq, (ShopBox("north"), ShopBox("south"))
    for box in boxes:
        box.start(hq)
        box.send(hq, 0)
    ann = rider(hq, deposit=30_000)
    plan = Plan("p-1", ann, "pass", 0, 5, ("north", "south"), NOON_MS // 1000 + 30 * 86_400)
    with store.writing(hq.engine) as connection:
        accounts.top_up(connection, hq.keys, hq.clock, ann, 60_000, channel="wechat", reference="w-1")
        plans.sell(connection, hq.keys, hq.clock, plan, price_fen=29_900, channel="wechat")
    for box in boxes:
        box.ask(hq, ann, 30_000, DEPOSIT)
        box.ask(hq, ann, FEE)
    made = Front(hq, *boxes, ann)
    made.north.scan({1: A, 2: B})
    made.south.scan({3: C})
    made.later(1)
    return made


def a_day(front: Front) -> None:
    """ann swaps at north, rents A there, and brings it to south."""
    front.north.swap(front.ann, OLD, B, into=3)
    front.later(1)
    front.north.rent(front.ann, A, fee_fen=FEE)
    front.later(1)
    front.south.take_back(front.ann, A)
    front.later(1)
    front.north.scan({3: OLD})
    front.south.scan({1: A, 3: C})
    front.north.add(ShopDayClosed(1, 1, 1, 0, 0, 0, FEE))


def found(told: Report) -> list[tuple[str, str, str]]:
    return [(it.code, it.site, it.subject) for it in told.findings]


GOLDEN = """\
swaps  swapped  rented  returned  kept  cancelled  by plan  deposits
north        1       1         0     0          0  pass:1     300.00
south        0       0         1     0          0  -            0.00

cabinets  cabinet  scanned              slots  packs  empty  unsure  by records  differences
north     cab-1    2026-05-29 08:26:40      3      1      2       0           1            0
south     cab-1    2026-05-29 08:26:40      3      2      1       0           2            0

packs  in slots  riders  staff  lost  unknown  hot  rented  late  overdue  deposits
    4         3       1      0     0        0    0       0     0        0      0.00
"""


def test_a_golden_day(front: Front, tmp_path: Path) -> None:
    """A swap by plan, a rental over two sites, scans that agree: everything adds up, and the tables say it."""
    a_day(front)
    result, told = front.night(tmp_path)
    assert found(told) == []
    assert result.exit_code == 0
    assert GOLDEN in report.show(result.json_path)
    assert "packs                0" in report.show(result.json_path)
    assert (told.total.swaps, told.total.rent_fen, told.total.gross_fen) == (3, FEE, FEE)
    page = result.html_path.read_text()
    assert "电池资产" in page
    assert "换电" in page


def test_the_same_night_gives_the_same_bytes(front: Front, tmp_path: Path) -> None:
    """Run twice, nothing changes."""
    a_day(front)
    first, _ = front.night(tmp_path)
    data = first.json_path.read_bytes()
    again = nightly.run(front.hq.engine, DAY, tmp_path)
    assert again.json_path.read_bytes() == data


Sow = Callable[[Front], object]


def _a_pack_that_nobody_took(front: Front) -> None:
    front.north.scan({1: A})


def _a_pack_from_nowhere(front: Front) -> None:
    front.north.scan({1: A, 2: B, 3: OLD})


def _found_in_another_slot(front: Front) -> None:
    front.north.scan({1: A, 3: B})


def _found_at_another_site(front: Front) -> None:
    front.north.scan({1: A})
    front.later(1)
    front.south.note("put-in", B, 1)


def _in_two_places(front: Front) -> None:
    front.south.note("appeared", B, 1)


def _charged_for_nothing(front: Front) -> None:
    north, ann = front.north, front.ann
    moves = [north.move(Effect.USED, ann, 1, DEPOSIT)]
    north.session("return", ann, "", "returned", returned=(OLD, 3), moves=moves)


def _too_many_units(front: Front) -> None:
    front.north.swap(front.ann, OLD, B, into=3, units=2)


def _a_cheap_rental(front: Front) -> None:
    front.north.rent(front.ann, A, fee_fen=1)


def _twice_within_the_interval(front: Front) -> None:
    front.north.swap(front.ann, OLD, B, into=3)
    front.later(0.1)
    front.south.swap(front.ann, B, C, into=1, out_of=3)


def _twice_at_one_site(front: Front) -> None:
    front.north.swap(front.ann, OLD, B, into=3)
    front.later(0.1)
    front.north.swap(front.ann, B, A, into=2, out_of=1)


def _a_wrong_total(front: Front) -> None:
    front.north.swap(front.ann, OLD, B, into=3)
    front.north.add(ShopDayClosed(1, 2, 0, 0, 0, 0, 0))


def _a_clerk_moves_a_pack(front: Front) -> None:
    front.report()
    with store.writing(front.hq.engine) as connection:
        connection.execute(schema.packs.update().where(schema.packs.c.code == A).values(site="south"))


def _a_clerk_gives_a_deposit_back(front: Front) -> None:
    front.north.rent(front.ann, A, fee_fen=FEE)
    front.report()
    act = Act(front.ann, "by hand", [Change(Effect.DEPOSIT_BACK, DEPOSIT, "north", 30_000)])
    with store.writing(front.hq.engine) as connection:
        hqlog.append(connection, front.hq.keys, front.hq.clock, [act])


def _a_brick_in_its_place(front: Front) -> None:
    north = front.north
    closing = north.session("swap", front.ann, "pass", "kept", returned=(OLD, 3))
    north.note("vanished", B, 2, B, session=closing - 1)


def _a_brick_that_is_explained(front: Front) -> None:
    _a_brick_in_its_place(front)
    front.later(1)
    front.south.take_back(front.ann, B)


def _an_inspection_that_is_due(front: Front) -> None:
    front.report()
    until_s = front.hq.clock.now_ms() // 1000 + 60
    with store.writing(front.hq.engine) as connection:
        pack_words.inspected(connection, front.hq.keys, front.hq.clock, A, until_s, "")


NORTH_2 = "north cab-1 slot 2"


@pytest.mark.parametrize(
    ("sow", "expected"),
    [
        (_a_pack_that_nobody_took, [("pack-missing", "north", NORTH_2)]),
        (_a_pack_from_nowhere, [("pack-unrecorded", "north", "north cab-1 slot 3")]),
        (
            _found_in_another_slot,
            [("pack-in-two-places", "north", f"pack {B}"), ("pack-unrecorded", "north", "north cab-1 slot 3")],
        ),
        (_found_at_another_site, [("pack-in-two-places", "south", f"pack {B}")]),
        (_in_two_places, [("pack-in-two-places", "south", f"pack {B}")]),
        (_charged_for_nothing, [("deposit-differs", "", "account"), ("charged-without-pack", "north", "north/1/")]),
        (_too_many_units, [("capture-differs", "north", "north/1/")]),
        (_a_cheap_rental, [("price-differs", "north", "north/1/")]),
        (_twice_within_the_interval, [("plan-interval", "south", "account")]),
        (_twice_at_one_site, [("plan-interval", "north", "account")]),
        (_a_wrong_total, [("shop-day-differs", "north", "north/1 day 1")]),
        (_a_clerk_moves_a_pack, [("pack-ledger-differs", "", f"pack {A}")]),
        (_a_clerk_gives_a_deposit_back, [("deposit-differs", "", "account")]),
        (_a_brick_in_its_place, [("pack-out-of-sight", "north", f"pack {B}")]),
        (_a_brick_that_is_explained, []),
        (_an_inspection_that_is_due, [("inspection-overdue", "north", f"pack {A}")]),
    ],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_a_sown_fault_is_found(front: Front, tmp_path: Path, sow: Sow, expected: list[tuple[str, str, str]]) -> None:
    """Each fault of packs, swaps and deposits is named, at its site, and nothing else is."""
    sow(front)
    _, told = front.night(tmp_path)
    assert [it[:2] for it in found(told)] == [it[:2] for it in expected]
    for got, wanted in zip(found(told), expected, strict=True):
        assert got[2].startswith(wanted[2])


def test_a_late_rental_and_a_fee_that_nothing_covers(front: Front, tmp_path: Path) -> None:
    """Out beyond its term it is named each night; returned late on a waiver, the fee waits for a person."""
    front.north.rent(front.ann, A, deposit=0, fee_fen=FEE)
    front.later(24 * 31)
    front.report()
    day = DAY + datetime.timedelta(days=31)
    told = report_model.decode(nightly.run(front.hq.engine, day, tmp_path).json_path.read_bytes())
    late = [it for it in told.findings if it.code == "rental-late"]
    assert [it.age_days for it in late] == [1]
    assert told.fleet is not None
    assert (told.fleet.rented, told.fleet.late) == (1, 1)
    front.south.take_back(front.ann, A)
    front.report()
    told = report_model.decode(nightly.run(front.hq.engine, day, tmp_path).json_path.read_bytes())
    assert [(it.code, it.difference_fen) for it in told.findings if it.leg == "packs"] == [("late-fee-owed", 500)]
