"""What about a settlement that no open session waits for? It is acknowledged; what is news is written down first.

    its session is closed by it, or it has been written down      nothing: it is a repeat
    its session was void, and it says that nothing was delivered  nothing: it is why
    its session ended without it                                  `late`
    the same order, and not what was told before                  `second`
    a number that is none of ours                                 `unordered`

Nobody is ever charged for one.
"""

from __future__ import annotations

from drivers.port_board import PortEnd, Settlement, session_of
from edge.till.state import Ports, TillState, Told
from protocols.trade.records import Draft
from protocols.trade.records_port import PortUnattributed


def waits_for(state: TillState, board: str, settlement: Settlement) -> bool:
    """Whether an open session of this board will be settled by it, or is held because of it."""
    named = session_of(settlement.number)
    session = None if named is None else state.ports.sessions.get(named[1])
    if session is None or session.opened.board != board:
        return False
    return session.number(state.epoch) == settlement.number


def is_told(ports: Ports, board: str, settlement: Settlement) -> bool:
    """Whether the log has this very settlement already, or its order as one that came to nothing, and it agrees."""
    known = _told_of(ports, board, settlement.number)
    void = Told(settlement.number, None, None)
    return any(_agrees(one, settlement) for one in known if one != void) or (
        _says_nothing(settlement) and void in known
    )


def _told_of(ports: Ports, board: str, number: bytes) -> list[Told]:
    """What the log has of an order, whatever port of its board it was told of."""
    own = (told for place, told in ports.told.items() if place.rpartition(".")[0] == board)
    return [one for told in own for one in told if one.number == number]


def _agrees(told: Told, settlement: Settlement) -> bool:
    """What it does not say was taken from what had been seen before, so it says nothing else."""
    energy = settlement.energy_wh in (None, told.energy_wh)
    return energy and settlement.elapsed_s in (None, told.elapsed_s)


def _says_nothing(settlement: Settlement) -> bool:
    """It says that nothing was delivered, or no more than that."""
    if settlement.energy_wh:
        return False
    return settlement.energy_wh == 0 or not settlement.elapsed_s or settlement.end is PortEnd.NO_LOAD


def unattributed(state: TillState, board: str, settlement: Settlement, *, ordered: bool) -> Draft:
    """The record of one that `waits_for` and `is_told` have denied. ordered: the log has an opening record of this port
    under its number.
    """
    named = session_of(settlement.number)
    before = _told_of(state.ports, board, settlement.number)
    why = "late" if ordered else "unordered"
    void = Told(settlement.number, None, None)
    if ordered and any(one != void for one in before):
        why = "second"
    return Draft(
        PortUnattributed(
            board=board,
            port=settlement.port,
            number=settlement.number[:64],
            why=why,
            session=named[1] if ordered and named is not None else None,
            end=settlement.end.value,
            energy_wh=settlement.energy_wh,
            elapsed_s=settlement.elapsed_s,
            own_fen=settlement.amount_fen,
        )
    )
