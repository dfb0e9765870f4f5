"""Puts `daemon_rig` within reach of every test below, and gives them a box."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemon_rig import Box, make_box


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box with keys, a tariff and 500 yuan of one customer's money in its log."""
    return make_box(tmp_path)
