"""Who says that no pack was lost, and nobody charged for one that was not taken?

The auditor's part for cabinets. It sees each pulse of a lock and each movement of a thing, and reads each record as it
becomes durable; its own small fold of the records is held against the till's, and against the cabinet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sim_fares import costs, fare
from sim_shop import CABINET, LIED, ShopStand
from sim_wrong import Wrong, expect

from drivers.twins.cabinets.ledger import ThingMoved
from drivers.twins.cabinets.pack import Pack
from protocols.trade import pack_list, swap_terms
from protocols.trade.records import ConfigApplied
from protocols.trade.records_pack import (
    DEPOSIT,
    PackNoted,
    PacksScanned,
    ShopDayClosed,
    SlotSet,
    SwapClosed,
    SwapOpened,
    SwapStepped,
)
from protocols.trade.swap_terms import SwapTerms

OPENS = ("open-empty", "reopen-empty", "open-full", "reopen-full", "give-back")
"""Steps that let a door open."""
BY_HAND_MS = 60_000
"""So long after staff's own record its door may be pulsed."""
LATE_MS = 30_000
"""What a look saw may have changed before its record is durable: a disk may be slow."""


class Moved(NamedTuple):
    """A pack of the fleet has gone into a slot, or out of it."""

    slot: int
    code: str
    into: bool
    at_ms: int


@dataclass
class Swap:
    """A session as the auditor sees it. opens: the slot whose door its newest step lets open; None: none.

    since_ms: when the session that it goes on from was opened, or it itself. inherited: it was open when its disk was
    copied. seized: what was put in is on the list of hot packs.
    """

    opened: SwapOpened
    holds: dict[str, int]
    opened_ms: int
    since_ms: int
    opens: int | None
    returned: str | None = None
    returned_slot: int | None = None
    inherited: bool = False
    seized: bool = False


@dataclass(frozen=True)
class PackView:
    """What the auditor knows of a branch's packs when somebody copies its disk."""

    swaps: dict[int, Swap]
    contents: dict[int, str]
    last: dict[str, Swap]
    day: list[int]
    listed: frozenset[str]
    bound: dict[str, str]


