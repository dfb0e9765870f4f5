"""One simulated pump on a line of its own, for a person at a terminal: `fieldtill twin dart`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.config import PumpLineConfig, TwinNozzleConfig, TwinPumpConfig
from drivers.twins.pumps.faults import parse_pump_faults
from drivers.twins.pumps.forecourt import Forecourt
from protocols.door import check

_PRICE_E3 = 785_000  # of a nozzle whose price is not said


async def serve_pump(
    protocol: str,
    *,
    tcp_port: int | None = None,
    pty_link: str | None = None,
    address: int | None = None,
    baud: int | None = None,
    nozzles: str = "92,95,0",
    customers: Sequence[str] = (),
    faults: Sequence[str] = (),
    speed: int = 1,
    seed: int = 0,
    say: Callable[[str], None] = print,
    live: bool = True,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until cancelled or `stop` is set. Say where; if `live`, say each second how, when that has changed.

    tcp_port: on TCP, 0 for any free one; None: on a pty, with a symlink at `pty_link` if given. address, baud: None is
    the protocol's. nozzles: as `parse_nozzles`; customers: as `parse_customers`; faults: as `parse_pump_faults`. Raises
    door.Refused, OSError, and ValueError for a nozzle or a fault that cannot be.
    """
    kind = "pty" if tcp_port is None else "tcp"
    line = {"id": "line", "protocol": protocol, "kind": kind, "port": tcp_port or 0, "speed": speed}
    line |= ({"link": pty_link} if pty_link else {}) | ({"baud": baud} if baud else {})
    config, wrong = check(line, PumpLineConfig)
    if config is None:
        raise ValueError("; ".join(str(fault) for fault in wrong))
    pump = TwinPumpConfig(
        id=protocol,
        line="line",
        nozzles=parse_nozzles(nozzles),
        address=address,
        customers=tuple(customers),
        faults=tuple(parse_pump_faults(faults)),
        seed=seed,
    )
    stop = asyncio.Event() if stop is None else stop
    async with Forecourt([config], [pump], source="twin") as site:
        bay, about = site.bays[protocol], site.about()[protocol]
        say(f"{protocol} at address {about['address']} on {site.lines['line'].port}")
        told = ""
        while not stop.is_set():
            try:
                async with asyncio.timeout(1.0):
                    await stop.wait()
            except TimeoutError:
                if live and (now := pump_line(bay)) != told:
                    say(now)
                    told = now


def parse_nozzles(text: str) -> tuple[TwinNozzleConfig, ...]:
    """`92=7.85,95=8.39,0`: grades in the order of their numbers, a litre in yuan. Raises ValueError."""
    nozzles = []
    for word in text.split(","):
        grade, _, price = word.strip().partition("=")
        plain = {"grade": grade, "price_e3": _price_e3(price) if price else _PRICE_E3}
        nozzle, faults = check(plain, TwinNozzleConfig)
        if nozzle is None or nozzle.price_e3 is None:
            why = f": {faults[0]}" if faults else ""
            raise ValueError(f"nozzle {word!r}: expected GRADE or GRADE=YUAN, such as 92=7.85{why}")
        nozzles.append(nozzle)
    return tuple(nozzles)


def _price_e3(yuan: str) -> int | None:
    """Thousandths of a fen; None: no price, or a finer one."""
    found = re.fullmatch(r"(\d{1,5})(?:\.(\d{1,5}))?", yuan, re.ASCII)
    return None if found is None else int(found[1] + (found[2] or "").ljust(5, "0"))


def pump_line(bay: Bay) -> str:
    """One line of a pump's state: `delivering nozzle 1 out, 12.34 L 96.87 yuan; totals 1: 1012.34 L; 3 sold`."""
    state = bay.state()
    out = "" if state["out"] is None else f" nozzle {state['out']} out,"
    volume_ml, amount_fen = int(state["volume_ml"]), int(state["amount_fen"])
    totals = ", ".join(f"{number}: {_places(ml, 1_000)} L" for number, ml in state["totals_ml"].items())
    parts = [
        f"{state['phase']}{out} {_places(volume_ml, 1_000)} L {_places(amount_fen, 100)} yuan",
        f"totals {totals}",
        f"{state['sold']} sold",
    ]
    if state["alarm"]:
        parts.append(f"alarm: {state['alarm']}")
    if state["faults"]:
        parts.append(f"faults: {', '.join(state['faults'])}")
    return "; ".join(parts)


def _places(number: int, one: int) -> str:
    return f"{number // one}.{number % one * 100 // one:02}"
