"""What is a board told of itself by the site: who a card is that it has read, and what a pile is to reckon by?

Boards with readers of their own ask before they begin; piles sell nothing before they have prices.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import structlog

from drivers.port_board import PortBoard, PortOrder
from drivers.ports.cards import Account, Verdict
from edge.ports.ports import PortHall
from edge.ports.taps import FULL, tap_at
from edge.till import purse
from edge.till.ask import Refusal, Source
from edge.till.port.ask import PortAsk
from edge.till.port.cost import Terms
from edge.till.port.pile import reckoned_by
from edge.till.state import OpenPort, port_key
from protocols.door import Refused as BadPrices
from protocols.fieldbus.ykc_money import PriceModel
from protocols.trade.grants import hide_credential
from protocols.trade.pile_prices import price_model
from protocols.trade.port_prices import price_of
from protocols.trade.records import Origin

if TYPE_CHECKING:
    from drivers.ports.dny import DnyBoard
    from drivers.ports.ykc import YkcPile

VERDICTS = {
    Refusal.NOT_ENOUGH: Account.NO_MONEY,
    Refusal.GRANT_EXPIRED: Account.EXPIRED,
    Refusal.PORT_BUSY: Account.BUSY,
    Refusal.LOCKER_FULL: Account.BUSY,
    Refusal.TOO_MANY_LOCKERS: Account.TOO_OFTEN,
    Refusal.PORT_FAULTED: Account.PORT_FAULT,
    Refusal.PORT_SILENT: Account.PORT_FAULT,
    Refusal.NOT_PLUGGED: Account.PORT_FAULT,
}
"""What a board says aloud for a refusal; for all others that it does not know the card."""

log = structlog.get_logger()


def teach(hall: PortHall, board: PortBoard) -> None:
    """Give a board what it asks of the site, where it asks anything. Before its loop runs."""
    offset_min = pile_offset_min(board)
    if offset_min is not None:
        pile = cast("YkcPile", board)
        pile.prices = PilePrices(hall, pile.id, offset_min)
        pile.on_card = partial(order_for, hall)
    elif board.profile_id.startswith("dny"):
        cast("DnyBoard", board).on_card = partial(verdict_on, hall, board.id)


def pile_offset_min(board: PortBoard) -> int | None:
    """Of the clock of a pile that reckons a bill of its own. None: it is none."""
    return cast("YkcPile", board).config.utc_offset_min if board.profile_id == "ykc" else None


async def verdict_on(hall: PortHall, board: str, port: int | None, card: str) -> Verdict:
    """A card at a board's own reader: begins, or ends, what is at that port; without a port its balance alone."""
    credential = hide_credential(hall.site.credential_key, card)
    lease = purse.lease_of(hall.ports.desk.state, credential=credential)
    balance_fen = 0 if lease is None else max(0, lease.rights)
    if port is None:
        return Verdict(Account.UNREGISTERED if lease is None else Account.OK, balance_fen)
    tapped = await tap_at(hall, port_key(board, port), card)
    if tapped.refused is not None:
        return Verdict(VERDICTS.get(tapped.refused.refusal, Account.UNREGISTERED), balance_fen)
    return Verdict(Account.BUSY if tapped.ended else Account.OK, balance_fen)


async def order_for(hall: PortHall, board: str, port: int, card: str) -> PortOrder | str:
    """A card, or a vehicle's number, at a pile that asks for an order: one that is durable, or why not.

    A pile that has it begins by itself: from here on only the pile knows whether it has.
    """
    credential = hide_credential(hall.site.credential_key, card)
    origin, source = Origin("card", credential, 0, ""), Source("", credential)
    outcome = await hall.start(PortAsk(port_key(board, port), FULL, origin, (source,), credential))
    if isinstance(outcome, OpenPort):
        found = hall.ports.session(outcome.seq)
        if found is None or not found[1].may_flow:
            return "no-account"  # it has been stopped meanwhile
        await hall.ports.telling(outcome)
        return hall.ports.order_of(outcome)
    return "balance" if outcome.refusal is Refusal.NOT_ENOUGH else "no-account"


class PilePrices:
    """What one pile is to reckon by now: the price that its sessions are billed by, as far as it can have it."""

    def __init__(self, hall: PortHall, board: str, utc_offset_min: int) -> None:
        self._hall = hall
        self._board = board
        self._offset_min = utc_offset_min
        self._made: tuple[object, PriceModel | None] | None = None

    def __call__(self) -> PriceModel | None:
        """None: there is no price yet, or the pile cannot have it; then nothing is sold there."""
        desk = self._hall.ports.desk
        pins = desk.state.pins
        key = (pins.get("port-prices"), pins.get("tariff"))
        if self._made is None or self._made[0] != key:
            self._made = (key, self._make())
        return self._made[1]

    def _make(self) -> PriceModel | None:
        ports = self._hall.ports
        place = next((place for place in ports.places.values() if place.board == self._board), None)
        price = None if place is None or ports.prices is None else price_of(ports.prices, place.price)
        tariff = None if price is None else reckoned_by(Terms(price, ports.desk.tariff), self._offset_min)
        if tariff is None:
            return None
        try:
            return price_model(tariff, self._offset_min)
        except BadPrices as refused:
            for fault in refused.faults:
                log.error("a pile cannot have these prices", pile=self._board, fault=str(fault))
            return None
