"""What the page says to customers, in Chinese and English."""

from __future__ import annotations

from edge.evidence.words import LANGUAGES
from edge.page.words_shop import ADVICE, CASES, SHOP_WORDS

WORDS: dict[str, tuple[str, str]] = {
    "other-language": ("English", "中文"),
    "connectors": ("充电枪", "Chargers"),
    "free": ("空闲", "Free"),
    "plugged": ("已插枪，请刷卡或出示付款码", "Plugged in: tap your card or use your code"),
    "starting": ("正在启动", "Starting"),
    "charging": ("充电中", "Charging"),
    "stopping": ("正在结束", "Ending"),
    "idle": ("已结束，请移车", "Finished: please move the car"),
    "fault": ("故障", "Out of order"),
    "silent": ("暂停服务", "Out of service"),
    "price": ("电价", "Price"),
    "now": ("现在", "now"),
    "per-kwh": ("{yuan} 元/度", "¥{yuan} per kWh"),
    "session-fee": ("每次服务费 {yuan} 元", "¥{yuan} for each session"),
    "idle-fee": ("充电结束后占位 {minutes} 分钟起，每分钟 {yuan} 元",
                 "¥{yuan} a minute for a place kept blocked, from {minutes} min after the end"),
    "pumps": ("加油机", "Pumps"),
    "per-litre": ("{yuan} 元/升", "¥{yuan} per litre"),
    "not-sold": ("暂无油价", "not for sale yet"),
    "lifted": ("已提枪，请刷卡或出示付款码", "Nozzle lifted: tap your card or use your code"),
    "may-fill": ("可以加油", "You may fill up"),
    "filling": ("加油中", "Filling"),
    "to-pay": ("加油已结束，请付款", "Finished: please pay"),
    "hang-up": ("挂枪即可结束加油。", "Hang the nozzle up to end it."),
    "no-price": ("暂无电价，暂不能充电", "No price is known yet: nothing can be sold"),
    "not-open": ("站点正在准备，请稍候", "The site is getting ready; please come back in a moment"),
    "no-starts": ("暂不接受新的充电，进行中的充电不受影响", "No new sessions at present; running ones go on"),
    "offline": ("站点离线：充电、刷卡与付款码照常可用", "The site is offline: cards, codes and charging work as usual"),
    "take": ("使用付款码", "Use a code"),
    "take-hint": ("粘贴手机上的付款码（以 FT1: 开头）。站点离线也可使用；重复使用不会重复扣款。",
                  "Paste the code from your phone; it begins with FT1:. It works offline, and using it twice costs "
                  "nothing."),
    "take-it": ("提交", "Use it"),
    "back": ("返回", "Back"),
    "code-news": ("付款码已入账", "Your code has been taken in"),
    "code-known": ("此付款码先前已入账", "This code was taken in before"),
    "code-rights": ("本站可用 {yuan} 元", "¥{yuan} may be spent at this site"),
    "code-rights-other": ("本站可用 {count}（{asset}）", "{count} of {asset} may be spent at this site"),
    "code-expired": ("付款码已过期，款项将退回您的账户", "The code has expired; its money goes back to your account"),
    "code-tap": ("现在可以插枪并刷卡", "Now plug in, or go to a pump, and tap your card"),
    "code-started": ("{connector} 号枪已启动", "{connector} has been started"),
    "code-runs": ("{connector} 号枪正在为您充电", "{connector} is charging for you"),
    "code-refused": ("{connector} 号枪未能启动", "{connector} was not started"),
    "code-kept": ("款项不会丢失。", "Nothing of it is lost."),
    "code-useless": ("付款码无法使用", "This code is of no use here"),
    "your-session": ("查看本次充电与收据", "Your session and its receipt"),
    "keep-link": ("请保存此页链接：它是您的收据。", "Keep this link: it is your receipt."),
    "session": ("本次充电", "Your session"),
    "held": ("预留", "Set aside"),
    "power": ("功率", "Power"),
    "state": ("状态", "State"),
    "unplug": ("拔枪即可结束充电。", "Unplug to end it."),
    "save": ("保存可验证的收据", "Save the receipt that proves it"),
    "save-hint": ("此文件含站点签名：联网后可交给运营方作为凭据，任何人都可离线验证。",
                  "The file bears the site's signature: anyone can check it, and the operator takes it as evidence."),
    "problem-404": ("没有此页", "There is no such page"),
    "problem-405": ("不支持此操作", "That cannot be done here"),
    "problem-413": ("内容过长", "That is too long"),
    "problem-503": ("暂时无法服务，请稍候重试", "Not now; please try again in a moment"),
    "problem-500": ("页面出错，请告知工作人员", "This page has failed; please tell the staff"),
    "problem": ("请求无法识别", "The request is not understood"),
    **SHOP_WORDS,
}  # fmt: skip

