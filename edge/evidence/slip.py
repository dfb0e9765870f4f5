"""What does a customer's receipt say on paper? From the signed records, in Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator

from edge.evidence.gather import Pricing
from edge.evidence.words import LANGUAGES, fact_text
from protocols.proof.receipt_story import (
    ChargeStory,
    FillingStory,
    LockerStory,
    PortStory,
    Story,
    SwapStory,
    total_ml,
)
from protocols.proof.receipt_view import lasted, pack, port_name, quantity
from protocols.trade.fuel_prices import PriceList
from protocols.trade.local_time import offset_s_at
from protocols.trade.quantities import kwh, litres, yuan, yuan_e3
from protocols.trade.records import BillLine, ClockQuality
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.tariff import Tariff

LABELS: dict[str, tuple[str, str]] = {
    "title": ("充电收据", "Charging receipt"),
    "title-filling": ("加油收据", "Fuel receipt"),
    "title-swap": ("换电收据", "Swap receipt"),
    "title-rent": ("租电收据", "Rent receipt"),
    "title-return": ("退租收据", "Return receipt"),
    "title-port": ("充电口收据", "Port receipt"),
    "title-locker": ("存放收据", "Locker receipt"),
    "session": ("会话", "Session"),
    "connector": ("枪位", "Connector"),
    "pump": ("加油机", "Pump"),
    "cabinet": ("换电柜", "Cabinet"),
    "port": ("充电口", "Port"),
    "locker": ("柜格", "Locker"),
    "nozzle": ("油枪", "Nozzle"),
    "grade": ("油品", "Grade"),
    "totalizer": ("累计数", "Totalizer"),
    "volume": ("升数", "Volume"),
    "pack-in": ("放入电池", "Pack put in"),
    "pack-out": ("取出电池", "Pack taken"),
    "until": ("租期付至", "Paid until"),
    "lasted": ("时长", "Time"),
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
    "line-swap": ("换电费", "Swap"),
    "line-rent": ("租金", "Rent"),
    "line-late": ("逾期费", "Late"),
    "line-time": ("计时费", "Time"),
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

SWAP_OUTCOMES: dict[str, tuple[str, str]] = {
    "swapped": ("已换电", "a pack was put in and another taken"),
    "taken": ("已取电", "a pack was taken"),
    "returned": ("已归还", "a pack was put in"),
    "cancelled": ("已取消", "cancelled, nothing changed hands"),
    "kept": ("已放入，未取出", "a pack was put in, and none taken"),
}
"""How swap sessions end."""

PORT_REASONS: dict[str, tuple[str, str]] = {
    "full": ("充满", "the battery was full"),
    "limit": ("达到设定量", "what was asked for was reached"),
    "unplugged": ("拔出", "it was unplugged"),
    "stopped": ("充电板停止", "the board stopped it"),
    "overload": ("过载", "an overload"),
    "no-load": ("未取电", "nothing was drawn"),
    "hazard": ("险情", "a hazard"),
    "power-loss": ("停电", "a power cut"),
    "fault": ("故障", "a fault"),
    "other": ("其他原因", "another reason"),
    "local": ("现场结束", "stopped at the site"),
    "remote": ("远程结束", "stopped remotely"),
    "collected": ("电池已取走", "the pack was collected"),
    "out-of-credit": ("预留额用尽", "the amount set aside was used up"),
    "not-started": ("未能启动", "it did not start"),
    "no-settlement": ("充电板未结算", "the board never settled it"),
}
"""Of ports; one that is not here is shown as it is."""

LOCKER_OUTCOMES: dict[str, tuple[str, str]] = {
    "collected": PORT_REASONS["collected"],
    "removed": ("电池由工作人员取出", "staff took the pack out"),
}
"""How stays in lockers end."""

ENDINGS = {**REASONS, **FILL_REASONS, **SWAP_OUTCOMES, **PORT_REASONS, **LOCKER_OUTCOMES}
"""Whatever may end a session."""

PERIODS: dict[str, str] = {"sharp": "尖", "peak": "峰", "flat": "平", "valley": "谷"}
"""Period names as tariffs usually write them; in Chinese."""


def label(code: str, language: str) -> str:
    return LABELS[code][LANGUAGES.index(language)]


def title(story: Story, language: str) -> str:
    """What the paper is."""
    match story:
        case ChargeStory():
            return label("title", language)
        case FillingStory():
            return label("title-filling", language)
        case SwapStory():
            return label(f"title-{story.opened.kind}", language)
        case PortStory():
            return label("title-port", language)
        case LockerStory():
            return label("title-locker", language)


def facts(story: Story, language: str, pricing: Pricing | None = None) -> Iterator[tuple[str, str]]:
    """Name and value of what stands above the bill's lines. pricing: whose local time is told; None: UTC."""
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    doubt = "" if sure else label("uncertain", language)
    yield label("session", language), story.session
    place, name = _place(story)
    yield label(place, language), name
    yield label("began", language), _instant("began_ms", story.began.wall_ms, pricing) + doubt
    yield label("ended", language), _instant("ended_ms", story.ended.wall_ms, pricing) + doubt
    if story.closed is None:
        yield label("total", language), label("not-billed" if isinstance(story, FillingStory) else "voided", language)
    for code, text in _delivered(story, language, pricing):
        yield label(code, language), text


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


