"""What a battery pack is, whatever it speaks: cells that hold energy, and a BMS that watches, sleeps and tells.

Energy is in millijoules, since a watt for a millisecond is one: adding up never rounds. What a pack says of itself may
be wrong (`Pack.says`); what it holds is not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Final

from protocols.fieldbus.pack import Alarm, Flow, PackReading
from protocols.fieldbus.pack_code import Chemistry, PackCode, ShortCode, parse

MJ_PER_WH: Final = 3_600_000
STORED_PERMILLE: Final = 985  # of what flows in; the rest is heat

HOT_DC: Final = 550  # above, no charge
WARM_DC: Final = 500
COLD_DC: Final = 0  # below, no charge

_NOMINAL_MV: Final = {Chemistry.IRON_PHOSPHATE: 3_200, Chemistry.MANGANESE: 3_700, Chemistry.TERNARY: 3_650}
_CELL_MV: Final[dict[Chemistry, tuple[tuple[int, int], ...]]] = {
    Chemistry.IRON_PHOSPHATE: ((0, 2_500), (50, 3_050), (150, 3_220), (900, 3_340), (1_000, 3_600)),
    Chemistry.MANGANESE: ((0, 3_000), (80, 3_450), (500, 3_750), (1_000, 4_200)),
    Chemistry.TERNARY: ((0, 3_000), (80, 3_400), (500, 3_700), (1_000, 4_180)),
}  # (charge in permille, open-circuit mV of one cell): the usual shapes, not one maker's
_RESISTANCE_MOHM: Final = 60
_WARMING_MS: Final = 1_200_000  # so long until two thirds of a change of temperature are through
_RISE_MC_PER_W: Final = 15  # thousandths of a degree above its surroundings for a watt that flows


class Sleep(Enum):
    """How far a BMS has gone."""

    AWAKE = "awake"
    DOZING = "dozing"  # the first questions are lost on it
    DEEP = "deep"  # only what its kind wakes by


@dataclass(frozen=True, slots=True)
class Sleeper:
    """How a kind of BMS sleeps. None: it never does. doze_loses: how many questions it takes to rouse it.

    wakes_by: what ends deep sleep besides the charger's voltage: an activating frame, or nothing.
    """

    doze_after_ms: int | None = None
    doze_loses: int = 0
    deep_after_ms: int | None = None
    wakes_by_frame: bool = False


@dataclass(slots=True)
class Says:
    """Where the BMS tells other than the truth. None: it tells the truth.

    code: another code; "" is none. warnings, protections: besides the true ones. reading: whatever it says, it says
    this over it.
    """

    code: str | None = None
    warnings: set[Alarm] = field(default_factory=set)
    protections: set[Alarm] = field(default_factory=set)
    reading: PackReading = field(default_factory=PackReading)


class Pack:
    """One pack, for ever. Read its attributes freely; energy moves by `charge` and `drain` alone.

    name: by which ledgers know it, whatever its BMS says. protocol: what its BMS speaks. design_mah and volts come from
    the code where it tells them.
    """

    def __init__(
        self,
        code: str,
        *,
        name: str | None = None,
        protocol: str = "greenway",
        soc_permille: int = 1_000,
        soh_permille: int = 1_000,
        cycles: int = 0,
        sleeper: Sleeper | None = None,
        temp_dc: int = 250,
    ) -> None:
        self.code = code
        self.name = code if name is None else name
        self.protocol = protocol
        self.sleeper = Sleeper() if sleeper is None else sleeper
        about = parse(code)
        told = about if isinstance(about, PackCode | ShortCode) else None
        self.volts = told.voltage_v if told is not None else 72
        self.chemistry = about.chemistry if isinstance(about, PackCode) else Chemistry.TERNARY
        self.made_on = about.made_on if isinstance(about, PackCode) else date(2025, 1, 1)
        self.design_mah = 1_000 * (told.capacity_ah if told is not None else 20)
        self.full_mah = self.design_mah * soh_permille // 1_000
        self.full_mj = self.full_mah * self.volts * (MJ_PER_WH // 1_000)
        self.stored_mj = self.full_mj * soc_permille // 1_000
        self.cells = round(1_000 * self.volts / _NOMINAL_MV[self.chemistry])
        self.cycles = cycles
        self.temp_mc = 100 * temp_dc
        self.now_ms = 0
        self.says = Says()
        self.charge_switch = self.discharge_switch = True  # as told to its BMS
        self.charger_voltage = False  # at its plug now
        self.flow_w = 0  # what flows in now; below 0: out
        self.kept_mj = self.used_mj = 0  # since the beginning, for auditors
        self._stored_rest = self._temp_rest = self._throughput_mj = 0
        self._roused = 0  # questions heard while dozing
        self._quiet_since_ms = 0
        self._deep = False

    # What is seen.

    @property
    def soc_permille(self) -> int:
        return self.stored_mj * 1_000 // self.full_mj if self.full_mj else 0

    @property
    def energy_wh(self) -> int:
        return self.stored_mj // MJ_PER_WH

    @property
    def room_mj(self) -> int:
        """What still goes in."""
        return self.full_mj - self.stored_mj

    @property
    def temp_dc(self) -> int:
        return self.temp_mc // 100

    @property
    def voltage_mv(self) -> int:
        """At its poles."""
        return self.open_mv + self.current_ma * _RESISTANCE_MOHM // 1_000

    @property
    def open_mv(self) -> int:
        return self.cells * _interpolate(_CELL_MV[self.chemistry], self.soc_permille)

    @property
    def current_ma(self) -> int:
        """Positive charges."""
        return self.flow_w * 1_000_000 // self.open_mv

    @property
    def accepts_charge(self) -> bool:
        """Whether its charge switch is closed."""
        protected = {Alarm.CHARGE_HOT, Alarm.CHARGE_COLD, Alarm.CELL_HIGH, Alarm.MOS_FAULT, Alarm.SHORT, Alarm.LOCKED}
        return self.charge_switch and self.room_mj > 0 and not protected & self.protections

    @property
    def protections(self) -> frozenset[Alarm]:
        true = {
            Alarm.CHARGE_HOT: self.temp_dc > HOT_DC,
            Alarm.CHARGE_COLD: self.temp_dc < COLD_DC,
            Alarm.CELL_LOW: self.stored_mj == 0,
        }
        return frozenset({alarm for alarm, now in true.items() if now} | self.says.protections)

    @property
    def warnings(self) -> frozenset[Alarm]:
        true = {Alarm.BATTERY_HOT: self.temp_dc > WARM_DC, Alarm.SOC_LOW: self.soc_permille < 100}
        return frozenset({alarm for alarm, now in true.items() if now} | self.says.warnings)

    @property
    def sleep(self) -> Sleep:
        """Of the BMS, now."""
        quiet_ms = self.now_ms - self._quiet_since_ms
        sleeper = self.sleeper
        if self.charger_voltage or self.flow_w:
            return Sleep.AWAKE
        if self._deep or (sleeper.deep_after_ms is not None and quiet_ms >= sleeper.deep_after_ms):
            return Sleep.DEEP
        dozes = sleeper.doze_after_ms is not None and quiet_ms >= sleeper.doze_after_ms
        return Sleep.DOZING if dozes else Sleep.AWAKE

    def reading(self) -> PackReading:
        """All that its BMS says now, each protocol as much of it as it can."""
        flow = Flow.CHARGING if self.flow_w > 0 else Flow.DISCHARGING if self.flow_w < 0 else Flow.IDLE
        cell = self.voltage_mv // self.cells
        code = self.code if self.says.code is None else self.says.code
        protections = self.protections
        return self.says.reading.over(
            PackReading(
                serial=code or None,
                maker="TWIN",
                hardware="TWIN-BMS",
                software="1.0",
                made_on=self.made_on,
                voltage_mv=self.voltage_mv,
                current_ma=self.current_ma,
                soc_permille=self.soc_permille,
                soh_permille=min(1_000, self.full_mah * 1_000 // self.design_mah),
                remaining_mah=self.full_mah * self.stored_mj // self.full_mj,
                full_mah=self.full_mah,
                design_mah=self.design_mah,
                cycles=self.cycles,
                cells_mv=tuple(cell + (number % 3) for number in range(self.cells)),
                temps_dc=(self.temp_dc, self.temp_dc, self.temp_dc - 5),
                mos_temp_dc=self.temp_dc + 20,
                case_temp_dc=self.temp_dc - 10,
                charge_on=self.accepts_charge,
                discharge_on=self.discharge_switch and Alarm.SHORT not in protections,
                flow=flow,
                warnings=self.warnings,
                protections=protections,
            )
        )

    # What its line does.

    def hears(self, *, activates: bool = False) -> bool:
        """A question arrives at its BMS: whether it is awake to it. activates: the frame is one that wakes."""
        sleep, sleeper = self.sleep, self.sleeper
        if sleep is Sleep.DEEP and not (activates and sleeper.wakes_by_frame):
            return False
        if sleep is Sleep.DOZING and not activates and self._roused < sleeper.doze_loses:
            self._roused += 1
            return False
        self.wake()
        return True

    def wake(self) -> None:
        """By its button, its key, the charger, a frame."""
        self._quiet_since_ms, self._roused, self._deep = self.now_ms, 0, False

    def fall_asleep(self) -> None:
        """Into deep sleep, at once, whatever its kind."""
        self._deep = True

    # What energy does.

    def charge(self, mj: int) -> int:
        """So much flows in at its poles; how much of it stays. The caller keeps within `room_mj`."""
        kept, rest = divmod(mj * STORED_PERMILLE + self._stored_rest, 1_000)
        over = max(0, kept - self.room_mj)
        self._stored_rest = 0 if over else rest
        self.stored_mj += kept - over
        self.kept_mj += kept - over
        self._age(kept - over)
        return kept - over

    def drain(self, mj: int) -> int:
        """So much is used, or what there is; how much."""
        used = min(mj, self.stored_mj)
        self.stored_mj -= used
        self.used_mj += used
        self._age(used)
        return used

    def heat_to(self, temp_dc: int) -> None:
        """At once, as in a thermal runaway."""
        self.temp_mc = 100 * temp_dc

    def advance(self, ms: int, ambient_dc: int) -> None:
        """Let time pass: temperature follows what flows and what is around."""
        self.now_ms += ms
        if self.charger_voltage or self.flow_w:
            self.wake()
        target = 100 * ambient_dc + abs(self.flow_w) * _RISE_MC_PER_W
        moved, self._temp_rest = divmod((target - self.temp_mc) * min(ms, _WARMING_MS) + self._temp_rest, _WARMING_MS)
        self.temp_mc += moved

    def _age(self, mj: int) -> None:
        """A cycle is once its capacity in and once out."""
        more, self._throughput_mj = divmod(self._throughput_mj + mj, 2 * self.full_mj)
        self.cycles += more


@dataclass(eq=False, slots=True)
class Brick:
    """Something else that fits into a slot: it presses the presence switch and says nothing."""

    name: str = "brick"


Thing = Pack | Brick


def pack_code(number: int, *, volts: int = 72, ah: int = 20, maker: str = "FTIL", chemistry: str = "3") -> str:
    """A code of 24 characters for the pack `number`, 1..=9999."""
    days, of_day = divmod(number, 100)
    return str(
        PackCode(Chemistry(chemistry), volts, ah, 1_200, maker, date(2024, 1 + days // 28 % 12, 1 + days % 28), of_day)
    )


def _interpolate(curve: Sequence[tuple[int, int]], at: int) -> int:
    """Linear between its points."""
    right = min(len(curve) - 1, max(1, bisect_right(curve, (at, 1 << 30))))
    (x0, y0), (x1, y1) = curve[right - 1], curve[right]
    return y0 + (y1 - y0) * (min(max(at, x0), x1) - x0) // (x1 - x0)
