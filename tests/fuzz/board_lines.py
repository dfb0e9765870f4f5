"""What lock boards, relay boards and charging ports say, and what is said to them, for the fuzz."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from protocols.fieldbus import dongjun, lock_kerong, lock_xor, lock_xunming, relay_board
from protocols.fieldbus.dny import (
    DnyExpect,
    PlatformSide,
    answer,
    board_ear,
    board_ear_tcp,
    report,
    request,
    said_by_board,
    said_by_platform,
)
from protocols.fieldbus.dny_board import CardShown, Heartbeat, Switched
from protocols.fieldbus.dny_fields import encode
from protocols.fieldbus.dny_frames import Frame, encode_frame, poll
from protocols.fieldbus.dny_platform import Taken, start
from protocols.fieldbus.expect import NEED_MORE, Expect
from protocols.fieldbus.hunt import Ear
from protocols.fieldbus.lock_xor import LockExpect
from protocols.fieldbus.modbus import DeviceSide, Framing, Request, request_frame
from protocols.fieldbus.modbus_frames import RTU_MAX


def _answers(*expects: Callable[[], Expect[Any]]) -> Callable[[bytes], object]:
    """As a gateway reads them."""

    def read(data: bytes) -> object:
        made = [make() for make in expects]
        return [(expect.feed(data), expect.give_up()) for expect in made]

    return read


def _heard(*ears: Callable[[], Ear[Any, Any]]) -> Callable[[bytes], object]:
    """As a board reads them."""

    def read(data: bytes) -> object:
        heard = []
        for ear in [make() for make in ears]:
            ear.receive_data(data)
            for listen in (ear.next_event, ear.silence):
                while (event := listen()) is not NEED_MORE:
                    heard.append(event)
        return heard

    return read


def _relays(data: bytes) -> object:
    """What boards with coils of their own meaning are told, in as much as one frame can hold."""
    side = DeviceSide(Framing.RTU)
    side.receive_data(data[:RTU_MAX])
    orders = []
    while isinstance(asked := side.next_event(), Request):
        orders += [lock_xunming.order_of(asked), relay_board.order_of(asked)]
    return orders


def _dny(data: bytes) -> object:
    """Everything on a connection; what is understood can be said again."""
    side = PlatformSide()
    side.receive_data(data)
    told = []
    while (event := side.next_event()) is not NEED_MORE:
        message = getattr(event, "message", None)
        told.append(encode(message) if message is not None else event)
    return told


def _dny_asked(data: bytes) -> object:
    frames = [frame for frame in _each(_heard(*_DNY_EARS)(data)) if isinstance(frame, Frame)]
    return [(said_by_platform(frame), said_by_board(frame)) for frame in frames]


def _each(heard: object) -> Sequence[object]:
    return heard if isinstance(heard, list) else []


_ORDER = bytes(range(16))
_START = request(5, 1, start(1, _ORDER))
_DNY_EARS = (lambda: board_ear(5, 3), lambda: board_ear_tcp(5))
_DNY_SAID = b"".join(
    encode_frame(frame)
    for frame in (
        report(5, 1, Heartbeat(220_000, bytes(10), 0, 25)),
        report(5, 2, CardShown(b"\1\2\3\4", 4, 1, 0, 1, b"0123456789")),
        answer(_START, Switched(0, _ORDER, 1, 0)),
    )
)
_ASK_DONGJUN = dongjun.ask_ports(b"123456")
_LOCK_QUESTIONS: tuple[lock_xor.Question, ...] = (
    lock_xor.Open(1, 5, 3), lock_xor.OpenAll(1), lock_xor.OpenSome(1, frozenset({1, 9})), lock_xor.Read(1, 1),
    lock_xor.ReadAll(1), lock_xor.AskAddress(),
)  # fmt: skip
_COILS = (
    lock_xunming.pdu_of(lock_xunming.Lock(1, 500)),
    lock_xunming.pdu_of(lock_xunming.Charger(1, True)),
    relay_board.pdu_of(relay_board.Pulse(2, 500)),
    relay_board.pdu_of(relay_board.Switch(None, True)),
)

# (name, decoder, honest bytes). None of them may raise on anything.
BOARD_LINES: list[tuple[str, Callable[[bytes], object], tuple[bytes, ...]]] = [
    ("what an 8A/80 lock board answers",
     _answers(lambda: LockExpect(lock_xor.Open(1, 5), echo=True), lambda: LockExpect(lock_xor.OpenAll(1)),
              lambda: LockExpect(lock_xor.Read(1, 1)), lambda: LockExpect(lock_xor.ReadAll(1), channels=32)),
     (lock_xor.answer_one(lock_xor.Open(1, 5), 5, False), lock_xor.answer_one(lock_xor.Read(1, 1), 1, True),
      lock_xor.answer_all(1, [True, False] * 16))),
    ("what an 8A/80 lock board is asked", _heard(lambda: lock_xor.board_ear(1)),
     tuple(map(lock_xor.request_frame, _LOCK_QUESTIONS))),
    ("what a KERONG board answers", _answers(lambda: lock_kerong.expect_states(1)),
     (lock_kerong.answer(1, lock_kerong.States((True,) * 16, (False,) * 16)),)),
    ("what a KERONG board is asked", _heard(lambda: lock_kerong.board_ear(1)),
     (lock_kerong.request_frame(lock_kerong.Unlock(1, 5)), lock_kerong.request_frame(lock_kerong.AskStates(1)))),
    ("what relay boards are told", _relays, tuple(request_frame(Framing.RTU, 1, pdu) for pdu in _COILS)),
    ("what a Dongjun board answers", _answers(lambda: dongjun.expect_ports(_ASK_DONGJUN)),
     (dongjun.encode_frame(dongjun.tell_ports(_ASK_DONGJUN, b"\1\2\3")),)),
    ("what a Dongjun board is asked", _heard(dongjun.board_ear), (dongjun.encode_frame(_ASK_DONGJUN),)),
    ("what a DNY board says on TCP", _dny, (b"89860413161892009275" + _DNY_SAID + b"link",)),
    ("what a DNY board says on a line", _answers(lambda: DnyExpect(_START), lambda: DnyExpect(poll(3))), (_DNY_SAID,)),
    ("what a DNY board is told", _dny_asked,
     (encode_frame(poll(3)) + encode_frame(_START) + encode_frame(Frame(5, 1, 0x20, encode(Taken()))),)),
]  # fmt: skip