def _place(story: Story) -> tuple[str, str]:
    """The label of where it was, and its name."""
    match story:
        case ChargeStory(opened=charge):
            return "connector", charge.connector
        case FillingStory(opened=filling):
            return "pump", filling.pump
        case SwapStory(opened=swap):
            return "cabinet", swap.cabinet
        case PortStory():
            return "port", port_name(story)
        case LockerStory():
            return "locker", port_name(story)


def _delivered(story: Story, language: str, pricing: Pricing | None) -> Iterator[tuple[str, str]]:
    """What was delivered: the code of a label, and what stands beside it."""
    match story:
        case ChargeStory(opened=opened, closed=closed) if closed is not None:
            begin = opened.begin
            yield "reason", _ending(closed.reason, language)
            yield "meter", f"{begin.meter}  {kwh(begin.energy_wh)} → {kwh(closed.end.energy_wh)} kWh"
            yield "energy", f"{kwh(closed.energy_wh)} kWh"
        case FillingStory(opened=opening, closed=filled) if filled is not None:
            sold = filled.sold
            ends = (total_ml(opening.begin, sold.nozzle), total_ml(filled.end, sold.nozzle))
            before, after = ("?" if end is None else litres(end) for end in ends)
            yield "reason", _ending(filled.reason, language)
            yield "nozzle", str(sold.nozzle)
            yield "grade", _grade(sold.grade, pricing)
            yield "totalizer", f"{before} → {after} L"
            yield "volume", f"{litres(filled.volume_ml)} L"
        case SwapStory(closed=swapped) if swapped is not None:
            yield "reason", _ending(swapped.outcome, language)
            if swapped.returned is not None:
                yield "pack-in", pack(swapped.returned)
            if swapped.taken is not None:
                yield "pack-out", pack(swapped.taken)
            if swapped.until_s is not None:
                yield "until", _instant("until_ms", swapped.until_s * 1000, pricing)
        case PortStory(closed=ported) if ported is not None:
            yield "reason", _ending(ported.reason, language)
            if ported.energy_wh is not None:
                yield "energy", f"{kwh(ported.energy_wh)} kWh"
            if ported.elapsed_s is not None:
                yield "lasted", lasted(ported.elapsed_s)
        case LockerStory(closed=emptied) if emptied is not None:
            yield "reason", _ending(emptied.outcome, language)
            yield "lasted", lasted(emptied.stay_s)


def _ending(code: str, language: str) -> str:
    words = ENDINGS.get(code)
    return words[LANGUAGES.index(language)] if words else code


def _instant(name: str, wall_ms: int, pricing: Pricing | None) -> str:
    """In the local time of what it was priced by: `2026-01-01 08:00:00 UTC+8`."""
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
    grades = pricing.grades if isinstance(pricing, PriceList) else []
    return next((grade.name for grade in grades if grade.code == code), code)


def _quantity(line: BillLine) -> str:
    match line.code:
        case "energy" | "service":
            return f"{quantity(line)} kWh"
        case "fuel":
            return f"{quantity(line)} L"
        case "idle" | "time":
            return f"{line.quantity // 60} min {line.quantity % 60} s"
    return quantity(line)
