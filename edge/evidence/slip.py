"""What does a customer's receipt say on paper? From the signed records, in Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator

from edge.evidence.gather import Pricing
from edge.evidence.words import LANGUAGES, fact_text
from protocols.proof.receipt_story import ChargeStory, FillingStory, Story, quantity, total_ml
from protocols.trade.daytime import offset_s_at
from protocols.trade.quantities import kwh, litres, yuan, yuan_e3
from protocols.trade.records import BillLine, ClockQuality
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.tariff import Tariff

LABELS: dict[str, tuple[str, str]] = {
    "title": ("充电收据", "Charging receipt"),
    "title-filling": ("加油收据", "Fuel receipt"),
    "session": ("会话", "Session"),
    "connector": ("枪位", "Connector"),
    "pump": ("加油机", "Pump"),
    "nozzle": ("油枪", "Nozzle"),
    "grade": ("油品", "Grade"),
    "totalizer": ("累计数", "Totalizer"),
    "volume": ("升数", "Volume"),
    "began": ("开始", "Began"),
    "ended": ("结束", "Ended"),
    "reason": ("结束原因", "Ended by"),
    "meter": ("电表", "Meter"),
    "energy": ("电量", "Energy"),
    "total": ("合计", "Total"),
    "overrun": ("其中运营方承担", "Of which the operator bears"),
    "voided": ("未交付，未扣款", "Nothing delivered, nothing charged"),
    "not-billed": ("未计费，未扣款", "Nothing billed, nothing charged"),
    "line": ("项目", "Item"),
    "quantity": ("数量", "Quantity"),
    "price": ("单价", "Price"),
    "amount": ("金额", "Amount"),
    "line-energy": ("电费", "Energy"),
    "line-service": ("服务费", "Service"),
    "line-session": ("次费", "Session fee"),
    "line-idle": ("占位费", "Idle fee"),
    "line-fuel": ("油款", "Fuel"),
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

FILL_REASONS: dict[str, tuple[str, str]] = {
    "hung-up": ("挂枪", "the nozzle was hung up"),
    "preset": ("达到设定量", "what was asked for was reached"),
    "local": ("现场结束", "stopped at the site"),
    "remote": ("远程结束", "stopped remotely"),
    "timeout": ("久未加油", "nothing flowed for too long"),
    "out-of-credit": ("预留额用尽", "the amount set aside was used up"),
    "wrong-grade": ("所提油枪不在许可之列", "a nozzle was lifted that was not allowed"),
    "emergency-stop": ("紧急停止", "the emergency stop"),
    "power-loss": ("停电", "a power cut"),
    "other": ("其他原因", "another reason"),
}
"""Of fillings; one that is not here is shown as it is."""

PERIODS: dict[str, str] = {"sharp": "尖", "peak": "峰", "flat": "平", "valley": "谷"}
"""Period names as tariffs usually write them; in Chinese."""


def label(code: str, language: str) -> str:
    return LABELS[code][LANGUAGES.index(language)]


def title(story: Story, language: str) -> str:
    """What the paper is."""
    return label("title-filling" if isinstance(story, FillingStory) else "title", language)


def facts(story: Story, language: str, pricing: Pricing | None = None) -> Iterator[tuple[str, str]]:
    """Name and value of what stands above the bill's lines. pricing: whose local time is told; None: UTC."""
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    doubt = "" if sure else label("uncertain", language)
    yield label("session", language), story.session
    if isinstance(story, FillingStory):
        yield label("pump", language), story.opened.pump
    else:
        yield label("connector", language), story.opened.connector
    yield label("began", language), _instant("began_ms", story.began.wall_ms, pricing) + doubt
    yield label("ended", language), _instant("ended_ms", story.ended.wall_ms, pricing) + doubt
    yield from _filled(story, language, pricing) if isinstance(story, FillingStory) else _charged(story, language)


