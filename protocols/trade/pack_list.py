"""What must a site know of single packs? Lost ones, rented ones, overdue ones: a list that headquarters signs.

A pack that is not on the list has nothing against it; whether it is the fleet's at all, `swap_terms` says. The site's
own log is newer than the list: what it gave out or took back itself since then, it knows better.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Annotated

import msgspec

from protocols.door import Fault
from protocols.trade.codec import Wire
from protocols.trade.record_parts import Amount

KIND = "pack-list"
"""The document's kind."""
PACKS_MAX = 100_000
"""Packs that have something to be said of, in one list: at some 60 bytes each it fits a document."""

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=64)]


class PackEntry(Wire, frozen=True):
    """hot: reported lost or stolen: locked in wherever it is put in, given out never. rented_by: the account; empty:
    nobody. until_s: Unix time to which the rent is paid, 0 for none; late_e3 per day begun from grace_s after it on.
    inspect_by_s: after this Unix time it is given out no more until it has been inspected; 0: no date. number: its
    network number; 0: none.
    """

    code: Code
    number: Amount
    hot: bool
    rented_by: Text
    until_s: Amount
    grace_s: Amount
    late_e3: Amount
    inspect_by_s: Amount


class PackList(Wire, frozen=True):
    """The document: rising code. as_of_s: Unix time of headquarters when it was made."""

    version: Amount
    as_of_s: Amount
    packs: list[PackEntry]


NO_PACKS = PackList(0, 0, [])
"""What holds before the first document."""


def find(packs: PackList, code: str) -> PackEntry | None:
    """What is said of this pack; None: nothing."""
    at = bisect_left(packs.packs, code, key=lambda entry: entry.code)
    return packs.packs[at] if at < len(packs.packs) and packs.packs[at].code == code else None


def is_hot(packs: PackList, code: str) -> bool:
    entry = find(packs, code)
    return entry is not None and entry.hot


def is_overdue(packs: PackList, code: str, lb_s: int) -> bool:
    """Has its day of inspection surely passed? lb_s: Unix time, not before now."""
    entry = find(packs, code)
    return entry is not None and 0 < entry.inspect_by_s < lb_s


def disorder(packs: PackList) -> list[Fault]:
    """What the types do not hold against it; empty for a list that may be put in force."""
    codes = [entry.code for entry in packs.packs]
    faults: list[Fault] = []
    if len(codes) > PACKS_MAX:
        faults.append(Fault("packs", f"at most {PACKS_MAX}", str(len(codes))))
    if codes != sorted(set(codes)):
        faults.append(Fault("packs", "each code once, rising", f"{len(codes)}, {len(set(codes))} different"))
    return faults
