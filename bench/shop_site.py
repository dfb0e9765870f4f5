"""The daemon's own parts of a shop front: lines, boards and cabinets on twins, and a till with a real journal."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.selling import KEY
from bench.shop_twins import BOARD, PORTS, ShopTwins
from drivers.boards.board import Board
from drivers.boards.registry import build_board
from drivers.cabinets.cabinet import BoardCabinet
from drivers.cabinets.registry import build_cabinets
from drivers.line import Line, LineConfig
from drivers.ports.config import ListenerConfig, PortBoardConfig
from drivers.ports.registry import build_listener, build_port_board
from drivers.readers.config import ReaderSetup
from drivers.readers.registry import build_reader
from drivers.twins.cabinets.config import ShopConfig
from edge import clock as clocks
from edge.clock import Clock
from edge.desk import Desk
from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.plant.watch import Watch
from edge.ports.ports import PortHall
from edge.ports.setup import set_up_ports
from edge.reader import read_cards
from edge.shop.setup import set_up
from edge.shop.shop import Shop
from edge.site import Site
from edge.till.policy import Policy
from edge.till.port.policy import PortPolicy
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.slots import View
from protocols.trade import pack_list, port_prices, swap_terms
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.grants import Grant, hide_credential, join
from protocols.trade.pack_list import PackList
from protocols.trade.port_prices import PortPrice, PortPrices
from protocols.trade.records import CNY, Draft, EpochOpened
from protocols.trade.swap_terms import Model, SwapOffer, SwapTerms
from protocols.trade.tariff import Offset

SITE: Final = "bench-shop"
WAIT_S: Final = 60.0
RIDERS: Final = 2  # of each cabinet, by turns: the same card twice within two seconds is one presentation
TERMS: Final = SwapTerms(
    version=1,
    zone="Asia/Shanghai",
    offsets=[Offset(0, 28_800)],
    swaps=[SwapOffer("single", "single", CNY, 0, 100, 0, 0, 0, 900)],
    rents=[],
    models=[Model("72V20", ["BT3072020??FTIL*"], [], 30_000)],
    consent_permille=500,
)
QUICK: Final = SwapPolicy(interval_s=0, door_shut_ms=100, not_put_in_s=1, rest_s=1)
"""So that a rider who puts nothing in is soon rid of."""
PRICES: Final = PortPrices(
    "bench", 1, TERMS.zone, TERMS.offsets, [PortPrice("ports", "energy", [], 120_000, 0, 0, 0, 0, 0, 0)]
)


@dataclass(frozen=True, slots=True)
class Gear:
    """What is attached."""

    lines: dict[str, Line]
    boards: dict[str, Board]
    cabinets: dict[str, BoardCabinet]


@asynccontextmanager
async def driven(config: ShopConfig, twins: ShopTwins, *, polls: bool = True) -> AsyncIterator[Gear]:
    """Every line open. polls: boards and cabinets poll."""
    lines = {
        name: Line(LineConfig(id=name, path=twins.lines[name], baud=line.baud or 9600))
        for name, line in config.lines().items()
    }
    boards = {board.id: build_board(board, lines[board.line]) for board in config.board}
    cabinets = build_cabinets(config.cabinet, boards, lines, {})
    work = [line.run() for line in lines.values()]
    if polls:
        work += [board.run() for board in boards.values()] + [cabinet.run() for cabinet in cabinets.values()]
    async with running(work):
        await until(lambda: all(line.up for line in lines.values()))
        yield Gear(lines, boards, cabinets)


class Reader:
    """A card reader of one cabinet, on a pty: our end."""

    def __init__(self, cabinet: str) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.setup = ReaderSetup(id=f"reader {cabinet}", kind="text", path=os.ttyname(self._theirs))

    def say(self, card: str) -> None:
        os.write(self._ours, card.encode() + b"\r\n")

    def close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)


@asynccontextmanager
async def shop(folder: Path, gear: Gear) -> AsyncIterator[tuple[Shop, dict[str, Reader]]]:
    """A till for its cabinets, put together as the daemon does, with a reader each and without headquarters."""
    cards = [card_of(name, number) for name in gear.cabinets for number in range(RIDERS)]
    async with _site(folder, cards, {swap_terms.KIND: TERMS, pack_list.KIND: PackList(1, 0, [])}) as (site, clock):
        serving = site.shop = set_up(site, gear.cabinets, QUICK, clock)
        assert serving is not None
        readers = {name: Reader(name) for name in gear.cabinets}
        work = [read_cards(build_reader(reader.setup), _tap(serving, name)) for name, reader in readers.items()]
        serving.keep(lambda _, loop: work.append(loop))
        try:
            async with running(work):
                await until(lambda: all(_has_asked(loop.eye.look()) for loop in serving.loops.values()))
                yield serving, readers
        finally:
            for reader in readers.values():
                reader.close()


@asynccontextmanager
async def port_hall(folder: Path, twins: ShopTwins) -> AsyncIterator[PortHall]:
    """A till for one DNY board, which has connected."""
    listener = build_listener(ListenerConfig(id="boards", host="127.0.0.1", port=0))
    config = PortBoardConfig(id="rack", number=1, protocol="dny-tcp", ports=PORTS, listener=listener.id, device=BOARD)
    board = build_port_board(config, listener, lambda: None)
    async with _site(folder, [card_of("rack", 0)], {port_prices.KIND: PRICES}) as (site, clock):
        hall = site.ports = set_up_ports(site, {board.id: board}, PortPolicy(), clock)
        assert hall is not None
        work: list[Coroutine[Any, Any, Any]] = [listener.run(), board.run()]
        hall.keep(lambda _, loop: work.append(loop))
        async with running(work):
            await until(lambda: listener.port is not None)
            assert listener.port is not None
            twins.call(listener.port)
            await until(lambda: len(board.status()) == PORTS)
            yield hall


def card_of(place: str, number: int) -> str:
    """The number on a card, and its account's name."""
    return f"{place}-{number:04}"


