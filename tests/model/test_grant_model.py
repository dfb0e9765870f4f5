"""Is there any order of events in which two units are sold three times? All orders are tried."""

from __future__ import annotations

import pytest
from grant_model import STAMP, Protocol, Verdict, explore

from edge.till.fold import Contradiction, apply
from edge.till.state import TillState
from protocols.trade.records import ClockMoved, ClockQuality, Draft, seal

PROTOCOLS = {
    "A: totals that only grow": Protocol(),
    "B: headquarters takes back what is silent for long": Protocol(timeout=True),
    "C: ... and only when the site is known to sell no more": Protocol(expiry=True),
    "D: money comes back by the site's own CLOSE": Protocol(close=True),
    "E: a grant says how much more": Protocol(deltas=True),
    "G: as D, and the operator lends what lies at a lost site": Protocol(close=True, loans=True, granted_max=2),
    "F: as A, and a disk is set back once": Protocol(rollback=True),
}
HOLD = ("A", "D", "G")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_two_units_are_never_sold_three_times(name: str) -> None:
    """Totals, CLOSE and loans hold in every world; timeouts, expiry, increments and old disks each sell what is not
    there."""
    verdict = explore(PROTOCOLS[name])
    print(_told(name, verdict))
    assert (verdict.trace is None) == (name[0] in HOLD)


def test_nothing_follows_a_close() -> None:
    """The model lets a closed site do nothing; the real fold refuses every record after the last."""
    closed = TillState(site="s", epoch=1, size=7, closed=True)
    with pytest.raises(Contradiction):
        apply(closed, seal(Draft(ClockMoved(0, 1, ClockQuality.UNKNOWN)), STAMP))


def _told(name: str, verdict: Verdict) -> str:
    if verdict.trace is None:
        return f"{name}: holds in all {verdict.worlds:,} worlds"
    return f"{name}: broken after {len(verdict.trace)} steps: {'; '.join(verdict.trace)}"
