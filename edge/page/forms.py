"""What can a customer fill in? A code, a locker's PIN, the end of a session: HTML of the forms."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edge.page.words import word

PIN_LEAST = 6
"""Digits of a PIN that is set by the page: strangers in the network may guess at it (edge/page/visits.py)."""


def code(language: str, title: str = "take", *, pin: bool = False, offers: Sequence[tuple[str, str]] = ()) -> str:
    """Gives a code in. pin: it may be for a locker, and bring a PIN with it. offers: name and words (HTML) of each that
    may be chosen; none: nothing is to choose.
    """
    own = _choice(offers, language) if offers else ""
    if pin:
        least = word("pin-new", language, least=PIN_LEAST)
        own = f'<p class="soft">{word("store-hint", language)}</p>{_pin("new-pin", least, least=PIN_LEAST)}'
    return (
        f'<h2>{word(title, language)}</h2><form class="card" method="post" action="/take?lang={language}">'
        f'<p class="soft">{word("take-hint", language)}</p>'
        '<textarea id="code" name="code" required maxlength="1300" spellcheck="false" autocapitalize="off" '
        f'autocomplete="off" aria-label="{word(title, language)}" placeholder="FT1:"></textarea>'
        f"{own}<button>{word('take-it', language)}</button></form>"
    )


def consent(text: str, offer: str, language: str) -> str:
    """Gives the same code in once more, with the word that a pack which is not full will do. offer: as chosen."""
    return (
        f'<form method="post" action="/take?lang={language}"><input type="hidden" name="code" value="{escape(text)}">'
        f'<input type="hidden" name="offer" value="{escape(offer)}">'
        f'<input type="hidden" name="consent" value="1"><button>{word("agree", language)}</button></form>'
    )


def open_locker(place: str, visit: str, language: str) -> str:
    """Opens the customer's own locker by its PIN."""
    return (
        f'<h2>{word("open-mine", language)}</h2><form class="card" method="post" action="/open?lang={language}">'
        f'<p class="soft">{word("open-hint", language)}</p>'
        f'<input type="hidden" name="place" value="{escape(place)}">'
        f'<input type="hidden" name="visit" value="{escape(visit)}">'
        f"{_pin('pin', word('pin', language), least=4, required=True)}"
        f"<button>{word('open-it', language)}</button></form>"
        f'<p class="soft">{word("open-by-card", language)}</p>'
    )


def end(path: str, visit: str, language: str, *, button: str, hint: str) -> str:
    """Ends a session, for whoever has its link. path: of the act, its token included. button, hint: words."""
    return (
        f'<form method="post" action="{escape(path)}"><input type="hidden" name="visit" value="{escape(visit)}">'
        f'<button class="quiet">{word(button, language)}</button>'
        f'<p class="soft">{word(hint, language)}</p></form>'
    )


def _choice(offers: Sequence[tuple[str, str]], language: str) -> str:
    """Which price or plan: the site's own choice unless the rider has one."""
    options = "".join(f'<option value="{escape(name)}">{words}</option>' for name, words in offers)
    return (
        f'<label class="soft" for="offer">{word("choose", language)}</label><select id="offer" name="offer">'
        f'<option value="">{word("choose-itself", language)}</option>{options}</select>'
    )


def _pin(name: str, label: str, *, least: int, required: bool = False) -> str:
    """Digits, shown as dots, and remembered by no browser."""
    must = " required" if required else ""
    return (
        f'<label class="soft" for="{name}">{label}</label><input id="{name}" name="pin" type="password" '
        f'inputmode="numeric" pattern="[0-9]{{{least},10}}" maxlength="10" autocomplete="off"{must}>'
    )
