"""What does a nightly report hold? Whole numbers and text alone; the canonical JSON is the report, the rest is a view.

Money in fen, energy in Wh, fuel in mL, instants in Unix ms, dates as ISO text of the site's business day. None is
unknown.
"""

from __future__ import annotations

import msgspec

from cloud.night.reconcile.findings import Leg, Owner, Weight
from cloud.night.reconcile.liability import RollForward
from cloud.night.reconcile.meters import MeterSum
from cloud.night.reconcile.price_changes import PriceChange
from cloud.night.reconcile.pumps import NozzleSum

FORMAT = "fieldtill/nightly/v1"

CHECKED: dict[Leg, tuple[str, ...]] = {
    Leg.BOOKS: ("logs", "records", "transfers", "accounts", "leases"),
    Leg.LIABILITY: ("assets",),
    Leg.ENERGY: ("meters", "readings", "bills"),
    Leg.FUEL: ("nozzles", "totals", "fillings", "tanks"),
    Leg.PACKS: ("packs", "scans", "swaps"),
}
"""What each leg counts of what it has compared, in the order in which a person reads it."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Every part: frozen, named fields, nothing unknown let through."""


class PinnedLog(_Part, frozen=True):
    """A log as this report saw it: its first `size` records, whose root is cosigned. site "" is headquarters'."""

    site: str
    epoch: int
    state: str
    size: int
    root: str  # hex
    cosigned_ms: int | None


class PinnedIncidents(_Part, frozen=True):
    """What ingest had kept of forks and unread batches: rows up to these ids."""

    forks: int
    batches: int


class Previous(_Part, frozen=True):
    """The report on which this one follows."""

    date: str
    sha256: str


class Quantities(_Part, frozen=True):
    """Of sessions that ended, those of every kind among them. gross_fen = captured_fen + overrun_fen, and is also the
    sum of the parts by price. energy_wh: by the meters of connectors; port_wh: as the boards of ports counted.
    rent_fen: terms of rent and late days.

    voided: ended without delivery. late: reached headquarters more than `late_after_s` after they ended, for want of a
    link.
    """

    sessions: int = 0
    voided: int = 0
    late: int = 0
    energy_wh: int = 0
    gross_fen: int = 0
    captured_fen: int = 0
    overrun_fen: int = 0
    energy_fen: int = 0
    service_fen: int = 0
    session_fen: int = 0
    idle_fen: int = 0
    fillings: int = 0
    volume_ml: int = 0
    fuel_fen: int = 0
    swaps: int = 0
    swap_fen: int = 0
    rent_fen: int = 0
    ports: int = 0
    port_wh: int = 0
    time_fen: int = 0

    @property
    def all_wh(self) -> int:
        """At connectors and ports together."""
        return self.energy_wh + self.port_wh


class Hour(_Part, frozen=True):
    """A local clock hour. Money and fuel fall in the hour in which their session ended, energy in those in which it
    flowed; where a port's board did not tell when, it is spread evenly over the session.
    """

    hour: int
    sessions: int
    energy_wh: int
    volume_ml: int
    gross_fen: int


class Connector(_Part, frozen=True):
    """A place to charge. occupied_s: sum over its sessions from opening to end; None when a restart hides one."""

    name: str
    sessions: int
    energy_wh: int
    gross_fen: int
    occupied_s: int | None


class Adjustment(_Part, frozen=True):
    """A session of an earlier business day that no earlier report could know."""

    date: str
    session: str
    energy_wh: int
    volume_ml: int
    gross_fen: int
    received_ms: int


class DayClose(_Part, frozen=True):
    """A site's own day total, as it stood in its log."""

    day: int
    record: str
    sessions: int
    energy_wh: int
    amount_fen: int
    overrun_fen: int


class TariffUse(_Part, frozen=True):
    """How many of the day's sessions were priced by which version of a document."""

    version: int
    sha256: str
    sessions: int


class HotListUse(_Part, frozen=True):
    """How many of the day's sessions were opened under which version of the hot list; 0: the site had none yet."""

    version: int
    sessions: int


class GradeDay(_Part, frozen=True):
    """One grade's fillings of a site's day, and what nobody has answered for."""

    grade: str
    fillings: int
    volume_ml: int
    amount_fen: int
    unattributed_ml: int


