"""What does the first page of an evidence pack show? The bill, what is proven of it, and what each file is for."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import urlencode

from edge.evidence import slip, words
from edge.evidence.gather import Gathered, Pricing
from protocols.proof import keys
from protocols.proof.lines import Mark
from protocols.proof.note import SignatureType, VerifierKey
from protocols.proof.receipt_story import FillingStory
from protocols.proof.statement import Statement, state
from protocols.trade.fuel_prices import PriceList
from protocols.trade.local_time import local_text
from protocols.trade.quantities import yuan_e3
from protocols.trade.records import Pin
from protocols.trade.tariff import Tariff

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("会话证据", "Evidence of a session"),
    "site": ("站点", "Site"),
    "title-filling": ("加油证据", "Evidence of a filling"),
    "bill": ("账单", "Bill"),
    "proven": ("逐项核验", "What is proven"),
    "tariff": ("费率", "Tariff"),
    "prices": ("油价表", "Price list"),
    "litre": ("单价 /L", "Price /L"),
    "pins": ("开始时所依据的文件", "In force when the session began"),
    "keys": ("公钥", "Public keys"),
    "device": ("设备（与铭牌比对）", "Box: compare with its label"),
    "log": ("日志", "Log"),
    "hq": ("总部会签（与总部公布的比对）", "Headquarters, cosigning: compare with what it publishes"),
    "files": ("本证据包中的文件", "Files of this pack"),
    "verify": ("在浏览器中核验（离线）", "Check it in the browser, offline"),
    "own-word": (
        "本页由设备自己写成，请勿轻信，自行核验：",
        "The box itself has written this page. Do not take its word, check it:",
    ),
    "period": ("时段", "Period"),
    "from": ("自", "From"),
    "energy": ("电价 /kWh", "Energy /kWh"),
    "service": ("服务费 /kWh", "Service /kWh"),
    "no-hq": ("此设备未登记总部公钥", "The box knows no key of headquarters"),
    "version": ("版本", "Version"),
}

WHAT: dict[str, tuple[str, str]] = {
    "receipt.json": ("收据：账单与证明", "the receipt: bill and proofs"),
    "verify.html": ("核验页，离线可用", "checks the receipt, offline"),
    "checkpoint.txt": ("签署的日志头", "the signed head of the log"),
    "keys.json": ("公钥", "public keys"),
    "meter-record.ocmf": ("电表签名记录（OCMF）", "the signed meter record (OCMF)"),
    "meter-record.xml": ("同上，供 S.A.F.E. 透明软件使用", "the same for the S.A.F.E. transparency software"),
    "measurement.ftm": ("签名计量记录（FTM）", "the signed measurement (FTM)"),
    ".bin": ("原始字节", "exact bytes"),
    ".json": ("同上，供人阅读", "the same, to read"),
    ".tlog-proof": ("C2SP tlog-proof 证明", "its proof, C2SP tlog-proof"),
}


def index_page(gathered: Gathered, hq_keys: tuple[VerifierKey, ...], paths: Sequence[str]) -> str:
    """One HTML file without scripts. The same bytes every time."""
    told = _statement(gathered, hq_keys)
    return Template((files("edge.evidence") / "pack.html").read_text(encoding="utf-8")).substitute(
        title=_both("title-filling" if isinstance(gathered.story, FillingStory) else "title"),
        session=escape(gathered.story.session),
        state_class=_class(told, final=gathered.final),
        state=_two(*slip.LABELS["final" if gathered.final else "provisional"]),
        own_word=_both("own-word"),
        facts=_facts(gathered),
        bill=_bill(gathered),
        proven=_both("proven"),
        lines=_lines(told),
        tariff=_pricing(gathered.pricing),
        pins=_section("pins", _pins(gathered.story.opened.pins)),
        keys=_section("keys", _keys(gathered, hq_keys)),
        link=escape(f"verify.html#{_fragment(gathered)}"),
        verify=_both("verify"),
        command=escape(f"fieldtill verify receipt.json --site-key {keys.fingerprint(gathered.file.device_key)}"),
        files=_section("files", _files(paths)),
    )


def _statement(gathered: Gathered, hq_keys: tuple[VerifierKey, ...]) -> Statement:
    """What it proves to somebody who has yet to look at the box; a provisional receipt claims no more than it is."""
    cosigners = [key for key in hq_keys if key.type is SignatureType.COSIGNATURE_V1] if gathered.final else []
    return state(gathered.file, [], cosigners)


def _class(told: Statement, *, final: bool) -> str:
    """Of the line that says how far things are."""
    if any(line.mark is Mark.FAILED for line in told.lines):
        return "bad"
    return "good" if final else "open"


def _fragment(gathered: Gathered) -> str:
    """The receipt alone: keys that come with a link prove nothing."""
    return urlencode({"receipt": urlsafe_b64encode(gathered.file.to_bytes()).decode()})


def _facts(gathered: Gathered) -> str:
    pairs = zip(*(slip.facts(gathered.story, language, gathered.pricing) for language in words.LANGUAGES), strict=True)
    return "".join(_pair(_two(zh[0], en[0]), _two(zh[1], en[1])) for zh, en in pairs)


def _bill(gathered: Gathered) -> str:
    both = [list(slip.rows(gathered.story, gathered.pricing, language)) for language in words.LANGUAGES]
    if gathered.story.closed is None:
        return ""
    heads = "".join(f"<th>{_two(*slip.LABELS[code])}</th>" for code in ("line", "quantity", "price", "amount"))
    rows = "".join(
        f"<tr><td>{_two(zh[0], en[0])}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in zh[1:])}</tr>"
        for zh, en in zip(*both, strict=True)
    )
    ends = zip(*(slip.totals(gathered.story, language) for language in words.LANGUAGES), strict=True)
    for zh, en in ends:
        rows += f'<tr class="total"><td>{_two(zh[0], en[0])}</td><td></td><td></td><td>{escape(zh[1])}</td></tr>'
    return f"<table class=bill><tr>{heads}</tr>{rows}</table>"


def _lines(told: Statement) -> str:
    found = ""
    for line in told.lines:
        said = _two(*(words.say(line, language) for language in words.LANGUAGES))
        found += f'<li class="{line.mark}"><b>{words.MARKS[line.mark]}</b><span>{said}</span></li>'
    return found


def _pricing(pricing: Pricing | None) -> str:
    """A table of prices that change by the time; those of swaps and ports stand in the pack's own files."""
    match pricing:
        case Tariff():
            return _tariff(pricing)
        case PriceList():
            return _prices(pricing)
    return ""


