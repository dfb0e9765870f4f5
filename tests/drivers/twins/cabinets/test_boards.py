"""Every board by its own bytes, and by the real driver on a paced pty."""

from __future__ import annotations

import time
from typing import Any

import pytest

from drivers.twins.cabinets.faults import CabinetFault, CabinetFaultKind
from drivers.twins.cabinets.front import ShopFront
from protocols.door import Refused

from .front_rig import driven, says, shop_config, until

K = CabinetFaultKind
PACKS = """
[[pack]]
number = 1
cabinet = "c1"
slot = 1
soc_permille = 500
"""


def a_front(board: str, slot: str, *, common: str = "", kind: str = "tcp", clock: Any = None) -> ShopFront:
    """A cabinet of two slots on one board; pack 1 stands in slot 1. clock None: time is told by the test."""
    text = f'[[board]]\nid = "b"\nline = "l"\n{board}\n[[cabinet]]\nid = "c1"\n{common}\n'
    text += f"[[cabinet.slot]]\nnumber = 1\ncount = 2\n{slot}\n{PACKS}"
    return ShopFront(shop_config(text, kind=kind), clock=clock)


XOR = 'protocol = "xor"\nfeedback = "{}"'
BY_LOCK = 'lock = "b/1"\ndoor_open = "unlocked"'


@pytest.mark.parametrize(
    ("feedback", "shut", "opened"),
    [("nc", "80 01 01 11 91", "80 01 01 00 80"), ("no", "80 01 01 00 80", "80 01 01 11 91")],
)
def test_an_xor_board_of_either_polarity(feedback: str, shut: str, opened: str) -> None:
    """The same two answers mean the contrary; the answer to "open" proves nothing."""
    front = a_front(XOR.format(feedback), BY_LOCK)
    assert says(front, "l", "80 01 01 33 B3") == shut
    assert says(front, "l", "8A 01 01 11 9B") in ("8A 01 01 00 8A", "8A 01 01 11 9B")
    front.shop.run(1_000)
    assert says(front, "l", "80 01 01 33 B3") == opened
    assert front.cabinet("c1").doors_open == [1]
    front.shop.shut("c1", 1, "ann")
    assert says(front, "l", "80 01 01 33 B3") == shut


def test_an_xor_board_says_all_contacts_at_once() -> None:
    """Channels without a lock are open; the last byte has locks 1 to 8."""
    front = a_front(XOR.format("nc"), BY_LOCK)
    assert says(front, "l", "80 01 00 33 B2") == "80 01 00 00 03 33 B1"
    says(front, "l", "8A 01 02 11 98")
    front.shop.run(100)
    assert says(front, "l", "80 01 00 33 B2") == "80 01 00 00 01 33 B3"


def test_an_xor_board_opens_all_holds_and_is_silent_where_no_source_says() -> None:
    """Open all answers once for each lock; open some, hold and address have no known answer."""
    front = a_front(XOR.format("nc"), BY_LOCK)
    cabinet = front.cabinet("c1")
    assert says(front, "l", "80 01 00 99 18") == ""
    assert says(front, "l", "90 01 00 00 01 90") == ""
    assert cabinet.doors_open == [1]
    assert len(bytes.fromhex(says(front, "l", "8A 01 00 11 9A"))) == 24 * 5
    assert cabinet.doors_open == [1, 2]
    assert says(front, "l", "9A 01 02 11 88") == ""
    assert not front.shop.shut("c1", 2, "ann")
    assert says(front, "l", "9B 01 02 11 89") == ""
    assert front.shop.shut("c1", 2, "ann")


def test_an_xor_board_hears_only_what_is_meant_for_it() -> None:
    """Another board's question, a broken sum, and half a frame move nothing."""
    front = a_front(XOR.format("nc"), BY_LOCK)
    for question in ("8A 02 01 11 98", "8A 01 01 11 00", "8A 01 01"):
        assert says(front, "l", question) == ""
    assert front.shop.ledger.pulses("c1") == []