class PumpDay(_Part, frozen=True):
    """The same at one nozzle of one pump."""

    pump: str
    nozzle: int
    grade: str
    fillings: int
    volume_ml: int
    amount_fen: int
    unattributed_ml: int


class Unattributed(_Part, frozen=True):
    """A totalizer moved and no sale explains it. session: that it may belong to. answers: who might answer for it."""

    record: str
    date: str
    pump: str
    nozzle: int
    grade: str
    volume_ml: int
    why: str
    session: str
    answers: list[str]


class TankDay(_Part, frozen=True):
    """A tank's book as the site closed it: opening + received - sold - unattributed = expected; closing - expected =
    variance. None: a dip is missing, and the book stays open.
    """

    record: str
    day: int
    tank: str
    grade: str
    opening_ml: int | None
    received_ml: int
    sold_ml: int
    unattributed_ml: int
    expected_ml: int | None
    closing_ml: int | None
    variance_ml: int | None
    variance_ppm: int | None


class TankNow(_Part, frozen=True):
    """What a tank should hold by the newest record, and for how long. stock_ml: None: never dipped. dipped_ms: of its
    newest dip. day_ml: expected to go out on the next day; None: nothing ever has. tenths: of days until it is empty;
    None: not to be told, or longer than a forecast goes. by: `weekday`, `mean`, or empty.
    """

    tank: str
    grade: str
    stock_ml: int | None
    dipped_ms: int | None
    day_ml: int | None
    tenths: int | None
    by: str


class FuelDay(_Part, frozen=True):
    """The fuel of one site's business day."""

    grades: list[GradeDay]
    pumps: list[PumpDay]
    unattributed: list[Unattributed]
    stock: list[TankDay]
    tanks: list[TankNow]
    price_changes: list[PriceChange]


class CabinetDay(_Part, frozen=True):
    """A cabinet by its newest scan, and by the records after it. scanned_ms: None: never. differences: that any scan
    has ever found.
    """

    cabinet: str
    scanned_ms: int | None
    slots: int
    packs: int
    empty: int
    unsure: int
    by_records: int
    scans: int
    differences: int


class ShopDay(_Part, frozen=True):
    """The swap sessions of one site's business day by outcome. plan_units: used of each plan. deposit_fen: taken as
    deposits for rented packs.
    """

    swapped: int
    taken: int
    returned: int
    cancelled: int
    kept: int
    plan_units: dict[str, int]
    deposit_fen: int
    cabinets: list[CabinetDay]


class PortDay(_Part, frozen=True):
    """The charging ports and lockers of one site's business day. unsettled: closed by what was known last.

    unattributed, unattributed_wh: settlements that nobody is charged for, and what of their energy was told. stays:
    packs out of lockers; stored: packs in them now.
    """

    sessions: int
    energy_wh: int
    amount_fen: int
    unsettled: int
    unattributed: int
    unattributed_wh: int
    stays: int
    late_fen: int
    stored: int


class FleetNow(_Part, frozen=True):
    """Where all packs are by the newest records, and what is out. cycles_max: of any pack; None: none ever said."""

    packs: int
    in_slots: int
    with_riders: int
    with_staff: int
    lost: int
    unknown: int
    hot: int
    rented: int
    late: int
    overdue: int
    deposits_fen: int
    cycles_max: int | None


class SiteDay(_Part, frozen=True):
    """One site's business day, from begins_ms to ends_ms.

    reported: it has told everything up to the day's end, or closed the day itself. running, held: sessions that have
    not ended, whatever day they began. clocks: sessions by the quality of the clock at their end. tariffs: of charges
    and of ports that cost by the hour of day; price_lists: of fillings; swap_terms, port_prices: of swaps and ports.
    fuel, shop, ports: None: the site has never told of a pump or a tank, of a cabinet, of a port.
    """

    site: str
    title: str
    zone: str
    begins_ms: int
    ends_ms: int
    reported: bool
    day: Quantities
    adjusted: Quantities
    adjustments: list[Adjustment]
    running: int
    held: int
    held_fen: int
    hours: list[Hour]
    connectors: list[Connector]
    clocks: dict[str, int]
    tariffs: list[TariffUse]
    price_lists: list[TariffUse]
    hot_lists: list[HotListUse]
    closes: list[DayClose]
    fuel: FuelDay | None
    shop: ShopDay | None = None
    ports: PortDay | None = None
    swap_terms: list[TariffUse] = []
    port_prices: list[TariffUse] = []


