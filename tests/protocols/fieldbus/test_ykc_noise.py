"""YKC 1.6 on a bad connection: round trips of anything, and no error on any bytes."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.ykc import KINDS, Connection, End, Heard, Unread
from protocols.fieldbus.ykc_bms import (
    BATTERY_STATE,
    BATTERY_STOPS,
    CHARGER_STOPS,
    TIME_OUTS,
    BatteryState,
    BatteryStops,
    ChargerStops,
    Demand,
    Errors,
    marks,
)
from protocols.fieldbus.ykc_fields import (
    Choice,
    Field,
    Flag,
    Hex,
    Layout,
    LongText,
    Many,
    Moment,
    Part,
    Raw,
    Rest,
    Text,
    Times,
    Uint,
    ZeroUnknown,
)
from protocols.fieldbus.ykc_frames import LENGTH_MAX, LENGTH_MIN, Frame, encode_frame
from protocols.fieldbus.ykc_money import Bill, MeterSeal, SealedBill
from protocols.fieldbus.ykc_session import Heartbeat

latin = st.characters(min_codepoint=1, max_codepoint=255)


def _numbers(number: Uint) -> st.SearchStrategy[int]:
    return st.integers(0, 256**number.size - 1).map(lambda raw: (raw + number.offset) * number.step)


def _values(field: Field) -> st.SearchStrategy[Any]:
    """Whatever `field` can say."""
    match field:
        case Uint():
            return _numbers(field)
        case ZeroUnknown(number):
            return st.none() | _numbers(number).filter(lambda value: number.write(value) != bytes(number.size))
        case Hex(size):
            return st.binary(min_size=size, max_size=size).map(lambda data: data.hex().upper())
        case Text(size):
            return st.text(latin, max_size=size)
        case LongText():
            return st.text(latin, max_size=180)
        case Raw(size):
            return st.binary(min_size=size, max_size=size)
        case Rest(most):
            return st.binary(max_size=most)
        case Flag():
            return st.booleans()
        case Choice(_, size):
            return st.integers(0, 256**size - 1)
        case Moment():
            return st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2127, 12, 31)).map(_to_the_millisecond)
        case Part():
            return _messages(field.layout)
        case Times(count, inner):
            return st.tuples(*[_values(inner)] * count)
        case Many(inner, most):
            return st.lists(_values(inner), max_size=min(most, 11)).map(tuple)
    raise AssertionError(field)


def _to_the_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _messages(layout: Layout[Any]) -> st.SearchStrategy[Any]:
    return st.builds(layout.kind, **{name: _values(field) for name, field in layout.fields.items()})


MESSAGES = {
    kind: st.builds(SealedBill, _messages(Layout(Bill)), _messages(Layout(MeterSeal)))
    if message is SealedBill
    else _messages(Layout(message))
    for kind, message in KINDS.items()
}
any_message = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), MESSAGES[kind]))
pieces = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([0x68, 0x00, 0x01, 0x0D, 0x03]), max_size=30).map(bytes),
    st.integers(0, 17).map(lambda end: Connection(End.PILE).send(Heartbeat("0" * 14, 1, True))[:end]),
)


def _ends(kind: int) -> tuple[Connection, Connection]:
    pile, platform = Connection(End.PILE), Connection(End.PLATFORM)
    return (pile, platform) if End.PILE.says(kind) else (platform, pile)


@pytest.mark.parametrize("kind", sorted(KINDS), ids=lambda kind: f"{kind:02X}")
def test_every_message_arrives(kind: int) -> None:
    """Whatever one end can say the other understands; and what is understood can be said again."""

    @given(MESSAGES[kind])
    def arrives(message: Any) -> None:
        speaker, hearer = _ends(kind)
        hearer.receive_data(speaker.send(message))
        assert hearer.next_event() == Heard(0, message)

    arrives()


@given(st.sampled_from(sorted(KINDS)), st.binary(min_size=201, max_size=201))
def test_any_bytes_of_the_right_length_are_a_message(kind: int, data: bytes) -> None:
    """It reads as the same when it is said again, though bytes without a meaning may be lost."""
    sizes = {SealedBill: 201}
    message = KINDS[kind]
    size = sizes.get(message) or Layout(message).size
    if size is None:
        return
    speaker, hearer = _ends(kind)
    hearer.receive_data(encode_frame(Frame(0, kind, data[:size])))
    heard = hearer.next_event()
    assert isinstance(heard, Heard)
    hearer.receive_data(speaker.send(heard.message))
    assert hearer.next_event() == heard


@given(st.integers(0, 255), st.binary(max_size=LENGTH_MAX - LENGTH_MIN), st.sampled_from(End))
def test_any_body_is_read_or_told(kind: int, body: bytes, end: End) -> None:
    """Every sound frame gives one event."""
    hearer = Connection(end)
    hearer.receive_data(encode_frame(Frame(9, kind, body)))
    event = hearer.next_event()
    assert isinstance(event, Heard | Unread)
    assert hearer.next_event() is NEED_MORE
    assert hearer.noise_bytes == 0


@given(pieces, any_message)
def test_a_message_behind_noise_arrives(before: bytes, drawn: tuple[int, Any]) -> None:
    """At the latest when the other end is silent."""
    kind, message = drawn
    speaker, hearer = _ends(kind)
    hearer.receive_data(before + speaker.send(message))
    events = []
    while (event := hearer.next_event()) is not NEED_MORE:
        events.append(event)
    while (event := hearer.silence()) is not NEED_MORE:
        events.append(event)
    assert events[-1] == Heard(0, message)


@given(st.lists(pieces, max_size=10), st.sampled_from(End))
def test_noise_never_raises_and_is_all_counted(chunks: list[bytes], end: End) -> None:
    """Anything may come; what is thrown away is counted to the byte."""
    hearer, events = Connection(end), 0
    for chunk in chunks:
        hearer.receive_data(chunk)
        while hearer.next_event() is not NEED_MORE:
            events += 1
    while hearer.silence() is not NEED_MORE:
        events += 1
    if not events:
        assert hearer.noise_bytes == sum(map(len, chunks))


@given(st.binary(max_size=10))
def test_marks_never_raise(data: bytes) -> None:
    """Any bytes are marks by some of the names."""
    for names in (TIME_OUTS, BATTERY_STOPS, CHARGER_STOPS, BATTERY_STATE):
        assert set(marks(names, data)) <= set(names)


def test_marks_stand_where_the_document_has_them() -> None:
    """Two bits each, the lowest first; names cover the bytes of their message."""
    assert marks(TIME_OUTS, bytes.fromhex("05 00 00 00 00 00 20 01")) == {
        "charger's CRM 00": 1, "charger's CRM AA": 1, "BMS's stop": 2, "BMS's statistics": 1,
    }  # fmt: skip
    assert marks(BATTERY_STOPS, bytes.fromhex("01 00 00 04")) == {"state of charge reached": 1, "voltage": 1}
    assert marks(CHARGER_STOPS, bytes.fromhex("04 00 01 00")) == {"by hand": 1, "emergency stop": 1}
    assert marks(BATTERY_STATE, bytes.fromhex("02 10")) == {"cell voltage": 2, "charging allowed": 1}
    for names, message in (
        (TIME_OUTS, Errors),
        (BATTERY_STOPS, BatteryStops),
        (CHARGER_STOPS, ChargerStops),
        (BATTERY_STATE, BatteryState),
    ):
        assert len(names) == 4 * (Layout(message).fields["marks"].size or 0)


def test_what_a_battery_wants() -> None:
    """Offsets of 400 A are taken off; the highest cell's group stands in the top four bits."""
    body = bytes(24) + struct.pack(
        "<HHBHHHBHHHH", 3_800, 3_200, 2, 3_750, 3_210, 3 << 12 | 412, 55, 30, 3_760, 4_800, 12
    )
    platform = Connection(End.PLATFORM)
    platform.receive_data(encode_frame(Frame(0, 0x23, body)))
    heard = platform.next_event()
    assert isinstance(heard, Heard)
    demand = heard.message
    assert isinstance(demand, Demand)
    assert (demand.wanted_voltage_mv, demand.wanted_current_ma) == (380_000, -80_000)
    assert (demand.highest_cell_mv, demand.highest_cell_group) == (4_120, 3)
    assert (demand.pile_current_ma, demand.soc_pct, demand.remaining_min) == (80_000, 55, 30)
