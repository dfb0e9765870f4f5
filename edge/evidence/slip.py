"""What does a customer's receipt say on paper? From the signed records, in Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator

from edge.evidence.words import LANGUAGES, fact_text
from protocols.proof.receipt_story import Story
from protocols.trade.daytime import offset_s_at
from protocols.trade.quantities import kwh, yuan, yuan_e3
from protocols.trade.records import BillLine, ClockQuality
from protocols.trade.tariff import Tariff

LABELS: dict[str, tuple[str, str]] = {
    "title": ("充电收据", "Charging receipt"),
    "session": ("会话", "Session"),
    "connector": ("枪位", "Connector"),
    "began": ("开始", "Began"),
    "ended": ("结束", "Ended"),
    "reason": ("结束原因", "Ended by"),
    "meter": ("电表", "Meter"),
    "energy": ("电量", "Energy"),
    "total": ("合计", "Total"),
    "overrun": ("其中运营方承担", "Of which the operator bears"),
    "voided": ("未交付，未扣款", "Nothing delivered, nothing charged"),
    "line": ("项目", "Item"),
    "quantity": ("数量", "Quantity"),
    "price": ("单价", "Price"),
    "amount": ("金额", "Amount"),
    "line-energy": ("电费", "Energy"),
    "line-service": ("服务费", "Service"),
    "line-session": ("次费", "Session fee"),
    "line-idle": ("占位费", "Idle fee"),
    "uncertain": ("（时钟未经证实）", " (clock not certain)"),
    "state": ("状态", "State"),
    "final": ("最终收据：总部已入账并会签", "final: headquarters has posted and cosigned it"),
    "provisional": ("暂时收据：总部尚未会签", "provisional: headquarters has not cosigned it yet"),
}

REASONS: dict[str, tuple[str, str]] = {
    "DeAuthorized": ("授权被撤销", "the authorisation was withdrawn"),
    "EnergyLimitReached": ("达到设定电量", "the energy asked for was reached"),
    "EVDisconnected": ("拔枪", "the car was unplugged"),
    "Local": ("现场结束", "stopped at the site"),
    "LocalOutOfCredit": ("预留额用尽", "the amount set aside was used up"),
    "Other": ("其他原因", "another reason"),
    "PowerLoss": ("停电", "a power cut"),
    "Remote": ("远程结束", "stopped remotely"),
    "StoppedByEV": ("车辆充满或主动结束", "the car was full, or stopped it"),
    "TimeLimitReached": ("达到设定时长", "the time asked for was over"),
    "Timeout": ("车辆未取电", "the car drew nothing"),
}
"""Of OCPP 2.0.1; one that is not here is shown as it is."""

PERIODS: dict[str, str] = {"sharp": "尖", "peak": "峰", "flat": "平", "valley": "谷"}
"""Period names as tariffs usually write them; in Chinese."""


def label(code: str, language: str) -> str:
    return LABELS[code][LANGUAGES.index(language)]


def facts(story: Story, language: str, tariff: Tariff | None = None) -> Iterator[tuple[str, str]]:
    """Name and value of what stands above the bill's lines. tariff: whose local time is told; None: UTC."""
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    doubt = "" if sure else label("uncertain", language)
    yield label("session", language), story.session
    yield label("connector", language), story.opened.connector
    yield label("began", language), _instant("began_ms", story.began.wall_ms, tariff) + doubt
    yield label("ended", language), _instant("ended_ms", story.ended.wall_ms, tariff) + doubt
    if story.closed is None:
        yield label("total", language), label("voided", language)
        return
    closed, begin = story.closed, story.opened.begin
    words = REASONS.get(closed.reason)
    yield label("reason", language), words[LANGUAGES.index(language)] if words else closed.reason
    yield label("meter", language), f"{begin.meter}  {kwh(begin.energy_wh)} → {kwh(closed.end.energy_wh)} kWh"
    yield label("energy", language), f"{kwh(closed.energy_wh)} kWh"


def rows(story: Story, tariff: Tariff | None, language: str) -> Iterator[tuple[str, str, str, str]]:
    """Item, quantity, price and amount of each line of the bill. tariff: for the periods' names."""
    for line in story.closed.lines if story.closed else ():
        yield _item(line, tariff, language), _quantity(line), f"¥{yuan_e3(line.price_e3)}", f"¥{yuan(line.amount_fen)}"


def totals(story: Story, language: str) -> Iterator[tuple[str, str]]:
    """What stands below the lines."""
    if story.closed is not None:
        yield label("total", language), f"¥{yuan(story.closed.amount_fen)}"
        if story.closed.overrun_fen:
            yield label("overrun", language), f"¥{yuan(story.closed.overrun_fen)}"


def _instant(name: str, wall_ms: int, tariff: Tariff | None) -> str:
    """In the tariff's local time: `2026-01-01 08:00:00 UTC+8`."""
    if tariff is None:
        return fact_text(name, wall_ms)
    offset_s = offset_s_at(tariff, wall_ms)
    minutes = f":{abs(offset_s) % 3600 // 60:02}" if offset_s % 3600 else ""
    zone = f"{'-' if offset_s < 0 else '+'}{abs(offset_s) // 3600}{minutes}" if offset_s else ""
    return fact_text(name, wall_ms + offset_s * 1000) + zone


def _item(line: BillLine, tariff: Tariff | None, language: str) -> str:
    name = label(f"line-{line.code}", language) if f"line-{line.code}" in LABELS else line.code
    if line.code not in ("energy", "service") or tariff is None or line.period >= len(tariff.periods):
        return name
    period = tariff.periods[line.period].name
    return f"{name} · {PERIODS.get(period, period) if language == 'zh' else period}"


def _quantity(line: BillLine) -> str:
    if line.code in ("energy", "service"):
        return f"{kwh(line.quantity)} kWh"
    return f"{line.quantity // 60} min {line.quantity % 60} s" if line.code == "idle" else str(line.quantity)
