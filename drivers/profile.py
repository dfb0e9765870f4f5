"""What a device profile may say: the schema of `profiles/*.toml`.

One file describes one Modbus product. `docs/profiles.md` explains the format by example, and
`profile_load` reads it. Numbers with a decimal point
are kept as text and become `Fraction`, so that no binary float comes near a meter. A measured quantity names scale and
unit together, as vendors' tables do: `unit = "0.1 A"`, `unit = "1/360 Wh"`, `unit = "kW"`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, NamedTuple

import msgspec

Address = Annotated[int, msgspec.Meta(ge=0, le=65535)]
UnitId = Annotated[int, msgspec.Meta(ge=0, le=255)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=86_400)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
Number = int | str  # exact: a whole number, or text that `Fraction` reads ("0.1", "1/360")

Space = Literal["coil", "discrete", "input", "holding"]
Type = Literal[
    "bool", "u16", "i16", "u32", "i32", "u48", "u64", "i64", "f32", "f64", "bcd", "ascii", "utf16", "hex"
]  # fmt: skip
Order = Literal["be", "le"]
Confidence = Literal["high", "medium", "low"]

REGISTERS: dict[str, int] = {
    "bool": 1, "u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u48": 3, "u64": 4, "i64": 4, "f64": 4,
}  # fmt: skip

# Unit -> (its base unit, how many base units it is). Apparent energy never passes for energy: VAh is no Wh.
UNITS: dict[str, tuple[str, Fraction]] = {
    "": ("", Fraction(1)),
    "A": ("A", Fraction(1)), "mA": ("A", Fraction(1, 1000)), "cA": ("A", Fraction(1, 100)),
    "V": ("V", Fraction(1)), "mV": ("V", Fraction(1, 1000)), "cV": ("V", Fraction(1, 100)),
    "W": ("W", Fraction(1)), "kW": ("W", Fraction(1000)), "mW": ("W", Fraction(1, 1000)),
    "Wh": ("Wh", Fraction(1)), "kWh": ("Wh", Fraction(1000)), "Ws": ("Wh", Fraction(1, 3600)),
    "VA": ("VA", Fraction(1)), "kVA": ("VA", Fraction(1000)),
    "VAh": ("VAh", Fraction(1)), "kVAh": ("VAh", Fraction(1000)),
    "var": ("var", Fraction(1)), "kvar": ("var", Fraction(1000)),
    "varh": ("varh", Fraction(1)), "kvarh": ("varh", Fraction(1000)),
    "L": ("L", Fraction(1)), "mL": ("L", Fraction(1, 1000)), "m3": ("L", Fraction(1000)),
    "mm": ("mm", Fraction(1)), "cm": ("mm", Fraction(10)), "m": ("mm", Fraction(1000)),
    "Hz": ("Hz", Fraction(1)), "degC": ("degC", Fraction(1)), "%": ("%", Fraction(1)),
    "s": ("s", Fraction(1)), "ms": ("s", Fraction(1, 1000)), "min": ("s", Fraction(60)),
}  # fmt: skip


class Quantity(NamedTuple):
    """A number of base units: `10 Ws` is (1/360, "Wh")."""

    amount: Fraction
    unit: str


def quantity(text: str) -> Quantity:
    """Read "0.1 A", "kW", "1/360 Wh" or "". ValueError names what is wrong."""
    number, _, name = text.rpartition(" ")
    if not number and name not in UNITS:
        number, name = name, ""
    if name not in UNITS:
        raise ValueError(f"unit {name!r} is not one of {', '.join(filter(None, UNITS))}")
    base, factor = UNITS[name]
    try:
        amount = Fraction(number or "1") * factor
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{number!r} is not a number such as 0.1 or 1/360") from None
    return Quantity(amount, base)


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which product this is, and where the knowledge comes from.

    address_base: what the document's numbering starts at; it is subtracted from every `addr` (0: wire addresses).
    address_offset: added to every address, for devices whose register numbers can be moved.
    power_w_max: the most that can flow through it; None: for a charger max x phases x voltage_v, for a meter unknown.
    """

    id: str
    kind: Literal["charger", "meter", "gauge"]
    maker: str
    models: tuple[str, ...]
    source: str
    confidence: Confidence
    word_order: Order = "be"
    byte_order: Order = "be"
    address_base: int = 0
    address_offset: int = 0
    power_w_max: Annotated[int, msgspec.Meta(gt=0)] | None = None
    notes: tuple[str, ...] = ()


