"""Looking for a pack: who is on a line, in words that a technician can compare with the pack's own display."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pack_mouths import CODE, PACK, PACKS, asleep, damaged, jbd_pack
from pack_rig import Hears, silent, slot

from drivers.line_tools import Found
from drivers.packs.config import Protocol
from drivers.packs.scan import scan_packs


async def scanned(pack: Hears, protocol: Protocol) -> list[Found]:
    """What a scan in `protocol` finds, on a line where nothing is left of it afterwards."""
    async with slot(pack, protocol) as it:
        line = it.link.line
        it.link.detach()
        found = [one async for one in scan_packs(line, protocol, timeout_s=0.3)]
        assert line.devices == []
        return found


@pytest.mark.parametrize("protocol", sorted(PACKS))
async def test_a_pack_is_found(protocol: Protocol) -> None:
    """By its code, voltage and charge."""
    (found,) = await scanned(PACKS[protocol](lambda: PACK), protocol)
    assert found.sure
    assert found.protocol == protocol
    assert found.how.startswith(f"{CODE}; 62.00 V; 75.0 %; ")


@pytest.mark.parametrize("protocol", sorted(PACKS))
async def test_nobody_is_found(protocol: Protocol) -> None:
    """Where nobody is, and where a pack of another protocol is."""
    assert await scanned(silent, protocol) == []
    other = "greenway" if protocol != "greenway" else "jbd"
    assert await scanned(PACKS[other](lambda: PACK), protocol) == []


async def test_a_sleeping_pack_is_found() -> None:
    """As far as questions wake it."""
    assert len(await scanned(asleep(jbd_pack(lambda: PACK), 1), "jbd")) == 1


async def test_something_is_there() -> None:
    """Damage is no find for sure, an ill pack is one."""
    (found,) = await scanned(damaged(jbd_pack(lambda: PACK), times=100), "jbd")
    assert not found.sure
    (found,) = await scanned(jbd_pack(lambda: replace(PACK, soc_permille=2_000)), "jbd")
    assert found.sure
    assert "soc_permille 2000" in found.how
