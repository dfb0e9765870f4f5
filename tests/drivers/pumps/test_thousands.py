"""Fillings by the hundred, or the thousand, over each serial protocol under faults: not a mL and not a fen is missing.

Real drivers, real twins, a pty between them; the real till, its loops and its journal above. `make test-pumps
FILLINGS=2000` sells more of them, and some at the true baud with the protocol's own times.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest
from thousands_rig import SPEAKS, Books, audited, books, sell, selling, settle

LONG = "FIELDTILL_FILLINGS" in os.environ
FILLINGS = int(os.environ.get("FIELDTILL_FILLINGS", "24"))
PACED = 12
SEED = int(os.environ.get("FIELDTILL_SEED", "1"))


@pytest.mark.parametrize("protocol", SPEAKS)
async def test_sold_is_what_the_totalizers_moved_is_what_the_books_say(protocol: str, tmp_path: Path) -> None:
    """Bad lines, refusals, cuts and totalizers that leap: every mL is billed or nobody's, every fen has one owner."""
    async with selling(protocol, tmp_path, seed=SEED) as rig:
        await sell(rig, FILLINGS, SEED)
        await settle(rig)
        it = books(rig)
    _tell(protocol, it)
    assert it.fillings == FILLINGS
    _add_up(it)
    assert audited(tmp_path) == []


@pytest.mark.skipif(not LONG, reason="takes minutes: make test-pumps")
@pytest.mark.parametrize("protocol", SPEAKS)
async def test_at_the_true_baud(protocol: str, tmp_path: Path) -> None:
    """The same over the line as it is in the field, with the protocol's own times; only pumps run faster."""
    async with selling(protocol, tmp_path, baud=0, speed=20, pumps=2, permille=2, seed=SEED) as rig:
        await sell(rig, PACED, SEED)
        await settle(rig)
        it = books(rig)
    _tell(f"{protocol}, paced", it)
    _add_up(it)
    assert audited(tmp_path) == []


def _add_up(it: Books) -> None:
    """Nozzles, totalizers, bills and leases tell one story."""
    assert it.bills + it.voided == it.fillings
    assert it.billed_ml + it.unattributed_ml + it.rest_ml == it.gave_ml + it.leapt_ml
    assert it.billed_fen + it.unbilled_fen == it.gave_fen
    assert it.used_fen + it.overrun_fen == it.billed_fen
    assert it.billed_twice == {}
    assert it.unbilled <= it.notices["sale-disagrees"]
    assert it.held_fen == 0


def _tell(what: str, it: Books) -> None:
    told = ", ".join(f"{name} {value:,}" for name, value in asdict(it).items() if isinstance(value, int))
    print(f"{what}: {told}; notices {dict(it.notices)}")
