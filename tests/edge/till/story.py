"""A till told as a story: a car, a meter and a clock that do as the test says, and the real decisions in between.

Nothing here does I/O. `Story` keeps the log as a list of records and folds it like the daemon does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edge.till.charge import advance, resume, stop
from edge.till.fold import apply
from edge.till.policy import Connector, Policy
from edge.till.progress import Phase, Progress, StopReason
from edge.till.settle import Next, begin_idle, hold_for_review, settle, what_next
from edge.till.sight import ChargerSight, Sight
from edge.till.start import Ask, Opening, Refused, Source, ask_of, extend_session, first_progress, open_session
from edge.till.state import Lease, OpenSession, TillState, lease_key
from protocols.trade.codec import encode
from protocols.trade.grants import Grant, join
from protocols.trade.hotlist import HotList
from protocols.trade.records import (
    CNY,
    ClockQuality,
    ConfigApplied,
    Draft,
    EpochOpened,
    GrantAccepted,
    Origin,
    Pin,
    Preset,
    Record,
    Register,
    SessionClosed,
    Stamp,
    body_of,
    seal,
)
from protocols.trade.tariff import Offset, Period, Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders

MIDNIGHT_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
CARD = b"card0001"

FLAT = Tariff("flat", 1, "UTC", [Offset(0, 0)], [Period(0, "flat", 100_000, 0)], 0, 0, 0)
"""1.00 yuan per kWh: a fen for every 10 Wh, all day."""

TWO_PRICES = Tariff(
    "two", 1, "UTC", [Offset(0, 0)], [Period(0, "valley", 50_000, 0), Period(8 * 3600, "peak", 150_000, 0)], 0, 0, 0
)
"""0.50 yuan per kWh up to 08:00 UTC, 1.50 from then on."""

PLACE = Connector("c1", "m1", 7_200, 32_000, 10, None, 1)
"""7.2 kW: 2 Wh a second; the charger stops by itself 10 s after the last contact."""

FULL = Preset("full", 0)

POLICY = Policy(silence_s=10, reaction_s=2, restart_s=10, start_timeout_s=60, full_after_s=20, stuck_after_s=15)


@dataclass
class Story:
    """One connector, one tariff, and whoever comes."""

    tariff: Tariff = FLAT
    place: Connector = PLACE
    policy: Policy = POLICY
    start_ms: int = MIDNIGHT_MS
    quality: ClockQuality = ClockQuality.SYNCHRONISED
    boot: bytes = b"boot-001"
    mono_ms: int = 1_000
    register_wh: int = 1_000_000
    plugged: bool = True
    car_draws: bool = True
    charger_answers: bool = True
    meter_answers: bool = True
    stuck: bool = False
    site: str = "hz-1"
    faulted: bool = False
    state: TillState = field(default_factory=TillState)
    log: list[Record] = field(default_factory=list)
    running: dict[int, Progress] = field(default_factory=dict)
    status: ChargerSight | None = None
    register: Register | None = None
    hot_list: HotList | None = None
    tenders: Tenders = MONEY_ALONE
    alone: bool = False
    serial: str | None = None  # of the meter, by its own word
    _power_w: int = 0

    def __post_init__(self) -> None:
        self.write(Draft(EpochOpened(self.site, 1, bytes(32), b"spki", b"sig", "test")))
        self.write(Draft(ConfigApplied([Pin("tariff", self.tariff.version, bytes(32))])))
        self.see()

    # --- the world ----------------------------------------------------------------------------------------------------

    @property
    def wall_ms(self) -> int:
        return self.start_ms + self.mono_ms

    def stamp(self) -> Stamp:
        known = self.quality == ClockQuality.SYNCHRONISED
        lb_ms = self.wall_ms if known else MIDNIGHT_MS
        return Stamp(self.boot, self.mono_ms, self.wall_ms, self.quality, lb_ms, self.wall_ms if known else None)

    def sight(self) -> Sight:
        return Sight(self.stamp(), self.status, self.register, self._power_w, meter_serial=self.serial)

    def pass_time(self, seconds: int, power_w: int = 7_200) -> Story:
        """Second by second: energy flows while it is wanted (or the relay is stuck), then everybody looks."""
        for _ in range(seconds):
            flows = self.delivering
            self.mono_ms += 1_000
            self._power_w = power_w if flows else 0
            self.register_wh += self._power_w // 3_600
            self.see()
            self.look()
        return self

    @property
    def delivering(self) -> bool:
        wanted = any(progress.wants_delivery for progress in self.running.values())
        return self.plugged and ((wanted and self.car_draws and not self.faulted) or self.stuck)

    def see(self) -> None:
        """Charger and meter are asked; who answers is as the test says."""
        if self.charger_answers:
            self.status = ChargerSight(self.plugged, self.delivering, self.faulted, "code 7", None, self.mono_ms)
        if self.meter_answers:
            self.register = Register(self.place.meter, self.register_wh, self.mono_ms, self.wall_ms)

    # --- the till -----------------------------------------------------------------------------------------------------

    def write(self, *drafts: Draft) -> int:
        """Into the log; the seq of the last one."""
        for draft in drafts:
            record = seal(draft, self.stamp())
            self.state = apply(self.state, record)
            self.log.append(record)
        return self.state.size - 1

    def grant(
        self,
        total: int,
        account: str = "ann",
        *,
        card: bytes = CARD,
        may_stay: int = 0,
        limit: int = 0,
        asset: str = CNY,
        until_s: int = 4_000_000_000,
    ) -> Story:
        """Headquarters grants `account` so much in total. card: b"": nobody's."""
        serial, cards = self.lease(account, asset).serial + 1, [card] if card else []
        grant = Grant(account, asset, self.site, 1, serial, total, 0, until_s, limit, may_stay, 1, cards)
        self.write(Draft(GrantAccepted(join(grant, bytes(64)))))
        return self

    def lease(self, account: str = "ann", asset: str = CNY) -> Lease:
        return self.state.leases.get(lease_key(account, asset), Lease(account, asset))

    def ask(
        self, preset: Preset = FULL, *, card: bytes = CARD, origin: Origin | None = None, payers: str = ""
    ) -> Opening | Refused:
        """payers: as in `tender.payers`, instead of the card."""
        ask = Ask("c1", card, "", preset, origin or Origin("card", card, 0, ""), alone=self.alone)
        if payers:
            ask = replace(ask_of("c1", payers, preset, origin or Origin("panel", b"", 0, "li")), alone=self.alone)
        return open_session(
            self.state, ask, self.place, self.sight(), self.tariff, self.policy, self.hot_list, self.tenders
        )

    def start(
        self, preset: Preset = FULL, *, card: bytes = CARD, register: Register | None = None, payers: str = ""
    ) -> int:
        """Open a session; its seq. register: the one it begins with, where that was read a while ago."""
        self.register = register or self.register
        decision = self.ask(preset, card=card, payers=payers)
        assert isinstance(decision, Opening), decision
        seq = self.write(decision.draft)
        self.running[seq] = first_progress(seq, self.state.sessions[seq].opened, self.stamp())
        self.see()
        return seq

    def extend(self, seq: int, account: str, most_fen: int | None = None) -> Opening | Refused:
        """A further hold for a running session; written where it is not refused."""
        session, progress = self.state.sessions[seq], self.running[seq]
        decision = extend_session(
            self.state, session, progress, Source(account), self.stamp(), self.policy, self.tenders, most_fen=most_fen
        )
        if isinstance(decision, Opening):
            self.write(decision.draft)
        return decision

    def stop(self, reason: StopReason = StopReason.LOCAL) -> Story:
        self.running = {seq: stop(progress, reason, self.mono_ms) for seq, progress in self.running.items()}
        return self

    def look(self) -> None:
        sight = self.sight()
        for session in list(self.state.sessions.values()):
            after = advance(
                session, self.running[session.seq], sight, self.tariff, self.place, self.policy, self.tenders
            )
            self.running[session.seq] = self._follow(session, after, sight)
            if session.seq not in self.state.sessions:
                del self.running[session.seq]

    def _follow(self, session: OpenSession, after: Progress, sight: Sight) -> Progress:
        match what_next(session, after, sight, self.tariff, self.policy, self.tenders):
            case Next.IDLE:
                return begin_idle(after, sight.now.mono_ms)
            case Next.HOLD:
                self.write(hold_for_review(session, after))
            case Next.SETTLE:
                stuck = self.delivering and after.phase == Phase.STOPPING
                self.write(*settle(self.state, session, after, sight.now, self.tariff, self.tenders, stuck=stuck))
        return after

    def reboot(self, *, dark_s: int = 60) -> Story:
        """The power was cut: another boot, monotonic time from 0, and only the saved rows are left."""
        self.boot, self.start_ms, self.mono_ms = b"boot-002", self.wall_ms + dark_s * 1_000, 0
        return self.restart()

    def restart(self) -> Story:
        """The daemon alone was killed and is started again: it has asked no device yet."""
        self.status, self.register = None, None
        self.running = {seq: resume(row, self.boot, self.mono_ms) for seq, row in self.running.items()}
        return self

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def bills(self) -> list[SessionClosed]:
        return [body for body in map(body_of, self.log) if isinstance(body, SessionClosed)]

    @property
    def kinds(self) -> list[str]:
        """The kinds of all records after the first two."""
        return [record.kind for record in self.log[2:]]

    def but(self, **changes: object) -> Story:
        """The same story with something changed in the world."""
        return replace(self, **changes)


def size_of(record: Record) -> int:
    return len(encode(record))