def _tariff(tariff: Tariff) -> str:
    heads = "".join(f"<th>{_both(code)}</th>" for code in ("from", "period", "energy", "service"))
    rows = "".join(
        f"<tr><td>{period.from_s // 3600:02}:{period.from_s // 60 % 60:02}</td>"
        f"<td>{_two(slip.PERIODS.get(period.name, period.name), period.name)}</td>"
        f"<td>¥{yuan_e3(period.energy_e3)}</td><td>¥{yuan_e3(period.service_e3)}</td></tr>"
        for period in tariff.periods
    )
    fees = "".join(
        _pair(_two(*slip.LABELS[code]), f"¥{yuan_e3(price)}{unit}")
        for code, price, unit in (
            ("line-session", tariff.session_e3, ""),
            ("line-idle", tariff.idle_e3_per_min, " /min"),
        )
        if price
    )
    name = escape(f"{tariff.id} · v{tariff.version} · {tariff.zone}")
    table = f"<p class=name>{name}</p><table class=bill><tr>{heads}</tr>{rows}</table>"
    return _section("tariff", table + (f"<table class=facts>{fees}</table>" if fees else ""))


def _prices(prices: PriceList) -> str:
    """Every step that it holds, the times of change in local time."""
    grades = "".join(f"<th>{escape(grade.name)}</th>" for grade in prices.grades)
    rows = "".join(
        f"<tr><td>{local_text(prices, step.from_s)}</td>"
        + "".join(f"<td>¥{yuan_e3(one.price_e3)}</td>" for one in step.prices)
        + "</tr>"
        for step in prices.steps
    )
    name = escape(f"{prices.id} · v{prices.version} · {prices.zone}")
    table = f"<table class=bill><tr><th>{_both('from')} · {_both('litre')}</th>{grades}</tr>{rows}</table>"
    return _section("prices", f"<p class=name>{name}</p>{table}")


def _pins(pins: Iterable[Pin]) -> str:
    rows = "".join(_pair(f"{escape(pin.kind)} v{pin.version}", f"<code>{pin.hash.hex()}</code>") for pin in pins)
    return f"<table class=facts>{rows}</table>"


def _keys(gathered: Gathered, hq_keys: tuple[VerifierKey, ...]) -> str:
    rows = _pair(_both("device"), f"<code class=mark>{keys.fingerprint(gathered.file.device_key)}</code>")
    log = gathered.file.certificate.decode().split("\n")[1]
    rows += _pair(_both("log"), f"<code>{escape(log)}</code>")
    cosigning = [str(key) for key in hq_keys if key.type is SignatureType.COSIGNATURE_V1]
    shown = "<br>".join(f"<code>{escape(key)}</code>" for key in cosigning) or _both("no-hq")
    return f"<table class=facts>{rows}{_pair(_both('hq'), shown)}</table>"


def _files(paths: Sequence[str]) -> str:
    rows = ""
    for path in paths:
        what = WHAT.get(path) or WHAT.get("." + path.rpartition(".")[2], ("", ""))
        rows += _pair(f'<a href="{escape(path)}">{escape(path)}</a>', _two(*what))
    return f"<table class=facts>{rows}</table>"


def _section(code: str, inside: str) -> str:
    return f"<section><h2>{_both(code)}</h2>{inside}</section>"


def _pair(name: str, value: str) -> str:
    return f"<tr><td>{name}</td><td>{value}</td></tr>"


def _both(code: str) -> str:
    return _two(*TEXTS[code])


def _two(zh: str, en: str) -> str:
    """Chinese, and English small beside it; once where they are the same."""
    if zh == en:
        return escape(zh)
    return f'<span lang="zh-CN">{escape(zh)}</span> <span lang="en" class="en">{escape(en)}</span>'
