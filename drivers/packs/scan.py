"""Which pack is on a line? By reading it, in a protocol that its settings allow; nothing is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from drivers.errors import DeviceFault, Garbled, Silent, Unsupported
from drivers.line import Line
from drivers.line_tools import Found
from drivers.packs.config import PackLinkConfig, Protocol
from drivers.packs.link import Unheard
from drivers.packs.registry import build_pack_link
from protocols.fieldbus.pack import PackReading


async def scan_packs(line: Line, protocol: Protocol, *, timeout_s: float) -> AsyncIterator[Found]:
    """The one pack that a line can have, woken by what wakes it but a charger. Raises LineDown."""
    config = PackLinkConfig(protocol=protocol, line=line.id, timeout_ms=round(1000 * timeout_s))
    link = build_pack_link(config, line, f"scan {protocol}")
    try:
        said, sure = in_words(await link.read()), True
    except (Silent, Unheard):
        return
    except (Garbled, DeviceFault, Unsupported) as error:
        said, sure = error.what, not isinstance(error, Garbled)
    finally:
        link.detach()
    took_ms = link.link().latency_ms.get("p50")
    yield Found(config.pack_address, said, sure=sure, took_ms=took_ms, protocol=protocol)


def in_words(reading: PackReading) -> str:
    """Such as `BT106002512NNTB211118182; 58.88 V; 72.0 %; 20.3 to 21.5 C`."""
    parts = [reading.serial or "no code"]
    if reading.voltage_mv is not None:
        parts.append(f"{reading.voltage_mv / 1000:.2f} V")
    if reading.charge_permille is not None:
        parts.append(f"{reading.charge_permille / 10:.1f} %")
    if reading.hottest_dc is not None and reading.coldest_dc is not None:
        parts.append(f"{reading.coldest_dc / 10:.1f} to {reading.hottest_dc / 10:.1f} C")
    if reading.protections:
        parts.append(", ".join(sorted(alarm.value for alarm in reading.protections)))
    return "; ".join(parts)