async def until(true: Callable[[], bool], wait_s: float = WAIT_S, every_s: float = 0.02) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(wait_s):
        while not true():  # noqa: ASYNC110  # whoever makes it true does not know of us
            await asyncio.sleep(every_s)


@asynccontextmanager
async def running(work: Iterable[Coroutine[Any, Any, Any]]) -> AsyncIterator[None]:
    """As tasks, until the block ends."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _site(folder: Path, cards: list[str], papers: dict[str, Any]) -> AsyncIterator[tuple[Site, Clock]]:
    """A till with nothing yet to sell, on a journal of its own. cards: each has value without end."""
    clock = Clock(clocks.system())
    journal = Journal.create(folder / "journal.db", SITE, 1, Ed25519PrivateKey.generate(), ballast_bytes=4096)
    opened = EpochOpened(SITE, 1, bytes(32), b"device key", b"certificate", "fieldtill bench")
    await journal.commit(Step(journal.seal([Draft(opened)], clock.stamp())))
    site = Site(Desk(journal, clock, Policy(), {}), Watch(clock, {}), clock, {}, KEY)
    documents = [Document(kind, SITE, paper.version, encode(paper), bytes(64)) for kind, paper in papers.items()]
    try:
        await site.take_documents([encode(document) for document in documents])
        await site.take_grants([_grant(card) for card in cards])
        yield site, clock
    finally:
        await journal.close()


def _has_asked(view: View) -> bool:
    """Every slot once, so that customers are served."""
    return all(track.asked_ms is not None for track in view.slots.values())


def _tap(serving: Shop, cabinet: str) -> Callable[[str], Coroutine[Any, Any, object]]:
    async def tap(card: str) -> object:
        return await serving.tap(cabinet, card)

    return tap


def _grant(card: str) -> bytes:
    """Nobody checks signatures behind the uplink, which is not part of this."""
    hidden = hide_credential(KEY, card)
    return join(Grant(card, CNY, SITE, 1, 1, 10**9, 0, 2**40, 0, 10**9, KEY.version, [hidden]), bytes(64))
