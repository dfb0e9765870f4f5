"""What happens at a swap cabinet: locks, doors, packs and chargers, and the driver that talks to them.

`ShopStand` is the physical place: the twins' own world of a shop front under virtual time. It outlives every daemon,
and its ledger is the truth that records of packs are held against. `StandCabinet` is what one daemon knows of it: it
implements `drivers.cabinet.Cabinet` in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from itertools import islice
from random import Random
from types import SimpleNamespace
from typing import Any

from sim_plant import ANSWER_S, BUSY_S, TIMEOUT_S

from drivers.api import Link, LinkState, Point
from drivers.cabinet import CabinetSight, PackWord, SlotSight, SlotTraits
from drivers.errors import DeviceFault, Silent, Unsupported
from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.faults import CabinetFault, CabinetFaultKind, CabinetFaults
from drivers.twins.cabinets.ledger import DoorMoved, Place, Pulsed, ThingMoved
from drivers.twins.cabinets.pack import Pack, Sleep, Sleeper, Thing, pack_code
from drivers.twins.cabinets.pack_wire import BAD_CODE
from drivers.twins.cabinets.rider import Rider
from drivers.twins.cabinets.shop import STREET, Shop
from drivers.twins.cabinets.slot import ChargerMake, SlotMake
from edge.clock import Clock
from edge.measurement import MeasurementRecorder
from edge.plant.charging_loop import ChargingLoop
from edge.plant.slot_charging import Charging
from edge.shop.charging import set_up_charging
from edge.shop.eye import Eye
from edge.shop.setup import set_up
from edge.site import Site
from edge.till.swap.policy import SwapPolicy

K = CabinetFaultKind
CABINET = "cab"
POLL_S = 1.0
PACK_POLL_S = 5.0
CHARGE_LOOK_S = 5.0
AH = 2
CHARGE_W = 2_000
"""Small packs and strong chargers: one takes five minutes."""
CODES = "BT307200212FTIL*"
LIED = pack_code(9_999, ah=AH)
"""What a BMS says that tells another pack's code: one of the fleet's, so that nobody at the cabinet can know better."""
AJAR_MS = 30_000
"""So long does a door stand open in the end, when nobody comes any more but who passes by."""
TRAITS = SlotTraits(door=True, feedback=True, presence=True, pack_link=True, charger=True, charge_power_w_max=CHARGE_W)
WITNESSES = (
    K.DOOR_SEEN_OPEN, K.DOOR_SEEN_SHUT, K.LOCK_SEEN_OPEN, K.LOCK_SEEN_SHUT, K.DOOR_FLICKERS, K.SEEN_THERE, K.SEEN_GONE,
    K.PACK_DEAD, K.PACK_ASLEEP, K.PACK_NONSENSE, K.BAD_CODE, K.NO_CODE, K.OTHER_CODE,
)  # fmt: skip
"""What makes a witness of a slot lie. One at a time in each slot: where two lie alike, nobody can know better."""


AT_SLOTS = (
    K.DOOR_STUCK, K.WRONG_DOOR, K.NO_LATCH, K.POPS, K.DOOR_SEEN_OPEN, K.DOOR_SEEN_SHUT, K.LOCK_SEEN_OPEN,
    K.LOCK_SEEN_SHUT, K.DOOR_FLICKERS, K.SEEN_THERE, K.SEEN_GONE, K.RELAY_STUCK_ON, K.RELAY_STUCK_OFF, K.NO_CURRENT,
)  # fmt: skip
IN_PACKS = (
    K.PACK_DEAD, K.PACK_ASLEEP, K.PACK_NONSENSE, K.BAD_CODE, K.NO_CODE, K.OTHER_CODE, K.PACK_HOT, K.PACK_ILL,
    K.PACK_EMPTY, K.SOC_DROPS, K.PACK_VANISHES,
)  # fmt: skip
HAZARDS = (K.SMOKE, K.EMERGENCY_STOP, K.MAINS_LOST, K.SEGMENT_DEAD, K.POWER_CUT)
POLICY = SwapPolicy(
    interval_s=0, put_in_s=60, take_s=60, hold_s=60, not_put_in_s=15, rest_s=60, rescan_s=200, door_alarm_s=120
)


class SimEye(Eye):
    """Drivers of the simulation count on the box's own clock already."""

    def _ahead_ms(self) -> int:
        return 0


