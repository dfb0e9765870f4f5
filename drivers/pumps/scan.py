"""Which pumps answer on a line? By harmless questions only, and never in two protocols on a line that has pumps.

What a line is asked in at all is said here for packs and Modbus devices too.

A question of one protocol may be an order in another: a byte 11h anywhere in a frame authorises pump 1 of a Gilbarco
loop. So a line that has something on it by its config is asked in that protocol alone, and an unknown one first in
those whose questions are orders in none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from drivers.api import LinkState
from drivers.errors import Garbled, Silent
from drivers.line import Line, LineConfig
from drivers.line_tools import ALL_UNITS, Found
from drivers.packs.config import WIRES as PACKS
from drivers.pump import Pump
from drivers.pumps.config import WIRES, Protocol
from drivers.pumps.registry import PROBES, probe_of

MODBUS: Final = "modbus"
MODBUS_TIMEOUT_S: Final = 0.15
SCANNED: Final = (*PROBES, *PACKS, MODBUS)
"""Every protocol that a line can be asked in, the most harmless first: a Gilbarco status word is one byte 0xh."""


@dataclass(frozen=True, slots=True)
class Part:
    """One protocol that the line is asked in: addresses `first` to `last`, with this patience for each."""

    protocol: str
    first: int
    last: int
    timeout_s: float


class WrongProtocol(ValueError):
    """The line's pumps speak another protocol than it is to be asked in."""


def plan(line: LineConfig, spoken: Collection[str], wanted: str = "") -> list[Part]:
    """What to ask the line in, in this order; whoever scans stops after the first that anybody answers in.

    spoken: the protocols of what the config has on the line. wanted: one of SCANNED; "": the line's own, or those that
    its settings allow. Raises WrongProtocol.
    """
    if wanted and spoken and wanted not in spoken:
        raise WrongProtocol(
            f"line {line.id} has {' and '.join(sorted(spoken))} on it by its config; a question in {wanted} may be an "
            "order there"
        )
    if wanted:
        return [_part(wanted)]
    return [_part(name) for name in SCANNED if (name in spoken if spoken else _fits(name, line))]


async def scan_pumps(
    line: Line, protocol: Protocol, addresses: Iterable[int], known: Mapping[int, Pump], *, timeout_s: float
) -> AsyncIterator[Found]:
    """Ask each address once. known: the pumps that the daemon has on the line; they are not asked but told of.

    Runs beside polls. Raises LineDown when the line is not there.
    """
    probe = probe_of(protocol)
    for address in addresses:
        if address in known:
            pump = known[address]
            if pump.link().state is LinkState.ONLINE:
                yield Found(address, _in_words(pump), sure=True, took_ms=_took_ms(pump), protocol=protocol)
            continue
        try:
            sign = await probe(line, address, timeout_s=timeout_s)
        except Silent:
            continue
        except Garbled as error:
            yield Found(address, error.what, sure=False, took_ms=None, protocol=protocol)
        else:
            if sign is not None:
                how = "; ".join((sign.state, *sign.notes))
                yield Found(address, how, sure=True, took_ms=sign.took_ms, protocol=protocol)


def _part(name: str) -> Part:
    for protocol in get_args(Protocol):
        if protocol == name:
            wire = WIRES[protocol]
            return Part(name, wire.scanned[0], wire.scanned[-1], wire.answer_s)
    for pack, its in PACKS.items():
        if pack == name:
            return Part(name, 1, 1, its.timeout_s)  # one pack on a line, whatever it calls itself
    return Part(name, ALL_UNITS[0], ALL_UNITS[-1], MODBUS_TIMEOUT_S)


def _fits(name: str, line: LineConfig) -> bool:
    if line.host is not None and line.framing != "raw":
        return name == MODBUS
    if name == MODBUS:
        return line.data_bits == 8 and line.framing != "raw"
    if any(name == pack and its.misfit(line) is None for pack, its in PACKS.items()):
        return True
    return any(name == protocol and wire.misfit(line) is None for protocol, wire in WIRES.items())


def _in_words(pump: Pump) -> str:
    status = pump.status().value
    state = "no status yet" if status is None else f"{status.state.value} ({status.reason})"
    seen = [f"{point.name} {point.value}" for point in pump.points() if "price" in point.name or "total" in point.name]
    return "; ".join((f"{pump.id}, {state}", *seen))


def _took_ms(pump: Pump) -> float | None:
    return pump.link().latency_ms.get("p50")
