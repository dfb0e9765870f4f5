"""What is a disagreement? A named value with its difference, its source and the next step, for a person to close."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Leg(StrEnum):
    """Which two accounts of the same thing were compared."""

    BOOKS = "books"  # site logs against headquarters' books
    LIABILITY = "liability"  # what customers are owed, rolled forward
    ENERGY = "energy"  # quantities billed against the meters' own registers
    FUEL = "fuel"  # litres billed against the pumps' own totalizers, and tanks
    PACKS = "packs"  # where packs are by the records against what stands in the slots; swaps and rentals


class Weight(StrEnum):
    """What a finding means for the run."""

    UNEXPLAINED = "unexplained"  # a fen, a Wh or a record that nobody can account for: the run fails
    AWAITED = "awaited"  # not told yet; nothing is wrong with it
    OPEN = "open"  # running or waiting for a decision, with its value in a known place
    NOTED = "noted"  # accounted for, and still worth a look


class Owner(StrEnum):
    """Who takes the next step."""

    OPERATIONS = "operations"
    FINANCE = "finance"
    TECHNICIAN = "technician"


class Code(NamedTuple):
    """A kind of finding, and what a person does about it, in both languages of the report."""

    weight: Weight
    en: str
    zh: str
    owner: Owner
    step_en: str
    step_zh: str


_U, _A, _O, _N = Weight.UNEXPLAINED, Weight.AWAITED, Weight.OPEN, Weight.NOTED
_SITE_COPY = (Owner.OPERATIONS, "Take the records from the box again and compare.", "从站点重新取回记录并比对。")
_POSTING = (
    Owner.FINANCE,
    "Post the record again from its bytes; find who changed the books.",
    "按原始记录重新入账，并查明谁改动了账簿。",
)
_METER = (
    Owner.TECHNICIAN,
    "Read the meter on site; look for a bypass or a missing session.",
    "现场读表；检查有无旁路或漏记的会话。",
)
_PUMP = (
    Owner.TECHNICIAN,
    "Read the pump's totalizers on site; look for a sale in its memory.",
    "现场读取油机累计数；查油机内存中的交易。",
)
_PACK = (
    Owner.OPERATIONS,
    "Compare both records; scan both cabinets: fieldtill packs.",
    "比对两条记录，并对两处机柜实物盘点：fieldtill packs。",
)
_SETTLEMENT = (
    Owner.OPERATIONS,
    "Ask who charged there; look at the board's own orders. Nobody was charged for it.",
    "查明何人充电，并核对设备自身订单；该笔未向任何人收费。",
)
_PILE = (
    Owner.TECHNICIAN,
    "Compare the pile's prices, clock and meter; ours was charged.",
    "核对充电桩的费率、时钟与电表；已按我方账单收费。",
)
_LOCKER = (
    Owner.TECHNICIAN,
    "Look into the locker and at its lock: fieldtill locker open.",
    "查看柜格与门锁：fieldtill locker open。",
)
_BILL = (
    Owner.FINANCE,
    "Recompute with the pinned tariff; correct by a linked adjustment.",
    "按锁定的费率重新计费；以关联调整更正。",
)

CODES: dict[str, Code] = {
    # Leg 1: books.
    "record-missing": Code(_U, "Record missing in the copy", "记录副本缺失", *_SITE_COPY),
    "head-unproven": Code(_U, "Cosigned head has no valid signature", "会签头签名无效", *_SITE_COPY),
    "log-forked": Code(
        _U,
        "Log signed in two versions",
        "日志出现两个签名版本",
        Owner.OPERATIONS,
        "The epoch is frozen: keep both heads, find the clone, open a new epoch.",
        "该期已冻结：保留两个签名头，查找克隆，另开新期。",
    ),
    "fork-booked": Code(
        _N,
        "Log signed in two versions, the other branch booked",
        "日志双签，另一分支已入账",
        Owner.FINANCE,
        "Charge whom it concerns by a linked adjustment; the rest is the operator's.",
        "对相关客户以关联调整收取，其余由运营方承担。",
    ),
    "epoch-lost": Code(
        _O,
        "Box lost, its value waits",
        "设备丢失，其中金额待定",
        Owner.FINANCE,
        "Search for it; pay its customers by a loan: fieldtill-hq epoch loan.",
        "查找设备；以垫款支付客户：fieldtill-hq epoch loan。",
    ),
    "epoch-superseded": Code(
        _O,
        "Older log has not closed",
        "旧日志尚未关闭",
        Owner.OPERATIONS,
        "Let the old box upload and close, or say that it is lost: fieldtill-hq epoch lost.",
        "让旧设备上传并关闭，或登记丢失：fieldtill-hq epoch lost。",
    ),
    "batch-refused": Code(
        _O,
        "Batch kept that could not be read",
        "收到无法读取的批次",
        Owner.OPERATIONS,
        "Compare software versions of site and headquarters.",
        "核对站点与总部的软件版本。",
    ),
    "record-unreadable": Code(_U, "Record cannot be read", "记录无法读取", *_SITE_COPY),
    "root-differs": Code(_U, "Records do not give the cosigned root", "记录与会签根不符", *_SITE_COPY),
    "counter-breaks": Code(_U, "Counter does not follow on", "累计数不连续", *_SITE_COPY),
    "session-unknown": Code(_U, "Session ends that never began", "会话有结束无开始", *_SITE_COPY),
    "transfer-missing": Code(_U, "Record not posted", "记录未入账", *_POSTING),
    "transfer-extra": Code(_U, "Posted without a record", "无记录的入账", *_POSTING),
    "transfer-differs": Code(_U, "Posted with other values", "入账与记录不符", *_POSTING),
    "balance-differs": Code(_U, "Balance is not the sum of its transfers", "余额不等于明细之和", *_POSTING),
    "counter-differs": Code(_U, "Lease counter differs from the log", "额度累计与站点不符", *_POSTING),
    "books-broken": Code(_U, "Books break an invariant", "账簿不变式不成立", *_POSTING),
    "day-differs": Code(_U, "Site's day total is not the sum of its sessions", "站点日结与会话合计不符", *_SITE_COPY),
    "quarantined": Code(
        _U,
        "Move in quarantine",
        "隔离中的变动",
        Owner.FINANCE,
        "Decide who owes it; correct by a linked adjustment.",
        "确定由谁承担，以关联调整更正。",
    ),
    "site-awaited": Code(
        _A,
        "Site has not reported to the end of the day",
        "站点当日尚未报全",
        Owner.OPERATIONS,
        "Look at the site's link; its records count on the day they arrive.",
        "检查站点网络；记录到达之日计入。",
    ),
    "session-open": Code(
        _O,
        "Session still running",
        "会话进行中",
        Owner.OPERATIONS,
        "None, unless it grows old.",
        "无需处理；久未结束时检查。",
    ),
    "session-held": Code(
        _O, "Session held for review", "会话待复核", Owner.TECHNICIAN, "Read the meter, then settle it.", "读表后结算。"
    ),
    # Leg 3: liability.
    "roll-forward-differs": Code(_U, "Customers' money does not roll forward", "客户资金滚存不平", *_POSTING),
    "opening-differs": Code(
        _U,
        "Opening is not the last report's closing",
        "期初不等于上期期末",
        Owner.FINANCE,
        "Compare both reports; a closed day was changed.",
        "比对两份报告；已结日被改动。",
    ),
    "refund-due": Code(
        _O,
        "Refunds owed to guests",
        "应退散客款",
        Owner.FINANCE,
        "Order them from the channel: fieldtill-hq refund list; then refund done.",
        "向支付渠道发起退款：fieldtill-hq refund list；完成后 refund done。",
    ),
    # Leg 4: energy.
    "energy-unbilled": Code(_U, "Meter moved between sessions", "会话之间电表有走字", *_METER),
    "energy-billed-twice": Code(_U, "Two sessions at once on one meter", "同一电表同时计入两个会话", *_METER),
    "register-fell": Code(
        _U,
        "Register went back",
        "电表示数回退",
        Owner.TECHNICIAN,
        "Check for a reset or a replaced meter; declare it.",
        "检查是否清零或换表，并登记。",
    ),
    "meter-changed": Code(_U, "Session begins and ends on different meters", "会话始末电表不同", *_METER),
    "energy-differs": Code(_U, "Session energy is not end less begin", "会话电量不等于止码减起码", *_METER),
    "slices-differ": Code(_U, "Slices do not add up to the session", "分段电量合计不符", *_BILL),
    "lines-differ": Code(_U, "Bill lines do not add up", "账单明细合计不符", *_BILL),
    "capture-differs": Code(_U, "Captured value is not the bill", "扣款与账单不符", *_BILL),
    "capture-beyond-hold": Code(_U, "Captured more than was held", "扣款超出冻结额", *_BILL),
    "price-differs": Code(_U, "Bill differs from the tariff's price", "账单与费率计价不符", *_BILL),
    "tariff-missing": Code(
        _U,
        "Pinned tariff is not stored",
        "缺少锁定的费率",
        Owner.FINANCE,
        "Find the signed tariff and store it.",
        "找到已签名的费率并存入。",
    ),
    "settlement-unattributed": Code(
        _O, "Port settled an order that nobody is charged for", "充电口结算无对应收费", *_SETTLEMENT
    ),
    "settlement-missing": Code(
        _N, "Session closed without the board's settlement", "无设备结算，按最后读数结单", *_SETTLEMENT
    ),
    "port-register-gap": Code(_U, "Pile's meter moved between sessions", "充电桩电表在会话之间走字", *_METER),
    "pile-bill-faulty": Code(_N, "Pile's bill contradicts itself", "充电桩账单自相矛盾", *_PILE),
    "pile-bill-differs": Code(_N, "Pile's bill is not ours", "充电桩账单与我方不符", *_PILE),
    "settlement-doubtful": Code(_N, "Settlement was not believed", "设备结算存疑，未采用", *_SETTLEMENT),
    "settlement-implausible": Code(_N, "Settlement beyond what the port can give", "设备结算超出充电口能力", *_METER),
    "locker-forced": Code(_N, "Locker opened, and nobody was let in", "柜格未经授权被打开", *_LOCKER),
    "locker-door-stuck": Code(_N, "Locker did not open", "柜格未能打开", *_LOCKER),
    "locker-unsure": Code(_N, "Nobody saw the locker shut", "柜格关门未确认", *_LOCKER),
    # Leg 4: fuel.
    "litres-missing": Code(_U, "Totalizer moved and no record explains it", "油机累计数走动而无记录", *_PUMP),
    "litres-too-many": Code(_U, "More litres booked than the totalizer moved", "入账升数多于累计数走动", *_PUMP),
    "totalizer-fell": Code(
        _U,
        "Pump's totalizer went back",
        "油机累计数回退",
        Owner.TECHNICIAN,
        "Check for a reset or an exchanged pump computer.",
        "检查是否清零或更换油机主板。",
    ),
    "totalizer-began-anew": Code(
        _N,
        "Pump's totalizer began anew, as the site has said",
        "油机累计数重新起算，站点已说明",
        Owner.TECHNICIAN,
        "Confirm the exchange or reset.",
        "确认更换或清零。",
    ),
    "litres-unattributed": Code(
        _O,
        "Litres that nobody has answered for",
        "无人认领的升数",
        Owner.OPERATIONS,
        "Ask those named; charge by a linked adjustment, or write the litres off.",
        "询问相关人员；以关联调整收取，或作损耗核销。",
    ),
    "display-differs": Code(_U, "Litres times price is not the amount shown", "升数乘单价与显示金额不符", *_BILL),
    "price-not-offered": Code(_U, "Sold at a price that was not offered", "以未公示的单价出售", *_BILL),
    "price-not-listed": Code(_U, "Offered at a price that is not on the list", "单价不在价目表中", *_BILL),
    "price-list-missing": Code(
        _U,
        "Pinned price list is not stored",
        "缺少锁定的价目表",
        Owner.FINANCE,
        "Find the signed price list and store it.",
        "找到已签名的价目表并存入。",
    ),
    "fuel-day-differs": Code(
        _U, "Site's fuel total is not the sum of its fillings", "站点油品日结与加油合计不符", *_SITE_COPY
    ),
    "stock-differs": Code(_U, "Wet stock does not follow from the records", "油罐账与记录不符", *_SITE_COPY),
    "tank-variance": Code(
        _N,
        "Tank differs from its book",
        "油罐实存与账面不符",
        Owner.TECHNICIAN,
        "Dip again; check for leaks, water, short deliveries, meter drift.",
        "复测液位；检查渗漏、积水、短卸、计量漂移。",
    ),
    "dip-missing": Code(
        _O,
        "Tank has no dip for the day",
        "油罐当日缺少液位",
        Owner.OPERATIONS,
        "Dip it: fieldtill tank dip. Its book stays open meanwhile.",
        "测量液位：fieldtill tank dip。其账目保持未结。",
    ),
    "tank-leak": Code(
        _N,
        "Tank's level fell while nothing flowed",
        "静置时液位下降",
        Owner.TECHNICIAN,
        "Dip by hand at once; if it is so, stop selling from it and test for a leak.",
        "立即人工测量；属实则停售并检漏。",
    ),
    "tank-water": Code(
        _N,
        "Water in a tank",
        "油罐有水",
        Owner.TECHNICIAN,
        "Pump it off before it reaches the suction.",
        "抽除积水，避免吸入油机。",
    ),
    "tank-low": Code(
        _N,
        "Tank is nearly empty",
        "油罐库存偏低",
        Owner.OPERATIONS,
        "Order fuel.",
        "安排进油。",
    ),
    "price-late": Code(
        _N,
        "Price change came late to a pump",
        "油机调价延迟",
        Owner.TECHNICIAN,
        "See why: was the pump busy or silent?",
        "查明原因：油机繁忙或无应答？",
    ),
    "price-not-applied": Code(
        _O,
        "Price change has not come to a pump",
        "油机未执行调价",
        Owner.TECHNICIAN,
        "It sells nothing meanwhile: look at the pump and its line.",
        "其间该油机停售：检查油机及线路。",
    ),
    # Leg 4: packs.
    "pack-missing": Code(
        _U,
        "Pack is not where the records leave it",
        "电池不在账面仓位",
        Owner.TECHNICIAN,
        "Look for it; then say: fieldtill-hq pack found, or pack lost.",
        "查找电池；随后登记：fieldtill-hq pack found 或 pack lost。",
    ),
    "pack-unrecorded": Code(
        _O,
        "Pack stands where no record put it",
        "仓位出现无记录的电池",
        Owner.TECHNICIAN,
        "Find out who put it there; look at the slot's lock and sensors.",
        "查明由谁放入；检查该仓锁与传感器。",
    ),
    "pack-out-of-sight": Code(
        _O,
        "Pack went out of sight in a rider's session",
        "电池在骑手会话中下落不明",
        Owner.OPERATIONS,
        "Ask the rider; then say: fieldtill-hq pack found, or pack lost.",
        "询问该骑手；随后登记：fieldtill-hq pack found 或 pack lost。",
    ),
    "pack-in-two-places": Code(_O, "Pack in two places", "同一电池出现在两处", *_PACK),
    "pack-not-there": Code(_O, "Pack taken from where it was not", "电池从账外位置取出", *_PACK),
    "pack-either-way": Code(_O, "Last place of a pack cannot be told", "无法判定电池最后位置", *_PACK),
    "pack-rented-stands": Code(
        _O,
        "Rented pack stands in a slot",
        "在租电池出现在仓内",
        Owner.OPERATIONS,
        "Ask the rider; if it is back, say: fieldtill-hq pack found.",
        "询问承租人；如已归还：fieldtill-hq pack found。",
    ),
    "pack-changed-hands": Code(
        _N,
        "Pack came back from another rider",
        "电池由另一骑手归还",
        Owner.OPERATIONS,
        "None: whoever puts it in is believed.",
        "无需处理：以实际归还者为准。",
    ),
    "pack-turned-up": Code(
        _N,
        "Lost pack has turned up",
        "遗失电池再次出现",
        Owner.OPERATIONS,
        "Fetch it: it is locked in. Then say: fieldtill-hq pack found.",
        "电池已锁仓，请取回并登记：fieldtill-hq pack found。",
    ),
    "inspection-overdue": Code(
        _O,
        "Pack is overdue for inspection",
        "电池检验逾期",
        Owner.TECHNICIAN,
        "Inspect it, then say: fieldtill-hq pack inspected.",
        "检验后登记：fieldtill-hq pack inspected。",
    ),
    "rental-late": Code(
        _O,
        "Rented pack is late",
        "租赁电池逾期未还",
        Owner.OPERATIONS,
        "Ask the rider; extend it, or say that it is lost: fieldtill-hq pack lost.",
        "联系承租人；续租或登记遗失：fieldtill-hq pack lost。",
    ),
    "late-fee-owed": Code(
        _O,
        "Late fee that no deposit covers",
        "押金不足以抵扣的逾期费",
        Owner.FINANCE,
        "Ask for it, or write it off.",
        "向客户收取，或予以核销。",
    ),
    "deposit-differs": Code(_U, "Deposits held are not those of packs out", "押金与在租电池不符", *_POSTING),
    "pack-ledger-differs": Code(
        _U,
        "Pack ledger is not what the records say",
        "电池台账与记录不符",
        Owner.OPERATIONS,
        "Fold it again from the records; find who changed it.",
        "按记录重新计算，并查明谁改动了台账。",
    ),
    "charged-without-pack": Code(_U, "Charged, and no pack was taken", "未取走电池却已扣款", *_BILL),
    "shop-day-differs": Code(
        _U, "Site's total of swaps is not the sum of its sessions", "站点换电日结与会话合计不符", *_SITE_COPY
    ),
    "plan-interval": Code(
        _N,
        "Plan used again within its interval",
        "套餐在间隔内再次使用",
        Owner.OPERATIONS,
        "Ask the rider whether the card is lent; freeze the account if it goes on.",
        "询问是否借卡；如持续则冻结账户。",
    ),
    "overrun": Code(
        _N,
        "Delivered beyond the hold",
        "超出冻结额的交付",
        Owner.TECHNICIAN,
        "Check relay and reaction time.",
        "检查继电器与响应时间。",
    ),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One disagreement. Differences are theirs (log, meter, tariff) less ours (books, bill); None: not of that unit.

    site: "" for headquarters' own log. subject: the session, account, meter or record it is about. source: where both
    sides can be read again. since_ms: Unix ms from which it is aged; None when that cannot be told.
    """

    code: str
    leg: Leg
    site: str
    subject: str
    source: str
    detail: str
    difference_fen: int | None = None
    difference_wh: int | None = None
    difference_ml: int | None = None
    since_ms: int | None = None

    @property
    def weight(self) -> Weight:
        return CODES[self.code].weight


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then by leg, site and subject: the same findings always stand in the same order."""
    weights, legs = list(Weight), list(Leg)
    return sorted(
        findings,
        key=lambda it: (weights.index(it.weight), legs.index(it.leg), it.site, it.code, it.subject, it.detail),
    )
