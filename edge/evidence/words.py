"""How is a statement's line said to people? Chinese and English; blanks are filled from the line's facts.

`{energy_wh}` comes as `12.345 kWh`, `{volume_ml}` as `12.345 L`, `{amount_fen}` as `¥14.81`, `{price_e3}` as `¥7.85`,
`{at_s}` and `{began_ms}` as UTC: by the unit, which is the last part of the name. The verifier page takes these very
texts, and fills them in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.proof.lines import Fact, Line
from protocols.proof.receipt_view import instant
from protocols.trade.quantities import kwh, litres, yuan, yuan_e3

LANGUAGES = ("zh", "en")

LINES: dict[str, tuple[str, str]] = {
    "box/proven": (
        "日志密钥由设备 {fingerprint} 认证（站点 {site}，第 {epoch} 期）",
        "The key of this log is certified by box {fingerprint} (site {site}, epoch {epoch})",
    ),
    "box/failed": (
        "日志密钥的证书不成立：不是此设备所签",
        "The certificate of the log's key does not hold: this box did not sign it",
    ),
    "site-key/proven": ("您给出的站点密钥正是它", "It is the site whose key you gave"),
    "site-key/failed": (
        "您给出的密钥不是此站点的；收据出自设备 {fingerprint}",
        "The key you gave is not this site's; the receipt is from box {fingerprint}",
    ),
    "site-key/open": (
        "您没有给出站点密钥：请核对设备上的指纹是否为 {fingerprint}",
        "You gave no key of the site: compare the fingerprint on the box with {fingerprint}",
    ),
    "head/proven": (
        "日志 {log} 签署了含 {size} 条记录的日志头",
        "Log {log} has signed its head of {size} records",
    ),
    "head/failed": ("日志头的签名不成立（{log}）", "The signature of the log's head does not hold ({log})"),
    "cosigned/proven": (
        "最终收据：总部 {name} 已于 {at_s} 入账并会签",
        "Final: headquarters ({name}) had stored and posted it by {at_s}",
    ),
    "cosigned/failed": ("总部 {name} 的会签不成立", "The cosignature of headquarters ({name}) does not hold"),
    "not-cosigned/open": (
        "暂时收据：总部 {name} 尚未会签，目前仅由站点担保",
        "Provisional: headquarters ({name}) has not cosigned yet; the site alone vouches",
    ),
    "provisional/open": (
        "暂时收据：没有总部会签，目前仅由站点担保",
        "Provisional: no cosignature of headquarters; the site alone vouches",
    ),
    "not-asked/open": (
        "载有 {names} 的会签，但您没有给出总部密钥，未予核验",
        "It bears a cosignature named {names}; you gave no key of headquarters, so it was not checked",
    ),
    "included/proven": ("记录 {seq} 确在此日志中，一字未改", "Record {seq} is in this log, every byte of it"),
    "included/failed": ("记录 {seq} 不在此日志中，或已被改动", "Record {seq} is not in this log, or has been altered"),
    "session/proven": (
        "各记录同属会话 {session}（{connector}）",
        "The records are those of session {session} at {connector}",
    ),
    "session/failed": ("各记录不成一个完整的会话（记录 {seq}）", "The records do not make one session (record {seq})"),
    "filling/proven": (
        "各记录同属一次加油 {session}（加油机 {pump}）",
        "The records are those of filling {session} at pump {pump}",
    ),
    "voided/proven": ("没有交付，也没有扣款", "Nothing was delivered, and nothing was charged"),
    "voided/failed": ("会话作废，却有扣款", "The session was voided, and yet it was charged"),
    "readings/proven": (
        "电表 {meter}：{begin_wh} → {end_wh}，差额即 {energy_wh}",
        "Meter {meter}: {begin_wh} to {end_wh}, which is {energy_wh}",
    ),
    "readings/failed": (
        "电量与电表 {meter} 的读数不符：{begin_wh} → {end_wh}，账单 {energy_wh}",
        "The energy is not what meter {meter} says: {begin_wh} to {end_wh}, billed {energy_wh}",
    ),
    "sum/proven": ("{lines} 行相加正是账单金额 {amount_fen}", "The bill's lines ({lines}) add up to {amount_fen}"),
    "sum/failed": ("账单各行与金额 {amount_fen} 不符", "The bill's lines do not make {amount_fen}"),
    "captures/proven": ("扣款 {drawn_fen}，正是账单金额", "Paid {drawn_fen}: the bill, no more and no less"),
    "overrun/proven": (
        "扣款 {drawn_fen}；超出预留的 {overrun_fen} 由运营方承担，合计即账单",
        "Paid {drawn_fen}; the {overrun_fen} beyond what was set aside is the operator's: together the bill",
    ),
    "captures/failed": ("扣款与账单不符", "What was charged is not what was billed"),
    "tendered/proven": (
        "储值扣款 {drawn_fen}，其余 {rest_fen} 以 {others} 支付，折算与开始时所定规则相同",
        "Paid {drawn_fen} in money and {rest_fen} with {others}, by the rates in force when the session began",
    ),
    "tendered/failed": (
        "储值 {drawn_fen} 与 {others} 的扣款不合开始时所定的折算规则",
        "Charging {drawn_fen} in money and {others} is not what the rates at the session's start make of the bill",
    ),
    "captures/open": (
        "储值扣款 {drawn_fen}，其余 {rest_fen} 以 {others} 支付；其折算不在收据中",
        "Paid {drawn_fen} in money and {rest_fen} with {others}, whose rate is not in the receipt",
    ),
    "holds/proven": ("扣款未超过预留额 {held_fen}", "No more was charged than was set aside: {held_fen}"),
    "holds/failed": ("扣款超过预留额 {held_fen}", "More was charged than was set aside: {held_fen}"),
    "tariff/proven": (
        "费率 {id} 第 {version} 版，正是开始充电时所定",
        "Tariff {id}, version {version}: the one in force when the session began",
    ),
    "tariff/failed": ("所附费率不是会话开始时所定的", "The tariff here is not the one in force when the session began"),
    "tariff/open": (
        "收据未附费率第 {version} 版，单价未予核验",
        "Tariff version {version} is not in the receipt, so the prices were not checked",
    ),
    "priced/proven": ("按该费率重新计价，每一行都相同", "Priced again by that tariff, every line is the same"),
    "priced/failed": ("按该费率重新计价，结果不同", "Priced again by that tariff, the bill is another"),
    "clock/proven": ("时钟已同步：{began_ms} 至 {ended_ms}", "The clock was right: {began_ms} to {ended_ms}"),
    "clock/open": (
        "时钟未经证实（{began_ms} 至 {ended_ms}）；按可能时段中最便宜的计价",
        "The clock was not known to be right ({began_ms} to {ended_ms}); priced by the cheapest hours it may have been",
    ),
    "meter-record/proven": (
        "电表签名记录（OCMF，第 {page} 页）由同一设备签署，与日志一致",
        "The signed meter record (OCMF, page {page}) is by the same box and says what the log says",
    ),
    "meter-record/failed": (
        "电表签名记录（OCMF）不成立，或与日志不一致",
        "The signed meter record (OCMF) does not hold, or says other than the log",
    ),
    "meter-record/open": ("没有电表签名记录（OCMF）", "There is no signed meter record (OCMF)"),
    "meter-doubt/open": (
        "电表签名记录（OCMF）与日志一致，但自述末次读数存疑（{status}）",
        "The signed meter record (OCMF) agrees with the log, and says that its last reading is in doubt ({status})",
    ),
    "not-billed/proven": ("没有计费，也没有扣款", "Nothing was billed, and nothing was charged"),
    "not-billed/failed": ("没有计费，却有扣款", "Nothing was billed, and yet something was charged"),
    "totals/proven": (
        "油枪 {nozzle} 累计数：{before_ml} → {after_ml}，差额即所售 {volume_ml}",
        "Totalizer of nozzle {nozzle}: {before_ml} to {after_ml}, which is the {volume_ml} sold",
    ),
    "totals/failed": (
        "所售油量与油枪 {nozzle} 的累计数不符：{before_ml} → {after_ml}，账单 {volume_ml}",
        "The volume is not what the totalizer of nozzle {nozzle} says: {before_ml} to {after_ml}, billed {volume_ml}",
    ),
    "totals/open": (
        "油枪 {nozzle} 累计数：{before_ml} → {after_ml}，多于账单的 {volume_ml}；多出部分未计入此账单",
        "Totalizer of nozzle {nozzle}: {before_ml} to {after_ml}, more than the {volume_ml} billed; the rest is on "
        "nobody's bill here",
    ),
    "totals-round/open": (
        "油枪 {nozzle} 的累计数已归零重计：{before_ml} → {after_ml}；所售 {volume_ml} 不能由此证实",
        "The totalizer of nozzle {nozzle} has come round: {before_ml} to {after_ml}; it does not prove the {volume_ml} "
        "sold",
    ),
    "display/proven": (
        "加油机显示 {volume_ml}、{amount_fen}：与单价 {price_e3} 相符，账单即此金额",
        "The pump showed {volume_ml} and {amount_fen}, which fits {price_e3} a litre; that is the bill",
    ),
    "display/failed": (
        "账单不合：显示 {volume_ml}、{amount_fen}，单价 {price_e3}",
        "The bill does not follow from {volume_ml} and {amount_fen} shown, at {price_e3} a litre",
    ),
    "offered/proven": (
        "油枪 {nozzle}（{grade}）在加油开始时即为单价 {price_e3}",
        "Nozzle {nozzle} ({grade}) showed {price_e3} a litre when the filling began",
    ),
    "offered/failed": (
        "加油开始时没有单价为 {price_e3} 的油枪 {nozzle}（{grade}）",
        "The filling was not opened for nozzle {nozzle} ({grade}) at {price_e3} a litre",
    ),
    "order/proven": (
        "各笔预留按次序扣款，担保人的排在最后",
        "What was set aside was drawn on in its order, a guarantor's last",
    ),
    "order/failed": (
        "各笔预留没有按次序扣款",
        "What was set aside was not drawn on in its order, a guarantor's last",
    ),
    "order/open": (
        "收据未附折算规则，扣款次序未予核验",
        "The rates are not in the receipt, so the order in which the holds were drawn on was not checked",
    ),
    "price-list/proven": (
        "油价表 {id} 第 {version} 版，正是开始加油时所定",
        "Price list {id}, version {version}: the one in force when the filling began",
    ),
    "price-list/failed": (
        "所附油价表不是开始加油时所定的",
        "The price list here is not the one in force when the filling began",
    ),
    "price-list/open": (
        "收据未附油价表第 {version} 版，单价未予核验",
        "Price list version {version} is not in the receipt, so the price was not checked",
    ),
    "listed/proven": (
        "{grade} 每升 {price_e3}，正是该表当时的价格",
        "{price_e3} a litre of {grade} is what that list said then",
    ),
    "listed/failed": (
        "{grade} 每升 {price_e3}，不是该表当时的价格",
        "{price_e3} a litre of {grade} is not what that list said then",
    ),
    "fill-clock/open": (
        "时钟未经证实（{began_ms} 至 {ended_ms}）；单价是该段时间内油价表可能的价格",
        "The clock was not known to be right ({began_ms} to {ended_ms}); the price is one that the list may have had",
    ),
    "measurement/proven": (
        "签名计量记录（FTM，第 {page} 页）由同一设备签署，与日志一致",
        "The signed measurement (FTM, page {page}) is by the same box and says what the log says",
    ),
    "measurement/failed": (
        "签名计量记录（FTM）不成立，或与日志不一致",
        "The signed measurement (FTM) does not hold, or says other than the log",
    ),
    "measurement/open": ("没有签名计量记录（FTM）", "There is no signed measurement (FTM)"),
    "pump-meter/open": (
        "收据不能证明加油机本身计量准确",
        "A receipt does not prove that the pump measures rightly",
    ),
    "swap/proven": (
        "各记录同属一次换电 {session}（换电柜 {cabinet}）",
        "The records are those of swap {session} at cabinet {cabinet}",
    ),
    "rent/proven": (
        "各记录同属一次租电 {session}（换电柜 {cabinet}）",
        "The records are those of rent {session} at cabinet {cabinet}",
    ),
    "return/proven": (
        "各记录同属一次退租 {session}（换电柜 {cabinet}）",
        "The records are those of return {session} at cabinet {cabinet}",
    ),
    "steps/proven": (
        "各步骤（{steps} 步）前后相接，与结束记录一致",
        "Its steps ({steps}) follow one another, and the end says what they say",
    ),
    "steps/failed": (
        "各步骤不相接，或与结束记录不一致",
        "Its steps do not follow one another, or the end says something else",
    ),
    "put-in/proven": (
        "放入电池 {pack}（{slot} 号仓）",
        "Put in: {pack}, in slot {slot}",
    ),
    "put-in/open": (
        "放入电池 {pack}（{slot} 号仓），在会话 {session} 中放入，不在此收据内",
        "Put in: {pack}, in slot {slot}, during session {session}, which is not in this receipt",
    ),
    "taken-out/proven": (
        "取出电池 {pack}（{slot} 号仓）",
        "Taken out: {pack}, from slot {slot}",
    ),
    "not-charged/proven": (
        "没有取走电池，也没有扣款",
        "No pack was taken, and nothing was charged",
    ),
    "not-charged/failed": (
        "没有取走电池，却有扣款",
        "No pack was taken, and yet something was charged",
    ),
    "swap-terms/proven": (
        "换电资费第 {version} 版，正是开始时所定",
        "Swap terms, version {version}: those in force when the session began",
    ),
    "swap-terms/failed": (
        "所附换电资费不是开始时所定的",
        "The swap terms here are not those in force when the session began",
    ),
    "swap-terms/open": (
        "收据未附换电资费第 {version} 版，价格未予核验",
        "Swap terms version {version} are not in the receipt, so the price was not checked",
    ),
    "offered-so/proven": (
        "按其中“{offer}”重新计价，每一行都相同",
        "Priced again by their offer {offer}, every line is the same",
    ),
    "offered-so/failed": (
        "按其中“{offer}”重新计价，结果不同",
        "Priced again by their offer {offer}, the bill is another",
    ),
    "paid-until/proven": (
        "租期付至 {until_s}",
        "The rent is paid until {until_s}",
    ),
    "paid-until/failed": (
        "租期 {until_s} 不是按资费所定",
        "The rent is not paid until {until_s} by those terms",
    ),
    "deposit/proven": (
        "押金 {deposit_fen} 全额转由总部保管",
        "The deposit of {deposit_fen} went to headquarters' keeping, whole",
    ),
    "deposit/failed": (
        "押金 {deposit_fen} 的划转与预留不符",
        "What was taken as a deposit is not the {deposit_fen} set aside for it",
    ),
    "units/proven": (
        "扣用 {units}，正是预留之数",
        "Taken whole, as set aside: {units}",
    ),
    "units/failed": (
        "扣用之数不是预留的 {units}",
        "What was taken is not what was set aside: {units}",
    ),
    "swap-clock/open": (
        "时钟未经证实（{began_ms} 至 {ended_ms}）",
        "The clock was not known to be right ({began_ms} to {ended_ms})",
    ),
    "port/proven": (
        "各记录同属会话 {session}（充电口 {port}）",
        "The records are those of session {session} at port {port}",
    ),
    "settled/proven": (
        "充电板最后结算：{counted}；账单依此",
        "The board settled it: {counted}; that is what is billed",
    ),
    "settled/open": (
        "充电板没有结算；账单依最后所见：{counted}",
        "The board never settled it; what is billed was seen last: {counted}",
    ),
    "register/proven": (
        "充电桩电表：{begin_wh} → {end_wh}，与账单的 {energy} 相符",
        "The pile's register: {begin_wh} to {end_wh}, which fits the {energy} billed",
    ),
    "register/failed": (
        "充电桩电表读数与账单不符：{begin_wh} → {end_wh}，账单 {energy}",
        "The pile's register does not fit: {begin_wh} to {end_wh}, billed {energy}",
    ),
    "port-prices/proven": (
        "充电口价目表 {id} 第 {version} 版，正是开始时所定",
        "Port prices {id}, version {version}: those in force when the session began",
    ),
    "port-prices/failed": (
        "所附充电口价目表不是开始时所定的",
        "The port prices here are not those in force when the session began",
    ),
    "port-prices/open": (
        "收据未附充电口价目表第 {version} 版，单价未予核验",
        "Port prices version {version} are not in the receipt, so the prices were not checked",
    ),
    "port-priced/proven": (
        "按价格“{price}”重新计价，每一行都相同",
        "Priced again by price {price}, every line is the same",
    ),
    "port-priced/failed": (
        "按价格“{price}”重新计价，结果不同",
        "Priced again by price {price}, the bill is another",
    ),
    "measurement-doubt/open": (
        "签名计量记录（FTM）与日志一致，但自述读数存疑（{status}）",
        "The signed measurement (FTM) agrees with the log, and says that a reading is in doubt ({status})",
    ),
    "pack-meter/open": (
        "收据不能证明电池自报的电量准确",
        "A receipt does not prove that the packs tell their charge rightly",
    ),
    "board-meter/open": (
        "收据不能证明充电板本身计量准确",
        "A receipt does not prove that the board counts rightly",
    ),
    "locker/proven": (
        "各记录同属一次存放 {session}（柜格 {locker}）",
        "The records are those of stay {session} in locker {locker}",
    ),
    "collected/proven": (
        "电池由存放人取走；存入之后柜门另开 {doors} 次",
        "Its owner took the pack out; the door was opened {doors} times after it was put in",
    ),
    "collected/failed": (
        "柜门的记录与“由存放人取走”不符（{doors} 次）",
        "The records of its door ({doors}) are not those of a pack that its owner took out",
    ),
    "removed/proven": (
        "电池由工作人员取出；存入之后柜门另开 {doors} 次",
        "Staff took the pack out; the door was opened {doors} times after it was put in",
    ),
    "removed/failed": (
        "柜门的记录与“由工作人员取出”不符（{doors} 次）",
        "The records of its door ({doors}) are not those of a pack that staff took out",
    ),
    "stayed/proven": (
        "计为存放 {lasted}，不超过首末两条记录之间的时间",
        "It counts as {lasted}: no longer than from the first record to the last",
    ),
    "stayed/failed": (
        "计为存放 {lasted}，超过首末两条记录之间的时间",
        "It counts as {lasted}: longer than from the first record to the last",
    ),
    "stayed/open": (
        "计为存放 {lasted}；其间设备重启过，时钟未经证实，不能核对",
        "It counts as {lasted}; the box restarted meanwhile and its clock was not known, so that cannot be checked",
    ),
    "locker-content/open": (
        "收据不能证明柜格内放过什么",
        "A receipt does not prove what was in the locker",
    ),
    "view/proven": ("文件中的可读摘要与已签记录一致", "What the file shows in plain text is what the records say"),
    "view/failed": (
        "文件中的可读摘要与已签记录不一致",
        "What the file shows in plain text is not what the records say",
    ),
    "meter/open": ("收据不能证明电表本身计量准确", "A receipt does not prove that the meter measures rightly"),
    "software-keys/open": (
        "密钥等级 C：密钥存于软件，不能排除曾被复制",
        "Keys of class C, in software: that they were never copied is not proven",
    ),
}

VERDICTS: dict[str, tuple[str, str]] = {
    "proven": ("已证实", "PROVEN"),
    "unproven": ("未证实", "NOT PROVEN"),
    "bad-input": ("不是有效的收据", "NOT A RECEIPT"),
}

MARKS: dict[str, str] = {"proven": "✓", "failed": "✗", "open": "○"}


def say(line: Line, language: str) -> str:
    """The line in words. language: one of LANGUAGES."""
    template = LINES[f"{line.code}/{line.mark}"][LANGUAGES.index(language)]
    return template.format_map({name: fact_text(name, fact) for name, fact in line.facts.items()})


def verdict(proven: bool, language: str) -> str:
    return VERDICTS["proven" if proven else "unproven"][LANGUAGES.index(language)]


def fact_text(name: str, fact: Fact) -> str:
    """By the unit in the name."""
    if isinstance(fact, int):
        match name.rpartition("_")[2]:
            case "fen":
                return f"¥{yuan(fact)}"
            case "wh":
                return f"{kwh(fact)} kWh"
            case "ml":
                return f"{litres(fact)} L"
            case "e3":
                return f"¥{yuan_e3(fact)}"
            case "s" if name.endswith("_s"):
                return _utc(fact * 1000)
            case "ms":
                return _utc(fact)
    return str(fact)


def language_of(asked: str, environment: Mapping[str, str]) -> str:
    """What was asked for, else what the locale says: Chinese where LC_ALL, LC_MESSAGES or LANG is, in this order.

    Raises ValueError for a language that is not spoken here.
    """
    if asked:
        LANGUAGES.index(asked)
        return asked
    named = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if named.startswith("zh") else "en"


def _utc(wall_ms: int) -> str:
    text = instant(wall_ms)
    return f"{text[:10]} {text[11:19]} UTC" if text else "?"
