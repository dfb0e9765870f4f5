"""How are many rows read and written at the databases' own speed?

SQLite takes one prepared statement with many parameter sets; PostgreSQL takes COPY, or whole columns as arrays. Rows
are tuples in the order of the columns named; dates are ISO text. Both run in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:  # loading it takes a tenth of a second, which SQLite's users need not wait for
    import psycopg

Rows = Sequence[tuple[Any, ...]]


def insert(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert new rows; one that is there already is an error."""
    if not rows:
        return
    if _is_postgresql(connection):
        driver = cast("psycopg.Connection", connection.connection.driver_connection)
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({_names(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({_names(columns)}) VALUES ({_marks(columns)})", list(rows))


def insert_missing(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert the rows whose key is not there yet."""
    _insert_or(connection, table, columns, rows, "DO NOTHING")


def upsert(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows, *, update: Sequence[str]
) -> None:
    """Insert rows, or set their `update` columns where the primary key is there already. No key twice in `rows`."""
    keys = _names([column.name for column in table.primary_key])
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in update)
    _insert_or(connection, table, columns, rows, f"({keys}) DO UPDATE SET {changes}")


def add(connection: sa.Connection, table: sa.Table, keys: Sequence[str], columns: Sequence[str], rows: Rows) -> None:
    """Add to `columns` of the rows found by `keys`; each row is (keys, then what is added). No key twice in `rows`."""
    if not rows:
        return
    if _is_postgresql(connection):
        changes = ", ".join(f'"{name}" = {table.name}."{name}" + more."{name}"' for name in columns)
        where = " AND ".join(f'{table.name}."{name}" = more."{name}"' for name in keys)
        arrays = f"unnest({_arrays(connection, table, [*keys, *columns])}) AS more({_names([*keys, *columns])})"
        connection.exec_driver_sql(f"UPDATE {table.name} SET {changes} FROM {arrays} WHERE {where}", _turned(rows))
        return
    changes = ", ".join(f'"{name}" = "{name}" + ?' for name in columns)
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    turned = [row[len(keys) :] + row[: len(keys)] for row in rows]
    connection.exec_driver_sql(f"UPDATE {table.name} SET {changes} WHERE {where}", turned)


def among(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """`column IN values` for any number of values: one parameter of this name, whose value is their list."""
    return _Among(column, sa.bindparam(name, type_=_List(column.type)))


class _List(sa.types.TypeDecorator[list[Any]]):
    """Many values in one parameter: an array for PostgreSQL, JSON for SQLite."""

    impl = sa.types.NullType
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return postgresql.ARRAY(self.item) if dialect.name == "postgresql" else sqlite.JSON()

    def process_bind_param(self, value: Iterable[Any] | None, dialect: sa.Dialect) -> list[Any]:
        return list(value or ())


class _Among(FunctionElement[bool]):
    """A condition, spelt as each database looks it up in an index."""

    inherit_cache = True
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> Self:
        return self  # in parentheses already, and true or false: SQLAlchemy would write `= 1` after it


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(part, **more) for part in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"


@compiles(_Among, "postgresql")
def _in_array(element: _Among, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(part, **more) for part in element.clauses)
    return f"({column} = ANY({values}))"


def _insert_or(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows, on_conflict: str
) -> None:
    if not rows:
        return
    into = f"INSERT INTO {table.name} ({_names(columns)})"
    if _is_postgresql(connection):
        source = f"SELECT * FROM unnest({_arrays(connection, table, columns)})"
        connection.exec_driver_sql(f"{into} {source} ON CONFLICT {on_conflict}", _turned(rows))
        return
    connection.exec_driver_sql(f"{into} VALUES ({_marks(columns)}) ON CONFLICT {on_conflict}", list(rows))


def _is_postgresql(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _marks(columns: Sequence[str]) -> str:
    return ", ".join("?" * len(columns))


def _arrays(connection: sa.Connection, table: sa.Table, columns: Sequence[str]) -> str:
    return ", ".join(f"%s::{table.c[name].type.compile(connection.dialect)}[]" for name in columns)


def _turned(rows: Rows) -> tuple[list[Any], ...]:
    """One list for each column."""
    return tuple(list(column) for column in zip(*rows, strict=True))
