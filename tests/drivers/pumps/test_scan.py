"""Looking for pumps: who is found, and in which protocols a line is asked at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from drivers.line import Line, LineConfig
from drivers.line_tools import Found
from drivers.pumps.config import WIRES, NozzleConfig, Protocol, PumpConfig
from drivers.pumps.registry import PROBES, build_pump
from drivers.pumps.scan import SCANNED, WrongProtocol, plan, scan_pumps
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import Nozzle
from drivers.twins.pumps.registry import PROTOCOLS, Serial
from drivers.twins.pumps.wire import PumpWire

LANDED = [name for name in PROBES if isinstance(PROTOCOLS.get(name), Serial)]


def bays(protocol: str, addresses: Sequence[int]) -> Iterator[Bay]:
    serial = PROTOCOLS[protocol]
    assert isinstance(serial, Serial)
    for address in addresses:
        bay = Bay(Dispenser([Nozzle(1, "92", 785_000, total_ml=1_234_560)], serial.head), id=f"pump {address}")
        bay.twin = serial.make(bay.pump, address, bay.faults, {})
        yield bay


@pytest.mark.parametrize("protocol", LANDED)
async def test_a_scan_finds_the_pumps_of_each_protocol(protocol: Protocol) -> None:
    """Each address that a pump has, and no other; a pump of the daemon is told of and not asked twice."""
    first = WIRES[protocol].scanned[0]
    async with PumpWire(list(bays(protocol, [first, first + 2])), kind="tcp") as wire:
        host, _, port = wire.port.partition(":")
        nozzles = (NozzleConfig(number=1, grade="92"),)
        config = PumpConfig(id="p1", number=1, protocol=protocol, address=first, line="l", nozzles=nozzles)
        async with Line(LineConfig(id="l", host=host, port=int(port))) as line:
            pump = build_pump(config, line)
            await pump.read_status()
            wait_s = WIRES[protocol].answer_s
            found = [
                one
                async for one in scan_pumps(line, protocol, range(first, first + 3), {first: pump}, timeout_s=wait_s)
            ]
            assert [(one.unit, one.sure, one.protocol) for one in found] == [
                (first, True, protocol),
                (first + 2, True, protocol),
            ]
            assert found[0].how.startswith("p1, ")
            assert all(isinstance(one, Found) and one.took_ms is not None for one in found)
            assert [device.name for device in line.devices] == ["p1"]


@pytest.mark.parametrize(
    ("config", "spoken", "wanted", "asked"),
    [
        ({"baud": 9600, "parity": "O"}, [], "", ["dart", "modbus"]),
        ({"baud": 5787, "parity": "E"}, [], "", ["gilbarco", "modbus"]),
        ({"baud": 9600, "parity": "E"}, [], "", ["gilbarco", "sanki", "modbus"]),
        ({"baud": 4800, "parity": "E", "data_bits": 7, "stop_bits": 2}, [], "", ["azt"]),
        ({"baud": 19200, "parity": "E"}, [], "", ["modbus"]),
        ({"baud": 9600}, [], "", ["greenway", "jbd", "daly", "daly-modbus", "pace", "seplos", "modbus"]),
        ({"baud": 115200}, [], "", ["jk4e57", "vmo", "modbus"]),
        ({"baud": 9600}, ["jbd"], "", ["jbd"]),
        ({"baud": 9600, "parity": "E"}, ["sanki"], "", ["sanki"]),
        ({"baud": 9600, "parity": "N"}, ["dart"], "", ["dart"]),
        ({"baud": 9600, "parity": "N"}, ["modbus"], "modbus", ["modbus"]),
        ({"baud": 9600, "parity": "N"}, [], "dart", ["dart"]),
    ],
)
def test_in_which_protocols_a_line_is_asked(
    config: dict[str, Any], spoken: list[str], wanted: str, asked: list[str]
) -> None:
    """Its own where it has one; else what its settings allow, Gilbarco's harmless words before all else."""
    parts = plan(LineConfig(id="l", path="/dev/ttyUSB0", **config), spoken, wanted)
    assert [part.protocol for part in parts] == asked


@pytest.mark.parametrize(("framing", "asked"), [(None, ["modbus"]), ("rtu", ["modbus"]), ("raw", ["dart"])])
def test_in_which_protocols_a_peer_is_asked(framing: Any, asked: list[str]) -> None:
    """A TCP peer speaks Modbus, unless it is said to be a serial server for pumps."""
    config = LineConfig(id="l", host="10.0.0.5", baud=9600, parity="O", framing=framing)
    assert [part.protocol for part in plan(config, [])] == asked


@pytest.mark.parametrize("spoken", [name for name in SCANNED if name != "dart"])
def test_a_line_is_never_asked_in_a_protocol_that_its_pumps_do_not_speak(spoken: str) -> None:
    """A DART poll of pump 51h begins with the byte that asks a Gilbarco pump for its totals; others authorise it."""
    with pytest.raises(WrongProtocol, match="may be an order"):
        plan(LineConfig(id="l", path="/dev/ttyUSB0"), [spoken], "dart")
