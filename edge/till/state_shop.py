"""What the log says of cabinets and packs: the shop front's part of the till's state."""

from __future__ import annotations

from typing import Literal

import msgspec

from protocols.trade.records import Hold, Stamp
from protocols.trade.records_pack import PackSeen, SwapKind, SwapOpened, SwapOutcome, SwapStep


class OpenSwap(msgspec.Struct, frozen=True):
    """A swap session whose end is not yet in the log. `seq` is its id.

    step, slot, fault: of its newest step, which `stepped` stamps. returned with returned_slot: what has been put in and
    accepted; None: nothing. offered with offered_slot: what was chosen to be taken. given: its door has been seen open.
    reopened: how often each step has opened a door once more. failed: slots that this session has given up.
    """

    seq: int
    stamp: Stamp
    opened: SwapOpened
    holds: tuple[Hold, ...]
    step: SwapStep
    slot: int
    stepped: Stamp
    fault: str = ""
    returned: PackSeen | None = None
    returned_slot: int | None = None
    offered: PackSeen | None = None
    offered_slot: int | None = None
    given: bool = False
    reopened: dict[str, int] = {}
    failed: tuple[int, ...] = ()

    @property
    def account(self) -> str:
        """The rider."""
        return self.opened.account


class SlotWord(msgspec.Struct, frozen=True):
    """Why a slot is not simply on; as in `records_pack.SlotSet`."""

    state: Literal["off", "locked", "resting"]
    why: str
    by: str
    until_s: int


class PackPlace(msgspec.Struct, frozen=True):
    """Where a pack is, as far as this site knows.

    where: in a `slot` of a cabinet, with a `rider` or with `staff`; `unknown`: it was here and is not. account: the
    rider who answers for it, or in whose session it went out of sight; empty: none. seq: of the record that says so.
    """

    where: Literal["slot", "rider", "staff", "unknown"]
    cabinet: str
    slot: int
    account: str
    seq: int


class LastSwap(msgspec.Struct, frozen=True):
    """A rider's newest ended session: what a second scan goes on from. stamp, ended: of its end and its seq.

    step, slot: of its newest step. swapped: stamp of the newest session in which this rider took a pack, for the least
    time between two.
    """

    session: int
    cabinet: str
    kind: SwapKind
    outcome: SwapOutcome
    fault: str
    stamp: Stamp
    ended: int
    step: SwapStep
    slot: int
    returned: PackSeen | None
    returned_slot: int | None
    offered: PackSeen | None
    offered_slot: int | None
    swapped: Stamp | None


class ShopSums(msgspec.Struct, frozen=True):
    """The running site day's swap sessions, by outcome."""

    swapped: int = 0
    taken: int = 0
    returned: int = 0
    cancelled: int = 0
    kept: int = 0
    amount_fen: int = 0


class Shop(msgspec.Struct, frozen=True):
    """What the log says of cabinets and packs.

    swaps: open ones, by seq. slots: those that are not simply on, by `slot_key`. contents: the code of what stands in a
    slot; empty: nothing; missing: nobody has looked yet. packs: by code. bound: the pack that this site last gave an
    account; `bound_to` says whether it is still there. last: by account. touched: the seq of the session or act that
    opened a slot last. by_hand: who has had a slot opened of which nobody has yet told what came of it. failures: how
    often in a row a slot did not open. rented: by whom a pack was rented or, empty, that it was returned here, and
    when, in Unix seconds; headquarters' list may be newer. cabinets: all that the log has ever named.
    """

    swaps: dict[int, OpenSwap] = {}
    slots: dict[str, SlotWord] = {}
    contents: dict[str, str] = {}
    packs: dict[str, PackPlace] = {}
    bound: dict[str, str] = {}
    last: dict[str, LastSwap] = {}
    touched: dict[str, int] = {}
    by_hand: dict[str, str] = {}
    failures: dict[str, int] = {}
    rented: dict[str, tuple[str, int]] = {}
    cabinets: tuple[str, ...] = ()
    day: ShopSums = ShopSums()


def bound_to(shop: Shop, account: str) -> str:
    """The code of the rider's own pack: what this site last gave the account and has not seen elsewhere since. Empty:
    none that it knows of.
    """
    code = shop.bound.get(account, "")
    place = shop.packs.get(code)
    gone = place is not None and (place.where not in ("rider", "unknown") or place.account != account)
    return "" if gone else code


def slot_key(cabinet: str, slot: int) -> str:
    return f"{cabinet}/{slot}"