def rows(story: Story, pricing: Pricing | None, language: str) -> Iterator[tuple[str, str, str, str]]:
    """Item, quantity, price and amount of each line of the bill. pricing: for the names of periods and grades."""
    for line in story.closed.lines if story.closed else ():
        item = _item(line, pricing, language)
        if isinstance(story.closed, FillingClosed) and line.code == "fuel":
            item += f" · {_grade(story.closed.sold.grade, pricing)}"
        yield item, _quantity(line), f"¥{yuan_e3(line.price_e3)}", f"¥{yuan(line.amount_fen)}"


def totals(story: Story, language: str) -> Iterator[tuple[str, str]]:
    """What stands below the lines."""
    if story.closed is not None:
        yield label("total", language), f"¥{yuan(story.closed.amount_fen)}"
        if story.closed.overrun_fen:
            yield label("overrun", language), f"¥{yuan(story.closed.overrun_fen)}"


def _charged(story: ChargeStory, language: str) -> Iterator[tuple[str, str]]:
    if story.closed is None:
        yield label("total", language), label("voided", language)
        return
    closed, begin = story.closed, story.opened.begin
    words = REASONS.get(closed.reason)
    yield label("reason", language), words[LANGUAGES.index(language)] if words else closed.reason
    yield label("meter", language), f"{begin.meter}  {kwh(begin.energy_wh)} → {kwh(closed.end.energy_wh)} kWh"
    yield label("energy", language), f"{kwh(closed.energy_wh)} kWh"


def _filled(story: FillingStory, language: str, pricing: Pricing | None) -> Iterator[tuple[str, str]]:
    if story.closed is None:
        yield label("total", language), label("not-billed", language)
        return
    closed, sold = story.closed, story.closed.sold
    words = FILL_REASONS.get(closed.reason)
    ends = (total_ml(story.opened.begin, sold.nozzle), total_ml(closed.end, sold.nozzle))
    before, after = ("?" if end is None else litres(end) for end in ends)
    yield label("reason", language), words[LANGUAGES.index(language)] if words else closed.reason
    yield label("nozzle", language), str(sold.nozzle)
    yield label("grade", language), _grade(sold.grade, pricing)
    yield label("totalizer", language), f"{before} → {after} L"
    yield label("volume", language), f"{litres(closed.volume_ml)} L"


def _instant(name: str, wall_ms: int, pricing: Pricing | None) -> str:
    """In the site's local time: `2026-01-01 08:00:00 UTC+8`."""
    if pricing is None:
        return fact_text(name, wall_ms)
    offset_s = offset_s_at(pricing, wall_ms)
    minutes = f":{abs(offset_s) % 3600 // 60:02}" if offset_s % 3600 else ""
    zone = f"{'-' if offset_s < 0 else '+'}{abs(offset_s) // 3600}{minutes}" if offset_s else ""
    return fact_text(name, wall_ms + offset_s * 1000) + zone


def _item(line: BillLine, pricing: Pricing | None, language: str) -> str:
    name = label(f"line-{line.code}", language) if f"line-{line.code}" in LABELS else line.code
    charged = line.code in ("energy", "service")
    if not charged or not isinstance(pricing, Tariff) or line.period >= len(pricing.periods):
        return name
    period = pricing.periods[line.period].name
    return f"{name} · {PERIODS.get(period, period) if language == 'zh' else period}"


def _grade(code: str, pricing: Pricing | None) -> str:
    """As the price list calls it; its code where there is none."""
    grades = [] if pricing is None or isinstance(pricing, Tariff) else pricing.grades
    return next((grade.name for grade in grades if grade.code == code), code)


def _quantity(line: BillLine) -> str:
    match line.code:
        case "energy" | "service":
            return f"{quantity(line)} kWh"
        case "fuel":
            return f"{quantity(line)} L"
        case "idle":
            return f"{line.quantity // 60} min {line.quantity % 60} s"
    return quantity(line)
