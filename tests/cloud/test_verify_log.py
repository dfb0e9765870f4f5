"""Headquarters' copy of a log, and every table that follows from it: sound as ingested, and each edit is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hq_say import Say
from night.site_story import Story, customer

from cloud import schema, store
from cloud.service import Headquarters
from cloud.verify import Report, logs, signers, verify_log
from cloud.verify_books import verify_accounts
from cloud.verify_tables import verify_tables
from protocols.trade.finding import Finding

SITE = "pudong-1"


@pytest.fixture
def sold(hq: Headquarters) -> Headquarters:
    """A day of three sessions at one site, reported."""
    return a_day(hq)


@pytest.fixture
def light_sold(light_hq: Headquarters) -> Headquarters:
    return a_day(light_hq)


def a_day(hq: Headquarters) -> Headquarters:
    story = Story(hq, SITE)
    customer(hq, "ann", 50_000)
    customer(hq, "bob", 50_000)
    story.reports("06:00")
    story.charge("a", "ann", "07:30", "08:30", 20_000)
    story.charge("b", "bob", "09:00", "10:00", 30_000)
    story.charge("a", "ann", "11:00", "11:30", 90_000, hold_fen=2_000)
    story.closes_day("22:00")
    story.reports("22:10")
    return hq


def verified(hq: Headquarters) -> list[Report]:
    with store.reading(hq.engine) as connection:
        trusted = signers(connection, hq.keys)
        return [verify_log(connection, row, trusted) for row in logs(connection, None, None)]


def findings(hq: Headquarters) -> list[Finding]:
    return [finding for report in verified(hq) for finding in report.findings]


def test_what_was_ingested_is_sound(sold: Headquarters) -> None:
    """On both databases: headquarters' own log, the site's, and all accounts."""
    own, site = verified(sold)
    assert (own.findings, site.findings) == ([], [])
    assert (own.site, site.site, site.tally.bills, site.tally.day_closes) == ("", SITE, 3, 1)
    assert site.cosigned == site.size
    with store.reading(sold.engine) as connection:
        assert verify_accounts(connection) == []
        assert verify_tables(connection, sold.keys) == []


class Edit(NamedTuple):
    name: str
    statement: Callable[[], sa.Executable]
    code: str
    says: str


def at_site(table: sa.Table) -> sa.ColumnElement[bool]:
    """Rows of the site's log, which is the second."""
    return table.c.log == 2


def edit(table: sa.Table, where: sa.ColumnElement[bool] | None = None, **values: object) -> Callable[[], sa.Executable]:
    condition = at_site(table) if where is None else at_site(table) & where
    return lambda: table.update().where(condition).values(**values)


T, C, L, R, E = schema.transfers, schema.counters, schema.leases, schema.records, schema.epochs
FIRST_SALE = sa.select(sa.func.min(T.c.seq)).where(at_site(T)).scalar_subquery()

EDITS = [
    Edit("a transfer of one fen less", edit(T, T.c.seq == FIRST_SALE, amount=T.c.amount - 1), "posting", "move 0"),
    Edit("a transfer gone", lambda: T.delete().where(at_site(T) & (T.c.seq == FIRST_SALE)), "posting", "move 0"),
    Edit("a transfer turned round", edit(T, T.c.seq == FIRST_SALE, debit=T.c.credit, credit=T.c.debit), "posting",
         "move 0"),
    Edit("a transfer of no move", edit(T, T.c.seq == FIRST_SALE, position=7), "posting", "move 7"),
    Edit("a counter", edit(C, C.c.effect == "used", total=C.c.total + 5), "books", "counter `used`"),
    Edit("a lease used less", edit(L, L.c.used > 0, used=L.c.used - 1), "books", "lease of"),
    Edit("a lease granted more", edit(L, L.c.granted > 0, granted=L.c.granted + 1), "books", "lease of"),
    Edit("a record gone", lambda: R.delete().where(at_site(R) & (R.c.seq == 1)), "record-missing", "records 1 to 1"),
    Edit("a record damaged", edit(R, R.c.seq == 1, bytes=b"\xc0"), "not-canonical", "the record"),
    Edit("a record of another log", edit(R, R.c.seq == 1, bytes=sa.select(R.c.bytes).where(at_site(R), R.c.seq == 2)
                                         .scalar_subquery()), "root", "root of the first"),
    Edit("the head", lambda: E.update().where(E.c.id == 2).values(size=E.c.size - 1), "cosigned", "records"),
    Edit("the acknowledgement", lambda: E.update().where(E.c.id == 2).values(cosigned=b""), "cosigned", "cosigned"),
    Edit("the log key", lambda: E.update().where(E.c.id == 2).values(log_key=bytes(32)), "certificate", "keys of this"),
    Edit("the tariff", lambda: schema.documents.delete(), "document", "tariff"),
]  # fmt: skip


@pytest.mark.parametrize("what", EDITS, ids=[what.name for what in EDITS])
def test_every_edit_is_found(light_sold: Headquarters, what: Edit) -> None:
    """A clerk with the database open cannot change a row that matters unseen."""
    clerk = sa.create_engine(light_sold.engine.url)  # without our settings, so that foreign keys are not looked at
    with clerk.begin() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.execute(what.statement())
    clerk.dispose()
    found = findings(light_sold)
    assert any(finding.code == what.code and what.says in finding.what for finding in found), found
    assert all(finding.remedy for finding in found)


def test_an_account_that_lies_is_found(light_sold: Headquarters) -> None:
    """A balance raised by hand agrees with no transfer."""
    table = schema.ledger
    with store.writing(light_sold.engine) as connection:
        connection.execute(table.update().where(table.c.code == "cust:ann").values(credits=table.c.credits + 1))
    with store.reading(light_sold.engine) as connection:
        found = verify_accounts(connection)
    assert [finding.code for finding in found] == ["books", "books"]
    assert "cust:ann" in found[0].what


def test_a_quarantined_move_is_counted_not_found(light_hq: Headquarters) -> None:
    """What could not be posted as meant stands there with its reason: the nightly run asks a person about it."""
    story = Story(light_hq, SITE)
    customer(light_hq, "ann", 50_000)
    story.reports("06:00")
    story.charge("a", "ann", "07:30", "08:30", 20_000, capture_off_by=9_000)
    story.reports("22:10")
    _, site = verified(light_hq)
    assert site.quarantined == 1
    assert {finding.code for finding in site.findings} <= {"capture", "rights"}


def test_as_a_person_asks(say: Say) -> None:
    """0 and what is proven; JSON for a program; a site that is not there is refused, and one must be named."""
    say("init")
    say("account", "add")
    shown = say("verify", "--all")
    assert shown.code == 0
    assert shown.out.startswith("headquarters/1: sound, ")
    told = json.loads(say("--json", "verify", "--all").out)
    assert (told["sound"], told["accounts"], len(told["logs"])) == (True, [], 1)
    assert say("verify", "nowhere").code == 1
    assert say("verify").code == 2
