"""A technician closes a session whose meter will not speak again: when that may be done, and what it leaves."""

from __future__ import annotations

from pathlib import Path

from protocols.trade.records import SessionClosed, TechnicianAct
from tests.edge.desk_rig import Till, a_till

WHY = "meter burnt out, replaced"


async def hold_up(till: Till) -> int:
    """A session whose meter dies after 100 Wh, and which is held for it."""
    session = await till.start("c1")
    await till.wait(50)
    till.bays["c1"].meter_answers = False
    await till.wait(40)
    assert till.kinds[-1] == "session-held"
    return session.seq


async def test_a_held_session_is_closed_at_its_last_register(tmp_path: Path) -> None:
    """One commit: who did it and why, the bill, the rest given back."""
    async with a_till(tmp_path) as till:
        seq = await hold_up(till)
        assert await till.site.settle_held(seq, "li", WHY) is None
        assert till.kinds[-4:-1] == ["technician-act", "session-closed", "notice"]
        (act,), (closed,) = till.bodies(TechnicianAct), till.bodies(SessionClosed)
        assert (act.by, act.verb, act.detail) == ("li", "settle", f"session {seq}: {WHY}")
        assert (closed.energy_wh, closed.reason) == (100, "Other")
        assert (till.lease().held, till.lease().used) == (0, closed.amount_fen)
        assert till.journal.progress() == {}
        assert await till.site.settle_held(seq, "li", WHY) == "it is not open"


async def test_it_is_refused_while_energy_flows_or_the_meter_may_still_speak(tmp_path: Path) -> None:
    """A running session settles by itself, and a relay that still delivers is not signed off."""
    async with a_till(tmp_path) as till:
        session = await till.start("c2")
        await till.wait(5)
        assert await till.site.settle_held(session.seq, "li", WHY) == "it is not held for review: it settles by itself"
        seq = await hold_up(till)
        till.bays["c1"].delivering = True
        assert await till.site.settle_held(seq, "li", WHY) == "its charger still delivers"
        assert till.bodies(SessionClosed) == []
