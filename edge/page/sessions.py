"""The page of one session, for whoever has its link: how it runs, its bill and receipt afterwards, and its end by hand.

Nobody learns whether a session exists without its token.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from http import HTTPStatus
from urllib.parse import urlencode

import structlog

from edge import epochs
from edge.daemon_state import Daemon
from edge.evidence import gather, slip
from edge.evidence.gather import Gathered, NoReceipt
from edge.journal.connection import connect_reader
from edge.journal.errors import JournalError
from edge.page import (
    bill,
    cabinet_values,
    cabinets,
    forms,
    frame,
    locker_values,
    lockers,
    port_values,
    ports,
    pumps,
)
from edge.page.exchange import JSON, Request, Response
from edge.page.token import Tokens
from edge.page.visits import Visits
from edge.page.words import word
from edge.panel import views_port, views_swap
from edge.ports.ports import PortHall
from edge.shop.shop import Shop
from edge.till.port.door import DoorRow
from edge.till.port.progress import PortEnds
from edge.till.state import OpenStay
from edge.till.state_shop import OpenSwap
from protocols.proof.receipt_story import PortStory, Story
from protocols.trade.records import session_id

log = structlog.get_logger()


class Sessions:
    """Of one daemon."""

    def __init__(self, daemon: Daemon, tokens: Tokens, visits: Visits) -> None:
        self._daemon = daemon
        self._tokens = tokens
        self._visits = visits
        self._one_receipt = asyncio.Lock()  # a receipt reads the log: one at a time is enough, beside the till

    def id_of(self, seq: int) -> str:
        """Of a session of the running log."""
        assert self._daemon.journal is not None
        return session_id(self._daemon.journal.site, self._daemon.journal.epoch, seq)

    def path(self, session: str, file: str = "", **query: str) -> str:
        """Of its page or file, its token included."""
        return f"/receipt/{session}{file}?" + urlencode({"k": self._tokens.of(session), **query})

    def knows(self, session: str, request: Request) -> bool:
        """Whether this request has the session's link."""
        return self._daemon.site is not None and self._tokens.fits(session, request.query.get("k", ""))

    async def show(self, request: Request, site: str, epoch: int, seq: int, file: str | None) -> Response:
        """How it runs, or its bill; as a file its receipt."""
        language, session, missing = request.language, session_id(site, epoch, seq), HTTPStatus.NOT_FOUND
        if not self.knows(session, request):
            return frame.problem(missing, language)
        other = self.path(session, lang="en" if language == "zh" else "zh")
        running = self._running(session, language) if file is None else None
        if running is not None:
            return frame.page(*running, language, other=other)
        try:
            async with self._one_receipt:
                gathered = await asyncio.to_thread(self._gather, site, epoch, seq)
        except NoReceipt:
            return frame.problem(missing, language)
        except (JournalError, sqlite3.Error) as error:
            log.error("a receipt could not be read", session=session, error=str(error))
            return frame.problem(HTTPStatus.SERVICE_UNAVAILABLE, language)
        if file is not None:
            name = f"receipt-{site}-{epoch}-{seq}.json"
            disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(HTTPStatus.OK, JSON, gathered.file.to_bytes(), disposition)
        body = self._afterwards(session, seq, gathered.story, language)
        body += bill.settled(gathered, self.path(session, ".json"), language)
        return frame.page(slip.title(gathered.story, language), body, language, other=other)

    async def end(self, request: Request, site: str, epoch: int, seq: int) -> Response:
        """Whoever has the link of a port's session stops it, or cancels a swap; then its page says what comes of it."""
        language, session = request.language, session_id(site, epoch, seq)
        at_work, journal = self._daemon.site, self._daemon.journal
        if not self.knows(session, request) or at_work is None or journal is None:
            return frame.problem(HTTPStatus.NOT_FOUND, language)
        if not self._visits.spend(f"end {session}", request.form.get("visit", ""), self._daemon.clock.mono_ms()):
            return frame.problem(HTTPStatus.FORBIDDEN, language)
        ended = False
        if (site, epoch) == (journal.site, journal.epoch):
            if at_work.ports is not None and seq in at_work.ports.ports:
                ended = await at_work.ports.stop(seq, PortEnds.LOCAL)
            elif at_work.shop is not None and seq in at_work.shop.swaps:
                ended = await at_work.shop.cancel(seq)
        log.info("asked to end by its link", session=session, ended=ended)
        return frame.see(self.path(session, lang=language))

    def _running(self, session: str, language: str) -> tuple[str, str] | None:
        """Title and body of a session while it is open. None: it has ended, or has never been."""
        site = self._daemon.site
        assert site is not None
        for opened, progress in site.desk.sessions():
            if self.id_of(opened.seq) == session:
                return word("session", language), bill.running(site, opened, progress, language)
        fills = None if site.islands is None else site.islands.fills
        for filling, row in () if fills is None else fills.fillings():
            if self.id_of(filling.seq) == session:
                assert fills is not None
                return word("session", language), pumps.running(fills, filling, row, language)
        if site.shop is not None:
            for swap in site.shop.swaps.swaps():
                if self.id_of(swap.seq) == session:
                    return word("session-swap", language), self._swapping(site.shop, swap, language)
        if site.ports is not None:
            for port, told in site.ports.ports.sessions():
                if self.id_of(port.seq) == session:
                    end = self._end(session, language, "stop-port", "stop-hint")
                    seen = views_port.session(site.ports.ports, port, told)
                    course = port_values.course(site.ports, port, told)
                    return word("session", language), ports.running(seen, course, end, language)
            for stay, door in site.ports.lockers.desk.stays():
                if self.id_of(stay.seq) == session:
                    return word("stay", language), self._keeping(site.ports, stay, door, language)
        return None

    def _swapping(self, shop: Shop, swap: OpenSwap, language: str) -> str:
        serving, seen = cabinet_values.serving(shop, swap), views_swap.swap(shop, swap)
        end = self._end(seen.id, language, "cancel", "cancel-hint") if serving.may_cancel else ""
        name = cabinet_values.name_of(shop, seen.cabinet)
        return cabinets.running(serving, name, seen.id, seen.holds, end, language)

    def _keeping(self, hall: PortHall, stay: OpenStay, door: DoorRow, language: str) -> str:
        """The link says whose the pack is, and opens nothing: a receipt is shown to others."""
        seen, charging = views_port.stay(hall, stay, door), hall.ports.session_at(stay.place)
        course, figure, link = None, "", ""
        if charging is not None:  # only the stay's owner can have begun it
            course, told = port_values.course(hall, *charging), views_port.session(hall.ports, *charging)
            figure, link = ports.figure(told, language), self.path(told.id, lang=language)
        kept = locker_values.kept(hall, stay, door)
        shown = lockers.running(seen, kept, language, course=course, figure=figure, link=link)
        if not seen.pin:
            return shown
        visit = self._visits.token(f"open {seen.place}", self._daemon.clock.mono_ms())
        return shown + forms.open_locker(seen.place, visit, language)

    def _end(self, session: str, language: str, button: str, hint: str) -> str:
        visit = self._visits.token(f"end {session}", self._daemon.clock.mono_ms())
        return forms.end(self.path(session, "/end", lang=language), visit, language, button=button, hint=hint)

    def _afterwards(self, session: str, seq: int, story: Story, language: str) -> str:
        """Above the bill of a swap or a charge that did not go as it should."""
        site = self._daemon.site
        if isinstance(story, PortStory):
            hall = site.ports if site is not None and self.id_of(seq) == session else None
            return self._after_charging(hall, story, seq, language)
        if site is None or site.shop is None or self.id_of(seq) != session:
            return ""
        ended = cabinet_values.ended(site.shop, seq)
        return "" if ended is None else cabinets.afterwards(ended, language)

    def _after_charging(self, hall: PortHall | None, story: PortStory, seq: int, language: str) -> str:
        """hall: None: of an earlier epoch, or there are no ports any more."""
        charge, goes_on = ("", None) if hall is None else locker_values.after_power_cut(hall, story, seq)
        if charge:
            link = "" if goes_on is None else self.path(self.id_of(goes_on), lang=language)
            return ports.after_power_cut(charge, link, language)
        return ports.never_began(language) if story.closed is None else ""

    def _gather(self, site: str, epoch: int, seq: int) -> Gathered:
        """From a connection of its own, in a thread: a long log is no reason to look at sessions later. Of an epoch
        that has ended, from where its log is kept.
        """
        path, journal = self._daemon.config.journal_path, self._daemon.journal
        assert journal is not None
        if (site, epoch) != (journal.site, journal.epoch):
            path = next((one.path for one in epochs.kept(path) if (one.site, one.epoch) == (site, epoch)), path)
        with closing(connect_reader(path)) as connection:
            return gather.receipt_of(connection, gather.session_seq(connection, session_id(site, epoch, seq)))
