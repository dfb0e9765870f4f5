"""What has every page in common? Head, style, languages, and what a browser may do with it: nothing but show it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from http import HTTPStatus
from urllib.parse import quote

from edge.page.exchange import HTML, Response
from edge.page.words import WORDS, word

STYLE = """
:root{--ink:#17211c;--soft:#5c6b63;--line:#dfe6e1;--paper:#f4f7f5;--card:#fff;--brand:#0b7a4b;--brand-ink:#fff;
--free:#0b7a4b;--busy:#1d5fbf;--wait:#a86200;--ill:#b3261e;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e9f0ec;--soft:#9fb0a7;--line:#2b3832;--paper:#101613;--card:#18201c;
--brand:#2fae78;--brand-ink:#06140d;--free:#45c48d;--busy:#7db1ff;--wait:#f0b45a;--ill:#ff8f85}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"PingFang SC",
"Noto Sans CJK SC","Microsoft YaHei",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:34rem;margin:0 auto;padding:1.25rem 1rem 3rem}
header{display:flex;justify-content:space-between;align-items:baseline;gap:1rem;margin-bottom:1rem}
h1{font-size:1.35rem;line-height:1.25;margin:0}
h2{font-size:.95rem;font-weight:600;color:var(--soft);margin:1.75rem 0 .5rem}
a{color:var(--brand)}
header a{font-size:.9rem;text-decoration:none;white-space:nowrap;padding:.35rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1rem;margin:0 0 .75rem}
a.card{color:inherit;text-decoration:none}
.place{display:grid;grid-template-columns:auto 1fr;gap:0 .9rem;align-items:center}
a.place{grid-template-columns:auto 1fr auto}
a.place::after{content:"›";color:var(--soft);font-size:1.5rem;line-height:1}
.place b{font-size:1.5rem;min-width:2.6rem;text-align:center;overflow-wrap:anywhere}
.now{font-weight:600}
.free .now{color:var(--free)}.busy .now{color:var(--busy)}.wait .now{color:var(--wait)}.ill .now{color:var(--ill)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(4.2rem,1fr));gap:.5rem;margin-top:.6rem}
.grid a{display:block;padding:.55rem .25rem;text-align:center;text-decoration:none;color:inherit;
border:1px solid var(--line);border-radius:10px;background:var(--paper)}
.grid b{display:block;font-size:1.15rem;line-height:1.25}
.grid span{font-size:.8rem;font-weight:600}
.steps{list-style:none;counter-reset:step}
.steps li{counter-increment:step;display:flex;gap:.75rem;align-items:center;padding:.4rem 0;color:var(--soft)}
.steps li::before{content:counter(step);flex:none;width:1.7rem;height:1.7rem;border-radius:50%;text-align:center;
line-height:1.6rem;font-size:.9rem;border:1px solid var(--line)}
.steps .done::before{content:"✓";color:var(--free);border-color:var(--free)}
.steps .on{color:var(--ink);font-weight:650}
.steps .on::before{background:var(--busy);border-color:var(--busy);color:var(--card)}
.soft{color:var(--soft);font-size:.9rem}
.figure{font-variant-numeric:tabular-nums}
.big{font-size:clamp(1.4rem,6.9vw,1.9rem);font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%}
td,th{padding:.4rem 0;text-align:left;vertical-align:top;border-top:1px solid var(--line);font-weight:400}
tr:first-child>*{border-top:0}
th{color:var(--soft);padding-right:1rem}
td:last-child{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
tr.on td,tr.on th{font-weight:650;color:var(--brand)}
tr.sum td,tr.sum th{font-weight:650;color:var(--ink);border-top:2px solid var(--ink)}
th .soft{display:block}
.costs td{white-space:nowrap}
.costs .more td{border:0;padding:0 0 .2rem;text-align:left;white-space:normal}
.names th{white-space:nowrap}.names td{font-size:.93rem}
.note{border-left:4px solid var(--wait);padding:.6rem .9rem;background:var(--card);border-radius:0 10px 10px 0;
margin:0 0 .75rem}
.note.good{border-color:var(--free)}.note.ill{border-color:var(--ill)}
textarea{width:100%;min-height:5.2rem;font:15px/1.4 ui-monospace,Menlo,Consolas,monospace;padding:.7rem;color:inherit;
background:var(--paper);border:1px solid var(--line);border-radius:10px;resize:vertical;overflow-wrap:anywhere}
input:not([type=hidden]),select{display:block;width:100%;margin-top:.35rem;padding:.7rem;font:inherit;color:inherit;
background:var(--paper);border:1px solid var(--line);border-radius:10px}
input[type=password]{letter-spacing:.15em}
label{display:block;margin-top:.6rem}
button,.button{display:block;width:100%;margin-top:.75rem;padding:.85rem 1rem;border:0;border-radius:10px;font:inherit;
font-weight:600;text-align:center;text-decoration:none;background:var(--brand);color:var(--brand-ink);cursor:pointer}
button.quiet,.button.quiet{background:transparent;color:var(--brand);border:1px solid var(--line)}
:focus-visible{outline:3px solid var(--brand);outline-offset:2px}
p{margin:.35rem 0}
"""

SCRIPT = """
(function(){var box=document.getElementById("code"),hash=location.hash.slice(1);
try{hash=decodeURIComponent(hash)}catch(e){}
if(box&&hash.indexOf("FT1:")===0){box.value=hash;history.replaceState(null,"",location.pathname+location.search);
box.scrollIntoView({block:"center"})}
function live(page){return page.getElementById("live")}
function wait(){var seen=live(document);if(seen)setTimeout(look,1000*(seen.dataset.every||5))}
function look(){if(document.hidden)return wait();
fetch(location.href).then(function(r){return r.ok?r.text():""}).then(function(t){
var seen=live(document),fresh=t&&live(new DOMParser().parseFromString(t,"text/html"));
if(fresh){if(fresh.textContent!==seen.textContent)seen.replaceWith(fresh)}else if(t)location.reload()})
.catch(function(){}).then(wait)}
wait()})();
"""
"""Puts the code of a link's fragment into the form, where its owner sends it, and keeps what is live up to date: every
five seconds, or as often as it says itself. What says the same is left alone, so that no tap on it is lost. A page that
has nothing live any more (the session has its bill) is loaded anew. All of it works without the script, too.
"""

_KIND_OF_POLICY = {"style-src": STYLE, "script-src": SCRIPT}


def _allowed(text: str) -> str:
    return "'sha256-" + b64encode(sha256(text.encode()).digest()).decode() + "'"


POLICY = (
    "default-src 'none'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; " + "; ".join(f"{kind} {_allowed(text)}" for kind, text in _KIND_OF_POLICY.items())
)


def page(title: str, body: str, language: str, *, other: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A whole page. body: HTML, its texts escaped. other: the same in the other language; empty: there is none."""
    link = f'<a href="{escape(other)}">{word("other-language", language)}</a>' if other else ""
    lang = "zh-CN" if language == "zh" else "en"
    text = (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><header><h1>{escape(title)}</h1>{link}</header>{body}</main>"
        f"<script>{SCRIPT}</script></body></html>"
    )
    return Response(status, HTML, text.encode(), {"Content-Security-Policy": POLICY})


def see(path: str) -> Response:
    """Look there: after an act, so that loading the page once more does not act once more."""
    return Response(HTTPStatus.SEE_OTHER, HTML, b"", {"Location": path})


def problem(status: HTTPStatus, language: str) -> Response:
    """What is said where there is no page to show."""
    code = f"problem-{status.value}"
    text = word(code if code in WORDS else "problem", language)
    body = f'<p class="note ill">{text}</p><a class="button quiet" href="/">{word("back", language)}</a>'
    return page(f"{status.value}", body, language, status=status)


def at(place: str, language: str) -> str:
    """Where a cabinet's, port's or locker's own page is."""
    return f"/at/{quote(place)}?lang={language}"


def hours(spans: Sequence[str], language: str) -> str:
    """When it is open; empty: always."""
    return f'<p class="soft">{word("open-hours", language, hours=", ".join(spans))}</p>' if spans else ""


def rows(pairs: list[tuple[str, str]]) -> str:
    """A table of names and values, escaped."""
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs)
    return f'<table class="names">{lines}</table>'
