"""A whole sale at a Gilbarco pump, word for word: what the twin answers, and what the driver says."""

from __future__ import annotations

from gilbarco_rig import ONE, gilbarco

from drivers.pump import Decimals, Order, PumpState
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults
from drivers.twins.pumps.gilbarco import HEAD, GilbarcoTwin
from drivers.twins.pumps.parts import Head, Nozzle

SCRIPT = """
>> 03
<< 63
lift
>> 03
<< 73
>> 23
<< D3
>> FF E6 F2 F8 E0 E0 E0 E2 E0 FB E4 F0
>> 03
<< 73
>> 13
>> 03
<< 83
squeeze
>> 03
<< 93
>> 63
<< E4 E4 E1 E0 E0 E0
fill
>> 03
<< A3
>> 43
<< FF F1 F8 EB E2 E0 E0 E0 F6 E0 F4 F7 E0 E4 E4 E1 F9 E9 E8 E8 E3 E1 E0 FA E0 E0 E0 E2 E0 E0 FB E4 F0
hang up
>> 03
<< B3
>> 03
<< 63
>> 43
<< FF F1 F8 EB E2 E0 E0 E0 F6 E0 F4 F7 E0 E4 E4 E1 F9 E9 E8 E8 E3 E1 E0 FA E0 E0 E0 E2 E0 E0 FB E4 F0
>> 53
<< FF F6 E0 F9 E9 E8 E3 E1 E0 E0 E1 E0 FA E0 E0 E0 E2 E4 E4 E1 E0 F4 E0 E4 E4 E1 F5 E0 E4 E4 E1 FB E1 F0
"""
"""Pump 3, 20.00 at 1.440 a litre, 13.889 L. >> is the host, << the pump, words are the customer."""


def test_the_twin_in_a_whole_sale() -> None:
    """What the pump answers, at every step, byte for byte."""
    decimals = Decimals(volume=3, amount=2, price=3, total_volume=2, total_amount=2)
    parts = {name: getattr(HEAD, name) for name in Head.__slots__}
    head = Head(**{**parts, "decimals": decimals, "overrun_ml": 3})
    pump = Dispenser([Nozzle(1, "92", 144_000, total_ml=10_000_001, total_fen=1_440_000)], head)
    bay = Bay(pump)
    bay.twin = twin = GilbarcoTwin(pump, 3, PumpFaults(pump), {})
    hands = {
        "lift": lambda: pump.lift(1),
        "squeeze": lambda: pump.squeeze(500),
        "fill": lambda: bay.run(60_000),
        "hang up": lambda: pump.hang_up(),
    }
    answer = ""
    for line in SCRIPT.strip().splitlines():
        if line.startswith(">>"):
            assert answer == "", f"{line}: an answer that is not in the script: {answer}"
            bay.run(1_990 if line == ">> 63" else 10)
            answer = b"".join(piece.data for piece in twin.hear(bytes.fromhex(line[2:]))).hex(" ").upper()
        elif line.startswith("<<"):
            assert answer == line[3:]
            answer = ""
        else:
            hands[line]()


async def test_the_driver_in_a_whole_sale() -> None:
    """What the host says for an order of 20.00, five digits, and what it asks at the end."""
    heard: list[str] = []
    async with gilbarco(nozzles=ONE, polled=False, speed=10, options={"amount_preset_digits": 5}) as rig:
        twin = rig.bay.twin
        assert twin is not None

        class Listening:
            def hear(self, data: bytes) -> object:
                heard.append(data.hex(" ").upper())
                return twin.hear(data)

            def silence(self) -> None:
                twin.silence()

        rig.bay.twin = Listening()  # type: ignore[assignment]  # a PumpTwin that writes down what it hears
        await rig.pump.read_totals()
        rig.dispenser.lift(1)
        await rig.pump.read_status()
        heard.clear()
        await rig.pump.authorise(Order("amount", 2_000, (1,), {1: 785_000}))
        assert heard == [
            "03",
            "23",
            "FF E6 F2 F8 E0 E0 E0 E2 E0 FB E4 F0",
            "03",
            "03",  # still calling, 100 ms later
            "13",
            "03",  # authorised
            "03",  # and again, for a word has no check sum
        ]
        heard.clear()
        rig.dispenser.squeeze(700)
        while rig.dispenser.sale is None or rig.dispenser.flow_ml_s:
            await rig.pump.read_status()
        rig.dispenser.hang_up()
        while (status := (await rig.pump.read_status()).value) is None or status.state is not PumpState.ENDED:
            pass
        assert set(heard) <= {"03", "63", "43"}
        await rig.pump.read_status()
        heard.clear()
        assert await rig.pump.read_sale() is not None
        assert heard == ["03", "43", "43"]
        heard.clear()
        await rig.pump.read_totals()
        assert heard == ["53", "53"]
        await rig.pump.release()
        status = (await rig.pump.read_status()).value
        assert status is not None
        assert status.state is PumpState.IDLE
        assert (status.volume_ml, status.amount_fen, status.nozzle) == (None, None, None)