class ShopStand:
    """One cabinet, its packs, and whoever is at it.

    silent: its boards do not answer; odds_of_lost: that a pulse is given and its answer lost. brought: how many packs
    have come into this world.
    """

    def __init__(self, shop: Shop, now_ms: Callable[[], int], first_pack: int) -> None:
        self.shop = shop
        self.cabinet: Cabinet = shop.cabinets[CABINET]
        self.now_ms = now_ms
        self.silent = False
        self.odds_of_lost = 0.0
        self.on_pulse: Callable[[ShopStand, int], None] = lambda stand, slot: None
        self._next_pack = first_pack

    @property
    def name(self) -> str:
        return CABINET

    def twin(self) -> ShopStand:
        """Another place with the same packs in the same slots; nobody is there, and all doors are shut."""
        self.settle()
        shop = _empty(len(self.cabinet.slots), self.cabinet.faults.random.randrange(1 << 30))
        for number, slot in self.cabinet.slots.items():
            if slot.pack is not None:
                shop.stock(CABINET, number, Pack(slot.pack.code, soc_permille=slot.pack.soc_permille))
        twin = ShopStand(shop, self.now_ms, self._next_pack + 500)
        twin.odds_of_lost = self.odds_of_lost
        twin.settle()
        return twin

    def settle(self) -> None:
        """Let the time since the last call have passed."""
        past_ms = self.now_ms() - self.shop.now_ms
        if past_ms > 0:
            self.shop.run(past_ms)

    # --- hands and the world -----------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        self.settle()
        return self.shop.busy

    def new_pack(self, soc_permille: int) -> Pack:
        """One of the fleet's that nobody has seen yet."""
        self._next_pack += 1
        return Pack(pack_code(self._next_pack, ah=AH), soc_permille=soc_permille)

    def packs_of(self, who: str) -> list[Pack]:
        """What somebody has with them, in the order in which they got it."""
        return [thing for thing in self.shop.hands(who) if isinstance(thing, Pack)]

    def come(self, rider: Rider) -> None:
        self.settle()
        self.shop.add(rider)

    def leave(self, rider: Rider) -> None:
        """In the middle of it."""
        self.shop._here = [one for one in self.shop._here if one is not rider]

    def drop(self, who: str, thing: Thing) -> None:
        """It is left in the street."""
        self.shop.give(thing, STREET)

    def break_down(self, kind: CabinetFaultKind, slot: int | None, for_ms: int | None, amount: int | None) -> bool:
        """A fault begins. False: another witness of this slot lies already."""
        self.settle()
        if kind in WITNESSES and slot is not None and self._lies(slot):
            return False
        self.cabinet.faults.set(CabinetFault(kind=kind, slot=slot, for_ms=for_ms, amount=amount))
        return True

    def power(self, on: bool) -> None:
        """The mains of this place, with what its boards live on."""
        self.settle()
        if on:
            self.cabinet.faults.clear(K.POWER_CUT)
        else:
            self.cabinet.faults.set(CabinetFault(kind=K.POWER_CUT))
        self.cabinet.befall()

    def heal(self) -> None:
        """Nothing is wrong any more, everybody has gone, all doors are shut, and no pack sleeps. One that fell asleep
        again within a poll would never say which it is, and no site could tell what stands there.
        """
        self.settle()
        self.silent, self.odds_of_lost = False, 0.0
        self.cabinet.faults.clear()
        self.shop._here.clear()
        for slot in self.cabinet.slots.values():
            slot.let_go()
            if slot.door_open:
                slot.shut("passer-by")
            if slot.pack is not None:
                slot.pack.sleeper = Sleeper()
                slot.pack.wake()

    def pass_by(self) -> None:
        """Somebody shuts the doors that have long stood open."""
        self.settle()
        for slot in self.cabinet.slots.values():
            if slot.door_open and slot.now_ms - slot._moved_ms >= AJAR_MS:
                slot.shut("passer-by")

    def _lies(self, slot: int) -> bool:
        pack = self.cabinet.slots[slot].pack
        asleep = pack is not None and pack.sleep is Sleep.DEEP
        return asleep or any(self.cabinet.faults.on(kind, slot) is not None for kind in WITNESSES)

    # --- what is true ------------------------------------------------------------------------------------------------

    def movements(self, after: int) -> list[DoorMoved | ThingMoved | Pulsed]:
        """All of the ledger from that number on."""
        self.settle()
        return list(islice(self.shop.ledger.movements, after, None))

    def code_in(self, slot: int) -> str | None:
        """Of the pack that stands there; empty: nothing does; None: a thing without a code."""
        thing = self.cabinet.slots[slot].thing
        return "" if thing is None else self.code_of(thing)

    def code_of(self, thing: Thing) -> str | None:
        return thing.code if isinstance(thing, Pack) else None

    def left(self, name: str, slot: int, since_ms: int) -> bool:
        """Whether this thing has gone out of that slot since then."""
        place = Place(CABINET, slot)
        return any(moved.was == place and moved.at_ms >= since_ms for moved in self.shop.ledger.things(name))

    # --- what a line carries -----------------------------------------------------------------------------------------

    @property
    def hears(self) -> bool:
        return self.cabinet.powered and not self.silent and self.cabinet.faults.on(K.SEGMENT_DEAD) is None

    def pulse(self, slot: int) -> None:
        self.on_pulse(self, slot)
        self.cabinet.pulse(slot)


