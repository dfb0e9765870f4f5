"""Puts `daemon_rig` within reach of every test below, and gives them a box."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from daemon_rig import Box, make_box


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box with keys, a tariff and 500 yuan of one customer's money in its log."""
    return make_box(tmp_path)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Whatever a test sets up for the log ends with it."""
    yield
    structlog.reset_defaults()
    logging.basicConfig(force=True)
