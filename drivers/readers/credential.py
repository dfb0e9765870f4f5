"""Which text stands for a customer in what a reader said? Pure.

A number that came as octets is told by the fleet's rule (`card_number.Kept`), so that one card is one customer at every
reader. A printed number is read first, where config says how it is printed; else it is taken as it stands.
"""

from __future__ import annotations

from enum import Enum

from protocols.fieldbus.card_number import CardNumber, Form, Kept, credential, read
from protocols.trade.carried import PREFIX

Said = str | CardNumber


class Unread(Enum):
    """Why there is none."""

    FORM = "not in the form that this reader prints by its config"
    SHORT = "this reader says less of a number than the fleet's credentials keep"


def text_of(said: Said, form: Form | None, kept: Kept | None) -> str | Unread:
    """The credential, or the code of a phone as it stands. kept: None: the whole number."""
    if isinstance(said, str):
        if form is None or said.startswith(PREFIX):
            return said
        number = read(said, form)
        if number is None:
            return Unread.FORM
        said = number
    return credential(said, kept) or Unread.SHORT
