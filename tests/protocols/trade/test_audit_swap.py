"""The audit of a swap session's end, apart from the log: what the till writes passes, each lie is found."""

from __future__ import annotations

from functools import reduce

import pytest
from msgspec.structs import replace

from protocols.trade.audit_bill import Pinned
from protocols.trade.audit_swap import swap_faults
from protocols.trade.audit_trail import RunningSwap
from protocols.trade.codec import encode
from protocols.trade.records_pack import SwapClosed, SwapOpened
from protocols.trade.swap_steps import after, at_opening
from tests.protocols.proof.fronted import BY_PLAN, ENDED, RENT, STEPS, SWAP, TERMS, captured, swap_end

RENTED = swap_end(RENT, returned=None)
DAY_S = 86_400


def faults(opened: SwapOpened, closed: SwapClosed) -> list[str]:
    """What is wrong, in the audit's own words."""
    steps = STEPS[3:] if opened.kind == "rent" else STEPS
    hands = reduce(after, steps, at_opening(opened))
    running = RunningSwap(opened, list(opened.holds), ENDED, [], hands)
    pinned = Pinned(lambda pin: encode(TERMS))
    return [fault[1] for fault in swap_faults(running, ENDED, captured(opened, closed), closed, pinned)]


@pytest.mark.parametrize("opened", [SWAP, BY_PLAN], ids=["by energy", "by a plan"])
def test_a_swap_as_the_till_closes_it(opened: SwapOpened) -> None:
    """Nothing is paid until anything; a swap that says so is found."""
    assert faults(opened, swap_end(opened)) == []
    assert faults(opened, replace(swap_end(opened), until_s=1)) == ["Unix time to which the rent is paid"]


@pytest.mark.parametrize(
    ("apart_s", "found"), [(0, []), (-60, []), (-61, ["Unix time"]), (1, ["Unix time"]), (30 * DAY_S, ["Unix time"])]
)
def test_to_when_a_rent_is_paid(apart_s: int, found: list[str]) -> None:
    """The term from the closing record's own time; less by the minute in which it is sealed, and never more."""
    assert RENTED.until_s is not None
    told = faults(RENT, replace(RENTED, until_s=RENTED.until_s + apart_s))
    assert [one[:9] for one in told] == found


def test_a_rent_that_does_not_say() -> None:
    """A pack was taken for a term: to when it is paid stands in its end."""
    assert faults(RENT, replace(RENTED, until_s=None)) == ["Unix time to which the rent is paid"]