class StandCabinet:
    """A cabinet as one daemon knows it: polled, asked, told; and it may die in the middle of a dialogue."""

    profile_id = "simulated"

    def __init__(
        self, stand: ShopStand, random: Random, mono_ms: Callable[[], int], die: Callable[[str], None]
    ) -> None:
        self.id = stand.name
        self.stand = stand
        self.slots: Mapping[int, SlotTraits] = dict.fromkeys(stand.cabinet.slots, TRAITS)
        self._random = random
        self._mono_ms = mono_ms
        self._die = die
        self._seen = dict.fromkeys(self.slots, SlotSight())
        self._packs_ms: int | None = None

    async def run(self) -> None:
        while True:
            self._poll()
            await asyncio.sleep(POLL_S)

    def link(self) -> Link:
        return Link(LinkState.ONLINE if self.stand.hears else LinkState.OFFLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    def sight(self) -> CabinetSight:
        twin = self.stand.cabinet
        if not self.stand.hears:
            return CabinetSight(dict(self._seen), silent=("locks",))
        return CabinetSight(dict(self._seen), twin.hazards, twin.mains, twin.inner_dc)

    async def read_slot(self, slot: int) -> SlotSight:
        await self._ask()
        self._see(slot)
        self._read_pack(slot)
        return self._seen[slot]

    async def open(self, slot: int) -> None:
        await self._ask()
        stand = self.stand
        if not stand.hears:
            raise await self._silent("no answer")
        stand.pulse(slot)
        self._die("after a pulse of a lock")
        if self._random.random() < stand.odds_of_lost:
            raise await self._silent("the answer was lost")

    async def charge(self, slot: int, on: bool) -> None:
        await self._ask()
        if not self.stand.hears:
            raise await self._silent("no answer")
        self.stand.cabinet.slots[slot].switch(on)
        self._see(slot)
        if self._seen[slot].relay_on is not on:
            raise DeviceFault("the relay does not read back so", where=self.id)

    async def wake(self, slot: int) -> None:
        """The charger's voltage, for a moment."""
        await self._ask()
        pack = self.stand.cabinet.slots[slot].pack
        if pack is not None and self.stand.hears and self.stand.cabinet.faults.on(K.PACK_DEAD, slot) is None:
            pack.wake()
        self._read_pack(slot)

    async def signal(self, name: str, on: bool) -> None:
        raise Unsupported(f"no output {name}", where=self.id)

    # --- how ---------------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        """Doors and switches each time, packs now and then."""
        self.stand.settle()
        for slot in self.slots:
            self._see(slot)
        now_ms = self._mono_ms()
        if self._packs_ms is None or now_ms - self._packs_ms >= PACK_POLL_S * 1000:
            self._packs_ms = now_ms
            for slot in self.slots:
                self._read_pack(slot)

    def _see(self, number: int) -> None:
        if not self.stand.hears:
            return
        slot = self.stand.cabinet.slots[number]
        self._seen[number] = replace(
            self._seen[number],
            door_open=slot.seen_open,
            locked=slot.seen_locked,
            present=slot.seen_there,
            relay_on=slot.relay_on,
            charge_ma=slot.power_w * 1_000_000 // 80_000,
            charge_power_w=slot.power_w,
            at_ms=self._mono_ms(),
        )

    def _read_pack(self, number: int) -> None:
        """Ask what is in the slot, as its link would."""
        pack, faults = self.stand.cabinet.slots[number].pack, self.stand.cabinet.faults
        before = self._seen[number]
        mute = not self.stand.hears or faults.on(K.PACK_DEAD, number) is not None
        if pack is None or mute or pack.sleep is Sleep.DEEP or not pack.hears():
            word = PackWord.SILENT if self.stand.hears else PackWord.DEAD
            self._seen[number] = replace(
                before, pack=None, pack_faults=0, pack_word=word, pack_asked_ms=self._mono_ms()
            )
            return
        if faults.on(K.PACK_NONSENSE, number) is not None:
            self._seen[number] = replace(
                before,
                pack=None,
                pack_faults=before.pack_faults + 1,
                pack_word=PackWord.NOISE,
                pack_asked_ms=self._mono_ms(),
            )
            return
        says = pack.reading()
        for kind, code in ((K.BAD_CODE, BAD_CODE), (K.NO_CODE, "UNKNOWN"), (K.OTHER_CODE, LIED)):
            if faults.on(kind, number) is not None:
                says = replace(says, serial=code)
        now_ms = self._mono_ms()
        self._seen[number] = replace(
            before, pack=says, pack_at_ms=now_ms, pack_faults=0, pack_word=PackWord.SAID, pack_asked_ms=now_ms
        )

    async def _ask(self) -> None:
        busy = self._random.random() < 0.1
        await asyncio.sleep(self._random.uniform(*(BUSY_S if busy else ANSWER_S)))
        self.stand.settle()

    async def _silent(self, what: str) -> Silent:
        await asyncio.sleep(TIMEOUT_S)
        return Silent(what, where=self.id)


async def keep_charging(loop: ChargingLoop, mono_ms: Callable[[], int]) -> None:
    """What `ChargingLoop.run` does, by the box's own clock, and less often."""
    while True:
        await loop.look(mono_ms())
        await asyncio.sleep(CHARGE_LOOK_S)


def virtual_time() -> SimpleNamespace:
    """In the place of the module `time`, where production asks for monotonic time."""
    return SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())


