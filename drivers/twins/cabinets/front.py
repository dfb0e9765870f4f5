"""A simulated shop front in one process: built from a config, served until closed, and the gateway's config for it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from drivers.cabinets.plan import SlotPlan
from drivers.packs.config import ADDRESSED
from drivers.packs.config import Protocol as PackProtocol
from drivers.twins.cabinets.boards import BOARDS
from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.config import (
    ShopConfig,
    ShopLineConfig,
    TwinCabinetConfig,
    TwinPackConfig,
    plans,
    shop_faults,
)
from drivers.twins.cabinets.faults import CabinetFaults
from drivers.twins.cabinets.gateway import Tables, gateway_tables, toml_of
from drivers.twins.cabinets.meter import DltMeter
from drivers.twins.cabinets.pack import Pack, pack_code
from drivers.twins.cabinets.pack_wire import PackWire
from drivers.twins.cabinets.party import Hung
from drivers.twins.cabinets.reader import ReaderTwin
from drivers.twins.cabinets.rider_words import parse_riders
from drivers.twins.cabinets.shop import Shop
from drivers.twins.cabinets.slot import ChargerMake, SlotMake
from drivers.twins.cabinets.tongues import SLEEPERS
from drivers.twins.cabinets.wiring import wiring_of
from drivers.twins.raw_wire import RawWire
from drivers.twins.wire import WireStats
from protocols.door import Fault, Refused

_TICK_S: Final = 0.020  # so that riders act while nobody asks
_BITS_8N1: Final = 10
_BITS_8E1: Final = 11


class ShopLine:
    """One line of a shop front. Can be cut and put back."""

    def __init__(self, config: ShopLineConfig, parties: list[Hung]) -> None:
        self.config = config
        self.parties = parties
        self.wire = RawWire(
            parties,
            kind=config.kind,
            baud=config.baud or 9600,
            bits=_BITS_8E1 if any(isinstance(party, DltMeter) for party in parties) else _BITS_8N1,
            link=None if config.link is None else Path(config.link),
            host=config.host,
            port=config.port,
            echo=config.echo,
        )

    @property
    def port(self) -> str:
        """What a gateway opens: a path, or `host:port`."""
        return self.wire.port

    @property
    def stats(self) -> WireStats:
        return self.wire.stats

    async def open(self) -> None:
        await self.wire.open()

    async def close(self) -> None:
        await self.wire.close()


class ShopFront:
    """`async with ShopFront(config) as front:` serves until the block ends. Raises Refused with every fault.

    clock: in seconds; None: the world stands still but for `front.shop.run`, which a test calls.
    """

    def __init__(
        self, config: ShopConfig, *, source: str = "shop", clock: Callable[[], float] | None = time.monotonic
    ) -> None:
        if faults := shop_faults(config):
            raise Refused(source, faults)
        self.config = config
        self.shop = Shop(speed=config.speed, clock=clock, ambient_dc=config.ambient_dc)
        self._plans = plans(config.cabinet)
        self._ticker: asyncio.Task[None] | None = None
        twins = {twin.cabinet: twin for twin in config.twin}
        for cabinet in config.cabinet:
            twin = twins.get(cabinet.id, TwinCabinetConfig(cabinet=cabinet.id))
            slots = {
                number: _slot_make(twin, plan) for (name, number), plan in self._plans.items() if name == cabinet.id
            }
            wrong = CabinetFaults(twin.seed, twin.faults)
            self.shop.add_cabinet(cabinet.id, slots, faults=wrong, standby_w=twin.standby_w)
            self.shop.queue(parse_riders(twin.riders, twin.seed, cabinet.id, config.people))
        for pack in config.pack:
            self._stock(pack)
        self.readers = {one.id: ReaderTwin(one.cabinet, one.kind, one.link) for one in config.reader}
        self.shop.taps += [reader.hear for reader in self.readers.values()]
        parties = self._parties(source)
        self.lines = {name: ShopLine(line, parties[name]) for name, line in config.lines().items()}

    def cabinet(self, name: str) -> Cabinet:
        """Raises KeyError."""
        return self.shop.cabinets[name]

    async def __aenter__(self) -> ShopFront:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        try:
            for wire in self._wires:
                await wire.open()
        except BaseException:
            await self.close()
            raise
        self._write()
        if self.shop.cabinets:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def close(self) -> None:
        """Repeating it is harmless."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
            self._ticker = None
        for wire in self._wires:
            await wire.close()

    def about(self) -> dict[str, Any]:
        """What is where, for a person or a test."""
        return {
            "boards": {b.id: {"line": b.line, "protocol": b.protocol, "address": b.address} for b in self.config.board},
            "readers": {name: reader.port for name, reader in self.readers.items()},
            "cabinets": {name: sorted(cabinet.slots) for name, cabinet in self.shop.cabinets.items()},
        }

    def gateway_tables(self) -> Tables:
        """What a gateway's config says of this. Lines must be open."""
        return gateway_tables(self.config, {name: line.port for name, line in self.lines.items()})

    # Below: how it is put together.

    @property
    def _wires(self) -> list[ShopLine | ReaderTwin]:
        return [*self.lines.values(), *self.readers.values()]

    def _parties(self, source: str) -> dict[str, list[Hung]]:
        """Who hangs on each line."""
        truly = {board: feedback for twin in self.config.twin for board, feedback in twin.feedback.items()}
        wiring = wiring_of(self.config.board, self.config.cabinet, truly)
        parties: dict[str, list[Hung]] = defaultdict(list)
        faults: list[Fault] = []
        for index, board in enumerate(self.config.board):
            try:
                parties[board.line].append(BOARDS[board.protocol](self.shop, board, wiring[board.id]))
            except Refused as refused:
                faults += refused.faults
            except ValueError as error:
                faults.append(Fault(f"shop.board[{index}]", "a board that something is wired to", str(error)))
        for (name, number), plan in self._plans.items():
            if plan.pack is not None and plan.pack.link.protocol not in ADDRESSED:
                cabinet, shared = self.shop.cabinets[name], plan.pack.mux is not None
                wire = PackWire(self.shop, cabinet, number, plan.pack.link, shared=shared)
                parties[plan.pack.link.line].append(wire)
        for meter in self.config.meter:
            cabinet = self.shop.cabinets[meter.cabinet]
            parties[meter.line].append(DltMeter(self.shop, cabinet, meter.id, meter.address, meter.slot))
        if faults:
            raise Refused(source, faults)
        for hung in parties.values():
            wires = [party for party in hung if isinstance(party, PackWire)]
            for wire in wires:
                wire.siblings = wires
        return parties

    def _stock(self, config: TwinPackConfig) -> None:
        for nth, pack in enumerate(_packs(config, self._protocol(config))):
            if config.cabinet is not None and config.slot is not None:
                self.shop.stock(config.cabinet, config.slot + nth, pack)
            else:
                self.shop.bring(pack, config.person or "")
            if config.asleep:
                pack.fall_asleep()

    def _protocol(self, config: TwinPackConfig) -> PackProtocol:
        """As it says, else as its slot's line, else as the first line to packs."""
        here = self._plans.get((config.cabinet or "", config.slot or 0))
        for plan in (here, *self._plans.values()):
            if config.protocol is None and plan is not None and plan.pack is not None:
                return plan.pack.link.protocol
        return config.protocol or "greenway"

    def _write(self) -> None:
        if self.config.writes is not None:
            Path(self.config.writes).write_text(toml_of(self.gateway_tables()), encoding="utf-8")

    async def _tick(self) -> None:
        while True:
            self.shop.catch_up()
            await asyncio.sleep(_TICK_S)


def _packs(config: TwinPackConfig, protocol: PackProtocol) -> Iterator[Pack]:
    volts = config.volts or (48 if protocol in ("pace", "vmo") else 72)
    for number in range(config.number, config.number + config.count):
        code = pack_code(number, volts=volts)
        yield Pack(
            code if config.code is None else config.code,
            name=code,
            protocol=protocol,
            soc_permille=config.soc_permille,
            soh_permille=config.soh_permille,
            cycles=config.cycles,
            sleeper=SLEEPERS[protocol],
            temp_dc=config.temp_dc,
        )


def _slot_make(twin: TwinCabinetConfig, plan: SlotPlan) -> SlotMake:
    charger = None
    if plan.charger is not None:
        charger = ChargerMake(power_w_max=plan.charge_power_w_max, yield_permille=twin.yield_permille)
    return SlotMake(spring=twin.spring, pulse_ms=twin.pulse_ms, charger=charger)
