"""What SQLite is told once and for all, as the journal's own connection has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.journal.connection import connect

FULL = 2


@pytest.mark.parametrize(("setting", "value"), [("synchronous", FULL), ("journal_mode", "wal"), ("mmap_size", 0)])
def test_indi_allsky_1534_nothing_is_promised_before_it_is_on_the_disk(
    tmp_path: Path, setting: str, value: object
) -> None:
    """Never `synchronous = off`: it sells speed for sales that a power cut takes back."""
    connection = connect(tmp_path / "journal.db")
    try:
        assert connection.execute(f"PRAGMA {setting}").fetchone() == (value,)
    finally:
        connection.close()