def test_a_kerong_board() -> None:
    """No answer to an unlock; states of locks and of sensors."""
    front = a_front('protocol = "kerong"\naddress = 0', 'lock = "b/1"\npresent = "b/1"')
    assert says(front, "l", "02 00 30 03 35") == "02 00 35 00 00 01 00 03 3B"
    assert says(front, "l", "02 00 31 03 36") == ""
    front.shop.run(100)
    assert says(front, "l", "02 00 30 03 35") == "02 00 35 01 00 01 00 03 3C"


def test_a_xunming_board_counts_the_pulse_by_itself() -> None:
    """500 ms and no longer; 5 s; until it is told; and its wildcard unit."""
    front = a_front('protocol = "xunming"', 'lock = "b/1"')
    slot = front.cabinet("c1").slots[1]
    assert says(front, "l", "01 05 00 65 01 F4 DD C2") == "01 05 00 65 01 F4 DD C2"
    front.shop.run(490)
    assert slot.energised
    front.shop.run(20)
    assert not slot.energised
    says(front, "l", "01 05 00 65 FF FF DC 65")
    front.shop.run(60_000)
    assert slot.energised
    assert says(front, "l", "01 05 00 65 00 00 DD D5") == "01 05 00 65 00 00 DD D5"
    assert not slot.energised
    assert says(front, "l", "01 05 00 C9 FF 00 5C 04") == "01 85 02 C3 51"  # this model has no chargers
    assert says(front, "l", "FE 05 00 65 01 F4 C9 CD") == "FE 05 00 65 01 F4 C9 CD"


def test_a_xunming_mainboard_switches_chargers() -> None:
    """Coils 201..208; they read back only where a board was found to."""
    options = 'options = { model = "bays-8", read_back = true }'
    front = a_front(f'protocol = "xunming"\n{options}', 'lock = "b/1"\ncharger = "b/1"\ncharge_power_w_max = 500')
    assert says(front, "l", "01 05 00 C9 FF 00 5C 04") == "01 05 00 C9 FF 00 5C 04"
    front.shop.run(1_000)
    assert front.cabinet("c1").slots[1].power_w == 500
    assert says(front, "l", "01 01 00 C9 00 08 ED F2") == "01 01 01 01 90 48"
    says(front, "l", "01 05 00 C9 00 00 1D F4")
    front.shop.run(1_000)
    assert front.cabinet("c1").slots[1].power_w == 0


def test_a_relay_board_pulses_switches_and_senses() -> None:
    """Waveshare's flash-on: on for 700 ms by the board's own time, and off; relays and inputs are read."""
    slot = 'lock = "b/1"\ndoor_open = "not b/1"\npresent = "b/3"\ncharger = "b/5"\ncharge_power_w_max = 500'
    front = a_front('protocol = "relay"\noptions = { inputs = 8 }', slot)
    assert says(front, "l", "01 02 00 00 00 08 79 CC") == "01 02 01 07 E0 4A"  # both shut, and a pack in slot 1
    assert says(front, "l", "01 05 02 00 00 07 8D B0") == "01 05 02 00 00 07 8D B0"
    front.shop.run(100)
    assert says(front, "l", "01 01 00 00 00 08 3D CC") == "01 01 01 01 90 48"
    assert says(front, "l", "01 02 00 00 00 08 79 CC") == "01 02 01 06 21 8A"
    front.shop.run(700)
    assert says(front, "l", "01 01 00 00 00 08 3D CC") == "01 01 01 00 51 88"
    says(front, "l", "01 05 00 04 FF 00 CD FB")
    front.shop.run(1_000)
    assert front.cabinet("c1").slots[1].power_w == 500
    assert says(front, "l", "01 05 00 FF 00 00 FD FA") == "01 05 00 FF 00 00 FD FA"
    front.shop.run(1_000)
    assert front.cabinet("c1").slots[1].power_w == 0
    assert says(front, "l", "01 06 00 00 00 01 48 0A").startswith("01 86 01")  # its relays are coils
    assert says(front, "l", "01 05 00 08 FF 00 0D F8").startswith("01 85")  # and eight


