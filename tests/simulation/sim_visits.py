"""Who says that each Wh went to the one who paid, at the price that was agreed? The auditor's part for charging places.

It sees what really flowed, and reads each record as it becomes durable. It shares no arithmetic with the till.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from sim_plant import WH, Stand
from sim_wrong import Wrong, expect

from protocols.proof import ocmf
from protocols.trade.records import SessionClosed, SessionOpened
from protocols.trade.tariff import Tariff

CLOCK_MS = 180_000
"""How wrong a clock may be that counts as synchronised (JJG 1148-2022): prices of this long before and after count."""
ROUNDING_WH = 2
"""A whole register at the beginning and one at the end."""

Place = tuple[str, str]
"""(branch, connector)"""


@dataclass
class Visit:
    """A session as the auditor sees it. holds: by whose they are. energy: the stand's, in W·ms, when the begin register
    was read. inherited: it was begun by another box, before its disk was copied: that box alone may have seen the meter
    jump since, and for one that wakes without the time nothing tells a jump from energy that flowed.
    """

    place: Place
    holds: dict[str, int]
    tariff: bytes
    opened_ms: int
    energy: int
    inherited: bool = False


@dataclass(frozen=True)
class VisitView:
    """What the auditor knows of a branch's cars when somebody copies its disk."""

    visits: dict[int, Visit]
    pages: int


