"""What the page says to customers, in Chinese and English."""

from __future__ import annotations

from edge.evidence.words import LANGUAGES

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
    "no-prices": ("暂无油价", "No fuel price is known yet"),
    "pump-silent": ("加油机无响应", "The pump does not answer"),
    "pump-out": ("加油机停用", "The pump is out of order"),
    "pump-busy": ("该加油机正在使用", "The pump is in use"),
    "price-differs": ("加油机价格未更新，暂不能加油", "The pump shows another price than the list"),
    "wrong-grade": ("此账户或卡不可加该油品", "This card or account may not have this grade"),
    "day-limit": ("已达到当日限量", "The day's limit has been used up"),
    "answer-missing": ("请先告知里程或车牌", "The odometer or plate must be told first"),
    "nozzle-not-lifted": ("请先提起油枪，再刷卡", "Lift the nozzle first, then tap"),
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
