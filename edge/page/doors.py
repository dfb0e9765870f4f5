"""Who may open a locker from a phone? Whoever has its PIN, within limits that no guessing gets by.

The till counts wrong PINs at each locker, durably. Here they are counted by address, and at all lockers together: a
site has many of both. A PIN is in no log, on no page and in no link.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus

import structlog

from edge.daemon_state import Daemon
from edge.journal.errors import JournalError
from edge.page import frame, locker_values
from edge.page.exchange import Request, Response
from edge.page.visits import PINS_OF_ONE, PINS_OF_ONE_S, PINS_WRONG, PINS_WRONG_S, Limit, Visits
from edge.page.words import advice, reason, word
from edge.till.ask import Refusal, Refused
from protocols.trade import locker_pin
from protocols.trade.records import Draft, Notice, Origin

log = structlog.get_logger()


class Doors:
    """The lockers' doors of one daemon."""

    def __init__(self, daemon: Daemon, visits: Visits) -> None:
        self._daemon = daemon
        self._visits = visits
        self._given = Limit(PINS_OF_ONE, PINS_OF_ONE_S)
        self._wrong = Limit(PINS_WRONG, PINS_WRONG_S)
        self._told = Limit(1, PINS_WRONG_S)

    async def open(self, request: Request, peer: str, title: str) -> Response:
        """`POST /open`. peer: the address that asks."""
        language, place = request.language, request.form.get("place", "")
        hall = None if self._daemon.site is None else self._daemon.site.ports
        if hall is None or place not in hall.lockers:
            return frame.problem(HTTPStatus.NOT_FOUND, language)
        now_ms = self._daemon.clock.mono_ms()
        if self._given.reached(peer, now_ms) or self._wrong.reached("", now_ms):
            return frame.problem(HTTPStatus.TOO_MANY_REQUESTS, language)
        if not self._visits.spend(f"open {place}", request.form.get("visit", ""), now_ms):
            return frame.problem(HTTPStatus.FORBIDDEN, language)
        self._given.count(peer, now_ms)
        pin = request.form.get("pin", "")
        if not locker_pin.is_pin(pin):
            return self._refused(place, Refusal.WRONG_PIN, title, language)
        self._wrong.count("", now_ms)  # before it is looked at: many at once gain nothing
        try:
            outcome = await hall.lockers.collect(place, Origin("pin", b"", 0, ""), pin=pin)
        except JournalError as error:
            log.error("a locker was not opened", locker=place, error=str(error))
            return frame.problem(HTTPStatus.SERVICE_UNAVAILABLE, language)
        if isinstance(outcome, Refused):
            log.info("locker not opened", locker=place, why=outcome.refusal.value, peer=peer)
            if outcome.refusal is not Refusal.WRONG_PIN:
                self._wrong.forgive("")
            await self._tell(now_ms)
            return self._refused(place, outcome.refusal, title, language)
        self._wrong.forgive("")
        waits = locker_values.opens_once_shut(hall, place)
        name = word("locker-name", language, name=escape(place))
        said = word("locker-once-shut" if waits else "locker-opens", language, name=name)
        body = f'<p class="note {"" if waits else "good"}"><b>{said}</b></p>{_back(place, language)}'
        return frame.page(title, body, language)

    async def _tell(self, now_ms: int) -> None:
        """Headquarters hears of so many wrong ones once, since somebody may be guessing."""
        site = self._daemon.site
        if site is None or not self._wrong.reached("", now_ms) or self._told.reached("", now_ms):
            return
        self._told.count("", now_ms)
        log.warning("no more PINs are taken by the page", wrong=PINS_WRONG, within_s=PINS_WRONG_S)
        detail = f"{PINS_WRONG} wrong PINs within {PINS_WRONG_S // 3600} h: the page takes no more for now"
        try:
            await site.desk.record([Draft(Notice("pins-guessed", "page", detail))])
        except JournalError as error:
            log.error("not noted", error=str(error))

    def _refused(self, place: str, refusal: Refusal, title: str, language: str) -> Response:
        said = word("locker-not-opened", language, name=word("locker-name", language, name=escape(place)))
        why, then = reason(refusal.value, language), advice(refusal.value, language)
        body = f'<p class="note ill"><b>{said}</b><br>{why}<br>{then}</p>{_back(place, language)}'
        return frame.page(title, body, language)


def _back(place: str, language: str) -> str:
    return f'<a class="button quiet" href="{frame.at(place, language)}">{word("back", language)}</a>'
