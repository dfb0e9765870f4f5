"""How does the verifier page come to be one file? Its parts put together, and only those allowed to run.

    verifier/page.html, style.css      what is seen
    verifier/bytes.js, proof.js        bytes, signatures and trees
    verifier/story.js, bill.js         records and what follows from them
    verifier/price.js, tender.js       the bill worked out again, and who pays which part of it
    verifier/filling.js, swap.js       what a pump sold, what changed hands at a cabinet
    verifier/port.js, kinds.js         what a port delivered; what is told of each kind of session
    verifier/measured.js               the box's signed measurement of these
    verifier/statement.js, page.js     the statement, and how it is shown
    edge.evidence.words, .slip         every text, as `fieldtill verify` says it

The policy in its head allows this one script and this one style by their hashes, and no network at all.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from string import Template

from edge.evidence import slip, words

SCRIPTS = (
    "bytes.js",
    "proof.js",
    "story.js",
    "bill.js",
    "price.js",
    "tender.js",
    "measured.js",
    "filling.js",
    "swap.js",
    "port.js",
    "locker.js",
    "kinds.js",
    "statement.js",
    "page.js",
)

PAGE: dict[str, tuple[str, str]] = {
    "title": ("收据核验", "Receipt check"),
    "intro": (
        "一份收据证明了什么，逐行说清。只在您的设备上计算。",
        "What a receipt proves, line by line. Worked out on your device alone.",
    ),
    "other-language": ("English", "中文"),
    "drop": ("把 receipt.json 拖到这里，或选择、粘贴", "Drop receipt.json here, choose it, or paste it"),
    "paste": ('{"format": "fieldtill.receipt/1", …', '{"format": "fieldtill.receipt/1", …'),
    "receipt": ("收据", "receipt"),
    "site-key": ("站点密钥", "Site key"),
    "hq-key": ("总部密钥", "Headquarters' key"),
    "site-hint": ("设备上印的指纹：2a22-a91f-…", "the fingerprint printed on the box: 2a22-a91f-…"),
    "hq-hint": ("hq.fieldtill/cosign+…", "hq.fieldtill/cosign+…"),
    "keys-note": (
        "密钥要从别处得来：设备铭牌、总部网站。给出总部密钥时，收据须为最终收据。",
        "Take the keys from elsewhere: the box, headquarters' site. With headquarters' key the receipt must be final.",
    ),
    "from-link": (
        "密钥是随链接来的：请与设备铭牌和总部公布的相比对，否则这一结果不能作数。",
        "The keys came with the link. Compare them with the box and with what headquarters publishes, or this proves "
        "nothing.",
    ),
    "same": ("设备上印的正是这个指纹", "The box has this very fingerprint printed on it"),
    "too-old": (
        "此浏览器不能核验 Ed25519 签名，请更新浏览器。",
        "This browser cannot check Ed25519 signatures. Please use a newer one.",
    ),
    "offline": (
        "本页不联网：内容安全策略禁止一切请求。可另存后离线使用。",
        "This page uses no network: its security policy forbids every request. Save it and use it offline.",
    ),
}


def verifier_page() -> str:
    """The page as one HTML file; the same bytes every time."""
    style = _part("style.css")
    script = f"{_words()}\n" + "\n".join(_part(name) for name in SCRIPTS)
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; "
    return Template(_part("page.html")).substitute(policy=policy + "form-action 'none'", style=style, script=script)


def _words() -> str:
    """All texts as a constant of the script."""
    told = {
        "lines": words.LINES,
        "verdicts": words.VERDICTS,
        "marks": words.MARKS,
        "slip": slip.LABELS,
        "reasons": slip.ENDINGS,
        "periods": slip.PERIODS,
        "page": PAGE,
    }
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1)
    assert "</" not in text, "it would end the script"
    return f'"use strict";\nconst WORDS = {text};'


def _part(name: str) -> str:
    return (files("edge.evidence") / "verifier" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
