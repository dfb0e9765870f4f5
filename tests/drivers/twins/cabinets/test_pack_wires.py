"""Packs of every protocol on their wires: by bytes that are printed, and by the real links."""

from __future__ import annotations

from typing import get_args

import pytest

from drivers.packs.config import ADDRESSED
from drivers.packs.config import Protocol as PackProtocol
from drivers.twins.cabinets.faults import CabinetFault, CabinetFaultKind
from drivers.twins.cabinets.front import ShopFront
from drivers.twins.cabinets.pack import Pack, Sleep, pack_code
from drivers.twins.cabinets.tongues import SLEEPERS, TONGUES
from protocols.fieldbus import jk4e57, jk4e57_app
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.pack import PackReading

from .front_rig import driven, says, shop_config, until

K = CabinetFaultKind
PROTOCOLS = [one for one in get_args(PackProtocol) if one not in ADDRESSED]
ONE = """
board = [{ id = "x", line = "x", protocol = "xor" }]
pack = [{ number = 1, cabinet = "c1", slot = 1, soc_permille = 750, cycles = 78 }]
[[cabinet]]
id = "c1"
slot = [{ number = 1, lock = "x/1", pack = { protocol = "PROTOCOL", line = "p" } }]
"""


def one(protocol: str) -> tuple[ShopFront, Pack]:
    """One slot with one pack, at 75 %, in the test's own time."""
    front = ShopFront(shop_config(ONE, protocol), clock=None)
    pack = front.cabinet("c1").slots[1].pack
    assert pack is not None
    return front, pack


PRINTED = [  # facts: cabinets 1
    ("greenway", "46 16 01 0D 01 6B", "47 16 01 0D 01 4B B7"),
    ("greenway", "46 16 01 17 04 78", "47 16 01 17 04 4E 00 00 00 C7"),
    ("greenway", "46 16 01 07 01 FF", ""),  # a wrong sum
    ("greenway", "46 16 01 07 01 65", ""),  # a field that it does not have
    ("jbd", "DD 5A E1 02 00 01 FF 1C 77", "DD E1 00 00 00 00 77"),
    ("daly", "A5 40 93 08 00 00 00 00 00 00 00 00 80", "A5 01 93 08 00 01 01 00 00 00 3A 98 15"),
    ("daly-modbus", "D2 06 00 A5 00 00 8A 4A", "D2 06 00 A5 00 00 8A 4A"),
    ("pace", b"~250146C20000FD99\r".hex(), None),
]


@pytest.mark.parametrize(("protocol", "question", "answer"), PRINTED)
def test_what_sources_print(protocol: str, question: str, answer: str | None) -> None:
    """Questions as captured; answers as captured, or as this pack's own numbers make them. None: any."""
    front, _pack = one(protocol)
    heard = says(front, "p", question)
    assert heard == answer if answer is not None else heard


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_link_reads_what_is(protocol: str) -> None:
    """Code, charge, voltage, cycles: as much as the protocol tells, and nothing else than what is."""
    async with ShopFront(shop_config(protocol=protocol)) as front, driven(front) as cabinet:
        pack = front.cabinet("c1").slots[3].pack
        assert pack is not None
        sight = await cabinet.read_slot(3)
        reading = sight.pack
        assert reading is not None
        assert reading.serial in (pack.code, None)
        assert (reading.serial is None) == (protocol == "seplos")  # no source tells its question for it
        assert reading.charge_permille == 950
        assert abs((reading.voltage_mv or 0) - pack.voltage_mv) < 100
        assert reading.cycles == 0


async def test_an_empty_slot_is_silent() -> None:
    """As is a pack that sleeps."""
    async with ShopFront(shop_config()) as front, driven(front) as cabinet:
        assert (await cabinet.read_slot(1)).pack is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_link_sees_the_pack_charge(protocol: str) -> None:
    """The relay on, a current flows into it, the right way round."""
    async with ShopFront(shop_config(protocol=protocol)) as front, driven(front) as cabinet:
        await cabinet.charge(4, True)
        pack = front.cabinet("c1").slots[4].pack
        assert pack is not None

        def charges() -> bool:
            reading = cabinet.sight().slots[4].pack
            return reading is not None and reading.current_ma is not None and reading.current_ma > 0

        await until(charges)
        assert cabinet.sight().slots[4].relay_on is True
        assert pack.flow_w > 0


SWITCHES = [
    ("jbd", "DD 5A E1 02 00 01 FF 1C 77", "DD 5A E1 02 00 00 FF 1D 77"),
    ("jk4e57", jk4e57.request_frame(jk4e57.Question(jk4e57.Command.WRITE, 0xAB, b"\0")).hex(),
     jk4e57.request_frame(jk4e57.Question(jk4e57.Command.WRITE, 0xAB, b"\1")).hex()),
    ("daly", "A5 40 DA 08 00 00 00 00 00 00 00 00 C7", "A5 40 DA 08 01 00 00 00 00 00 00 00 C8"),
    ("daly-modbus", "D2 06 00 A5 00 00 8A 4A", "D2 06 00 A5 00 01 4B 8A"),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "off", "on"), SWITCHES)