def open_shop(
    stand: ShopStand,
    site: Site,
    clock: Clock,
    recorder: MeasurementRecorder,
    random: Random,
    die: Callable[[str], None],
    keep: Callable[[str, Coroutine[Any, Any, None]], None],
) -> None:
    """As the daemon does: the loops of the cabinet, and of its chargers."""
    cabinet = StandCabinet(stand, random, clock.mono_ms, die)
    shop = site.shop = set_up(site, {cabinet.id: cabinet}, POLICY, clock, recorder)
    assert shop is not None
    for loop in shop.loops.values():
        loop.eye.__class__ = SimEye
    keep("driver", cabinet.run())
    shop.keep(keep)
    for charging in set_up_charging(shop, Charging(), None, clock).values():
        keep("charging", keep_charging(charging, clock.mono_ms))


def drawn(random: Random, now_ms: Callable[[], int], first_pack: int) -> ShopStand:
    """A cabinet as it might have been installed: some slots full, at least two empty."""
    slots = random.choice((4, 4, 5, 6))
    stand = ShopStand(_empty(slots, random.randrange(1 << 30)), now_ms, first_pack)
    stand.settle()
    for slot in random.sample(range(1, slots + 1), random.randint(1, slots - 2)):
        stand.shop.stock(CABINET, slot, stand.new_pack(random.randrange(850, 1_000)))
    return stand


def _empty(slots: int, seed: int) -> Shop:
    shop = Shop()
    make = SlotMake(charger=ChargerMake(CHARGE_W))
    shop.add_cabinet(CABINET, dict.fromkeys(range(1, slots + 1), make), faults=CabinetFaults(seed))
    return shop
