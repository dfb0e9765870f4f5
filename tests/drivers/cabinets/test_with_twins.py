"""The cabinet driver at simulated cabinets of every make, over the gateway tables that their twins write themselves."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from board_rig import Polled, until

from drivers.boards.board import Board
from drivers.boards.config import BoardConfig
from drivers.boards.registry import build_board
from drivers.cabinet import Hazard, SlotSight
from drivers.cabinets.cabinet import BoardCabinet
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.registry import build_cabinets
from drivers.errors import DeviceError, DeviceFault
from drivers.line import Line, LineConfig
from drivers.twins.cabinets.config import ShopConfig
from drivers.twins.cabinets.faults import CabinetFault, CabinetFaultKind
from drivers.twins.cabinets.front import ShopFront
from drivers.twins.cabinets.pack import Pack, pack_code
from protocols.door import admit

HEAD = """
speed = 20
[[cabinet]]
id = "cab-1"
pack_poll_s = 0.2
wake_pulse_s = 1.5
[[cabinet.slot]]
number = 1
count = 4
charge_power_w_max = 600
"""
STOCK = '[[pack]]\nnumber = 1\ncount = 2\ncabinet = "cab-1"\nslot = 1\nsoc_permille = 500\n'
IO = '[[board]]\nid = "io"\nprotocol = "relay"\nline = "io"\noptions = { inputs = 16 }\n'
SENSED = 'door_open = "io/1"\npresent = "io/5"\n'
SAFE = '[cabinet.inputs]\nsmoke = ["io/9"]\nemergency_stop = ["not io/10"]\nmains = "io/11"\n'
MUX = 'pack = { protocol = "greenway", line = "packs", mux = "io/5", timeout_ms = 60 }\n'
LINE_EACH = 'pack = { protocol = "jk4e57", line = "pack-{slot}", timeout_ms = 60 }\n'

SHOPS = {
    "xor": HEAD
    + 'lock = "locks/1"\ncharger = "io/1"\n'
    + SENSED + MUX + SAFE + IO
    + '[[board]]\nid = "locks"\nprotocol = "xor"\nline = "locks"\nfeedback = "no"\n' + STOCK,
    "kerong": HEAD
    + 'lock = "locks/1"\ncharger = "io/1"\n'
    + SENSED + LINE_EACH + SAFE + IO
    + '[[board]]\nid = "locks"\nprotocol = "kerong"\nline = "locks"\naddress = 0\n' + STOCK,
    "xunming": HEAD
    + 'lock = "bays/1"\ncharger = "bays/1"\n'
    + SENSED + LINE_EACH + SAFE + IO
    + '[[board]]\nid = "bays"\nprotocol = "xunming"\nline = "bays"\naddress = 7\n'
    + 'options = { model = "bays-8", read_back = true }\n' + STOCK,
    "relay": HEAD
    + 'lock = "more/1"\ncharger = "io/1"\n'
    + SENSED + LINE_EACH + SAFE + IO
    + '[[board]]\nid = "more"\nprotocol = "relay"\nline = "io"\naddress = 2\n' + STOCK,
    "vmo": HEAD
    + 'lock = "locks/1"\ncharger = "vmo-{slot}/1"\ndoor_open = "io/1"\npresent = "vmo-{slot}/1"\n'
    + LINE_EACH + SAFE + IO
    + '[[board]]\nid = "locks"\nprotocol = "xor"\nline = "locks"\nfeedback = "nc"\n'
    + "".join(f'[[board]]\nid = "vmo-{n}"\nprotocol = "vmo"\nline = "slots"\naddress = {n}\n' for n in range(1, 5))
    + STOCK,
}  # fmt: skip


@dataclass
class Shop:
    """Both ends."""

    front: ShopFront
    cabinet: BoardCabinet
    boards: dict[str, Board]

    async def sees(self, slot: int, **values: object) -> None:
        await until(lambda: all(getattr(self.seen(slot), name) == value for name, value in values.items()))

    def seen(self, slot: int) -> SlotSight:
        return self.cabinet.sight().slots[slot]

    def code(self, slot: int) -> str | None:
        pack = self.seen(slot).pack
        return None if pack is None else pack.serial

    def fault(self, kind: CabinetFaultKind, slot: int | None = None) -> None:
        self.front.cabinet("cab-1").faults.set(CabinetFault(kind=kind, slot=slot))


@asynccontextmanager
async def shop(text: str) -> AsyncIterator[Shop]:
    """Everything polls."""
    async with ShopFront(admit(tomllib.loads(text), ShopConfig, source="test")) as front, AsyncExitStack() as stack:
        tables = front.gateway_tables()
        lines = {table["id"]: Line(admit(table, LineConfig, source="test")) for table in tables["line"]}
        for line in lines.values():
            await stack.enter_async_context(line)
        boards = {
            table["id"]: build_board(admit(table, BoardConfig, source="test"), lines[table["line"]])
            for table in tables["board"]
        }
        configs = [admit(table, CabinetConfig, source="test") for table in tables["cabinet"]]
        cabinet = build_cabinets(configs, boards, lines, {})["cab-1"]
        await stack.enter_async_context(Polled(*boards.values(), cabinet))
        yield Shop(front, cabinet, boards)


@pytest.mark.parametrize("make", list(SHOPS))
async def test_a_swap_at_every_make(make: str) -> None:
    """An empty slot opened and filled, its pack read and charged, a full one opened and emptied."""
    async with shop(SHOPS[make]) as it:
        world = it.front.shop
        await it.sees(3, door_open=False, present=False, pack=None)
        await it.sees(1, door_open=False, present=True)
        await until(lambda: (it.code(1), it.code(2)) == (pack_code(1), pack_code(2)))
        await it.cabinet.open(3)
        await it.sees(3, door_open=True)
        returned = world.bring(Pack(pack_code(9), protocol="greenway" if make == "xor" else "jk4e57"), "rider")
        assert world.put("cab-1", 3, returned, "rider")
        await until(lambda: world.shut("cab-1", 3, "rider"))  # not while its lock is energised
        await it.sees(3, door_open=False, present=True)
        sight = await it.cabinet.read_slot(3)
        assert sight.pack is not None
        assert sight.pack.serial == pack_code(9)
        await it.cabinet.charge(3, True)
        assert it.seen(3).relay_on is True
        await until(lambda: world.cabinets["cab-1"].slots[3].relay_on)
        await it.cabinet.charge(3, False)
        await it.cabinet.open(1)
        await it.sees(1, door_open=True)
        assert world.take("cab-1", 1, "rider") is not None
        await until(lambda: world.shut("cab-1", 1, "rider"))
        await it.sees(1, door_open=False, present=False, pack=None)
        assert world.audit() == []


@pytest.mark.parametrize("make", ["xor", "kerong"])
async def test_a_lock_that_tells_is_believed_by_its_wiring(make: str) -> None:
    """Shut is locked, open is not: by configuration, or by the protocol."""
    async with shop(SHOPS[make]) as it:
        await it.sees(4, locked=True, door_open=False)
        await it.cabinet.open(4)
        await it.sees(4, locked=False, door_open=True)


async def test_what_stops_all_charging() -> None:
    """F-50, F-08: smoke and the emergency stop are seen as they are wired, the mains too."""
    async with shop(SHOPS["xor"]) as it:
        await until(lambda: it.cabinet.sight().mains is True and not it.cabinet.sight().hazards)
        it.fault(CabinetFaultKind.SMOKE)
        await until(lambda: it.cabinet.sight().hazards == {Hazard.SMOKE})
        it.fault(CabinetFaultKind.EMERGENCY_STOP)
        await until(lambda: Hazard.EMERGENCY_STOP in it.cabinet.sight().hazards)
        it.fault(CabinetFaultKind.MAINS_LOST)
        await until(lambda: it.cabinet.sight().mains is False)


async def test_a_dead_segment() -> None:
    """F-60: no door can be trusted; who opens gets an error."""
    async with shop(SHOPS["relay"]) as it:
        await it.sees(1, door_open=False)
        it.fault(CabinetFaultKind.SEGMENT_DEAD)
        with pytest.raises(DeviceError):
            await it.cabinet.open(1)
        assert (await it.cabinet.read_slot(1)).door_open is None


async def test_a_pack_in_deep_sleep_is_woken() -> None:
    """F-22: a Greenway pack by its charger's voltage; a frame would not do."""
    async with shop(SHOPS["xor"]) as it:
        await until(lambda: it.code(2) == pack_code(2))
        it.fault(CabinetFaultKind.PACK_ASLEEP, 2)
        await it.sees(2, pack=None, present=True)
        await it.cabinet.wake(2)
        assert it.code(2) == pack_code(2)


async def test_a_relay_that_is_stuck() -> None:
    """F-52: by its own read-back."""
    async with shop(SHOPS["vmo"]) as it:
        await it.sees(4, present=False)
        with pytest.raises(DeviceFault, match="does not read back"):
            await it.cabinet.charge(4, True)  # without a pack the slot board switches off by itself