@dataclass
class Packs:
    """The truth of packs, and what is claimed of them.

    contents: by branch and slot, the code that stands there by the records; empty: nothing; missing: never told of.
    bound: by branch and account, the pack that was taken last and is not back. listed: by branch, the codes that are
    hot by the list in force there; hot_of: those of the list of this hash. unexplained: by branch, the movements that
    no record has explained yet. last: by branch and account, the session that a further one may go on from.
    """

    start_utc_ms: int
    seen: Callable[[str], None]
    stands: dict[str, ShopStand] = field(default_factory=dict)
    swaps: dict[tuple[str, int], Swap] = field(default_factory=dict)
    terms: dict[bytes, SwapTerms] = field(default_factory=dict)
    contents: dict[str, dict[int, str]] = field(default_factory=dict)
    last: dict[tuple[str, str], Swap] = field(default_factory=dict)
    days: dict[str, list[int]] = field(default_factory=dict)
    unexplained: dict[str, list[Moved]] = field(default_factory=dict)
    by_hand: dict[tuple[str, int], int] = field(default_factory=dict)
    bound: dict[tuple[str, str], str] = field(default_factory=dict)
    listed: dict[str, frozenset[str]] = field(default_factory=dict)
    hot_of: Callable[[bytes], frozenset[str]] = lambda hashed: frozenset()
    swapped: int = 0
    moved: int = 0
    _read: dict[str, int] = field(default_factory=dict)

    # --- histories ---------------------------------------------------------------------------------------------------

    def view(self, branch: str) -> PackView:
        return PackView(
            {seq: _copied(one) for (at, seq), one in self.swaps.items() if at == branch},
            dict(self.contents.get(branch, {})),
            {account: one for (at, account), one in self.last.items() if at == branch},
            list(self.days.get(branch, [0] * 6)),
            self.listed.get(branch, frozenset()),
            {account: code for (at, account), code in self.bound.items() if at == branch},
        )

    def fork(self, view: PackView, branch: str, stand: ShopStand | None) -> None:
        """A box goes on from there, at this cabinet, whatever else has followed."""
        for seq, one in view.swaps.items():
            self.swaps[branch, seq] = replace(_copied(one), inherited=True)
        for account, one in view.last.items():
            self.last[branch, account] = replace(one, inherited=True)
        self.contents[branch], self.days[branch] = dict(view.contents), list(view.day)
        self.listed[branch] = view.listed
        self.bound |= {(branch, account): code for account, code in view.bound.items()}
        self.stand_at(branch, stand)

    def stand_at(self, branch: str, stand: ShopStand | None) -> None:
        """What the boxes of this branch open is this cabinet from now on. What moved there before is not theirs."""
        if stand is None:
            return
        self.stands[branch] = stand
        self._read[branch] = len(stand.shop.ledger.movements)
        self.unexplained[branch] = []
        for (at, _), one in self.swaps.items():
            if at == branch:
                one.inherited = True

    def abandon(self, branch: str) -> None:
        """No box lives this history any more."""
        self.swaps = {key: one for key, one in self.swaps.items() if key[0] != branch}
        self.stands.pop(branch, None)

    # --- at the cabinet ----------------------------------------------------------------------------------------------

    def pulsed(self, branch: str, stand: ShopStand, slot: int) -> None:
        """A lock gets its pulse: a durable step of a session says so, or staff's own record."""
        until_ms = self.by_hand.get((branch, slot), -1)
        if any(one.opens == slot for (at, _), one in self.swaps.items() if at == branch):
            return
        if stand.now_ms() > until_ms:
            raise Wrong("durable-before-acting", f"{branch}: the lock of slot {slot} is pulsed, and no record says why")

    # --- in the log --------------------------------------------------------------------------------------------------

    def opened(self, branch: str, seq: int, body: SwapOpened) -> Swap:
        """The session, with nothing held for it yet."""
        here = [one for (at, _), one in self.swaps.items() if at == branch]
        if any(one.opened.cabinet == body.cabinet or one.opened.account == body.account for one in here):
            raise Wrong("one-session-each", f"{branch}: {body.account} at {body.cabinet}, which is in use")
        stand = self._settled(branch)
        if body.bound not in ("", self.bound.get((branch, body.account))):
            raise Wrong("bound-is-last-taken", f"{branch}/{seq}: {body.bound} is not what {body.account} took last")
        swap = Swap(body, {}, stand.now_ms(), stand.now_ms(), body.slot)
        before = self.last.get((branch, body.account))
        if body.resumes is not None and before is not None:
            swap.since_ms, swap.inherited = before.since_ms, before.inherited
            if body.offer:
                swap.returned, swap.returned_slot = before.returned, before.returned_slot
        if body.kind != "return" and not body.holds and body.offer and costs(body, self._terms(body)):
            raise Wrong("hold-before-start", f"{branch}/{seq}: {body.offer} costs something, and nothing is set aside")
        if body.pack is not None and body.offer:
            self._goes_out(f"{branch}/{seq}", branch, body.pack.code)
        self.swaps[branch, seq] = swap
        return swap

    def stepped(self, branch: str, body: SwapStepped) -> None:
        """A step lets one door open, or says in whose hands a pack is."""
        swap, stand = self.swaps[branch, body.session], self._settled(branch)
        swap.opens = body.slot if body.step in OPENS else None
        code = None if body.pack is None else body.pack.code
        if body.step == "open-full" and code is not None:
            self._goes_out(f"{branch}/{body.session}", branch, code)
        match body.step:
            case "accepted":
                assert code is not None
                self._is_there(f"{branch}/{body.session}", stand, body.slot, code)
                swap.returned, swap.returned_slot = code, body.slot
                swap.seized = code in self.listed.get(branch, frozenset())
                self._claim(branch, body.slot, code)
            case "reopen-empty" if swap.returned is not None:
                assert swap.returned_slot is not None
                self._claim(branch, swap.returned_slot, "", swap.returned)
                swap.returned = swap.returned_slot = None
        if code is not None:
            self._explain(branch, body.slot, code)
        self.seen(f"swap {body.step}{' ' if body.fault else ''}{body.fault}")

    def closed(self, branch: str, body: SwapClosed, captured: Mapping[str, int]) -> Swap:
        """The end: charged is what was taken, and nothing else."""
        where, stand = f"{branch}/{body.session}", self._settled(branch)
        if (branch, body.session) not in self.swaps:
            raise Wrong("closed-once", f"{where}: it is not open")
        swap = self.swaps.pop((branch, body.session))
        opened = swap.opened
        self.last[branch, opened.account] = swap
        for its, units in captured.items():
            if units > swap.holds.get(its, 0):
                raise Wrong("capture-within-hold", f"{where}: {units} of {swap.holds} of {its}")
        if (captured or body.amount_fen) and body.taken is None:
            raise Wrong("no-charge-without-a-take", f"{where}: {captured}, {body.amount_fen} fen, {body.outcome}")
        paid_fen = sum(fen for its, fen in captured.items() if " " not in its)
        expect("bill-is-captured", where, body.amount_fen, paid_fen + body.overrun_fen)
        if body.taken is not None:
            assert body.taken_slot is not None
            if swap.seized and swap.returned in self.listed.get(branch, frozenset()):
                raise Wrong("hot-pack", f"{where}: {body.taken.code} was given for {swap.returned}, which is hot")
            self._was_taken(where, swap, stand, body.taken_slot, body.taken.code)
            self._priced(where, swap, body, captured)
            self.bound[branch, opened.account] = body.taken.code
            self._claim(branch, body.taken_slot, "", body.taken.code)
            self.swapped += 1
        if body.returned is not None and (body.returned.code, body.returned_slot) != (
            swap.returned,
            swap.returned_slot,
        ):
            raise Wrong("what-came-in", f"{where}: {body.returned.code} returned, {swap.returned} accepted")
        if body.outcome == "cancelled" and swap.returned is not None and swap.returned_slot is not None:
            if stand.code_in(swap.returned_slot) == swap.returned:
                raise Wrong("kept-is-told", f"{where}: nothing changed hands, and {swap.returned} stands in its slot")
            self._claim(branch, swap.returned_slot, "", swap.returned)
        if body.outcome == "returned" and swap.returned == self.bound.get((branch, opened.account)):
            del self.bound[branch, opened.account]
        sums = self._sums(branch)
        sums[("swapped", "taken", "returned", "cancelled", "kept").index(body.outcome)] += 1
        sums[5] += body.amount_fen
        self.seen(f"swap {body.outcome}{' ' if body.fault else ''}{body.fault}")
        return swap

    def noted(self, branch: str, body: PackNoted) -> None:
        """What no session says."""
        stand = self._settled(branch)
        match body.what:
            case "appeared" | "put-in" | "changed" | "found":
                self._claim(branch, body.slot, body.code, body.before)
            case "vanished":
                self._claim(branch, body.slot, "", body.before or body.code)
            case "taken-out":
                self._claim(branch, body.slot, "", body.code)
            case "opened":
                self.by_hand[branch, body.slot] = stand.now_ms() + BY_HAND_MS
        self._explain(branch, body.slot, body.code)
        self._explain(branch, body.slot, body.before)
        self.seen(f"pack {body.what}")

    def applied(self, branch: str, body: ConfigApplied) -> None:
        """Another list of packs may be in force."""
        for pin in body.pins:
            if pin.kind == pack_list.KIND:
                self.listed[branch] = self.hot_of(pin.hash)

    def told(self, branch: str, body: SwapStepped | PackNoted | SlotSet | PacksScanned | ShopDayClosed) -> None:
        """Whatever neither opens a session nor ends it."""
        match body:
            case SwapStepped():
                self.stepped(branch, body)
            case PackNoted():
                self.noted(branch, body)
            case SlotSet():
                self.slot_set(body)
            case PacksScanned():
                self.scanned(branch, body)
            case ShopDayClosed():
                self.day_closed(branch, body)

    def slot_set(self, body: SlotSet) -> None:
        self.seen(f"slot {body.state}{'' if body.by else ' ' + body.why.split()[0]}")

    def scanned(self, branch: str, body: PacksScanned) -> None:
        """What stands there counts, where the witnesses agree."""
        self._settled(branch)
        for one in body.slots:
            if one.state != "unsure":
                code = "" if one.pack is None else one.pack.code
                here = self.contents.setdefault(branch, {})
                if code or here.get(one.slot):
                    here[one.slot] = code
                moves = self.unexplained.get(branch, [])
                self.unexplained[branch] = [move for move in moves if move[0] != one.slot]

    def day_closed(self, branch: str, body: ShopDayClosed) -> None:
        told = [body.swapped, body.taken, body.returned, body.cancelled, body.kept, body.amount_fen]
        expect("day-sums", f"{branch}: packs of day {body.day}", self.days.pop(branch, [0] * 6), told)

    # --- the end -----------------------------------------------------------------------------------------------------

    def unaccounted(self, branch: str) -> list[str]:
        """Where the records, and the cabinet itself, do not tell the same; and movements that no record explains."""
        stand = self.stands.get(branch)
        if stand is None:
            return []
        self._settled(branch)
        claims, found = self.contents.get(branch, {}), list[str]()
        for slot in stand.cabinet.slots:
            code, claimed = stand.code_in(slot), claims.get(slot, "")
            if claimed != (code or ""):
                found.append(f"{branch}: in slot {slot} stands {code!r}, the records say {claimed!r}")
        return found + [f"{branch}: no record explains {move}" for move in self.unexplained.get(branch, [])]

    def check_fold(self, branch: str, contents: Mapping[str, str], bound: Mapping[str, str]) -> None:
        """What the till holds of its slots and of its riders is what its records say."""
        took = {account: code for (at, account), code in self.bound.items() if at == branch}
        expect("fold-is-truth", f"{branch}: packs of riders", took, dict(bound))
        mine = {f"{CABINET}/{slot}": code for slot, code in self.contents.get(branch, {}).items() if code}
        expect("fold-is-truth", f"{branch}: packs", mine, {key: code for key, code in contents.items() if code})

    # --- how ---------------------------------------------------------------------------------------------------------

    def _settled(self, branch: str) -> ShopStand:
        """The cabinet as it is now, and what has moved there since the last look."""
        stand = self.stands[branch]
        moves = self.unexplained[branch]
        for moved in stand.movements(self._read[branch]):
            self._read[branch] += 1
            if isinstance(moved, ThingMoved):
                self.moved += 1
                code = stand.code_of(stand.shop.things[moved.name])
                for place, into in ((moved.was, False), (moved.now, True)):
                    if place is not None and place.slot is not None and code:
                        claimed = self.contents.get(branch, {}).get(place.slot, "") == code
                        _add(moves, Moved(place.slot, code, into, moved.at_ms), known=claimed is into)
        return stand

    def _claim(self, branch: str, slot: int, code: str, before: str = "") -> None:
        self.contents.setdefault(branch, {})[slot] = code
        self._explain(branch, slot, code)
        self._explain(branch, slot, before)

    def _explain(self, branch: str, slot: int, code: str) -> None:
        """A record names this pack at this slot; one that lied about its code may be any."""
        moves = self.unexplained.get(branch, [])
        mine = (slot,) if code == LIED else (slot, code)
        self.unexplained[branch] = [move for move in moves if move[: len(mine)] != mine]

    def _is_there(self, where: str, stand: ShopStand, slot: int, code: str) -> None:
        """What is accepted stands there, or did a moment ago."""
        if stand.code_in(slot) == code or (code == LIED and stand.code_in(slot)):
            return
        at_ms = stand.now_ms() - LATE_MS
        thing = next((one for one in stand.shop.things.values() if isinstance(one, Pack) and one.code == code), None)
        if thing is None or not stand.left(thing.name, slot, at_ms):
            raise Wrong("accepted-is-there", f"{where}: {code} accepted in slot {slot}: {stand.code_in(slot)!r} there")

    def _goes_out(self, where: str, branch: str, code: str) -> None:
        """Nothing is known against a pack whose slot opens for a rider."""
        if code in self.listed.get(branch, frozenset()):
            raise Wrong("hot-pack", f"{where}: {code} may be taken, and is hot by the list in force")

    def _was_taken(self, where: str, swap: Swap, stand: ShopStand, slot: int, code: str) -> None:
        """It has gone out of its slot since the session began."""
        if swap.inherited or code == LIED:
            return
        thing = next((one for one in stand.shop.things.values() if isinstance(one, Pack) and one.code == code), None)
        if thing is None or not stand.left(thing.name, slot, swap.since_ms):
            raise Wrong("taken-is-gone", f"{where}: {code} of slot {slot} is charged, and nobody has taken it")

    def _priced(self, where: str, swap: Swap, body: SwapClosed, captured: Mapping[str, int]) -> None:
        """Captured is the fare by the terms that the session pins."""
        units = {its.split(" ")[1]: held for its, held in captured.items() if " " in its}
        expect("price-as-agreed", where, fare(swap.opened, self._terms(swap.opened), body), (body.amount_fen, units))
        self.seen(f"swap paid by {swap.opened.offer or 'an earlier one'}")
        if DEPOSIT in units:
            self.seen("deposit set down")

    def _terms(self, body: SwapOpened) -> SwapTerms:
        return self.terms[next(pin.hash for pin in body.pins if pin.kind == swap_terms.KIND)]

    def _sums(self, branch: str) -> list[int]:
        return self.days.setdefault(branch, [0] * 6)


def _add(moves: list[Moved], move: Moved, *, known: bool) -> None:
    """In and out again, with no record between them, is nothing that a record must explain; nor is what the records
    said before it happened (known).
    """
    before = next((one for one in reversed(moves) if one[:2] == move[:2]), None)
    if before is not None and before.into is not move.into:
        moves.remove(before)
    elif not known:
        moves.append(move)


def _copied(swap: Swap) -> Swap:
    return replace(swap, holds=dict(swap.holds))