class Serial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the device talks as it leaves the factory. `unit` None: no usual one."""

    baud: Annotated[int, msgspec.Meta(ge=300, le=921_600)] = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop: Literal[1, 2] = 1
    unit: UnitId | None = 1


class Tcp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`port_step`: added to the port for each further connector of one box (Bender: 1)."""

    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502
    unit: UnitId | None = 1
    port_step: int = 0


class Links(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The transports that the product knows; at least one."""

    rtu: Serial | None = None
    ascii: Serial | None = None
    tcp: Tcp | None = None
    rtu_over_tcp: Tcp | None = None


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the device can bear.

    max_read: registers in one read. max_gap: unasked registers a read may run over (0: not every register in between
    can be read). barriers: wire addresses that no read may cross (a read may begin there). single_value_reads: one
    value per request. wake_twice: the first request after a pause only wakes the device, so each is sent twice.
    pause_ms: silence before each request. poll_ms_min: never ask the same thing more often.
    """

    max_read: Annotated[int, msgspec.Meta(ge=1, le=125)] = 40
    max_gap: Annotated[int, msgspec.Meta(ge=0, le=124)] = 0
    max_coils: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 256
    barriers: tuple[Address, ...] = ()
    single_value_reads: bool = False
    wake_twice: bool = False
    pause_ms: Milliseconds = 0
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=60_000)] = 1000
    poll_ms_min: Milliseconds = 0
    write_pause_ms: Milliseconds = 0


class Connection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Manners of a TCP peer. probe False: it closes the connection on an unknown register, so never try one.

    hold_off_s: after a close it accepts no new connection for this long.
    """

    single_client: bool = False
    idle_close_s: Seconds | None = None
    hold_off_s: Seconds = 0
    probe: bool = True


class Polling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often each class of points is read. stale_s: a value older than this is no longer true."""

    fast_ms: Annotated[int, msgspec.Meta(ge=50, le=3_600_000)] = 1000
    slow_ms: Annotated[int, msgspec.Meta(ge=50, le=3_600_000)] = 10_000
    stale_ms: Annotated[int, msgspec.Meta(ge=100, le=7_200_000)] | None = None  # None: four times the class's period


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One named value of the device.

    read_fc: where the space's own function (coil 1, discrete 2, holding 3, input 4) is not the one that works.
    write_fc: 5 or 15 for coils, 6 or 16 for registers; None: the single one where the value fits into it.
    type: how the registers become a raw number or text; `length` gives the registers of bcd, ascii, utf16 and hex.
    mask, shift: (raw & mask) >> shift, before scaling. unit: scale and unit, "0.1 A". offset: added, in base units.
    resolution: "10 Wh"; a value is quantised down to it, and to nothing where it is None.
    null: raw values that mean "not known". transient: raw values that mean "ask again"; the last value stays.
    poll: fast, slow, once (at each connect), never (only written, or read by a person).
    when: a condition on `once` points; the point exists only where it holds.
    counter: total ever grows, session starts again. wraps_at: first value it cannot show; saturates: it stops there.
    wear: `stored` registers live in EEPROM and are never written by a command or keep-alive.
    verify: after a write, read back `equal`, nothing (`none`: the value is assumed), or compare with another point.
    A point that can only be written is not polled, and `equal` means nothing for it.
    """

    space: Space
    addr: Address
    type: Type = "u16"
    length: Annotated[int, msgspec.Meta(ge=1, le=125)] | None = None
    word_order: Order | None = None
    byte_order: Order | None = None
    mask: int | None = None
    shift: Annotated[int, msgspec.Meta(ge=0, le=63)] = 0
    unit: str = ""
    offset: Number = 0
    resolution: str | None = None
    null: tuple[int, ...] = ()
    transient: tuple[int, ...] = ()
    access: Literal["r", "w", "rw"] = "r"
    read_fc: Literal[1, 2, 3, 4] | None = None
    write_fc: Literal[5, 6, 15, 16] | None = None
    unit_id: UnitId | None = None
    poll: Literal["fast", "slow", "once", "never"] = "fast"
    when: str = ""
    counter: Literal["total", "session"] | None = None
    wraps_at: str | None = None
    saturates: bool = False
    billing_grade: bool = False
    wear: Literal["volatile", "stored"] = "volatile"
    verify: str = "equal"
    words: dict[str, str] = {}
    confidence: Confidence | None = None
    source: str = ""

    @property
    def registers(self) -> int:
        """How many registers (or coils) the value takes."""
        return self.length if self.length is not None else REGISTERS[self.type]

    @property
    def polled(self) -> bool:
        return self.access != "w" and self.poll != "never"

    @property
    def quantum(self) -> Quantity:
        """One raw step in base units."""
        return quantity(self.unit)


class Gives(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which points answer the questions of drivers/api.py. Points whose `when` does not hold are left out.

    register, power: the points are summed. current: the greatest counts. limit: the first that is known. volume,
    level, water, temperature: of a tank, what its gauge knows of them.
    """

    register: tuple[str, ...] = ()
    power: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()
    limit_max: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    volume: str | None = None
    level: str | None = None
    water: str | None = None
    temperature: str | None = None


class StateRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first rule whose `when` is true gives the state. No rule, or an unknown value on the way: F."""

    when: str
    iec: Literal["A", "B", "C", "D", "E", "F"]
    reason: str = ""  # empty: the values that the rule looked at


class Write(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One write of a sequence. value: a number in the point's base unit, text, or "$limit"."""

    point: str
    value: int | str
    when: str = ""
    settle_ms: Milliseconds = 0
    timeout_ms: Milliseconds | None = None
    before_reads: bool = False  # only in setup: write it before anything is read


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a charger is told what to do; `$limit` is in A, or in W where dimension is power.

    start runs when the charger is to deliver, set_limit when only the limit changes, stop ends delivery.
    replay: the device forgets; say it again at each return. gap_ms: least time between two command writes.
    """

    min: Number
    max: Number
    start: tuple[Write, ...]
    stop: tuple[Write, ...]
    set_limit: tuple[Write, ...] = ()
    dimension: Literal["current", "power"] = "current"
    step: Number = 1
    phases: Literal[1, 2, 3] = 3
    voltage_v: Annotated[int, msgspec.Meta(ge=100, le=1000)] = 230
    replay: bool = True
    gap_ms: Milliseconds = 0


class KeepAlive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What keeps the device from thinking that nobody is there.

    read: any valid read. write: a token. setpoint: the last limit again. timeout: its own timeout again.
    deadline_s: it gives up this long after the last one. deadline_from: a point that tells it instead.
    then: what it does - stop and fault end delivery; reduce goes on at a lower current; nothing goes on.
    """

    kind: Literal["read", "write", "setpoint", "timeout"]
    period_s: Seconds
    deadline_s: Seconds | None = None
    deadline_from: str | None = None
    then: Literal["stop", "fault", "reduce", "nothing"] = "nothing"
    point: str | None = None
    value: int | str | None = None


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test that travels with the profile: registers, or frames, and the values they must become.

    image: "input 0x0005" -> hex words. values: base units; "-" is not known. request and reply: whole frames, CRC or
    MBAP header included. writes: point values whose request must be exactly `request`.
    """

    name: str
    image: dict[str, str] = {}
    wire: Literal["rtu", "tcp"] = "rtu"
    request: str = ""
    reply: str = ""
    values: dict[str, Number | bool] = {}
    writes: dict[str, Number | bool] = {}
    iec: Literal["A", "B", "C", "D", "E", "F"] | None = None
    captured: bool = False


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One product, checked: every name that is used exists, every expression parses, every unit fits."""

    device: About
    link: Links
    points: dict[str, Point]
    gives: Gives = Gives()
    limits: Limits = Limits()
    connection: Connection = Connection()
    polling: Polling = Polling()
    state: tuple[StateRule, ...] = ()
    command: Command | None = None
    keepalive: KeepAlive | None = None
    setup: tuple[Write, ...] = ()
    vectors: tuple[Vector, ...] = ()

    @property
    def id(self) -> str:
        return self.device.id

    def wire_address(self, point: Point) -> int:
        """The address that goes into the PDU."""
        return point.addr - self.device.address_base + self.device.address_offset
