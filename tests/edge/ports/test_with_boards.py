"""The till over real drivers: a DNY board and a YKC pile as twins at the other end of a TCP connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import dny_rig
import ykc_rig
from msgspec.structs import replace

from drivers.port_board import PortBoard, PortState
from edge.clock import System
from edge.journal.journal import Journal
from edge.journal.verify import verify
from edge.journal.verify_report import Trust
from edge.ports.ports import PortHall
from edge.ports.setup import set_up_ports
from edge.till.ask import Refused, Source
from edge.till.port.ask import PortAsk
from edge.till.port.policy import PortPolicy
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.port_prices import KIND, PortPrices
from protocols.trade.records import Notice, Origin, Preset
from protocols.trade.records_port import PortClosed, PortUnattributed
from protocols.trade.tariff import Offset
from tests.edge.desk_rig import LOG_KEY, MIDNIGHT_MS, Till, Time
from tests.edge.ports.port_rig import BY_ENERGY, BY_TARIFF, BY_TIME
from tests.edge.till.story import FLAT

SHANGHAI = replace(FLAT, offsets=[Offset(0, 8 * 3600)])
"""A fen for every 10 Wh, by the clock that piles have."""


class Live(Time):
    """Clocks that run."""

    def system(self) -> System:
        def mono_ms() -> int:
            return time.monotonic_ns() // 1_000_000

        return System(self.boot, mono_ms, lambda: MIDNIGHT_MS + mono_ms(), lambda: True)


@asynccontextmanager
async def a_till_with(path: Path, board: PortBoard, price: str) -> AsyncIterator[tuple[Till, PortHall]]:
    """A customer with money, prices, and the loop of this board as the daemon runs it."""
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
    till = Till(journal, Live(), tariff=SHANGHAI, bays={})
    await till.desk.check_counter()
    await till.begin(50_000, may_stay=50_000)
    listed = PortPrices("east", 1, "UTC", FLAT.offsets, [BY_TIME, BY_ENERGY, BY_TARIFF])
    await till.site.take_documents([encode(Document(KIND, "hz-1", 1, encode(listed), bytes(64)))])
    hall = set_up_ports(till.site, {board.id: board}, PortPolicy(price=price), till.clock)
    assert hall is not None
    loop = asyncio.ensure_future(hall.loops[board.id].run())
    try:
        yield till, hall
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await journal.close()
    assert not list(verify(path / "journal.db", Trust()).findings)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.01)


def ask(place: str, preset: Preset) -> PortAsk:
    return PortAsk(place, preset, Origin("panel", b"", 0, "li"), (Source("ann"),))


async def test_a_dny_board_sells_half_an_hour(tmp_path: Path) -> None:
    """From the start over the wire to the settlement, which the board forgets only once the log has it."""
    async with dny_rig.plant("tcp", speed=2000) as plant, a_till_with(tmp_path, plant.driver, "bikes") as (till, hall):
        plant.plug(3)
        place = f"{plant.driver.id}.3"
        await plant.until_state(PortState.PLUGGED, 3)
        outcome = await hall.start(ask(place, Preset("time", 1_800)))
        assert not isinstance(outcome, Refused), outcome
        await until(lambda: till.bodies(PortClosed))
        (body,) = till.bodies(PortClosed)
        assert (body.settled, body.reason, body.elapsed_s) == (True, "limit", 1_800)
        assert body.energy_wh == 100
        assert body.amount_fen == 50
        await until(lambda: not plant.twin.kept)
        assert (till.lease().used, till.lease().held) == (50, 0)
        assert till.bodies(PortUnattributed) == []


async def test_a_pile_reckons_by_the_sites_tariff(tmp_path: Path) -> None:
    """It gets its prices from the till, its meter's energy is billed by ours, and its own bill agrees."""
    async with ykc_rig.ykc(prices=None, ready=False) as rig, a_till_with(tmp_path, rig.pile, "piles") as (till, hall):
        rig.plug()
        await until(lambda: rig.twin.model is not None)
        await until(lambda: (said := rig.status()) is not None and said.state is PortState.PLUGGED)
        outcome = await hall.start(ask("pile-1.1", Preset("full", 0)))
        assert not isinstance(outcome, Refused), outcome
        await until(lambda: till.bodies(PortClosed))
        (body,) = till.bodies(PortClosed)
        assert (body.settled, body.reason) == (True, "full")
        assert body.energy_wh == 100
        assert body.amount_fen == 10
        assert body.own_fen == 10
        told = [notice.detail for notice in till.bodies(Notice) if notice.what == "pile-bill-differs"]
        assert all("price" not in detail and "amount" not in detail for detail in told), told  # its clock is the rig's


async def test_a_pile_sells_by_the_kwh(tmp_path: Path) -> None:
    """A price by energy knows no hours, so a pile has it whatever zone its clock is in."""
    async with ykc_rig.ykc(prices=None, ready=False) as rig, a_till_with(tmp_path, rig.pile, "cars") as (till, hall):
        rig.plug()
        await until(lambda: rig.twin.model is not None)
        await until(lambda: (said := rig.status()) is not None and said.state is PortState.PLUGGED)
        outcome = await hall.start(ask("pile-1.1", Preset("full", 0)))
        assert not isinstance(outcome, Refused), outcome
        await until(lambda: till.bodies(PortClosed))
        (body,) = till.bodies(PortClosed)
        assert (body.settled, body.energy_wh, body.amount_fen, body.own_fen) == (True, 100, 12, 12)
