"""A forecourt of simulated pumps in one process: built from a config, and served until closed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import get_type_hints

from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.config import PumpLineConfig, TwinPumpConfig
from drivers.twins.pumps.customer import parse_customers
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults
from drivers.twins.pumps.parts import Head, Nozzle
from drivers.twins.pumps.registry import PROTOCOLS, Serial, Server
from drivers.twins.pumps.wire import PumpWire
from drivers.twins.wire import WireStats
from protocols.door import Fault, Refused


class PumpLine:
    """One line of pumps: a wire or a controller, with its bays by address. Can be cut and put back."""

    def __init__(self, config: PumpLineConfig, protocol: Serial | Server) -> None:
        self.config = config
        self.protocol = protocol
        self.bays: dict[int, Bay] = {}
        self.port = ""  # once open
        self.wire: PumpWire | None = None
        self._open: AsyncExitStack | None = None

    @property
    def stats(self) -> WireStats:
        """What passed; of a controller nothing is known."""
        return WireStats() if self.wire is None else self.wire.stats

    async def open(self) -> None:
        """Serve; again on the port that it had."""
        config, protocol = self.config, self.protocol
        port = int(self.port.rpartition(":")[2]) if self.port and isinstance(protocol, Server) else config.port
        async with AsyncExitStack() as stack:
            if isinstance(protocol, Server):
                self.port = await stack.enter_async_context(
                    protocol.serve(self.bays, config.host, port, config.options)
                )
            else:
                self.wire = self.wire or PumpWire(
                    tuple(self.bays.values()),
                    kind=config.kind,
                    baud=config.baud or protocol.baud,
                    bits=protocol.bits,
                    link=None if config.link is None else Path(config.link),
                    host=config.host,
                    port=config.port,
                    echo=config.echo,
                )
                self.port = (await stack.enter_async_context(self.wire)).port
            self._open = stack.pop_all()

    async def close(self) -> None:
        """Take it away, as when its adapter is pulled out. Repeating it is harmless."""
        if self._open is not None:
            stack, self._open = self._open, None
            await stack.aclose()


class Forecourt:
    """`async with Forecourt(lines, pumps) as site:` serves until the block ends. Raises Refused with every fault."""

    def __init__(
        self,
        lines: Sequence[PumpLineConfig],
        pumps: Sequence[TwinPumpConfig],
        *,
        source: str = "forecourt",
        protocols: Mapping[str, Serial | Server] = PROTOCOLS,
    ) -> None:
        faults: list[Fault] = []
        self.lines: dict[str, PumpLine] = {}
        self.bays: dict[str, Bay] = {}
        for index, line in enumerate(lines):
            if line.protocol not in protocols:
                known = ", ".join(protocols)
                faults.append(Fault(f"pump_line[{index}].protocol", f"one of {known}", repr(line.protocol)))
            elif line.id in self.lines:
                faults.append(Fault(f"pump_line[{index}].id", "ids that differ", repr(line.id)))
            else:
                self.lines[line.id] = PumpLine(line, protocols[line.protocol])
        for index, pump in enumerate(pumps):
            path = f"pump[{index}]"
            if pump.id in self.bays:
                faults.append(Fault(f"{path}.id", "ids that differ", repr(pump.id)))
            elif (line_of := self.lines.get(pump.line)) is None:
                faults.append(Fault(f"{path}.line", f"one of {', '.join(self.lines)}", repr(pump.line)))
            elif found := _faults(pump, path):
                faults += found
            else:
                try:
                    self.bays[pump.id] = _hang(line_of, pump)
                except ValueError as error:
                    faults.append(Fault(path, "what the protocol's twin takes", str(error)))
        if faults:
            raise Refused(source, faults)

    async def __aenter__(self) -> Forecourt:
        try:
            for line in self.lines.values():
                await line.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        for line in self.lines.values():
            await line.close()

    def about(self) -> dict[str, dict[str, str | int]]:
        """Which pump is where, by id."""
        return {
            bay.id: {"line": name, "protocol": line.config.protocol, "address": address}
            for name, line in self.lines.items()
            for address, bay in line.bays.items()
        }


def _hang(line: PumpLine, config: TwinPumpConfig) -> Bay:
    """The pump on its line. Raises ValueError for a taken address and for what the protocol's twin refuses."""
    address = config.address
    if address is None:
        address = max(line.bays, default=line.protocol.first_address - 1) + 1
    if address in line.bays:
        raise ValueError(f"address {address} of line {line.config.id} is that of pump {line.bays[address].id}")
    nozzles = _nozzles(config)
    usual = line.protocol.head
    head = dataclasses.replace(usual, decimals=config.scales(usual.decimals), **config.head)  # type: ignore[arg-type]  # `_faults` has looked
    pump = Dispenser(nozzles, head)
    faults = PumpFaults(pump, config.seed, config.faults)
    customers = parse_customers(config.customers, config.seed, tuple(pump.nozzles))
    bay = Bay(pump, id=config.id, faults=faults, customers=customers, speed=line.config.speed)
    if isinstance(line.protocol, Serial):
        bay.twin = line.protocol.make(pump, address, faults, config.options)
    elif config.options:
        raise ValueError("options of a controller's pumps stand at its pump_line")
    line.bays[address] = bay
    return bay


def _nozzles(config: TwinPumpConfig) -> list[Nozzle]:
    nozzles: list[Nozzle] = []
    for one in config.nozzles:
        number = one.number or max((n.number for n in nozzles), default=0) + 1
        nozzles.append(Nozzle(number, one.grade, one.price_e3, one.total_ml, one.total_fen))
    return nozzles


def _faults(config: TwinPumpConfig, path: str) -> list[Fault]:
    """What is wrong with one pump by itself."""
    faults = []
    numbers = [nozzle.number for nozzle in _nozzles(config)]
    if not numbers or len(set(numbers)) != len(numbers) or max(numbers) > 15:
        faults.append(Fault(f"{path}.nozzles", "1 to 15 of them, each number once", str(numbers)))
    kinds = _head_kinds()
    for name, value in config.head.items():
        if name not in kinds:
            faults.append(Fault(f"{path}.head.{name}", f"one of {', '.join(kinds)}", repr(name)))
        elif type(value) is not kinds[name] or value < 0:
            faults.append(Fault(f"{path}.head.{name}", f"{kinds[name].__name__}, not below 0", repr(value)))
    try:
        parse_customers(config.customers, config.seed, numbers)
    except ValueError as error:
        faults.append(Fault(f"{path}.customers", "customers", str(error)))
    return faults


def _head_kinds() -> Mapping[str, type]:
    """What of a head can be said in a file, and whether it is a number or a yes."""
    hints = get_type_hints(Head)
    return {name: bool if hint is bool else int for name, hint in hints.items() if name != "decimals"}
