"""What does a DNY board need to be told of besides its number? And which settings does it keep?"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny_frames import DeviceType

U8 = Annotated[int, msgspec.Meta(ge=0, le=255)]
U16 = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Steps = Annotated[int, msgspec.Meta(ge=0, le=6_553_500, multiple_of=100)]  # tenths of a watt or volt
FewSteps = Annotated[int, msgspec.Meta(ge=0, le=25_500, multiple_of=100)]

KIND_OF_PORTS: Final = {
    1: DeviceType.SINGLE,
    2: DeviceType.DUAL,
    10: DeviceType.PORTS_10,
    12: DeviceType.PORTS_12,
    16: DeviceType.PORTS_16,
}


class FloatingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options.floating`: when a port is unplugged, and when it is full. All or none; what is not said is factory."""

    unplug_power_mw: Steps = platform.FLOATING_FACTORY.unplug_power_mw
    unplug_s: U16 = platform.FLOATING_FACTORY.unplug_s
    float_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = platform.FLOATING_FACTORY.float_percent
    detect_s: U16 = platform.FLOATING_FACTORY.detect_s
    float_s: U16 = platform.FLOATING_FACTORY.float_s

    def message(self, heartbeat_s: int) -> platform.Floating:
        return platform.Floating(
            self.unplug_power_mw, self.unplug_s, self.float_percent, self.detect_s, self.float_s, heartbeat_s
        )


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options.load`: dynamic overload, disturbed unplugging, late floating, the smallest power, temperatures."""

    dynamic_mw: Steps = platform.LOAD_FACTORY.dynamic_mw
    dynamic_s: U16 = platform.LOAD_FACTORY.dynamic_s
    dynamic_from_s: U16 = platform.LOAD_FACTORY.dynamic_from_s
    noise_power_mw: FewSteps = platform.LOAD_FACTORY.noise_power_mw
    noise_s: U16 = platform.LOAD_FACTORY.noise_s
    late_float_from_s: U16 = platform.LOAD_FACTORY.late_float_from_s
    late_detect_s: U16 = platform.LOAD_FACTORY.late_detect_s
    power_min_mw: Steps = platform.LOAD_FACTORY.power_min_mw
    power_min_s: U16 = platform.LOAD_FACTORY.power_min_s
    power_early_s: U16 = platform.LOAD_FACTORY.power_early_s
    ambient_alarm_c: U8 = platform.LOAD_FACTORY.ambient_alarm_c
    port_alarm_c: U8 = platform.LOAD_FACTORY.port_alarm_c

    def message(self) -> platform.Load:
        return platform.Load(**msgspec.structs.asdict(self))


class LimitsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options.limits`: of every session that does not bring its own. overload_mw: of one port."""

    overload_mw: Annotated[int, msgspec.Meta(ge=100, le=3_500_000, multiple_of=100)]
    time_max_s: Annotated[int, msgspec.Meta(ge=60, le=65_535)] = platform.TIME_MAX_S_FACTORY
    over_voltage_mv: Steps = platform.OVER_VOLTAGE_MV_FACTORY
    under_voltage_mv: Steps = platform.UNDER_VOLTAGE_MV_FACTORY

    def message(self) -> platform.Limits:
        return platform.Limits(self.time_max_s, self.overload_mw, self.over_voltage_mv, self.under_voltage_mv)


class DnyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` of `dny` and `dny-tcp`.

    kind: the top byte of the board's id, its type; None: by its `ports`, 1, 2, 10, 12 or 16. doors: a charging cabinet
    with a door for each port. feels_plug: it looks for the plug. counts_energy: its metering is there. power_w_max: of
    one port, by its plate. time_max_s: the longest order. heartbeat_s: how often it reports; two missed, and it is out.
    answer_s: how long an answer may take, after which the request goes once more. gap_s: between two requests. poll_s:
    of `dny`, between polls. poll_answer_s: until the first byte of an answer on the line. floating, load, limits:
    written into the board where given, and read back; None: as they stand in it.
    """

    kind: U8 | None = None
    doors: bool = False
    feels_plug: bool = True
    counts_energy: bool = True
    power_w_max: Annotated[int, msgspec.Meta(ge=1, le=6_553)] = 2_000
    time_max_s: Annotated[int, msgspec.Meta(ge=60, le=65_535)] = platform.TIME_MAX_S_FACTORY
    heartbeat_s: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 180
    answer_s: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 15.0
    gap_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.5
    poll_s: Annotated[float, msgspec.Meta(ge=0.02, le=60)] = 1.0
    poll_answer_s: Annotated[float, msgspec.Meta(ge=0.02, le=2)] = 0.1
    floating: FloatingOptions | None = None
    load: LoadOptions | None = None
    limits: LimitsOptions | None = None
