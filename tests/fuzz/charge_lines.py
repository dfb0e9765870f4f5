"""What DL/T 645 meters and YKC piles say, and what is said to them, for the fuzz: read down to the values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from protocols.fieldbus import dlt645_items as items
from protocols.fieldbus import ykc_money as money
from protocols.fieldbus.dlt645 import (
    Collect,
    Data,
    MeterEar,
    MeterExpect,
    follow_answer,
    freeze,
    read_answer,
    request_frame,
    set_time,
)
from protocols.fieldbus.dlt645_frames import ANYONE, EVERYONE
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.ykc import Connection, End, Heard
from protocols.fieldbus.ykc_session import Start, State

_METER, _PILE = "123456789012", "32010200000001"


def _meter(data: bytes) -> object:
    """The value, in as many parts as come, whoever says it."""
    collect = Collect(items.FORWARD_BLOCK)
    expect = MeterExpect(ANYONE, collect.question)
    answers = [expect.feed(data), expect.give_up()]
    told = [collect.take(answer) for answer in answers if isinstance(answer, Data)]
    return [items.values(items.FORWARD_BLOCK, whole) for whole in told if isinstance(whole, bytes)]


def _asked_meter(data: bytes) -> object:
    """Everything that a meter hears, and the clock in it."""
    ear = MeterEar(_METER)
    ear.receive_data(data)
    heard = []
    for listen in (ear.next_event, ear.silence):
        while (event := listen()) is not NEED_MORE:
            heard.append((event, items.decode_moment(event.data)))
    return heard


def _connection(end: End) -> Callable[[bytes], object]:
    """Everything that this end hears; what it understands can be said again, and a bill can be checked."""

    def heard(data: bytes) -> object:
        ours, theirs = Connection(end), Connection(End.PILE if end is End.PLATFORM else End.PLATFORM)
        ours.receive_data(data)
        events = []
        for listen in (ours.next_event, ours.silence):
            while (event := listen()) is not NEED_MORE:
                events.append(event)
                if isinstance(event, Heard):
                    theirs.send(event.message)
                    if isinstance(event.message, money.Bill):
                        money.faults(event.message, _MODEL)
        return events

    return heard


_MODEL = money.PriceModel("0100", (money.Price(100_000, 30_000),) * 4, 0, (2,) * money.HALF_HOURS)
_BILL = money.Bill(
    "0" * 32, _PILE, 1, datetime(2026, 11, 21, 10, 30), None, (money.BillPart(130_000, 40_000, 40_000, 52_000),) * 4,
    0, 160_000, 160_000, 160_000, 208_000, "", 1, None, 0x40, "0" * 16,
)  # fmt: skip
_STATE = State(
    "0" * 32, _PILE, 1, 3, 0, True, 230_500, 16_000, 280, "0" * 16, 0, None, 12, 0, 73_760, 73_760, 88_512, 0
)

# (name, decoder, honest bytes). None of them may raise on anything.
CHARGE_LINES: list[tuple[str, Callable[[bytes], object], tuple[bytes, ...]]] = [
    ("a DL/T 645 meter's answer", _meter,
     (read_answer(_METER, items.FORWARD_BLOCK, bytes(20)), read_answer(_METER, items.FORWARD_BLOCK, bytes(400)),
      follow_answer(_METER, items.FORWARD_BLOCK, 1, bytes(400)))),
    ("what a DL/T 645 meter is told", _asked_meter,
     (request_frame(EVERYONE, set_time(datetime(2026, 11, 21))), request_frame(_METER, freeze()))),
    ("what a YKC pile says", _connection(End.PLATFORM),
     (Connection(End.PILE).send(_STATE), Connection(End.PILE).send(_BILL))),
    ("what a YKC pile is told", _connection(End.PILE),
     (Connection(End.PLATFORM).send(Start("0" * 32, _PILE, 1, "0" * 16, "0" * 16, 100_000)),
      Connection(End.PLATFORM).send(money.SetPrices(_PILE, _MODEL)))),
]  # fmt: skip
