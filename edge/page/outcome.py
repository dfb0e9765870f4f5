"""What does a customer see who gave in a code? What it brought, whether it started, and where the receipt will be."""

from __future__ import annotations

from html import escape

from edge.carried import Taken
from edge.page.words import reason, word
from protocols.trade.carried import BadCode
from protocols.trade.quantities import yuan
from protocols.trade.records import CNY


def outcome(taken: Taken | BadCode, link: str, language: str) -> str:
    """The page's body. link: to the session's page; empty: there is none. No account stands on it."""
    if isinstance(taken, BadCode):
        text = f"<b>{word('code-useless', language)}</b><br>{escape(reason(taken.fault.value, language))}"
        return _note("ill", text) + _back(language)
    parts = []
    if taken.session is not None:
        said = word("code-runs" if taken.again else "code-started", language, connector=escape(taken.connector))
        parts.append(_note("good", f"<b>{said}</b>"))
        parts.append(f'<a class="button" href="{escape(link)}">{word("your-session", language)}</a>')
        parts.append(f'<p class="soft">{word("keep-link", language)}</p>')
        return "".join(parts)
    news = word("code-news" if taken.news else "code-known", language)
    parts.append(_note("good", f"<b>{news}</b><br>{_rights(taken, language)}"))
    if taken.expired:
        parts.append(_note("", word("code-expired", language)))
    elif taken.refused is not None:
        said = word("code-refused", language, connector=escape(taken.connector))
        why = escape(reason(taken.refused.refusal.value, language))
        parts.append(_note("", f"<b>{said}</b><br>{why}<br>{word('code-kept', language)}"))
    else:
        parts.append(f"<p>{word('code-tap', language)}</p>")
    return "".join(parts) + _back(language)


def _rights(taken: Taken, language: str) -> str:
    if taken.asset == CNY:
        return word("code-rights", language, yuan=yuan(taken.rights))
    return word("code-rights-other", language, count=taken.rights, asset=escape(taken.asset))


def _note(kind: str, text: str) -> str:
    return f'<p class="note {kind}">{text}</p>'


def _back(language: str) -> str:
    return f'<a class="button quiet" href="/?lang={language}">{word("back", language)}</a>'
