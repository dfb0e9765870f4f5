"""The twin's end of DART, byte for byte, without a line."""

from __future__ import annotations

import pytest

from drivers.pump import Decimals
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.dart import DartTwin
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import parse_pump_faults
from drivers.twins.pumps.parts import Head, Nozzle
from protocols.fieldbus.dart_app import (
    Allow,
    Ask,
    Command,
    FromController,
    FromPump,
    PresetVolume,
    Status,
    decode_from_pump,
    encode_to_pump,
)
from protocols.fieldbus.dart_frames import Control, Frame, FrameReader, encode_frame

ADDRESS = 0x52


class Host:
    """Says bytes to the twin, and numbers its own blocks."""

    def __init__(self, **options: str | int | bool) -> None:
        head = Head(needs_reset=True, decimals=Decimals(2, 2, 3))
        self.pump = Dispenser([Nozzle(1, "95", 125_000, total_ml=1_000_000)], head)
        self.bay = Bay(self.pump)
        self.twin = DartTwin(self.pump, ADDRESS, self.bay.faults, {"answer-ms": 0, **options})
        self._number = -1

    def say(self, text: str) -> str:
        answer = b"".join(piece.data for piece in self.twin.hear(bytes.fromhex(text)))
        return answer.hex(" ").upper()

    def block(self, *words: FromController) -> str:
        self._number += 1
        return self.say(encode_frame(Frame(ADDRESS, Control.DATA, self._number, encode_to_pump(*words))).hex())

    def poll(self) -> list[FromPump]:
        """All that it says until it has no more."""
        words: list[FromPump] = []
        while True:
            (frame,) = FrameReader().feed(bytes.fromhex(self.say("52 20 FA")))
            if frame.control is Control.EOT:
                return words
            words += decode_from_pump(frame.data)
            self.say(f"52 {0xC0 | frame.number:02X} FA")


# What the host says, and the pump's answer. LIFT and the like is what the customer does.
SALE = [
    ("52 20 FA", "52 30 01 01 05 03 04 00 12 50 00 FE EC 03 FA"),
    ("52 C0 FA", ""),
    ("52 30 65 01 01 66 83 03 FA", "52 C0 FA"),
    ("52 20 FA", "52 31 65 10 01 00 00 10 00 00 00 00 10 00 00 00 00 00 00 00 3A 5C 03 FA"),
    ("52 C1 FA", ""),
    ("LIFT", ""),
    ("52 20 FA", "52 32 03 04 00 12 50 11 3A DC 03 FA"),
    ("52 C2 FA", ""),
    ("52 31 01 01 05 27 63 03 FA", "52 C1 FA"),
    ("52 20 FA", "52 33 01 01 01 27 18 03 FA"),
    ("52 C3 FA", ""),
    ("52 32 02 01 01 04 04 00 00 20 00 8A 64 03 FA", "52 C2 FA"),
    ("52 33 01 01 06 66 DA 03 FA", "52 C3 FA"),
    ("52 20 FA", "52 34 01 01 02 66 6D 03 FA"),
    ("52 20 FA", "52 34 01 01 02 66 6D 03 FA"),  # its acknowledgement was lost
    ("52 E4 FA", "52 70 FA"),  # ACKPOLL
    ("SQUEEZE FOR A SECOND", ""),
    ("52 20 FA", "52 35 01 01 04 02 08 00 00 00 83 00 00 01 04 8E FD 03 FA"),
    ("52 C5 FA", ""),
    ("SQUEEZE ON", ""),
    ("52 20 FA", "52 36 01 01 06 66 16 03 FA"),
    ("52 C6 FA", ""),
    ("HANG UP", ""),
    ("52 20 FA", "52 37 03 04 00 12 50 01 02 08 00 00 16 00 00 00 20 00 03 04 00 12 50 01 01 01 05 71 E2 03 FA"),
    ("52 C7 FA", ""),
    ("52 34 01 01 04 E6 6F 03 FA", "52 C4 FA"),
    ("52 20 FA", "52 38 02 08 00 00 16 00 00 00 20 00 03 04 00 12 50 01 CD DA 03 FA"),
    ("52 C8 FA", ""),
    ("52 35 65 01 01 66 4F 03 FA", "52 C5 FA"),
    ("52 20 FA", "52 39 65 10 01 00 00 10 16 00 00 00 10 16 00 00 00 00 00 00 66 0B 03 FA"),
    ("52 C9 FA", ""),
    ("52 20 FA", "52 70 FA"),
]


def test_a_sale_as_a_dialogue() -> None:
    """Totals, RESET, nozzle and preset of 20.00, AUTHORIZE, 16.00 L at 1.250, hung up, read, totals again."""
    host = Host()
    for said, answer in SALE:
        if said == "LIFT":
            host.pump.lift(1)
        elif said == "SQUEEZE FOR A SECOND":
            host.pump.squeeze(833)
            host.bay.run(1_000)
        elif said == "SQUEEZE ON":
            host.bay.run(60_000)
        elif said == "HANG UP":
            host.pump.hang_up()
        else:
            assert (said, host.say(said)) == (said, answer)


def test_others_are_not_answered() -> None:
    """Another address, IAP, noise, an acknowledgement nobody asked for."""
    host = Host()
    for said in ("53 20 FA", "52 40 FA", "00 FF 13 FA", "52 C7 FA", "52 30 01 01 00 00 00 03 FA"):
        assert host.say(said) == ""


def test_a_preset_in_mid_sale_counts() -> None:
    """The last one wins; one that is exceeded already stops the pump."""
    host = Host()
    host.pump.lift(1)
    host.block(Command(Ask.RESET))
    host.block(Allow((1,)), PresetVolume(5_000), Command(Ask.AUTHORIZE))
    host.pump.squeeze(500)
    host.bay.run(2_000)
    host.block(PresetVolume(50))
    assert host.pump.phase.value == "reached"
    assert host.pump.shown_ml == 1_000


@pytest.mark.parametrize(
    ("said", "states"),
    [
        ([Command(Ask.AUTHORIZE)], []),  # only from RESET
        ([Command(Ask.RESET), Command(Ask.AUTHORIZE)], [1]),  # no nozzle is allowed
        ([Command(Ask.SWITCH_OFF), Command(Ask.STOP)], [7, 5]),
        ([Command(Ask.SWITCH_OFF), Command(Ask.RESET)], [7, 1]),
        ([Command(Ask.RESET), Command(Ask.STOP)], [1, 5]),
    ],
)
def test_the_machine_of_states(said: list[FromController], states: list[int]) -> None:
    """What is not allowed in a state is acknowledged, and not done."""
    host = Host()
    host.poll()
    assert host.block(*said).endswith("C0 FA")
    assert [word.state for word in host.poll() if isinstance(word, Status)] == states


def test_power_comes_back_with_number_zero() -> None:
    """And with an alarm, its state, and no nozzle allowed."""
    host = Host()
    host.poll()
    host.pump.cut_power()
    host.pump.return_power()
    assert host.say("52 20 FA") == "52 30 05 01 0A 01 01 05 03 04 00 12 50 00 CE 18 03 FA"


def test_unknown_options_are_refused() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r"numbering.*got totls"):
        Host(totls=6)


def test_faults_of_the_dialogue() -> None:
    """Refused, another address, a number that does not follow."""
    host = Host()
    for fault in parse_pump_faults(["refuse:1", "foreign:1", "wrong-sequence:1"]):
        host.bay.faults.set(fault)
    assert host.block(Command(Ask.STATUS)) == "53 50 FA"
    assert host.say("52 20 FA").startswith("52 37")
