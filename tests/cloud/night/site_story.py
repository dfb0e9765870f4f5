"""A site's working day, told in clock times and sold through the real tariff, records, ingest and books."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hq_box import BOOT, ZONE, Box, admit

from cloud import accounts, documents, schema, store
from cloud.clock import SetClock
from cloud.night import nightly, report_model
from cloud.night.nightly import NightlyResult
from cloud.night.report_model import Report
from cloud.service import Headquarters
from protocols.trade import price
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF
from protocols.trade.grants import split
from protocols.trade.records import (
    CNY,
    ClockQuality,
    DayClosed,
    Draft,
    Effect,
    Hold,
    Notice,
    Origin,
    Pin,
    Preset,
    Register,
    SessionClosed,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    Slice,
    Stamp,
    TotalizersRead,
    seal,
)
from protocols.trade.tariff import Offset, Period, Tariff
from protocols.trade.wire import DocumentRef

DATE = "2026-06-08"
"""The business day of these stories."""
DAY = date.fromisoformat(DATE)

PRICES = Tariff(
    id="standard",
    version=1,
    zone=ZONE,
    offsets=[Offset(0, 8 * 3600)],
    periods=[Period(0, "valley", 30_000, 20_000), Period(8 * 3600, "peak", 90_000, 45_000)],
    session_e3=100_000,
    idle_e3_per_min=0,
    idle_grace_s=0,
)
"""0.50 yuan per kWh by night, 1.35 from eight o'clock, and 1.00 a session."""


