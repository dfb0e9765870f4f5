"""The charging ports and lockers of a site, put together from its config, its boards and its log."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.port_board import PortBoard
from edge.clock import Clock
from edge.measurement import MeasurementRecorder
from edge.ports.board_words import pile_offset_min, teach
from edge.ports.locker_desk import LockerDesk
from edge.ports.port_desk import PortDesk
from edge.ports.ports import PortHall
from edge.site import Site
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy


def set_up_ports(
    site: Site,
    boards: Mapping[str, PortBoard],
    policy: PortPolicy,
    clock: Clock,
    recorder: MeasurementRecorder | None = None,
) -> PortHall | None:
    """None: no board is configured, and no session or stay is open at one that was. recorder: as of `PortDesk`."""
    ports = site.desk.state.ports
    if not boards and not ports.sessions and not ports.stays:
        return None
    places: dict[str, PortPlace] = {}
    for name, board in boards.items():
        price = policy.board_prices.get(name, policy.price)
        for number in board.traits.ports:
            place = PortPlace(name, number, price, board.traits, pile_offset_min(board))
            places[place.id] = place
    desk = PortDesk(site.desk, clock, policy, places, recorder)
    hall = PortHall(site, desk, LockerDesk(site.desk, clock, policy, places), boards, clock)
    for board in boards.values():
        teach(hall, board)
    return hall
