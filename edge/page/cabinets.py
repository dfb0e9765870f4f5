"""What does a rider see of a cabinet? Whether a swap can begin, what it costs, and each step of one that runs. HTML."""

from __future__ import annotations

from html import escape

from edge.evidence import slip
from edge.page import frame, prices
from edge.page.cabinet_values import CabinetSight, Ended, Serving
from edge.page.words import advice, case, counted, reason, word

_OWN_CALL = ("cabinet-starting", "cabinet-busy", "cabinet-closed", "door-open", "no-swap-terms")
"""Refusals that a rider only waits out, or mends: the cabinet is not ill."""

_WRONG = ("F-23", "F-24", "F-25")
"""Why a door opens again for a pack that cannot come in, however firmly it is plugged."""


def card(sight: CabinetSight, language: str) -> str:
    """One of the first page's list; leads to its own page."""
    kind, text = _stands(sight, language)
    stock = "" if sight.closed or sight.serving else _stock(sight, language)
    detail = f'<div class="soft figure">{stock}</div>' if stock else ""
    return (
        f'<a class="card place {kind}" href="{frame.at(sight.id, language)}"><b>{escape(sight.name)}</b>'
        f'<div><div class="now">{text}</div>{detail}</div></a>'
    )


def here(sight: CabinetSight, language: str) -> str:
    """The cabinet that was scanned: the part of its page that brings itself up to date."""
    kind, text = _stands(sight, language)
    if sight.serving is not None:
        return f'<div id="live" data-every="2">{_guide(sight.serving, language)}</div>'
    more = []
    if then := advice(sight.closed, language):
        more.append(f'<p class="soft">{then}</p>')
    stock = "" if kind == "ill" else _stock(sight, language)
    if stock:
        more.append(f'<div class="figure">{stock}</div>')
    if stock and sight.models and sight.full:
        ready = " · ".join(f"{escape(name)} × {count}" for name, count in sight.models)
        more.append(f'<div class="soft figure">{ready}</div>')
    if sight.lower and not sight.full:
        more.append(f'<div class="soft">{word("packs-lower", language, count=sight.lower)}</div>')
    more.append(frame.hours(sight.hours, language))
    last = "" if sight.last is None else _last(sight.last, language)
    return f'<div id="live"><div class="card {kind}"><div class="big now">{text}</div>{"".join(more)}</div>{last}</div>'


def costs(sight: CabinetSight, language: str) -> str:
    """What a swap costs here, or a rent."""
    return f"<h2>{word('how-to-pay', language)}</h2>{prices.by_terms(sight.terms, language)}"


def running(serving: Serving, name: str, session: str, holds: str, end: str, language: str) -> str:
    """A session that goes on, for the owner of its link. holds: in words; end: the form that cancels it, or empty."""
    pairs = [(word("held", language), holds)] if holds else []
    pairs.append((slip.label("session", language), session))
    place = f"{word('cabinet-name', language, name=escape(name))} · {word(f'kind-{serving.kind}', language)}"
    return (
        f'<div id="live" data-every="2"><p class="soft">{place}</p>{_guide(serving, language)}'
        f'<div class="card">{frame.rows(pairs)}</div>{end if serving.may_cancel else ""}</div>'
        f'<p class="soft">{word("keep-link", language)}</p>'
    )


def afterwards(ended: Ended, language: str) -> str:
    """What its rider should know of a session that is over, above its bill; empty: it went as it should."""
    if ended.outcome in ("swapped", "taken", "returned") and not ended.fault:
        return ""
    good = "good" if ended.outcome in ("swapped", "taken", "returned") else ""
    what = word(f"last-{ended.outcome}", language)
    return f'<div class="note {good}"><b>{what}</b>{_why(ended.fault, language)}{_next(ended, language)}</div>'


# --- how it stands ---------------------------------------------------------------------------------------------------


def _stands(sight: CabinetSight, language: str) -> tuple[str, str]:
    """Its look and its words."""
    if sight.serving is not None:
        return "busy", word("in-use", language)
    if sight.closed:
        return ("wait" if sight.closed in _OWN_CALL else "ill"), reason(sight.closed, language)
    if not sight.empty:
        return "wait", word("slots-empty-0", language)
    if not sight.full:
        return "wait", word("packs-ready-0", language)
    return "free", word("may-swap", language)


