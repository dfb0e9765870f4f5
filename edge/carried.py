"""What happens when a customer shows a code? Its grant goes into the log, then the start that it may carry is tried.

The code may come from a scanner, the command line or the local page, and as often as anybody likes: a grant that the
log knows is no news, and a start runs once. No link is needed. The grant counts even where the start is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from edge.journal.errors import JournalFull
from edge.ports import taps as port_taps
from edge.site import Site
from edge.sync import trust
from edge.sync.trust import HqKeys
from edge.till import purse
from edge.till.ask import Ask, Refusal, Refused, Source
from edge.till.fill.ask import FillAsk
from edge.till.state import Open, OpenSession, OpenStay, lease_key
from edge.till.state_shop import OpenSwap
from protocols.trade import carried
from protocols.trade.carried import BadCode, Carried, CarriedStart, Fault
from protocols.trade.records import Origin

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a code came to; what is said here is durable.

    news: its grant was not in the log before. expired: it is too old to sell on; what it brought goes back. rights:
    what the account may spend here now. connector: where the code's start is; empty: it carries none. session: the one
    that it has started; again: it did so before. refused: why it has not.
    """

    account: str
    asset: str
    news: bool
    expired: bool
    rights: int
    connector: str = ""
    session: Open | OpenSwap | None = None
    again: bool = False
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What its customer says with a code. pin: that a locker shall open to, too; empty: none. offer: at a cabinet, by
    its name; empty: the first that fits. consent: a pack that is not full is taken, too.
    """

    pin: str = field(default="", repr=False)
    offer: str = ""
    consent: bool = False


SAID_NOTHING = Said()


class Codes:
    """Takes codes for one site."""

    def __init__(self, site: Site, pinned: HqKeys) -> None:
        self._site = site
        self._pinned = pinned

    async def take(self, text: str, said: Said = SAID_NOTHING) -> Taken | BadCode:
        """BadCode, as a value: nothing has changed. Raises JournalFull when the disk has no room for the grant."""
        state = self._site.desk.state
        try:
            code = carried.read(text)
            carried.require_for(code, state.site, state.epoch)
            trust.check_code(self._pinned, code)
        except BadCode as bad:
            log.info("code refused", why=bad.fault.value)  # not what was shown: it may have been a card's number
            return bad
        self._site.clock.learn(code.grant.issued_s * 1000)  # a phone also carries the time: it is not before that
        news = await self._site.accept(code.grant_bytes, _key(code))
        if self._site.desk.state.closed and not news:  # headquarters has it back with all that this epoch left over
            return BadCode(Fault.WRONG_EPOCH, f"epoch {state.epoch} of this site has been closed")
        if code.start is None:
            return self._taken(code, news)
        running = self._running(code, code.start)
        if running is not None:
            return self._taken(code, news, running, again=True)
        outcome = await self._start(code, code.start, said)
        if isinstance(outcome, Refused):
            self._site.keep(_key(code), code.start.expires_s)
            return self._taken(code, news, refused=outcome)
        return self._taken(code, news, outcome)

    async def _start(self, code: Carried, start: CarriedStart, said: Said) -> Open | OpenSwap | Refused:
        try:
            carried.require_live(start, self._site.clock.stamp().lb_ms // 1000)
        except BadCode as late:
            return Refused(Refusal.START_EXPIRED, str(late))
        grant, origin = code.grant, Origin("qr", b"", start.number, "")
        if start.number <= self._site.desk.state.numbers.get(grant.account, 0):  # without a question to the meter
            return Refused(Refusal.OLD_NUMBER, f"start number {start.number} was used")
        payer, islands = Source(grant.account, asset=grant.asset), self._site.islands
        if islands is not None and start.connector in islands:
            return await islands.start(FillAsk(islands.id_of(start.connector), start.preset, origin, (payer,)))
        shop = self._site.shop
        if shop is not None and start.connector in shop:
            return await shop.begin(
                start.connector, start.preset, origin, grant.account, offer=said.offer, consent=said.consent
            )
        ports = self._site.ports
        if ports is not None and start.connector in ports:
            return await port_taps.code(ports, start.connector, start.preset, origin, payer, pin=said.pin)
        if self._site.desk.session_at(start.connector) is not None:  # a card has begun it, the code pays on
            return await self._site.join(start.connector, payer)
        return await self._site.start(Ask(start.connector, b"", grant.account, start.preset, origin, (payer,)))

    def _running(self, code: Carried, start: CarriedStart) -> Open | OpenSwap | None:
        """The session that this very code has opened or joined, while it is open: showing it again does not end it."""
        state = self._site.desk.state
        ports = state.ports
        found: list[Open | OpenSwap] = [*state.sessions.values(), *state.forecourt.fillings.values()]
        found += [*ports.sessions.values(), *ports.stays.values(), *state.shop.swaps.values()]
        for session in found:
            origin = session.opened.origin
            opened = (origin.via, origin.number) == ("qr", start.number)
            here = opened or (isinstance(session, OpenSession) and session.opened.connector == start.connector)
            accounts = {hold.account for hold in session.holds}
            if isinstance(session, OpenStay | OpenSwap):
                accounts.add(session.opened.account)
            if here and code.grant.account in accounts:
                return session
        return None

    def _taken(
        self,
        code: Carried,
        news: bool,
        session: Open | OpenSwap | None = None,
        *,
        again: bool = False,
        refused: Refused | None = None,
    ) -> Taken:
        grant = code.grant
        lease = self._site.desk.state.leases.get(_key(code))
        if lease is None:  # it was no news, as it had just come another way; and that way found no room on the disk
            raise JournalFull("nothing was kept of this code's grant")
        expired = purse.expired(lease, self._site.clock.stamp().lb_ms)
        log.info("code taken", news=news, started=session is not None and not again, expired=expired)
        connector = code.start.connector if code.start is not None else ""
        return Taken(grant.account, grant.asset, news, expired, lease.rights, connector, session, again, refused)


def _key(code: Carried) -> str:
    """Of the lease that its grant is of."""
    return lease_key(code.grant.account, code.grant.asset)