def at(clock: str, date: str = DATE) -> int:
    """Unix ms of a local time of day: `18:30`, or with a date."""
    return int(datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000


class Story(Box):
    """A box that sells. Its clock is moved by each call; one meter for each connector, read when a session needs it."""

    def __init__(self, hq: Headquarters, site: str, *, tariff: Tariff = PRICES, date: str = DATE) -> None:
        super().__init__(site)
        self.hq = hq
        self.date = date
        self.tariff = tariff
        self.boot_ms = at("00:00", date)
        self.wall_ms = self.boot_ms
        self.quality = ClockQuality.SYNCHRONISED
        self.registers: dict[str, int] = {}
        self.sent = 0
        self.pins: list[DocumentRef] = []  # besides the tariff
        self.day = (1, 0, 0, 0, 0, 0)  # number, first_seq, sessions, Wh, fen, fen of overrun
        admit(hq, self)
        with store.writing(hq.engine) as connection:
            documents.publish(connection, hq.keys, hq.clock, TARIFF, tariff.version, tariff, [site])
        self.enrol(hq)

    def add(self, body: object, moves: object = ()) -> int:
        mono_ms = self.wall_ms - self.boot_ms
        stamp = Stamp(BOOT, mono_ms, self.wall_ms, self.quality, self.wall_ms, self.wall_ms)
        self.leaves.append(encode(seal(Draft(body, tuple(moves)), stamp)))
        return len(self.leaves) - 1

    def register(self, meter: str) -> Register:
        wh = self.registers.setdefault(meter, 100_000)
        return Register(meter, wh, self.wall_ms - self.boot_ms, self.wall_ms)

    def opens(self, connector: str, account: str, hold_fen: int, clock: str) -> int:
        """A session begins: the grant for its hold is asked for, taken in, and the hold is durable."""
        self.wall_ms = at(clock, self.date)
        needed = sum(self.counters.get((effect, account, CNY), 0) for effect in (Effect.USED, Effect.RETURNED))
        reply = self.ask(self.hq, account, needed + hold_fen)
        grant, _, _ = split(reply.grant)
        assert grant.granted >= needed + hold_fen, grant
        self.accept(reply.grant)
        pin = Pin(TARIFF, self.tariff.version, hashlib.sha256(encode(self.tariff)).digest())
        return self.add(
            SessionOpened(
                connector=connector,
                holds=[Hold(account, CNY, hold_fen)],
                preset=Preset("full", 0),
                origin=Origin("card", b"", 0, ""),
                begin=self.register(f"meter-{connector}"),
                pins=[pin, *(Pin(ref.kind, ref.version, ref.hash) for ref in self.pins)],
                clock_lb_ms=self.wall_ms,
                clock_ub_ms=self.wall_ms,
            )
        )

    def closes(
        self,
        session: int,
        connector: str,
        account: str,
        begun: str,
        ended: str,
        energy_wh: int,
        hold_fen: int,
        *,
        amount_off_by: int = 0,
        capture_off_by: int = 0,
        energy_off_by: int = 0,
    ) -> int:
        """It ends: meter, price, capture, overrun. The `off_by` are faults sown into the record."""
        begun_ms, self.wall_ms = at(begun, self.date), at(ended, self.date)
        self.registers[f"meter-{connector}"] += energy_wh
        slices = (Slice(0, self.wall_ms - begun_ms, energy_wh + energy_off_by),)
        bill = price.bill(self.tariff, price.Delivered(slices, 0, begun_ms, begun_ms))
        amount_fen = bill.amount_fen + amount_off_by
        lines = list(bill.lines)
        if amount_off_by:
            last = lines[-1]
            lines[-1] = type(last)(
                last.code, last.period, last.quantity, last.price_e3, last.amount_fen + amount_off_by
            )
        captured = min(amount_fen, hold_fen) + capture_off_by
        overrun = max(0, amount_fen - hold_fen)
        moves = [self.move(Effect.USED, account, captured)] if captured else []
        if overrun:
            moves.append(self.move(Effect.OVERRUN, account, overrun))
        number, first, sessions, wh, fen, over = self.day
        sold_wh = energy_wh + energy_off_by
        self.day = (number, first, sessions + 1, wh + sold_wh, fen + amount_fen, over + overrun)
        return self.add(
            SessionClosed(
                session=session,
                reason="EVDisconnected",
                end=self.register(f"meter-{connector}"),
                energy_wh=sold_wh,
                slices=list(slices),
                idle_s=0,
                clock_lb_ms=begun_ms,
                clock_ub_ms=begun_ms,
                lines=lines,
                amount_fen=amount_fen,
                exact_num=bill.exact_fen.numerator,
                exact_den=bill.exact_fen.denominator,
                overrun_fen=overrun,
                meter_record=None,
            ),
            moves,
        )

    def charge(
        self, connector: str, account: str, begun: str, ended: str, energy_wh: int, hold_fen: int = 10_000, **off: int
    ) -> str:
        """A whole session; its id."""
        session = self.opens(connector, account, hold_fen, begun)
        self.closes(session, connector, account, begun, ended, energy_wh, hold_fen, **off)
        return f"{self.site}/{self.epoch}/{session}"

    def voids(self, session: int) -> int:
        return self.add(SessionVoided(session, "EVNotConnected"))

    def holds_for_review(self, session: int) -> int:
        return self.add(SessionHeld(session, "meter-jump", "the register rose by 900 kWh in a minute"))

    def reads_totalizers(self) -> int:
        return self.add(TotalizersRead([self.register(meter) for meter in sorted(self.registers)]))

    def closes_day(self, clock: str = "23:50") -> int:
        self.wall_ms = at(clock, self.date)
        self.reads_totalizers()
        seq = self.add(DayClosed(*self.day))
        self.day = (self.day[0] + 1, seq + 1, 0, 0, 0, 0)
        return seq

    def reports(self, clock: str | None = None) -> None:
        """Everything not yet sent goes to headquarters, now or at that time of its clock."""
        set_clock(self.hq, self.wall_ms if clock is None else at(clock, self.date))
        self.send(self.hq, self.sent)
        self.sent = len(self.leaves)

    def add_notice(self) -> int:
        return self.add(Notice("door", "cabinet", "opened by hand"))


def set_clock(hq: Headquarters, now_ms: int) -> None:
    """Headquarters' clock never goes back."""
    assert isinstance(hq.clock, SetClock)
    hq.clock.advance(max(0, now_ms - hq.clock.now_ms()))


def customer(hq: Headquarters, account: str, paid_fen: int, site: str | None = None) -> str:
    """An account with a name of our choice, and money paid in."""
    with store.writing(hq.engine) as connection:
        row = {"id": account, "class": "person", "status": "open", "home_site": site}
        limits = {"session_limit": 50_000, "placed": 0, "site_max": 1_000_000, "opened_ms": hq.clock.now_ms()}
        connection.execute(schema.accounts.insert().values(row | limits))
        accounts.top_up(
            connection, hq.keys, hq.clock, account, paid_fen, channel="wechat", reference=f"top-up {account} {paid_fen}"
        )
    return account


def night(hq: Headquarters, out: Path, day: date = DAY) -> tuple[NightlyResult, Report]:
    """Run the nightly, and read what it wrote."""
    result = nightly.run(hq.engine, day, out)
    return result, report_model.decode(result.json_path.read_bytes())
