"""AZT: a whole sale on the wire, byte for byte, against the simulated pump."""

from __future__ import annotations

import pytest

from drivers.twins.pumps.azt import AztTwin
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults
from drivers.twins.pumps.parts import Head, Nozzle

# What the till says, what happens at the pump, what the pump says. 20.00 L at 5.25.
SALE = """
>> 7F 02 21 5E 31 4E 03 03 53                                        status
<< 7F 02 30 4F 03 03 73                                              0
>> 7F 02 21 5E 37 48 03 03 55                                        type
<< 7F 02 48 37 03 03 4B                                              H
>> 7F 02 21 5E 32 4D 03 03 50                                        authorise without a dose
<< 7F 18                                                             CAN
>> 7F 02 21 5E 51 2E 30 4F 35 4A 32 4D 35 4A 03 03 71                price 5.25
<< 7F 06                                                             ACK
>> 7F 02 21 5E 54 2B 30 4F 32 4D 30 4F 30 4F 30 4F 03 03 44          dose 20.00 L
<< 7F 06
>> 7F 02 21 5E 58 27 03 03 7A                                        which dose
<< 7F 02 30 4F 30 4F 32 4D 30 4F 30 4F 30 4F 03 03 41                20.00
>> 7F 02 21 5E 32 4D 03 03 50                                        authorise
<< 7F 06
>> 7F 02 21 5E 31 4E 03 03 53
<< 7F 02 32 4D 03 03 71                                              2
== lift
>> 7F 02 21 5E 31 4E 03 03 53
<< 7F 02 33 4C 03 03 70                                              3
== pour 12340
>> 7F 02 21 5E 34 4B 03 03 56                                        volume
<< 7F 02 30 4F 30 4F 31 4E 32 4D 33 4C 34 4B 03 03 47                12.34
>> 7F 02 21 5E 38 47 03 03 5A                                        confirm
<< 7F 18                                                             CAN: not over yet
== pour 9000
>> 7F 02 21 5E 31 4E 03 03 53
<< 7F 02 34 4B 30 4F 03 03 47                                        4, as ordered
>> 7F 02 21 5E 38 47 03 03 5A
<< 7F 18                                                             CAN: not read yet
>> 7F 02 21 5E 35 4A 03 03 57                                        full sale
<< 7F 02 30 4F 32 4D 30 4F 30 4F 30 4F 30 4F 30 4F 31 4E 30 4F 35 4A 30 4F 30 4F 30 4F 35 4A 32 4D 35 4A 03 03 47
>> 7F 02 21 5E 36 49 03 03 54                                        totals: 75.03 L, 292.36
<< 7F 02 30 4F 30 4F 30 4F 30 4F 37 48 35 4A 30 4F 33 4C 30 4F 30 4F 30 4F 32 4D 39 46 32 4D 33 4C 36 49 03 03 4E
>> 7F 02 21 5E 51 2E 30 4F 35 4A 32 4D 35 4A 03 03 71                price
<< 7F 18                                                             CAN: it would erase the sale
>> 7F 02 21 5E 38 47 03 03 5A                                        confirm
<< 7F 06
>> 7F 02 21 5E 31 4E 03 03 53
<< 7F 02 31 4E 03 03 72                                              1: the nozzle is still out
== hang_up
>> 7F 02 21 5E 31 4E 03 03 53
<< 7F 02 30 4F 03 03 73                                              0
>> 7F 02 21 5E 59 26 03 03 7B                                        sale number
<< 7F 15                                                             NAK: it has no such command
"""


@pytest.mark.parametrize("split", [False, True], ids=["whole", "byte by byte"])
def test_a_sale(split: bool) -> None:
    """Question and answer, state by state."""
    pump = Dispenser([Nozzle(1, "92", 500_000, total_ml=55_030, total_fen=18_736)], Head(totals_live=True))
    twin = AztTwin(pump, 1, PumpFaults(pump))
    said = b""
    for line in SALE.strip().splitlines():
        mark, rest = line[:2], line[3:].split("   ")[0]
        if mark == ">>":
            data = bytes.fromhex(rest)
            chunks = [bytes([byte]) for byte in data] if split else [data]
            said = b"".join(piece.data for chunk in chunks for piece in twin.hear(chunk))
        elif mark == "<<":
            assert said == bytes.fromhex(rest), line
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
