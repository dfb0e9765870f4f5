"""A shop front whose every signature is real: swaps, a rent and sessions at ports, as the real till wrote them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from drivers.twins.cabinets.rider_words import rents, returns, swaps
from edge.journal.journal import Journal
from edge.measurement import MeasurementRecorder
from edge.till.ask import Source
from edge.till.policy import Policy
from edge.till.port.ask import StayAsk
from protocols.proof import keys
from protocols.proof.measurement import Plate
from protocols.proof.ocmf import SoftwareSigner
from protocols.trade import documents, grants
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.grants import Grant, hide_credential, join
from protocols.trade.records import Preset
from protocols.trade.records_pack import DEPOSIT
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY, LOG_KEY, Time
from tests.edge.journal.verify_rig import DEVICE, GRANTER, ProvenTill
from tests.edge.ports.port_rig import Rack, with_doors
from tests.edge.ports.test_lockers import BY_CARD, PANEL, put_in
from tests.edge.shop.shop_rig import CABINET, PLAN, Front

RECORDER = MeasurementRecorder(SoftwareSigner(DEVICE), "0.1.0", {CABINET: Plate("CAB-0417", "Greenway", "GW-6")})


class ProvenDocuments(ProvenTill):
    """Documents signed as headquarters signs them."""

    async def document(self, kind: str, version: int, payload: bytes) -> None:
        signed = documents.signed_part(kind, "hz-1", version, payload)
        signature = keys.sign(GRANTER, documents.DOMAIN, signed)
        await self.site.take_documents([encode(Document(kind, "hz-1", version, payload, signature))])


@dataclass
class ProvenFront(ProvenDocuments, Front):
    """As `Front`, its rights signed too."""

    async def allow(self, asset: str, total: int, account: str = "ann", card: str = CARD) -> None:
        serial = self.rights(asset, account).serial + 1
        hidden = hide_credential(CREDENTIAL_KEY, card)
        grant = Grant(account, asset, "hz-1", 1, serial, total, 0, 4_000_000_000, 0, total, 1, [hidden])
        await self.site.take_grants([join(grant, keys.sign(GRANTER, grants.DOMAIN, encode(grant)))])


@dataclass
class ProvenRack(ProvenDocuments, Rack):
    """As `Rack`."""


@dataclass(frozen=True)
class SoldPacks:
    """By their numbers. planned: a swap of a plan. by_energy: one priced so. rented, returned: with a deposit.

    cancelled: the rider put nothing in. running: the rider has yet to come.
    """

    path: Path
    planned: int
    by_energy: int
    rented: int
    returned: int
    cancelled: int
    running: int


@dataclass(frozen=True)
class SoldPorts:
    """by_time: an hour at 150 W. never: nothing was plugged in that drew anything."""

    path: Path
    by_time: int
    never: int


def a_cabinets_day(path: Path) -> SoldPacks:
    """A closed journal, acknowledged but for the swap that is under way."""
    return asyncio.run(_packs(path))


@dataclass(frozen=True)
class SoldStays:
    """late: three days beyond those that are free. free: by a PIN, emptied by staff.

    running: a pack that nobody has come for yet.
    """

    path: Path
    late: int
    free: int
    running: int


def a_lockers_day(path: Path) -> SoldStays:
    """A closed journal, acknowledged but for the stay that goes on."""
    return asyncio.run(_stays(path))


def a_boards_day(path: Path) -> SoldPorts:
    """A closed journal, acknowledged."""
    return asyncio.run(_ports(path))


async def _packs(path: Path) -> SoldPacks:
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
    shop = ProvenFront(journal, Time(), bays={}, recorder=RECORDER)
    try:
        await shop.begin(20_000, may_stay=20_000)
        await shop.allow(PLAN, 5)
        await shop.allow(DEPOSIT, 30_000)
        await shop.publish_terms()
        await shop.publish_packs()
        await shop.wait(4)
        shop.rider(swaps, pack=1)
        planned = await shop.begin_swap()
        await shop.end()
        shop.rider(swaps, pack=None)
        await shop.wait(5)
        by_energy = await shop.begin_swap(offer="by-energy")
        await shop.end()
        shop.rider(returns, pack=None)
        await shop.wait(5)
        returned = await shop.begin_swap("return")
        await shop.end()
        shop.rider(rents, pack=None)
        await shop.wait(5)
        rented = await shop.begin_swap("rent")
        await shop.end()
        cancelled = await shop.begin_swap()
        await shop.end()
        await shop.cosign()
        shop.front.shut(CABINET, 2, "ann")
        await shop.wait(5)
        running = await shop.begin_swap()
        return SoldPacks(
            path / "journal.db", planned.seq, by_energy.seq, rented.seq, returned.seq, cancelled.seq, running.seq
        )
    finally:
        await shop.journal.close()


async def _ports(path: Path) -> SoldPorts:
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
    rack = ProvenRack(journal, Time(), Policy(progress_s=60), bays={}, recorder=RECORDER)
    try:
        await rack.begin(50_000, may_stay=50_000)
        await rack.publish_prices()
        await rack.wait(10)
        by_time = await rack.begin_port(preset=Preset("time", 3_600))
        await rack.wait(3_610, 10)
        rack.steel.outlets[2].load_w = 0
        never = await rack.begin_port(2)
        await rack.wait(600, 10)
        await rack.cosign()
        return SoldPorts(path / "journal.db", by_time.seq, never.seq)
    finally:
        await rack.journal.close()


async def _stays(path: Path) -> SoldStays:
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
    rack = ProvenRack(journal, Time(), bays={}, traits=with_doors(), price="lockers", recorder=RECORDER)
    try:
        await rack.begin(50_000, may_stay=50_000)
        await rack.publish_prices()
        for outlet in rack.steel.outlets.values():
            outlet.plugged = False
        rack.steel.tell()
        late = await put_in(rack)
        rack.time += 3 * 86_400_000 + 3_600_000
        rack.steel.tell()
        await rack.wait(10, 1)
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        free = await put_in(rack, 2, StayAsk("rack.2", PANEL, (Source("ann"),)), pin="4711")
        await rack.hall.lockers.open_by_staff("rack.2", "li", "nobody came for it", remove=True)
        await rack.wait(5, 1)
        await rack.cosign()
        running = await put_in(rack, 3)
        return SoldStays(path / "journal.db", late.seq, free.seq, running.seq)
    finally:
        await rack.journal.close()
