"""A box of a run: enrolled at the real headquarters, with a journal of sessions that its own till has sold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bench.headquarters import Headquarters
from edge import clock as clocks
from edge.clock import Clock
from edge.desk import Desk
from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.keys import KeyRing, fingerprint
from edge.meter_record import MeterRecorder
from edge.plant.watch import Watch
from edge.site import Site
from edge.sync.enrol import enrol, load_credential_key
from edge.sync.uplink import Uplink
from edge.till.fold import apply
from edge.till.policy import Connector, Policy
from edge.till.progress import Phase, StopReason
from edge.till.settle import settle
from edge.till.sight import ChargerSight, Sight
from edge.till.start import Ask, Opening, first_progress, open_session
from edge.till.state import OpenSession, encode_state
from protocols.proof.ed25519 import public_of
from protocols.proof.keys import certify_log_key, spki
from protocols.proof.ocmf import SoftwareSigner
from protocols.trade.price import extend
from protocols.trade.records import (
    ClockQuality,
    DayClosed,
    Draft,
    EpochOpened,
    Origin,
    Preset,
    Register,
    Slice,
    Stamp,
    TotalizersRead,
    seal,
)

ROUND_S = 3_000  # one session on each connector, and a moment without a car
SESSIONS_A_DAY = 160
BALLAST_BYTES = 4096
CONNECTORS = tuple(Connector(f"c{n}", f"m{n}", 22_000, 32_000, 10, None, 1) for n in range(1, 17))
BOOT = b"bench-01"  # another boot than this machine's: the sessions were sold before it was started
WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Box:
    """A box on disk, with nobody serving it."""

    site: str
    home: Path
    epoch: int

    @property
    def keys_dir(self) -> Path:
        return self.home / "data" / "keys"

    @property
    def journal_path(self) -> Path:
        return self.home / "data" / "journal.db"

    @property
    def ring(self) -> KeyRing:
        return KeyRing(self.keys_dir, {})

    def open(self) -> Journal:
        """Its journal, checked as at every start."""
        return Journal.open(self.journal_path, self.ring.log(self.epoch), ballast_bytes=BALLAST_BYTES)

    def site_at(self, journal: Journal) -> Site:
        """What the daemon would serve, without any device."""
        clock = Clock(clocks.system())
        desk = Desk(journal, clock, Policy(), {place.id: place for place in CONNECTORS}, self.meter_recorder())
        return Site(desk, Watch(clock, {}), clock, {}, load_credential_key(self.keys_dir))

    def meter_recorder(self) -> MeterRecorder:
        return MeterRecorder(SoftwareSigner(self.ring.device()), "bench")

    def uplink(self, hq: Headquarters, journal: Journal, site: Site, port: int | None = None) -> Uplink:
        """Not running yet. port: of a relay before headquarters."""
        return Uplink.over_https(hq.config(port), journal, site.clock, self.ring, site)


async def build(hq: Headquarters, home: Path, name: str, records: int, customers: int) -> Box:
    """Enrol, take in tariff and grants, then sell until the log has some `records` records that nobody was told of."""
    ring = KeyRing(home / "data" / "keys", {})
    hq.admit(name, fingerprint(ring.make_device()))
    reply = await asyncio.to_thread(enrol, name, hq.config(), ring, home / "data" / "keys")
    log_key = ring.make_pending_log()
    box = Box(name, home, reply.epoch)
    journal = Journal.create(box.journal_path, name, reply.epoch, log_key, ballast_bytes=BALLAST_BYTES)
    ring.name_pending_log(reply.epoch)
    try:
        device = ring.device()
        certificate = certify_log_key(device, name, reply.epoch, public_of(log_key)).signature
        opened = EpochOpened(
            name, reply.epoch, public_of(log_key), spki(device.public_key()), certificate, "fieldtill bench"
        )
        await journal.commit(Step(journal.seal([Draft(opened)], clocks.Clock(clocks.system()).stamp())))
        site = box.site_at(journal)
        cards = hq.welcome(name, customers)
        await send_all(
            box.uplink(hq, journal, site), lambda: len(site.desk.state.leases) == len(cards) and bool(site.desk.tariff)
        )
        await _sell(journal, site, records, box.meter_recorder())
    finally:
        await journal.close()
    return box


async def send_all(uplink: Uplink, done: Callable[[], bool] = lambda: True) -> None:
    """Run the uplink until headquarters has acknowledged everything and `done()`."""
    task = asyncio.create_task(uplink.run())
    try:
        async with asyncio.timeout(WAIT_S):
            while uplink.status().backlog or not uplink.online or not done():
                if task.done():
                    task.result()
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _sell(journal: Journal, site: Site, records: int, recorder: MeterRecorder) -> None:
    """Commit a seller's records; the last step has a snapshot, as the daemon makes one every 500 records."""
    seller = _Seller(site, recorder, rounds=records // (2 * len(CONNECTORS)) + 1)
    while journal.next_seq < records:
        sealed = [one for draft, at in seller.round() for one in journal.seal([draft], at)]
        snapshot = encode_state(seller.state) if journal.next_seq >= records else None
        await journal.commit(Step(tuple(sealed), snapshot=snapshot))


class _Seller:
    """Sells on all connectors, round after round, by the till's own decisions. Its clock ends about where ours is."""

    def __init__(self, site: Site, recorder: MeterRecorder, *, rounds: int) -> None:
        tariff = site.desk.tariff
        assert tariff is not None
        self.state = site.desk.state
        self._tariff = tariff
        self._recorder = recorder
        self._policy = site.desk.policy
        self._wallets = sorted(self.state.wallets)
        self._registers = {place.meter: 1_000_000 for place in CONNECTORS}
        self._mono_ms = 60_000
        self._wall_ms = site.clock.wall_ms() - rounds * ROUND_S * 1000
        self._sold = 0

    def round(self) -> Iterator[tuple[Draft, Stamp]]:
        """A session on every connector, from its opening to its bill: records to be, with their stamps."""
        for place in CONNECTORS:
            yield self._fold(self._opens(place))
        self._pass(ROUND_S - 8 * len(CONNECTORS))
        sessions = {session.opened.connector: session for session in self.state.sessions.values()}
        for place in CONNECTORS:
            for draft in self._closes(place, sessions[place.id]):
                yield self._fold(draft)
        if self._sold % SESSIONS_A_DAY == 0:
            for draft in self._closes_day():
                yield self._fold(draft)

    def _fold(self, draft: Draft) -> tuple[Draft, Stamp]:
        stamp = self._stamp()
        self.state = apply(self.state, seal(draft, stamp))
        return draft, stamp

    def _opens(self, place: Connector) -> Draft:
        self._pass(4)
        card = self._wallets[self._sold * 7 % len(self._wallets)]
        ask = Ask(place.id, card, "", Preset("full", 0), Origin("card", card, 0, ""))
        opening = open_session(self.state, ask, place, self._sight(place), self._tariff, self._policy)
        assert isinstance(opening, Opening), opening
        self._sold += 1
        return opening.draft

    def _closes(self, place: Connector, session: OpenSession) -> Sequence[Draft]:
        """Some three quarters of an hour at falling power, read four times, and so with two or three slices."""
        self._pass(4)
        progress = first_progress(session.seq, session.opened, session.stamp)
        slices: tuple[Slice, ...] = ()
        lasted_ms = self._mono_ms - session.stamp.mono_ms
        for part in range(4):
            piece = Slice(part * lasted_ms // 4, (part + 1) * lasted_ms // 4, 4_000 - 900 * part + session.seq % 97)
            self._registers[place.meter] += piece.energy_wh
            slices = extend(slices, piece, self._tariff, progress.clock_lb_ms, progress.clock_ub_ms)
        stamp = self._stamp()
        progress = replace(
            progress,
            phase=Phase.STOPPING,
            register=self._register(place),
            slices=slices,
            reason=StopReason.EV_DISCONNECTED,
            stopping_ms=stamp.mono_ms,
            off_ms=stamp.mono_ms,
        )
        drafts = settle(self.state, session, progress, stamp, self._tariff, stuck=False)
        return self._recorder.complete(drafts, self.state, session, progress, stamp, self._tariff)

    def _closes_day(self) -> tuple[Draft, ...]:
        day = self.state.day
        body = DayClosed(day.number, day.first_seq, day.sessions, day.energy_wh, day.amount_fen, day.overrun_fen)
        return Draft(TotalizersRead([self._register(place) for place in CONNECTORS])), Draft(body)

    def _pass(self, seconds: int) -> None:
        self._wall_ms += seconds * 1000
        self._mono_ms += seconds * 1000

    def _stamp(self) -> Stamp:
        return Stamp(BOOT, self._mono_ms, self._wall_ms, ClockQuality.SYNCHRONISED, self._wall_ms - 50, self._wall_ms)

    def _sight(self, place: Connector) -> Sight:
        status = ChargerSight(True, False, False, "connected", None, self._mono_ms)
        return Sight(self._stamp(), status, self._register(place), 0)

    def _register(self, place: Connector) -> Register:
        return Register(place.meter, self._registers[place.meter], self._mono_ms, self._wall_ms)