class LeaseSum(_Part, frozen=True):
    """What customers have outstanding at one site and epoch: granted there, neither used nor returned."""

    site: str
    epoch: int
    asset: str
    accounts: int
    outstanding: int


class Exposure(_Part, frozen=True):
    """A customer account: what is free, and what is out at sites."""

    account: str
    asset: str
    free: int
    outstanding: int


class RefundsDue(_Part, frozen=True):
    """What is owed back to guests through one channel. since_ms, age_days: of the oldest refund."""

    channel: str
    refunds: int
    amount_fen: int
    since_ms: int
    age_days: int


class GuestsWaiting(_Part, frozen=True):
    """Guests' payments that lie at one site: their sessions have not ended there. age_days: of the oldest."""

    site: str
    guests: int
    amount_fen: int
    age_days: int


class SiteExposure(_Part, frozen=True):
    """Customers' money that lies at one site, over all its epochs. exposure_max_fen: the cap on it; None: no cap."""

    site: str
    outstanding_fen: int
    exposure_max_fen: int | None


class RiskPool(_Part, frozen=True):
    """The operator's own money at one epoch. left_fen: neither drawn nor back. cards: what was drawn on this business
    day, by the hidden card number in hex.
    """

    site: str
    epoch: int
    funded_fen: int
    drawn_fen: int
    left_fen: int
    today_fen: int
    cards: dict[str, int]


class OperatorRisk(_Part, frozen=True):
    """The operator's risk account: balance = adjusted - lent - pooled - forked; below 0, so much is lost so far.

    lent: to customers, not back yet. pooled: lent to the pools, not back. forked: delivered on other branches of a log.
    adjusted: charged to customers for any of it that was no loan.
    """

    balance_fen: int
    lent_fen: int
    pooled_fen: int
    forked_fen: int
    adjusted_fen: int


class Found(_Part, frozen=True):
    """A finding, aged. age_days: whole days from its instant to the day's end, None when that cannot be told."""

    code: str
    leg: Leg
    weight: Weight
    owner: Owner
    site: str
    subject: str
    source: str
    detail: str
    difference_fen: int | None
    difference_wh: int | None
    difference_ml: int | None
    age_days: int | None


class LegResult(_Part, frozen=True):
    """One leg's outcome. checked: what was compared, by name. Differences are sums of absolute values."""

    leg: Leg
    checked: dict[str, int]
    unexplained: int
    awaited: int
    open: int
    noted: int
    difference_fen: int
    difference_wh: int
    difference_ml: int


class Report(_Part, frozen=True):
    """One business date over all sites. legs: those of fuel and packs only where there are any; so is fleet."""

    format: str
    date: str
    software: str
    previous: Previous | None
    late_after_s: int
    pins: list[PinnedLog]
    incidents: PinnedIncidents
    total: Quantities
    adjusted: Quantities
    sites: list[SiteDay]
    legs: list[LegResult]
    liabilities: list[RollForward]
    meters: list[MeterSum]
    nozzles: list[NozzleSum]
    leases: list[LeaseSum]
    accounts: list[Exposure]
    refunds: list[RefundsDue]
    guests: list[GuestsWaiting]
    exposures: list[SiteExposure]
    pools: list[RiskPool]
    operator: OperatorRisk
    findings: list[Found]
    fleet: FleetNow | None = None

    @property
    def sound(self) -> bool:
        """Nothing is unexplained."""
        return all(it.weight is not Weight.UNEXPLAINED for it in self.findings)


def encode(report: Report) -> bytes:
    """The one byte string of a report: JSON without spaces, keys sorted, whole numbers, one line."""
    return msgspec.json.encode(report, order="sorted") + b"\n"


class NotAReport(ValueError):
    """The bytes are no nightly report of this format."""

    remedy = "Move the file out of the directory of reports, or read it with the version that wrote it."


def decode(data: bytes) -> Report:
    """Raises NotAReport."""
    try:
        report = msgspec.json.decode(data, type=Report)
    except msgspec.DecodeError as error:
        raise NotAReport(f"expected a nightly report of format {FORMAT}: {error}") from error
    if report.format != FORMAT:
        raise NotAReport(f"expected a nightly report of format {FORMAT}, got {report.format}")
    return report
