"""The schema on both databases: its migrations, and the invariants that it holds by itself."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cloud import bulk, schema, store
from cloud.service import Headquarters


def test_migrations_lead_to_the_schema(empty_url: str) -> None:
    """What the steps build is what the code declares, and running them again does nothing."""
    engine = store.open_store(empty_url)
    store.migrate(engine)
    store.migrate(engine)
    with store.writing(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


LEDGER = {"asset": "CNY"}
LEASE = {"log": 1, "account": "A", "asset": "CNY", "serial": 0, "accepted_serial": 0, "grant": b"", "issued_ms": 0}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (schema.ledger, LEDGER | {"code": "cust:A", "debits": 1, "credits": 0}),
        (schema.ledger, LEDGER | {"code": "lease:A:s:1", "debits": 5, "credits": 4}),
        (schema.ledger, LEDGER | {"code": "refund:wechat", "debits": 5, "credits": 4}),
        (schema.ledger, LEDGER | {"code": "deposit:A", "debits": 5, "credits": 4}),
        (schema.ledger, LEDGER | {"code": "revenue:s", "debits": -1, "credits": 0}),
        (schema.leases, LEASE | {"granted": 10, "used": 6, "returned": 5, "freed": 0}),
        (schema.leases, LEASE | {"granted": 10, "used": 6, "returned": 2, "freed": 3}),
        (schema.leases, LEASE | {"granted": 10, "used": -1, "returned": 0, "freed": 0}),
    ],
    ids=[
        "customer below zero",
        "lease below zero",
        "refund below zero",
        "deposit below zero",
        "negative total",
        "more used than granted",
        "more freed than left",
        "negative counter",
    ],
)
def test_the_database_refuses_what_must_never_be(hq: Headquarters, table: sa.Table, row: dict[str, object]) -> None:
    """Each invariant of the books is a constraint as well as a check."""
    with store.writing(hq.engine) as connection:
        _account(connection)
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)check"), store.writing(hq.engine) as connection:
        connection.execute(table.insert().values(row))


def test_an_operator_may_owe(hq: Headquarters) -> None:
    """Only customers, leases and refunds are held above zero: an overrun is the operator's own debt."""
    with store.writing(hq.engine) as connection:
        connection.execute(schema.ledger.insert().values(LEDGER | {"code": "overrun:s", "debits": 9, "credits": 0}))


def test_a_move_posts_once(hq: Headquarters) -> None:
    """(log, seq, position) is a transfer's key."""
    columns = ("log", "seq", "position", "debit", "credit", "asset", "amount", "business_date")
    with store.writing(hq.engine) as connection:
        record = (1, 0, "notice", 0, "2026-11-22", 0, b"leaf")
        names = ("log", "seq", "kind", "wall_ms", "business_date", "received_ms", "bytes")
        bulk.insert(connection, schema.records, names, [record])
        for code in ("a", "b"):
            connection.execute(schema.ledger.insert().values(LEDGER | {"code": code, "debits": 0, "credits": 0}))
        bulk.insert(connection, schema.transfers, columns, [(1, 0, 0, 1, 2, "CNY", 5, "2026-11-22")])
    twice = (sa.exc.IntegrityError, psycopg.errors.UniqueViolation)
    with pytest.raises(twice, match=r"(?i)unique"), store.writing(hq.engine) as connection:
        bulk.insert(connection, schema.transfers, columns, [(1, 0, 0, 1, 2, "CNY", 5, "2026-11-22")])


def test_a_block_that_raises_leaves_nothing(hq: Headquarters) -> None:
    """`writing` is all or nothing."""

    def fail_halfway() -> None:
        with store.writing(hq.engine) as connection:
            _account(connection)
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    with store.reading(hq.engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.accounts)).scalar_one() == 0


def test_rows_in_bulk(hq: Headquarters) -> None:
    """Insert, insert missing, upsert, add and `among` do the same on both databases."""
    table, columns = schema.counters, ("log", "account", "asset", "effect", "place", "total")
    with store.writing(hq.engine) as connection:
        bulk.insert(connection, table, columns, [(1, "A", "CNY", "used", "", 5), (1, "B", "CNY", "used", "", 6)])
        bulk.insert_missing(
            connection, table, columns, [(1, "A", "CNY", "used", "", 9), (1, "C", "CNY", "used", "", 7)]
        )
        bulk.upsert(connection, table, columns, [(1, "B", "CNY", "used", "", 60)], update=["total"])
        bulk.add(connection, table, ["log", "account"], ["total"], [(1, "C", 100), (1, "nobody", 1)])
        query = sa.select(table.c.account, table.c.total).order_by(table.c.account)
        assert [tuple(row) for row in connection.execute(query)] == [("A", 5), ("B", 60), ("C", 107)]
        chosen = query.where(bulk.among(table.c.account, "accounts"))
        assert [row.account for row in connection.execute(chosen, {"accounts": ["C", "A", "X"]})] == ["A", "C"]
        assert connection.execute(chosen, {"accounts": []}).all() == []


def _account(connection: sa.Connection) -> None:
    row = {"id": "A", "class": "person", "status": "open", "opened_ms": 0}
    limits = {"session_limit": 0, "placed": 0, "site_max": 0}
    connection.execute(schema.accounts.insert().values(row | limits))