def _stock(sight: CabinetSight, language: str) -> str:
    """What there is of both. What there is not is its state, and has been said."""
    packs = [counted("packs-ready", sight.full, language)] if sight.full else []
    return " · ".join([*packs, *([counted("slots-empty", sight.empty, language)] if sight.empty else [])])


def _last(ended: Ended, language: str) -> str:
    """For a rider who tapped a card, and whose page this is as good as any."""
    good = "good" if ended.outcome in ("swapped", "taken", "returned") else ""
    return (
        f'<div class="note {good}"><div class="soft">{word("last-here", language)}</div>'
        f"<b>{word(f'last-{ended.outcome}', language)}</b>{_why(ended.fault, language)}{_next(ended, language)}</div>"
    )


def _next(ended: Ended, language: str) -> str:
    """What to do about it."""
    said = []
    if ended.outcome == "kept" and ended.go_on_min:
        said.append(word("next-go-on", language, minutes=ended.go_on_min))
    if ended.outcome == "kept":
        said.append(word("next-kept", language))
    if ended.outcome == "cancelled":
        said.append(word("next-again", language))
    return "".join(f"<p>{one}</p>" for one in said)


def _why(fault: str, language: str) -> str:
    return f"<p>{escape(case(fault, language))}</p>" if fault else ""


# --- step by step ----------------------------------------------------------------------------------------------------


def _guide(serving: Serving, language: str) -> str:
    """What to do now, in large; why, where it is not the usual way; and the steps before and after it."""
    why = f'<p class="note">{escape(case(serving.fault, language))}</p>' if serving.fault else ""
    ending = f'<p class="note">{word("cancelling", language)}</p>' if serving.cancelled else ""
    steps, at = _steps(serving, language), _step_now(serving)
    marks = ["done" if index < at else "on" if index == at else "" for index in range(len(steps))]
    listed = "".join(f'<li class="{mark}">{text}</li>' for mark, text in zip(marks, steps, strict=True))
    return (
        f'<div class="card busy"><div class="big now">{_do(serving, language)}</div></div>{why}{ending}'
        f'<ol class="card steps">{listed}</ol>'
    )


def _do(serving: Serving, language: str) -> str:
    """The one thing to do, or to wait for."""
    match serving.step:
        case "open-empty" | "reopen-empty":
            code = _put_in(serving) if serving.is_open else "do-checking" if serving.was_open else "do-opening"
        case "accepted":
            code = "last-returned" if serving.kind == "return" else "do-choosing"
        case "give-back":
            code = "do-take-back" if serving.is_open else "do-taken" if serving.was_open else "do-opening"
        case "given":
            code = "do-take" if serving.is_open else "do-taken"
        case _:
            code = "do-take" if serving.is_open else "do-taken" if serving.was_open else "do-opening"
    return word(code, language, slot=serving.slot)


def _put_in(serving: Serving) -> str:
    """The door stands open: for the rider's pack to come in, for a wrong one to go out, or only to be shut."""
    if serving.step == "reopen-empty" and serving.fault in _WRONG:
        return "do-take-out"
    return "do-shut" if serving.cancelled else "do-put-in"


def _steps(serving: Serving, language: str) -> list[str]:
    """All that this kind of session goes through, as far as its slots are known."""
    steps = []
    if serving.kind != "rent":
        known = serving.slot_in is not None
        steps.append(word("step-in" if known else "step-in-some", language, slot=serving.slot_in))
        steps.append(word("step-check", language))
    if serving.step == "give-back":
        steps.append(word("step-back", language))
    elif serving.kind != "return":
        known = serving.slot_out is not None
        steps.append(word("step-out" if known else "step-out-some", language, slot=serving.slot_out))
    return steps


def _step_now(serving: Serving) -> int:
    """Which of the steps it is at."""
    if serving.kind == "rent":
        return 0
    if serving.step in ("open-empty", "reopen-empty"):
        return 1 if serving.was_open and not serving.is_open else 0
    return 1 if serving.step == "accepted" and serving.kind == "return" else 2
