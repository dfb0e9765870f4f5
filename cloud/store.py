"""How does headquarters open its database, write one thing at a time, and bring the schema up to date?

SQLite: WAL, FULL, foreign keys, BEGIN IMMEDIATE. A lock file beside it serialises writers of all processes, their
checkpoints included: SQLite before 3.51.3 can corrupt a WAL that two connections reset at once. PostgreSQL: read
committed; writers lock the epoch's head, then the whole ledger.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_WRITE = "fieldtill_write"


def open_store(url: str) -> sa.Engine:
    """The engine for `sqlite:///PATH` or `postgresql+psycopg://...`. Nothing is created or changed."""
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction that writes: committed when the block ends, rolled back when it raises."""
    with _writer_lock(engine), engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One consistent view of the database."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to this software's version: each step and its note of having run are one transaction."""
    config = Config()
    config.set_main_option("script_location", "cloud:migrations")
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    path = _sqlite_path(engine)
    if path is not None:  # else a power cut may undo the switch to WAL, and with it what the WAL holds
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours to say
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA cell_size_check = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _writer_lock(engine: sa.Engine) -> Iterator[None]:
    path = _sqlite_path(engine)
    if path is None:
        yield
        return
    handle = os.open(path.with_name(path.name + "-writer"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sqlite_path(engine: sa.Engine) -> Path | None:
    name = engine.url.database
    return Path(name).absolute() if engine.dialect.name == "sqlite" and name and name != ":memory:" else None
