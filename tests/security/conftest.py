"""The rigs of other folders, for threats that need real parts of both sides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
for _folder in ("edge/sync", "edge", "cloud", "system"):
    if str(TESTS / _folder) not in sys.path:
        sys.path.append(str(TESTS / _folder))

from sync_hq import Headquarters  # noqa: E402  # found by the lines above


@pytest.fixture(scope="session")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headquarters]:
    """The real headquarters over real TLS."""
    headquarters = Headquarters(tmp_path_factory.mktemp("hq"))
    yield headquarters
    headquarters.close()
