"""Sanki: a whole sale on the wire, byte for byte, against the simulated pump."""

from __future__ import annotations

import pytest

from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults
from drivers.twins.pumps.parts import Nozzle
from drivers.twins.pumps.sanki import SankiTwin

# What the till says, what happens at the pump, what the pump says. Price and totals before are of the real frames.
SALE = """
>> FC FC FC 87 01 11 71 B5                                           authorise
<< FC FC FC 87 01 66 31 93                                           refused: not in host mode
>> FC FC FC 89 01 A6 50                                              host mode
<< FC FC FC 89 99 A7 FA                                              done, a byte shorter
>> FC FC FC 84 01 03 45 00 28 98 55 FF 58                            price 3.45, 1/3.45 = 0.289855
<< FC FC FC 84 01 99 81 D3                                           done
>> FC FC FC 83 01 A0 F0                                              totals
<< FC FC FC 83 01 00 00 00 55 03 00 00 01 87 36 B5 96                55.03 L, 187.36
>> FC FC FC 86 01 00 20 00 22 A3 B5                                  preset 20.00
<< FC FC FC 86 01 99 20 13                                           done
>> FC FC FC 86 01 00 20 00 33 63 B9                                  another preset
<< FC FC FC 86 01 66 60 53                                           refused: one stands
>> FC FC FC 87 01 44 B1 8A                                           authorise
<< FC FC FC 87 01 99 71 D3                                           done
>> FC FC FC 80 01 A0 00                                              status
<< FC FC FC 80 01 03 45 00 00 00 00 00 00 33 00 EC EE                33: 0.00 L, 0.00
== lift
>> FC FC FC 80 01 A0 00
<< FC FC FC 80 01 03 45 00 00 00 00 00 00 44 00 CB 1E                44
== pour 1230
>> FC FC FC 80 01 A0 00
<< FC FC FC 80 01 03 45 00 01 23 00 04 24 44 00 9D B6                44: 1.23 L, 4.24
== pour 9000
== hang_up
>> FC FC FC 80 01 A0 00
<< FC FC FC 80 01 03 45 00 05 80 00 20 00 11 00 B5 4E                11: 5.80 L, 20.00
>> FC FC FC 8F 01 A5 F0                                              last sale
<< FC FC FC 8F 01 03 45 00 05 80 00 20 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 67 77
>> FC FC FC 83 01 A0 F0                                              totals
<< FC FC FC 83 01 00 00 00 60 83 00 00 02 07 36 5E 95                60.83 L, 207.36
"""


@pytest.mark.parametrize("split", [False, True], ids=["whole", "byte by byte"])
def test_a_sale(split: bool) -> None:
    """Question and answer, state by state."""
    pump = Dispenser([Nozzle(1, "92", 785_000, total_ml=55_030, total_fen=18_736)])
    twin = SankiTwin(pump, 1, PumpFaults(pump))
    said = b""
    for line in SALE.strip().splitlines():
        mark, rest = line[:2], line[3:].split("   ")[0]
        if mark == ">>":
            data = bytes.fromhex(rest)
            chunks = [bytes([byte]) for byte in data] if split else [data]
            said = b"".join(piece.data for chunk in chunks for piece in twin.hear(chunk))
        elif mark == "<<":
            assert said == bytes.fromhex(rest), f"{line}\ngot {said.hex(' ').upper()}"
        else:
            _happen(pump, rest)


def _happen(pump: Dispenser, what: str) -> None:
    match what.split():
        case ["lift"]:
            pump.lift(1)
        case ["hang_up"]:
            pump.hang_up()
        case ["pour", ml]:
            pump.squeeze(500, int(ml))
            pump.advance(2 * int(ml))
