"""A headquarters for the threats that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sync_hq import Headquarters


@pytest.fixture(scope="session")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headquarters]:
    """The real one over real TLS."""
    headquarters = Headquarters(tmp_path_factory.mktemp("hq"))
    yield headquarters
    headquarters.close()