@dataclass
class Visits:
    """The truth of charging places, and what is claimed of them.

    left: the stand's energy when its last session ended. pages: of signed meter records, by branch.
    """

    start_utc_ms: int
    seen: Callable[[str], None]
    stands: dict[Place, Stand] = field(default_factory=dict)
    tariffs: dict[bytes, Tariff] = field(default_factory=dict)
    visits: dict[tuple[str, int], Visit] = field(default_factory=dict)
    left: dict[Place, int] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)

    # --- histories ---------------------------------------------------------------------------------------------------

    def view(self, branch: str) -> VisitView:
        visits = {seq: _copied(visit) for (at, seq), visit in self.visits.items() if at == branch}
        return VisitView(visits, self.pages.get(branch, 0))

    def fork(self, view: VisitView, branch: str, stands: Mapping[str, Stand]) -> None:
        """A box goes on from there, at these places, whatever else has followed."""
        self.pages[branch] = view.pages
        self.stand_at(branch, stands)
        for stand in stands.values():
            stand.excused = True
        for seq, visit in view.visits.items():
            self.visits[branch, seq] = replace(_copied(visit), place=(branch, visit.place[1]), inherited=True)

    def stand_at(self, branch: str, stands: Mapping[str, Stand]) -> None:
        """What the boxes of this branch sell flows at these places from now on."""
        for name, stand in stands.items():
            stand.settle()
            self.stands[branch, name], self.left[branch, name] = stand, stand.energy

    def abandon(self, branch: str) -> None:
        """No box lives this history any more; what it sold stays sold."""
        self.visits = {key: visit for key, visit in self.visits.items() if key[0] != branch}
        self.stands = {place: stand for place, stand in self.stands.items() if place[0] != branch}

    # --- at the charger ----------------------------------------------------------------------------------------------

    def energised(self, site: str, stand: Stand) -> None:
        """A relay closes on a car."""
        found = [visit for visit in self.visits.values() if visit.place == (site, stand.name)]
        if not found:
            raise Wrong("durable-before-acting", f"{site} {stand.name} delivers, and no durable record says for whom")
        if not any(found[0].holds.values()):
            raise Wrong("hold-before-start", f"{site} {stand.name} delivers, and nothing is set aside for it")

    def stray(self, place: Place, energy: int) -> None:
        """Energy between two sessions shows in the registers, and belongs to a fault."""
        stray_wh = (energy - self.left.get(place, 0)) // WH
        if stray_wh >= ROUNDING_WH and not self.stands[place].excused:
            raise Wrong("every-wh", f"{place}: {stray_wh} Wh flowed outside all sessions")

    # --- in the log --------------------------------------------------------------------------------------------------

    def opened(self, site: str, seq: int, body: SessionOpened) -> Visit:
        """The session, with nothing held for it yet."""
        place = (site, body.connector)
        stand = self.stands[place]
        if any(visit.place == place for visit in self.visits.values()):
            raise Wrong("one-session-each", f"{site} {body.connector} has two sessions")
        stand.settle()
        begin = (body.begin.energy_wh - stand.base_wh) * WH
        same_register = 0 <= begin <= stand.energy  # nothing has befallen the meter between the reading and this record
        energy = begin if same_register else stand.energy
        tariff = next(pin.hash for pin in body.pins if pin.kind == "tariff")
        visit = Visit(place, {}, tariff, stand.now_ms(), energy)
        self.stray(place, energy)
        self.visits[site, seq] = visit
        if same_register and not stand.faulty:
            stand.excused = False
        return visit

    def closed(self, site: str, body: SessionClosed, captured: Mapping[str, int]) -> Visit:
        """A bill: for what flowed in this session, at the price of the record."""
        visit = self._ended(site, body.session)
        stand = self.stands[visit.place]
        self.seen(f"closed {body.reason}")
        if body.overrun_fen:
            self.seen("overrun")
        if body.clock_lb_ms != body.clock_ub_ms:
            self.seen("priced by an uncertain clock")
        for its, units in captured.items():
            if units > visit.holds.get(its, 0):
                raise Wrong("capture-within-hold", f"{site}/{body.session}: {units} of {visit.holds} of {its}")
        paid_fen = sum(fen for its, fen in captured.items() if " " not in its)
        expect("bill-is-captured", f"{site}/{body.session}", body.amount_fen, paid_fen + body.overrun_fen)
        if body.overrun_fen and not stand.excused:
            raise Wrong("cut-off", f"{site}/{body.session}: {body.overrun_fen} fen beyond holds of {visit.holds}")
        delivered_wh = Fraction(stand.energy - visit.energy, WH)
        jumped = body.energy_wh > delivered_wh + 1
        if jumped and not visit.inherited:
            text = f"{site}/{body.session}: billed {body.energy_wh} Wh, {float(delivered_wh):.1f} Wh flowed"
            raise Wrong("only-what-flowed", text)
        dearest_fen = self._dearest_fen(visit, stand, body.idle_s)
        if body.amount_fen > dearest_fen and not jumped:
            raise Wrong("never-above-the-price", f"{site}/{body.session}: {body.amount_fen} of {dearest_fen} fen")
        self._unbilled(visit, body.energy_wh)
        self._metered(site, body)
        return visit

    def voided(self, site: str, session: int) -> Visit:
        """No bill: then nothing has flowed, either."""
        visit = self._ended(site, session)
        self._unbilled(visit, 0)
        return visit

    # --- how ---------------------------------------------------------------------------------------------------------

    def _ended(self, site: str, session: int) -> Visit:
        visit = self.visits.pop((site, session))
        stand = self.stands[visit.place]
        stand.settle()
        self.left[visit.place] = stand.energy
        return visit

    def _unbilled(self, visit: Visit, billed_wh: int) -> None:
        """Energy of a session that its bill leaves out needs a physical fault."""
        stand = self.stands[visit.place]
        missing_wh = (stand.energy - visit.energy) // WH - billed_wh
        if missing_wh >= ROUNDING_WH and not stand.excused:
            raise Wrong("every-wh", f"{visit.place}: {missing_wh} Wh flowed in a session and are in no bill")

    def _metered(self, site: str, body: SessionClosed) -> None:
        """The signed record of each session, one page after the other, says the register that is billed."""
        if body.meter_record is None:
            raise Wrong("meter-record", f"{site}/{body.session} has none")
        self.pages[site] = self.pages.get(site, 0) + 1
        record = ocmf.parse(body.meter_record)
        end_wh = int(record.readings[1]["RV"] * 1000)
        expect("meter-record", f"{site}/{body.session}: page", self.pages[site], record.page)
        expect("meter-record", f"{site}/{body.session}: Wh at the end", body.end.energy_wh, end_wh)

    def _dearest_fen(self, visit: Visit, stand: Stand, idle_s: int) -> int:
        """What the energy that flowed could cost at most: each piece at the dearest price around its true time."""
        tariff = self.tariffs[visit.tariff]
        e6 = Fraction(0)
        for from_ms, to_ms, flow in reversed(stand.flows):
            if to_ms <= visit.opened_ms - 60_000:
                break
            e6 += Fraction(flow, WH) * dearest(tariff, self.start_utc_ms + from_ms, self.start_utc_ms + to_ms)
        e6 += ROUNDING_WH * max(period.energy_e3 + period.service_e3 for period in tariff.periods)
        fees = Fraction(tariff.session_e3, 1000) + Fraction(idle_s * tariff.idle_e3_per_min, 60_000)
        return ceil(e6 / 1_000_000 + fees)


def _copied(visit: Visit) -> Visit:
    return replace(visit, holds=dict(visit.holds))


def dearest(tariff: Tariff, from_ms: int, to_ms: int) -> int:
    """Highest price (e3 per kWh) from CLOCK_MS before to CLOCK_MS after, told from the table minute by minute.

    Tariffs of the simulation have one offset and change on whole minutes.
    """
    prices = []
    for at_ms in range(from_ms - CLOCK_MS, to_ms + CLOCK_MS + 60_000, 60_000):
        second = (at_ms // 1000 + tariff.offsets[0].offset_s) % 86_400
        holding = [period for period in tariff.periods if period.from_s <= second] or [tariff.periods[-1]]
        prices.append(holding[-1].energy_e3 + holding[-1].service_e3)
    return max(prices)
