"""What of a DNY board does a technician look at?"""

from __future__ import annotations

from drivers.api import Point, Quality
from drivers.ports.dny_picture import DnyPicture

ALARMS_SHOWN = 5


def points(picture: DnyPicture, now_ms: int) -> list[Point]:
    """The board, each of its ports, and its last alarms."""
    quality = Quality.NONE if picture.heard_ms is None else Quality.STALE if picture.out(now_ms) else Quality.GOOD
    at_ms = picture.heard_ms
    about = picture.registered
    version = None if about is None else f"{about.firmware // 100}.{about.firmware % 100:02}"
    shown = [
        ("firmware", version, "20"),
        ("ports", None if about is None else str(about.ports), "20"),
        ("voltage", _unit(picture.voltage_mv, 1000, "V"), "21"),
        ("signal", None if picture.rssi is None else str(picture.rssi), "21"),
        ("temperature", None if picture.temp_c is None else f"{picture.temp_c} °C", "21"),
        ("settlements waiting", str(len(picture.waiting())), "03"),
    ]
    found = [
        Point(name, text or "-", quality if text else Quality.NONE, at_ms, None, where) for name, text, where in shown
    ]
    for number in picture.ports:
        reading = picture.status(number, now_ms)
        status = reading.value
        parts = []
        if status is not None:
            parts.append(f"{status.state.value} ({status.reason})")
            parts += [] if status.energy_wh is None else [f"{status.energy_wh} Wh"]
            parts += [] if status.elapsed_s is None else [f"{status.elapsed_s} s"]
            parts += [] if status.power_w is None else [f"{status.power_w} W"]
            parts += [] if status.door_open is None else ["door open" if status.door_open else "door shut"]
            parts += [] if status.order is None else [f"order {status.order.hex()}"]
            celsius = picture.temperature_c(number)
            parts += [] if celsius is None else [f"{celsius} °C"]
        text = ", ".join(parts) or "-"
        found.append(Point(f"port {number}", text, reading.quality, reading.at_ms, None, "21, 06"))
    for alarm in picture.alarms(now_ms)[-ALARMS_SHOWN:]:
        where = "" if alarm.port is None else f" at port {alarm.port}"
        over = f"; over: {alarm.over}" if alarm.over else ""
        ago = f"{alarm.kind}{where}, {(now_ms - alarm.at_ms) // 1000} s ago{over}"
        found.append(Point("alarm", ago, Quality.GOOD, alarm.at_ms, None, "42"))
    return found


def _unit(number: int | None, one: int, unit: str) -> str | None:
    return None if number is None else f"{number // one}.{number % one * 10 // one} {unit}"