PROBLEMS: dict[str, tuple[str, str]] = {
    # what is wrong with a code (protocols.trade.carried.Fault)
    "not-ours": ("这不是本运营方的付款码", "It is not a code of this operator"),
    "cut-off": ("付款码不完整，请完整粘贴", "Part of the code is missing: paste all of it"),
    "unreadable": ("付款码无法识别，请重新获取", "The code cannot be read: get a new one"),
    "forged": ("付款码的签名无效，请重新获取", "The signature is not headquarters': get a new code"),
    "wrong-site": ("付款码属于其他站点，款项仍在您的账户", "It is for another site; the money is still yours"),
    "wrong-epoch": ("站点设备已更新，请重新获取付款码", "The site's box was set up anew: get a new code"),
    "expired": ("付款码已过期，款项仍在您的账户", "It has expired; the money is still yours"),
    # why a session does not start (edge.till.start.Refusal)
    "start-expired": ("启动时限已过，请重新获取付款码", "It came too late to start: get a new code"),
    "epoch-closing": ("站点正在结账，暂不接受新的充电", "The site is closing its books: no new sessions"),
    "log-disputed": ("站点正在核对账目，暂不接受新的充电", "The site's books are being checked: no new sessions"),
    "disk-full": ("站点暂不接受新的充电", "The site takes no new sessions at present"),
    "rolled-back": ("站点正在核对账目，暂不接受新的充电", "The site's books are being checked: no new sessions"),
    "counter-silent": ("站点离线且设备异常，暂不接受新的充电", "The site is offline and not well: no new sessions"),
    "unknown-connector": ("本站没有此枪", "There is no such charger here"),
    "connector-busy": ("该枪正在使用", "It is in use"),
    "unknown-preset": ("付款码的充电方式无法识别", "What the code asks for is not known here"),
    "no-session": ("没有进行中的充电", "No session is running there"),
    "no-tariff": ("暂无电价", "No price is known yet"),
    "unknown-pump": ("本站没有此加油机", "There is no such pump here"),
    "no-prices": ("暂无价格", "No price is known yet"),
    "pump-silent": ("加油机无响应", "The pump does not answer"),
    "pump-out": ("加油机停用", "The pump is out of order"),
    "pump-busy": ("该加油机正在使用", "The pump is in use"),
    "price-differs": ("加油机价格未更新，暂不能加油", "The pump shows another price than the list"),
    "wrong-grade": ("此账户或卡不可加该油品", "This card or account may not have this grade"),
    "day-limit": ("已达到当日限量", "The day's limit has been used up"),
    "answer-missing": ("请先告知里程或车牌", "The odometer or plate must be told first"),
    "unknown-port": ("没有这个充电口", "There is no such port"),
    "port-silent": ("该充电口没有响应，请换一个", "The port does not answer; please take another"),
    "port-faulted": ("该充电口故障，请换一个", "The port is faulty; please take another"),
    "port-busy": ("该充电口正在使用", "The port is in use"),
    "not-plugged": ("请先插好充电器", "Plug in first"),
    "locker-empty": ("该柜格里没有电池", "Nothing is stored in this locker"),
    "locker-full": ("该柜格已被占用", "The locker is taken"),
    "ports-closed": ("不在营业时间", "Closed now"),
    "too-many-lockers": ("您的柜格数量已达上限", "You have as many lockers as one may have"),
    "not-owner": ("请使用存入时的卡或密码", "Use the card or PIN that it was shut with"),
    "wrong-pin": ("密码错误", "Wrong PIN"),
    "pin-locked": ("密码错误次数过多，请稍后再试", "Too many wrong PINs; try again later"),
    "door-stuck": ("柜门未能打开，请联系工作人员", "The door did not open; please ask the staff"),
    "nozzle-not-lifted": ("请先提起油枪，再刷卡", "Lift the nozzle first, then tap"),
    "cabinet-starting": (
        "正在检查各仓，请稍候",
        "Its slots are being looked at; a moment please",
    ),  # no refusal: the page's own
    "unknown-cabinet": ("本站没有此换电柜", "There is no such cabinet here"),
    "no-swap-terms": ("暂无换电价格", "No terms of swaps are known yet"),
    "scan-expired": ("扫码已过期，请重新扫码", "The scan is too old: scan again"),
    "cabinet-silent": ("换电柜无响应", "The cabinet does not answer"),
    "cabinet-alarm": ("换电柜报警，暂停服务", "The cabinet has an alarm: no service"),
    "mains-lost": ("换电柜断电，暂停服务", "The cabinet has no mains: no service"),
    "cabinet-busy": ("换电柜正在使用，请稍候", "The cabinet is in use: wait a moment"),
    "door-open": ("请先关好柜门", "Shut the open door first"),
    "unknown-offer": ("没有此套餐或价格", "There is no such plan or price"),
    "cabinet-closed": ("不在营业时间，仅可退还电池", "Closed now: packs can be returned"),
    "pack-owed": (
        "您有一块电池下落不明，请先放回该电池或联系工作人员",
        "A pack is missing since your last visit: bring that one back, or ask the staff",
    ),
    "too-soon": ("换电间隔太短，请稍后再试", "It is too soon after the last swap"),
    "no-empty-slot": ("没有空仓", "No slot is empty"),
    "no-full-pack": ("没有可用的电池", "No pack can be given now"),
    "consent-needed": ("仅剩未充满的电池，确认后可取", "Only packs that are not full are left: agree to one, or wait"),
    "charger-silent": ("充电桩无响应", "The charger does not answer"),
    "charger-faulted": ("充电桩故障", "The charger is out of order"),
    "meter-silent": ("电表无响应", "The meter does not answer"),
    "no-car": ("请先插枪，再次提交同一付款码", "Plug the car in, then use the same code again"),
    "old-number": ("此付款码已用过，请重新获取", "This code has started a session before: get a new one"),
    "hot-listed": ("此卡已挂失", "The card is reported lost"),
    "unknown-account": ("本站没有此账户的款项", "The account has no money at this site"),
    "account-frozen": ("账户已冻结，请联系客服", "The account is frozen: call the operator"),
    "grant-expired": ("付款码已过期", "The code has expired"),
    "not-enough": ("可用金额不足", "There is too little to start with"),
}


def word(code: str, language: str, **blanks: object) -> str:
    return WORDS[code][LANGUAGES.index(language)].format_map(blanks)


def reason(code: str, language: str) -> str:
    """Why something was not done. A code of later software is shown as it is."""
    words = PROBLEMS.get(code)
    return code if words is None else words[LANGUAGES.index(language)]


def advice(code: str, language: str) -> str:
    """What to do about a refusal; empty: its reason says it all."""
    words = ADVICE.get(code)
    return "" if words is None else words[LANGUAGES.index(language)]


def case(code: str, language: str) -> str:
    """What happened at a cabinet, by its case (`F-21`). One that a rider need not know by name is shown as it is."""
    words = CASES.get(code)
    return word("other-fault", language, name=code) if words is None else words[LANGUAGES.index(language)]


def counted(code: str, count: int, language: str, **blanks: object) -> str:
    """A word with a number in it: `code-1` and `code-0` where there are such, `code` for any other."""
    own = f"{code}-{count}"
    return word(own if own in WORDS else code, language, count=count, **blanks)
