"""Which readers are there? From what a site's config says of one to the reader itself.

A driver is loaded when the first reader of its kind is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from drivers.readers.config import Kind, ReaderSetup
from drivers.readers.reader import CardReader, Driver


def build_reader(setup: ReaderSetup) -> CardReader:
    """The reader; nothing is opened until it is listened to."""
    if setup.kind == "wiegand" and setup.form is None:
        from drivers.readers.wiegand import FORM

        setup = replace(setup, form=FORM)
    return CardReader(setup, DRIVERS[setup.kind]())


def _text() -> Driver:
    from drivers.readers.text import lines

    return lines


def _rdm6300() -> Driver:
    from drivers.readers.rdm6300 import tags

    return tags


def _pn532() -> Driver:
    from drivers.readers.pn532 import cards

    return cards


def _gm65() -> Driver:
    from drivers.readers.gm65 import codes

    return codes


def _wiegand() -> Driver:
    from drivers.readers.wiegand import values

    return values


def _pcsc() -> Driver:
    from drivers.readers.pcsc import cards

    return cards


# Kind -> what serves it. A new kind is a new line here, and one in `config.TRAITS`.
DRIVERS: Final[Mapping[Kind, Callable[[], Driver]]] = {
    "text": _text,
    "rdm6300": _rdm6300,
    "pn532": _pn532,
    "gm65": _gm65,
    "wiegand": _wiegand,
    "pcsc": _pcsc,
}