def test_an_old_pulse_ends_no_new_order() -> None:
    """A relay that was switched on in mid-pulse stays on."""
    front = a_front('protocol = "relay"', 'lock = "b/1"\ncharger = "b/5"\ncharge_power_w_max = 500')
    says(front, "l", "01 05 02 04 00 07 CC 71")
    front.shop.run(300)
    says(front, "l", "01 05 00 04 FF 00 CD FB")
    front.shop.run(2_000)
    assert front.cabinet("c1").slots[1].relay_on


def test_a_relay_board_by_registers() -> None:
    """Boards whose relays are holding registers and whose inputs are input registers."""
    options = 'options = { relays = 4, inputs = 4, by = "registers", pulse = "gateway", inputs_by = "input-registers" }'
    slot = 'lock = "b/1"\npresent = "b/1"\ncharger = "b/3"\ncharge_power_w_max = 500'
    front = a_front(f'protocol = "relay"\n{options}', slot)
    assert says(front, "l", "01 04 00 00 00 01 31 CA") == "01 04 02 00 01 78 F0"
    assert says(front, "l", "01 06 00 00 00 01 48 0A") == "01 06 00 00 00 01 48 0A"
    assert front.cabinet("c1").doors_open == [1]
    assert says(front, "l", "01 03 00 00 00 02 C4 0B") == "01 03 04 00 01 00 00 AB F3"


def vmo_front(kind: str = "tcp", clock: Any = None) -> ShopFront:
    """A VMO board in slot 1, whose lock is another board's."""
    text = """
board = [{ id = "v", line = "l", protocol = "vmo" }, { id = "x", line = "x", protocol = "xor" }]

[[cabinet]]
id = "c1"
[[cabinet.slot]]
number = 1
lock = "x/1"
present = "v/1"
charger = "v/1"
charge_power_w_max = 500
pack = { protocol = "vmo", line = "l", address = 1 }
""" + PACKS  # fmt: skip
    return ShopFront(shop_config(text, kind=kind), clock=clock)


def test_a_vmo_board_ends_charging_when_the_pack_is_gone() -> None:
    """By itself, at once, and not again by itself when one is back."""
    front = vmo_front()
    cabinet = front.cabinet("c1")
    assert says(front, "l", "01 03 00 48 00 04 C4 1F") == "01 03 08 00 01 00 00 00 00 00 00 85 17"
    assert says(front, "l", "01 06 00 4B 00 01 38 1C") == "01 06 00 4B 00 01 38 1C"
    front.shop.run(1_000)
    assert cabinet.slots[1].power_w == 500
    cabinet.pulse(1)
    pack = front.shop.take("c1", 1, "ann")
    assert pack is not None
    front.shop.run(100)
    assert not cabinet.slots[1].relay_told
    front.shop.put("c1", 1, pack, "ann")
    front.shop.run(100)
    assert says(front, "l", "01 03 00 48 00 04 C4 1F") == "01 03 08 00 01 00 00 00 00 00 00 85 17"


def test_a_vmo_boards_emergency_stop_overrides() -> None:
    """While it is set no order to charge holds; a silent BMS shows."""
    front = vmo_front()
    says(front, "l", "01 06 00 4B 00 01 38 1C")
    says(front, "l", "01 06 00 4A 00 01 69 DC")
    front.cabinet("c1").faults.set(CabinetFault(kind=K.PACK_DEAD, slot=1))
    front.shop.run(100)
    says(front, "l", "01 06 00 4B 00 01 38 1C")
    front.shop.run(100)
    assert says(front, "l", "01 03 00 48 00 04 C4 1F").startswith("01 03 08 00 01 00 01 00 01 00 00")
    assert not front.cabinet("c1").slots[1].relay_told