def test_charge_switches(protocol: str, off: str, on: str) -> None:
    """A pack that is told not to take charge does not, whatever its charger does."""
    front, pack = one(protocol)
    assert pack.accepts_charge
    assert says(front, "p", off)
    assert not pack.accepts_charge
    assert says(front, "p", on)
    assert pack.accepts_charge


def test_a_jk_wakes_by_its_activating_frame() -> None:
    """Asleep it is silent to all others."""
    front, pack = one("jk4e57")
    pack.fall_asleep()
    activate = jk4e57.request_frame(jk4e57.Question(jk4e57.Command.ACTIVATE)).hex()
    code = jk4e57.Question(jk4e57.Command.READ, jk4e57_app.Item.CODE)
    assert says(front, "p", jk4e57.request_frame(code).hex()) == ""
    assert says(front, "p", activate)
    body = jk4e57.expect(code).feed(bytes.fromhex(says(front, "p", jk4e57.request_frame(code).hex())))
    assert body is not NEED_MORE
    assert jk4e57_app.reading_of(bytes(body)).serial == pack.code


def test_a_sleeping_greenway_wants_its_charger() -> None:
    """F-22: no answer is no proof that nothing is there."""
    front, pack = one("greenway")
    pack.fall_asleep()
    assert says(front, "p", "46 16 01 0D 01 6B") == ""
    pack.charger_voltage = True
    front.shop.run(0)
    assert says(front, "p", "46 16 01 0D 01 6B") == "47 16 01 0D 01 4B B7"


def test_packs_of_other_protocols_do_not_understand() -> None:
    """A JBD pack in a Greenway slot stays silent."""
    front, pack = one("greenway")
    pack.protocol = "jbd"
    assert says(front, "p", "46 16 01 0D 01 6B") == ""


MUX = """
board = [{ id = "x", line = "x", protocol = "xor" }, { id = "r", line = "r", protocol = "relay" }]
pack = [{ number = 1, count = 2, cabinet = "c1", slot = 1, soc_permille = 750 }]
[[cabinet]]
id = "c1"
pack_poll_s = 60
[[cabinet.slot]]
number = 1
count = 3
lock = "x/1"
pack = { protocol = "greenway", line = "p", mux = "r/1", settle_ms = 0 }
"""
ASK_CODE = "46 16 01 23 20 A0"


def test_packs_behind_relays_answer_one_at_a_time() -> None:
    """All have one address: nobody with no relay on, one with one, and with two nobody who is understood."""
    front = ShopFront(shop_config(MUX), clock=None)
    assert says(front, "p", ASK_CODE) == ""
    says(front, "r", "01 05 00 00 FF 00 8C 3A")
    first = says(front, "p", ASK_CODE)
    assert bytes.fromhex(first)[5:29].decode() == pack_code(1)
    says(front, "r", "01 05 00 01 FF 00 DD FA")
    both = bytes.fromhex(says(front, "p", ASK_CODE))
    assert first not in both.hex(" ").upper()
    says(front, "r", "01 05 00 00 00 00 CD CA")
    assert bytes.fromhex(says(front, "p", ASK_CODE))[5:29].decode() == pack_code(2)


async def test_the_driver_reads_packs_behind_relays() -> None:
    """Each slot's own pack, and none in the empty one."""
    async with ShopFront(shop_config(MUX)) as front, driven(front) as cabinet:
        codes = {}
        for number in (1, 2, 1, 3):
            reading = (await cabinet.read_slot(number)).pack
            codes[number] = None if reading is None else reading.serial
        assert codes == {1: pack_code(1), 2: pack_code(2), 3: None}


LIES = [
    (K.OTHER_CODE, pack_code(9_999)),
    (K.BAD_CODE, "BT-NO-SUCH-CODE"),
    (K.NO_CODE, "UNKNOWN"),
]


@pytest.mark.parametrize(("kind", "code"), LIES)
async def test_codes_that_are_not_its_own(kind: CabinetFaultKind, code: str) -> None:
    """F-23, F-24: what the BMS tells is not what the ledger knows."""
    async with ShopFront(shop_config(protocol="jk4e57")) as front, driven(front) as cabinet:
        front.cabinet("c1").faults.set(CabinetFault(kind=kind, slot=3))
        for link in (cabinet.wired[3].pack,):
            assert link is not None
            link.link.forget()
        reading = (await cabinet.read_slot(3)).pack
        assert reading is not None
        assert reading.serial == code
        assert str(front.shop.ledger.places[pack_code(1)]) == "c1/3"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_nonsense_is_sound_in_every_protocol(protocol: str) -> None:
    """F-27: the sum is right, the values cannot be; the link says so and gives no reading."""
    async with ShopFront(shop_config(protocol=protocol)) as front, driven(front) as cabinet:
        front.cabinet("c1").faults.set(CabinetFault(kind=K.PACK_NONSENSE, slot=3))
        sight = await cabinet.read_slot(3)
        assert sight.pack is None
        assert sight.pack_faults >= 1


def test_every_protocol_has_a_tongue_and_a_sleep() -> None:
    """And what it says of itself comes from one reading."""
    assert TONGUES.keys() == SLEEPERS.keys() - ADDRESSED == set(PROTOCOLS)
    assert isinstance(Pack(pack_code(1)).reading(), PackReading)
    assert Pack(pack_code(1), sleeper=SLEEPERS["pace"]).sleep is Sleep.AWAKE
