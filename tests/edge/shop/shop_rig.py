"""A shop front on a real journal: a cabinet that outlives the daemon, riders, a clock that the test turns, plans.

The cabinet is the twins' own world (doors with springs, packs with a BMS, riders) behind `drivers.cabinet.Cabinet`,
without a wire between.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from drivers.api import Link, LinkState, Point
from drivers.cabinet import CabinetSight, PackWord, SlotSight, SlotTraits
from drivers.errors import Silent
from drivers.twins.cabinets import shop as world
from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.faults import CabinetFault, CabinetFaultKind
from drivers.twins.cabinets.pack import Pack, Sleep, pack_code
from drivers.twins.cabinets.pack_wire import BAD_CODE
from drivers.twins.cabinets.rider import Rider, Step
from drivers.twins.cabinets.rider_words import Manners
from drivers.twins.cabinets.slot import SlotMake
from edge.journal.journal import Journal
from edge.journal.verify import verify
from edge.journal.verify_report import Trust
from edge.measurement import MeasurementRecorder
from edge.shop.shop import Shop
from edge.shop.swap_desk import SwapDesk
from edge.till.ask import Refused
from edge.till.state import Lease, lease_key
from edge.till.state_shop import OpenSwap
from edge.till.swap.ask import SwapAsk
from edge.till.swap.place import CabinetPlace
from edge.till.swap.policy import SwapPolicy
from protocols.fieldbus.pack import PackReading
from protocols.trade import pack_list, swap_terms
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.grants import Grant, hide_credential, join
from protocols.trade.pack_list import PackEntry, PackList
from protocols.trade.records import CNY, Origin
from protocols.trade.records_pack import SwapClosed, SwapKind, SwapStepped
from protocols.trade.swap_terms import Model, RentOffer, SwapOffer, SwapTerms
from protocols.trade.tariff import Offset
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY, LOG_KEY, Till, Time

K = CabinetFaultKind
CABINET = "cab-1"
PLAN = "SWAPS30"
STEP_MS = 100
PACK_POLL_MS = 5_000
POLICY = SwapPolicy(interval_s=0)
TERMS = SwapTerms(
    version=1,
    zone="Asia/Shanghai",
    offsets=[Offset(0, 28_800)],
    swaps=[
        SwapOffer("swaps30", "plan", PLAN, 1, 0, 0, 0, 0, 900),
        SwapOffer("single", "single", CNY, 0, 300_000, 0, 0, 0, 900),
        SwapOffer("by-energy", "energy", CNY, 0, 250_000, 50, 400, 0, 900),
    ],
    rents=[RentOffer("day", [], 1, 800_000, 3_600, 1_000_000)],
    models=[
        Model("72V20", ["BT3072020??FTIL*"], [], 30_000),
        Model("60V25", ["BT3060025??FTIL*"], [], 30_000),
    ],
    consent_permille=500,
)
TRAITS = SlotTraits(door=True, feedback=True, presence=True, pack_link=True, charger=True, charge_power_w_max=600)
BRISK = Manners(look_ms=500, handle_ms=1_000)


def ready_shop(slots: int = 6, full: Sequence[int] = (3, 4, 5)) -> world.Shop:
    """One cabinet: packs 103, 104 and 105 in the slots of those numbers, the fullest last."""
    front = world.Shop()
    front.add_cabinet(CABINET, {number: SlotMake() for number in range(1, slots + 1)})
    for number in full:
        front.stock(CABINET, number, Pack(pack_code(100 + number), soc_permille=940 + 10 * number))
    return front


class ModelCabinet:
    """What a driver makes of a cabinet, and how it fails.

    answers: the boards are there; line_up: the line of the packs is. acts: every pulse, in order. woken, asked: every
    pack, every slot. at_pulse: told of each pulse before it is given.
    """

    profile_id = "model"

    def __init__(self, front: world.Shop, time_: Time) -> None:
        self.id = CABINET
        self.front = front
        self.twin = front.cabinets[CABINET]
        self.slots: Mapping[int, SlotTraits] = dict.fromkeys(self.twin.slots, TRAITS)
        self.answers = True
        self.acts: list[int] = []
        self.woken: list[int] = []
        self.asked: list[int] = []
        self.at_pulse: Callable[[int], None] = lambda slot: None
        self._time = time_
        self.line_up = True
        self._packs: dict[int, tuple[PackReading | None, int | None]] = {}
        self._words: dict[int, tuple[PackWord, int]] = {}
        self._polled_ms = -PACK_POLL_MS
        self._faults: dict[int, int] = {}

    def sight(self) -> CabinetSight:
        """As polled a moment ago: doors and switches now, packs every few seconds."""
        if not 0 <= self._time.mono_ms - self._polled_ms < PACK_POLL_MS:  # less than nothing: the box was started anew
            self.poll_packs()
        silent = () if self._hears else ("locks",)
        slots = {slot: self._see(slot) for slot in self.slots}
        return CabinetSight(slots, self.twin.hazards, self.twin.mains, self.twin.inner_dc, silent)

    def poll_packs(self) -> None:
        """Each is asked now."""
        self._polled_ms = self._time.mono_ms
        for slot in self.slots:
            self._read_pack(slot)

    async def read_slot(self, slot: int) -> SlotSight:
        await asyncio.sleep(0)
        self.asked.append(slot)
        self._read_pack(slot)
        return self._see(slot)

    async def open(self, slot: int) -> None:
        self.at_pulse(slot)
        self.acts.append(slot)
        await asyncio.sleep(0)
        if not self._hears or self.twin.faults.take(K.SILENT, "locks") is not None:
            raise Silent("no answer", where=self.id)
        self.twin.pulse(slot)

    async def charge(self, slot: int, on: bool) -> None:
        self.twin.slots[slot].switch(on)

    async def wake(self, slot: int) -> None:
        """The charger's voltage, for a moment."""
        self.woken.append(slot)
        pack = self.twin.slots[slot].pack
        if pack is not None and self.twin.faults.on(K.PACK_DEAD, slot) is None:
            pack.wake()
        self._read_pack(slot)

    async def signal(self, name: str, on: bool) -> None:
        self.twin.outputs[name] = on

    def link(self) -> Link:
        return Link(LinkState.ONLINE if self._hears else LinkState.OFFLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    async def run(self) -> None:
        await asyncio.Event().wait()

    @property
    def _hears(self) -> bool:
        return self.answers and self.twin.powered and self.twin.faults.on(K.SEGMENT_DEAD) is None

    def _see(self, number: int) -> SlotSight:
        slot = self.twin.slots[number]
        pack, pack_ms = self._packs.get(number, (None, None))
        word, asked_ms = self._words.get(number, (PackWord.UNASKED, None))
        of_the_pack = SlotSight(
            pack=pack,
            pack_at_ms=self._at(pack_ms),
            pack_word=word,
            pack_asked_ms=self._at(asked_ms),
            pack_faults=self._faults.get(number, 0),
        )
        if not self._hears:
            return of_the_pack
        return dataclasses.replace(
            of_the_pack,
            door_open=slot.seen_open,
            locked=slot.seen_locked,
            present=slot.seen_there if self.slots[number].presence else None,
            relay_on=slot.relay_on,
            at_ms=self._at(self._time.mono_ms),
        )

    def _read_pack(self, number: int) -> None:
        """Ask what is in the slot, as its link would."""
        _, was_ms = self._packs.get(number, (None, None))
        pack, faults = self.twin.slots[number].pack, self.twin.faults
        dead = not self.line_up or faults.on(K.SEGMENT_DEAD) is not None
        silent = pack is None or faults.on(K.PACK_DEAD, number) is not None
        if dead or pack is None or silent or pack.sleep is Sleep.DEEP or not pack.hears():
            self._packs[number] = None, was_ms
            self._words[number] = PackWord.DEAD if dead else PackWord.SILENT, self._time.mono_ms
            return
        if faults.on(K.PACK_NONSENSE, number) is not None:
            self._faults[number] = self._faults.get(number, 0) + 1
            self._packs[number] = None, was_ms
            self._words[number] = PackWord.NOISE, self._time.mono_ms
            return
        self._faults[number] = 0
        says = pack.reading()
        for kind, code in ((K.BAD_CODE, BAD_CODE), (K.NO_CODE, "UNKNOWN"), (K.OTHER_CODE, pack_code(9_999))):
            if faults.on(kind, number) is not None:
                says = dataclasses.replace(says, serial=code)
        self._packs[number] = says, self._time.mono_ms
        self._words[number] = PackWord.SAID, self._time.mono_ms

    def _at(self, mono_ms: int | None) -> int | None:
        """On the drivers' clock."""
        return None if mono_ms is None else time.monotonic_ns() // 1_000_000 - (self._time.mono_ms - mono_ms)


@dataclass
class Front(Till):
    """A cabinet of six slots. `wait` lets time pass, riders act, and loops turn."""

    front: world.Shop = field(default_factory=ready_shop)
    rules: SwapPolicy = POLICY
    model: ModelCabinet | None = None
    terms: SwapTerms = TERMS
    recorder: MeasurementRecorder | None = None

    def open(self) -> None:
        """As the daemon does when it starts; the cabinet is as it has become meanwhile."""
        super().open()
        if self.model is None:
            self.model = ModelCabinet(self.front, self.time)
        self.cabinet = self.model
        place = CabinetPlace(CABINET, self.cabinet.slots, "1")
        self.swaps = SwapDesk(self.desk, self.clock, self.rules, {CABINET: place}, self.recorder)
        self.shop = Shop(self.site, self.swaps, {CABINET: self.cabinet}, self.clock)
        self.site.shop = self.shop

    @property
    def twin(self) -> Cabinet:
        return self.front.cabinets[CABINET]

    # --- headquarters -------------------------------------------------------------------------------------------------

    async def publish_terms(self, terms: SwapTerms = TERMS) -> None:
        await self.document(swap_terms.KIND, terms.version, encode(terms))

    async def publish_packs(self, *entries: PackEntry, version: int = 1) -> None:
        listed = PackList(version, self.time.wall_ms // 1000, sorted(entries, key=lambda entry: entry.code))
        await self.document(pack_list.KIND, version, encode(listed))

    async def document(self, kind: str, version: int, payload: bytes) -> None:
        await self.site.take_documents([encode(Document(kind, "hz-1", version, payload, bytes(64)))])

    async def allow(
        self,
        asset: str,
        total: int,
        account: str = "ann",
        card: str = CARD,
        *,
        expires_s: int = 4_000_000_000,
        frozen: bool = False,
    ) -> None:
        """Rights of this asset, so many in all. frozen: nobody may draw on them."""
        serial = self.rights(asset, account).serial + 1
        hidden = [] if frozen else [hide_credential(CREDENTIAL_KEY, card)]
        grant = Grant(account, asset, "hz-1", 1, serial, total, 0, expires_s, 0, total, 1, hidden)
        await self.site.take_grants([join(grant, bytes(64))])

    def rights(self, asset: str = PLAN, account: str = "ann") -> Lease:
        return self.desk.state.leases.get(lease_key(account, asset), Lease(account, asset))

    # --- riders and time ----------------------------------------------------------------------------------------------

    def wish(self, kind: SwapKind = "swap", account: str = "ann", **more: object) -> SwapAsk:
        origin = Origin("panel", b"", 0, "li")
        return SwapAsk(CABINET, kind, origin, self.time.mono_ms, account=account, **more)  # type: ignore[arg-type]  # keywords as given

    async def begin_swap(self, kind: SwapKind = "swap", account: str = "ann", **more: object) -> OpenSwap:
        outcome = await self.shop.start(self.wish(kind, account, **more))
        assert not isinstance(outcome, Refused), outcome
        return outcome

    async def refused(self, kind: SwapKind = "swap", account: str = "ann", **more: object) -> Refused:
        outcome = await self.shop.start(self.wish(kind, account, **more))
        assert isinstance(outcome, Refused), outcome
        return outcome

    def rider(
        self, steps: Callable[[Manners, str], Sequence[Step]], name: str = "ann", pack: int | None = 1
    ) -> Pack | None:
        """Somebody comes to the cabinet; with the pack of this number in hand, low."""
        brought = None if pack is None else self.has(name, pack)
        self.front.add(Rider(name, CABINET, steps(BRISK, name)))
        return brought

    def has(self, name: str, pack: int, soc_permille: int = 150) -> Pack:
        """A pack in somebody's hands."""
        brought = Pack(pack_code(pack), soc_permille=soc_permille)
        self.front.bring(brought, name)
        return brought

    def hands(self, name: str = "ann") -> list[str]:
        return [thing.name for thing in self.front.hands(name)]

    def fault(self, kind: CabinetFaultKind, slot: int | None = None, **more: object) -> None:
        self.twin.faults.set(CabinetFault(kind=kind, slot=slot, **more))  # type: ignore[arg-type]  # keywords as given

    async def wait(self, seconds: float) -> None:
        """Step by step: time passes, hands move, every loop has a turn."""
        for _ in range(round(seconds * 1000 / STEP_MS)):
            self.elapse(STEP_MS)
            for loop in self.shop.loops.values():
                await loop.step()

    async def wait_until(self, true: Callable[[], object], seconds: float = 1_200) -> None:
        for _ in range(round(seconds * 1000 / STEP_MS)):
            if true():
                return
            await self.wait(STEP_MS / 1000)
        raise AssertionError("in vain")

    async def end(self, seconds: float = 1_200) -> SwapClosed:
        """Until no session is open: the newest closing record."""
        await self.wait_until(lambda: not self.desk.state.shop.swaps, seconds)
        closed: SwapClosed = self.bodies(SwapClosed)[-1]
        return closed

    def elapse(self, ms: int) -> None:
        """Time passes, and nobody looks."""
        self.time += ms
        self.front.run(ms)

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def steps(self) -> list[tuple[str, int, str]]:
        return [(body.step, body.slot, body.fault) for body in self.bodies(SwapStepped)]

    def stands(self, slot: int) -> str | None:
        """What truly stands in a slot."""
        thing = self.twin.slots[slot].thing
        return None if thing is None else thing.name

    def audit(self) -> None:
        """No capture without a take; what the log says stands in a slot, does; nothing is held without a session."""
        assert self.front.audit() == []
        records = list(self.journal.records())
        used = sum(move.amount for record in records for move in record.moves if move.effect == "used")
        taken = [body for body in self.bodies(SwapClosed) if body.taken is not None]
        assert used == 0 or taken
        state = self.desk.state
        for lease in state.leases.values():
            holds = [hold for swap in state.shop.swaps.values() for hold in swap.holds]
            mine = [hold for hold in holds if (hold.account, hold.asset) == (lease.account, lease.asset)]
            assert lease.held == sum(hold.amount for hold in mine)


def entry(code: str, **said: object) -> PackEntry:
    """A pack of which headquarters has something to say."""
    return replace(PackEntry(code, 0, False, "", 0, 0, 0, 0), **said)


@asynccontextmanager
async def a_shop(
    path: Path,
    *,
    swaps: int = 5,
    fen: int = 5_000,
    front: world.Shop | None = None,
    rules: SwapPolicy = POLICY,
    ballast_bytes: int = 0,
) -> AsyncIterator[Front]:
    """A shop that can sell, its cabinet scanned and at rest; ann has a plan and money. Its log must pass the audit."""
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=ballast_bytes)
    shop = Front(journal, Time(), bays={}, front=ready_shop() if front is None else front, rules=rules)
    try:
        await shop.desk.check_counter()
        await shop.begin(fen, may_stay=fen)
        if swaps:
            await shop.allow(PLAN, swaps)
        await shop.publish_terms(shop.terms)
        await shop.publish_packs()
        await shop.wait(4)
        yield shop
        shop.audit()
    finally:
        await shop.journal.close()
    findings = verify(path / "journal.db", Trust()).findings
    assert not list(findings), "\n".join(str(finding) for finding in findings)