async def test_a_vmo_board_mirrors_its_pack() -> None:
    """What it hears on CAN, but for the code; nothing of a pack that sleeps."""
    async with vmo_front(clock=time.monotonic) as front, driven(front) as cabinet:
        pack = front.cabinet("c1").slots[1].pack
        assert pack is not None
        reading = (await cabinet.read_slot(1)).pack
        assert reading is not None
        assert (reading.serial, reading.soc_permille, reading.cycles) == (None, 500, 0)
        assert reading.voltage_mv == pack.voltage_mv // 2 * 2
        assert len(reading.cells_mv or ()) == pack.cells == 13
        front.cabinet("c1").faults.set(CabinetFault(kind=K.PACK_NONSENSE, slot=1))
        sight = await cabinet.read_slot(1)
        assert sight.pack is None
        assert sight.pack_faults >= 1
        front.cabinet("c1").faults.clear()
        pack.fall_asleep()
        sight = await cabinet.read_slot(1)
        assert (sight.present, sight.pack) == (True, None)


def test_a_thermometer() -> None:
    """The cabinet's warmth, in tenths, below zero too."""
    text = """
board = [{ id = "t", line = "l", protocol = "thermometer" }, { id = "x", line = "x", protocol = "xor" }]
ambient_dc = -55

[[cabinet]]
id = "c1"
inner_temp = "t/1"
slot = [{ number = 1, lock = "x/1" }]
"""
    front = ShopFront(shop_config(text), clock=None)
    assert says(front, "l", "01 04 00 01 00 01 60 0A") == "01 04 02 FF C9 38 96"
    assert says(front, "l", "01 04 00 02 00 01 90 0A").startswith("01 84 02")


def test_a_dark_board_says_nothing() -> None:
    """And has forgotten its relays afterwards."""
    front = a_front('protocol = "relay"', 'lock = "b/1"\ncharger = "b/5"\ncharge_power_w_max = 500')
    says(front, "l", "01 05 00 04 FF 00 CD FB")
    front.cabinet("c1").faults.set(CabinetFault(kind=K.POWER_CUT, for_ms=1_000))
    front.shop.run(500)
    assert says(front, "l", "01 01 00 00 00 08 3D CC") == ""
    front.shop.run(1_000)
    assert says(front, "l", "01 01 00 00 00 08 3D CC") == "01 01 01 00 51 88"


DRIVEN = [
    ("xor", XOR.format("no"), BY_LOCK),
    ("kerong", 'protocol = "kerong"\naddress = 3', 'lock = "b/1"\npresent = "b/1"\ndoor_open = "unlocked"'),
    ("relay", 'protocol = "relay"\noptions = { inputs = 4 }', 'lock = "b/1"\ndoor_open = "b/1"\npresent = "not b/3"'),
]


@pytest.mark.parametrize(("board", "slot"), [each[1:] for each in DRIVEN], ids=[each[0] for each in DRIVEN])
async def test_the_driver_opens_a_door_over_a_paced_pty(board: str, slot: str) -> None:
    """Question, answer, pulse and sensor at the line's own pace; what the driver sees is what is."""
    front = a_front(board, slot, kind="pty", clock=time.monotonic)
    async with front, driven(front) as cabinet:
        await until(lambda: [cabinet.sight().slots[n].door_open for n in (1, 2)] == [False, False])
        await cabinet.open(2)
        await until(lambda: cabinet.sight().slots[2].door_open is True)
        assert front.cabinet("c1").doors_open == [2]
        assert len(front.shop.ledger.pulses("c1")) == 1
        await until(lambda: front.shop.shut("c1", 2, "ann"))  # it springs open again while the pulse lasts
        await until(lambda: cabinet.sight().slots[2].door_open is False)
        if cabinet.slots[1].presence:
            await until(lambda: [cabinet.sight().slots[n].present for n in (1, 2)] == [True, False])


def test_what_is_not_wired_is_refused() -> None:
    """A board that no cabinet uses is a mistake in a file."""
    text = """
board = [{ id = "x", line = "x", protocol = "xor" }, { id = "y", line = "x", protocol = "xor", address = 2 }]
cabinet = [{ id = "c1", slot = [{ number = 1, lock = "x/1" }] }]
"""
    with pytest.raises(Refused, match="nothing is wired to board y"):
        ShopFront(shop_config(text))
