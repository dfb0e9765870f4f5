"""A forecourt whose every signature is real: for tests of whoever checks its journal, and of what it hands out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from edge.journal.journal import Journal
from edge.till.ask import Refused, Source
from edge.till.state import OpenFilling
from protocols.proof import keys
from protocols.trade import documents
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.records import Preset
from tests.edge.desk_rig import LOG_KEY, Time
from tests.edge.forecourt.court_rig import PRICES, Court
from tests.edge.journal.verify_rig import DEVICE, GRANTER, ProvenTill

OTHER_CARD = "99887766"


@dataclass
class ProvenCourt(ProvenTill, Court):
    """As `Court`, with leaf 0, documents, grants and acknowledgements signed as `ProvenTill` has it."""

    device: ec.EllipticCurvePrivateKey = DEVICE

    async def document(self, kind: str, version: int, payload: bytes) -> None:
        signed = documents.signed_part(kind, "hz-1", version, payload)
        signature = keys.sign(GRANTER, documents.DOMAIN, signed)
        await self.site.take_documents([encode(Document(kind, "hz-1", version, payload, signature))])

    async def fill_up(self, ml: int, preset: Preset, **more: object) -> OpenFilling:
        """A filling from the ask until the nozzle is back."""
        filling = await self.begin_filling(preset, **more)
        await self.wait(1)
        await self.pour(ml)
        return filling


@dataclass(frozen=True)
class Sold:
    """The journal of a forecourt and the fillings in it, by their numbers.

    bought: 50 yuan of petrol. guaranteed: bob paid, and ann.s guarantee came back whole. not_billed: nothing
    flowed. open_: under way, its row saved.
    """

    path: Path
    bought: int
    guaranteed: int
    not_billed: int
    open_: int


@asynccontextmanager
async def a_proven_court(path: Path) -> AsyncIterator[ProvenCourt]:
    """One that can sell, on a journal of its own at `path`."""
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
    court = ProvenCourt(journal, Time(), bays={})
    try:
        await court.begin(50_000, may_stay=50_000)
        await court.price(PRICES)
        await court.wait(4)
        yield court
    finally:
        await court.journal.close()


def a_forecourts_day(path: Path) -> Sold:
    """A closed journal, acknowledged but for the filling that is under way."""
    return asyncio.run(_day(path))


async def _day(path: Path) -> Sold:
    async with a_proven_court(path) as court:
        bought = await court.fill_up(10_000, Preset("money", 5_000))
        await court.grant(20_000, "bob", OTHER_CARD, may_stay=20_000)
        guaranteed = await court.fill_up(7_000, Preset("full", 0), guaranteed=True)
        assert not isinstance(await court.islands.pay(guaranteed.seq, Source("bob")), Refused)
        await court.wait(1)
        not_billed = await court.begin_filling(Preset("money", 5_000))
        await court.wait(62)
        await court.cosign()
        running = await court.begin_filling(Preset("volume", 20_000))
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700, 5_000)
        await court.wait(6)
        await court.fills.save()
        assert [one.seq for one, _ in court.fills.fillings()] == [running.seq]
        return Sold(path / "journal.db", bought.seq, guaranteed.seq, not_billed.seq, running.seq)
