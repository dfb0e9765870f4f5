"""What does a customer see who gave in a code? What it brought, whether it started, and where the receipt will be."""

from __future__ import annotations

from html import escape

from edge.carried import Taken
from edge.page import forms
from edge.page.words import advice, reason, word
from edge.till.ask import Refusal
from edge.till.state import Open, OpenPort, OpenStay
from edge.till.state_shop import OpenSwap
from protocols.trade.carried import BadCode
from protocols.trade.quantities import yuan
from protocols.trade.records import CNY


def outcome(
    taken: Taken | BadCode,
    link: str,
    language: str,
    *,
    place: str = "",
    text: str = "",
    offer: str = "",
    once_shut: bool = False,
) -> str:
    """The page's body. link: to the session's page; empty: there is none. place: where its start is, in words; empty:
    at a charger or a pump. text, offer: the code and what was chosen, for a form that gives them in once more.
    once_shut: a locker's door stands open for somebody else. No account stands on it.
    """
    if isinstance(taken, BadCode):
        said = f"<b>{word('code-useless', language)}</b><br>{escape(reason(taken.fault.value, language))}"
        return _note("ill", said) + _back(language)
    if taken.session is not None:
        started, where = _started(taken.session, taken, place, language)
        if once_shut:
            started = word("locker-once-shut", language, name=escape(place))
        parts = [_note("" if once_shut else "good", f"<b>{started}</b>")]
        parts.append(f'<a class="button" href="{escape(link)}">{word(where, language)}</a>')
        parts.append(f'<p class="soft">{word("keep-link", language)}</p>')
        return "".join(parts)
    news = word("code-news" if taken.news else "code-known", language)
    parts = [_note("good", f"<b>{news}</b><br>{_rights(taken, language)}")]
    if taken.expired:
        parts.append(_note("", word("code-expired", language)))
    elif taken.refused is not None:
        refusal = taken.refused.refusal
        said = word("code-refused", language, connector=escape(taken.connector))
        if place:
            said = word("place-refused", language, name=escape(place))
        told = [reason(refusal.value, language), advice(refusal.value, language), word("code-kept", language)]
        parts.append(_note("", f"<b>{said}</b><br>{'<br>'.join(escape(one) for one in told if one)}"))
        if refusal is Refusal.CONSENT_NEEDED and text:
            parts.append(forms.consent(text, offer, language))
    else:
        parts.append(f"<p>{word('code-tap', language)}</p>")
    return "".join(parts) + _back(language)


def _started(session: Open | OpenSwap, taken: Taken, place: str, language: str) -> tuple[str, str]:
    """What has begun, or runs already; and what its page is called."""
    name = escape(place)
    if isinstance(session, OpenSwap):
        return word("swap-runs" if taken.again else "swap-started", language, name=name, slot=session.slot), "your-swap"
    if isinstance(session, OpenStay):
        code = "stay-runs" if taken.again else "locker-takes" if session.stored is None else "locker-opens"
        return word(code, language, name=name), "your-stay"
    if isinstance(session, OpenPort):
        return word("port-runs" if taken.again else "port-started", language, name=name), "your-session"
    code = "code-runs" if taken.again else "code-started"
    return word(code, language, connector=escape(taken.connector)), "your-session"


def _rights(taken: Taken, language: str) -> str:
    if taken.asset == CNY:
        return word("code-rights", language, yuan=yuan(taken.rights))
    return word("code-rights-other", language, count=taken.rights, asset=escape(taken.asset))


def _note(kind: str, text: str) -> str:
    return f'<p class="note {kind}">{text}</p>'


def _back(language: str) -> str:
    return f'<a class="button quiet" href="/?lang={language}">{word("back", language)}</a>'
