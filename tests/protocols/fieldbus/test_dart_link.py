"""DART's block numbers, acknowledgements and repeats, in both roles."""

from __future__ import annotations

import pytest

from protocols.fieldbus.dart_expect import DartExpect
from protocols.fieldbus.dart_frames import Control, Frame, encode_frame
from protocols.fieldbus.dart_link import Heard, Master, Numbering, Receiver, Slave, Verdict, acknowledge_and_poll
from protocols.fieldbus.expect import ECHO, FOREIGN, NEED_MORE

A = 0x52
NEW, DUPLICATE, UNEXPECTED = Verdict.NEW, Verdict.DUPLICATE, Verdict.UNEXPECTED


def data(number: int, content: bytes = b"x") -> Frame:
    return Frame(A, Control.DATA, number, content)


def ack(number: int) -> Frame:
    return Frame(A, Control.ACK, number)


def nak(number: int) -> Frame:
    return Frame(A, Control.NAK, number)


POLL, EOT = Frame(A, Control.POLL), Frame(A, Control.EOT)


@pytest.mark.parametrize(
    ("numbers", "verdicts"),
    [
        ([0, 1, 2], [NEW, NEW, NEW]),
        ([0, 0, 1, 1], [NEW, DUPLICATE, NEW, DUPLICATE]),
        ([7, 8], [NEW, NEW]),
        ([5, 0, 1], [NEW, NEW, NEW]),
        ([5, 7, 6], [NEW, UNEXPECTED, NEW]),
        ([14, 15, 0, 1], [NEW, NEW, NEW, NEW]),
        ([14, 15, 1, 2], [NEW, NEW, NEW, NEW]),
        ([15, 2], [NEW, UNEXPECTED]),
    ],
    ids=["rising", "repeats", "first seen", "restart", "skipped", "F to 0", "F to 1", "F to 2"],
)
def test_a_receiver_judges_numbers(numbers: list[int], verdicts: list[Verdict]) -> None:
    """Duplicate first, then restart, then the expected one; after F both 0 and 1 are right."""
    receiver = Receiver()
    assert [receiver.judge(number) for number in numbers] == verdicts


def test_a_peer_that_always_says_zero_can_be_heard() -> None:
    """By option, as a repeat is then never known for one."""
    receiver = Receiver(zero_is_new=True)
    assert [receiver.judge(0), receiver.judge(0), receiver.judge(3), receiver.judge(3)] == [
        NEW,
        NEW,
        UNEXPECTED,
        UNEXPECTED,
    ]


@pytest.mark.parametrize(
    ("numbering", "numbers"),
    [
        (Numbering.WRAP_TO_1, [*range(16), 1, 2]),
        (Numbering.WRAP_TO_0, [*range(16), 0, 1]),
        (Numbering.ZERO_ALWAYS, [0] * 18),
    ],
)
def test_a_master_numbers_its_blocks(numbering: Numbering, numbers: list[int]) -> None:
    """The wrap is a choice; sources differ."""
    master, sent = Master(A, numbering), []
    for _ in range(18):
        sent.append(master.send(b"x").number)
        master.hear(ack(sent[-1]))
    assert sent == numbers


def test_no_answer_repeats_the_same_block_with_the_same_number() -> None:
    """So that the slave knows it for a repeat; it executes it once."""
    master, slave = Master(A), Slave(A)
    first = master.send(b"AUTHORIZE")
    assert slave.hear(first) == Heard(reply=ack(0), data=b"AUTHORIZE")
    assert master.waiting == first
    assert slave.hear(first) == Heard(reply=ack(0), data=None)
    master.hear(ack(0))
    assert master.waiting is None
    assert master.send(b"again").number == 1


def test_a_new_command_with_the_number_of_the_last_is_acknowledged_and_not_executed() -> None:
    """The trap that a master falls into which does not count."""
    slave = Slave(A)
    slave.hear(data(0, b"RESET"))
    assert slave.hear(data(0, b"AUTHORIZE")) == Heard(reply=ack(0), data=None)


def test_nak_is_answered_by_the_same_block_with_number_zero() -> None:
    """0 is what every receiver takes."""
    master, slave = Master(A), Slave(A)
    for number in range(3):
        slave.hear(data(number))
    master.send(b"a")
    master.hear(ack(0))
    refused = master.send(b"b")
    assert (refused.number, slave.hear(refused)) == (1, Heard(reply=nak(1)))
    again = master.hear(nak(1)).reply
    assert again == data(0, b"b")
    assert slave.hear(again).data == b"b"
    master.hear(ack(0))
    assert master.send(b"c").number == 1


def test_a_late_acknowledgement_of_another_block_is_not_taken() -> None:
    """ACK 3 does not say that block 0 has come."""
    master = Master(A)
    sent = master.send(b"a")
    assert not master.answers(sent, ack(3))
    master.hear(ack(3))
    assert master.waiting == sent


def test_a_dropped_block_keeps_its_number() -> None:
    """It may have been accepted, and its acknowledgement lost: a new command must not look like its repeat."""
    master, slave = Master(A), Slave(A)
    slave.hear(master.send(b"a"))
    assert slave.hear(master.send(b"b")).data == b"b"


def test_the_slave_repeats_what_is_not_acknowledged() -> None:
    """At every poll, with the same number, until ACK or ACKPOLL comes."""
    slave = Slave(A)
    slave.offer(b"one")
    slave.offer(b"two")
    assert slave.hear(POLL).reply == data(0, b"one")
    assert slave.hear(POLL).reply == data(0, b"one")
    assert slave.hear(acknowledge_and_poll(data(0))).reply == data(1, b"two")
    assert slave.hear(ack(0)).reply is None
    assert not slave.quiet
    slave.hear(ack(1))
    assert slave.quiet
    assert slave.hear(POLL).reply == EOT


def test_the_master_acknowledges_a_repeat_and_uses_it_once() -> None:
    """Its first acknowledgement was lost."""
    master = Master(A)
    assert master.hear(data(4, b"x")) == Heard(reply=ack(4), data=b"x")
    assert master.hear(data(4, b"x")) == Heard(reply=ack(4), data=None)
    assert master.duplicates == 1
    assert master.hear(data(9, b"y")) == Heard(reply=nak(9))
    assert master.hear(data(0, b"y")) == Heard(reply=ack(0), data=b"y")
    assert master.restarts == 0  # our NAK made it begin again
    master.hear(data(1, b"z"))
    assert master.hear(data(0, b"y")) == Heard(reply=ack(0), data=b"y")
    assert master.restarts == 1
    assert master.hear(data(0, b"y")) == Heard(reply=ack(0), data=None)
    assert master.hear(data(0, b"other")) == Heard(reply=ack(0), data=b"other")  # no repeat: it has started again
    assert master.restarts == 2


def test_a_slave_that_was_refused_starts_again_at_zero() -> None:
    """NAK in the other direction."""
    slave = Slave(A)
    slave.offer(b"a")
    slave.hear(POLL)
    slave.hear(ack(0))
    slave.offer(b"b")
    assert slave.hear(POLL).reply == data(1, b"b")
    slave.hear(nak(1))
    assert slave.hear(POLL).reply == data(0, b"b")


@pytest.mark.parametrize("frame", [Frame(A, Control.IAP), Frame(A, Control.EOT), Frame(0x53, Control.POLL)])
def test_a_slave_ignores_what_is_not_for_it(frame: Frame) -> None:
    """IAP, another slave's poll, an answer."""
    assert Slave(A).hear(frame) == Heard()


def test_both_sides_start_again() -> None:
    """After a restart the first block has number 0, and what waited is gone."""
    master, slave = Master(A), Slave(A)
    slave.offer(b"old")
    slave.hear(master.send(b"a"))
    master.hear(ack(0))
    master.send(b"b")
    master.restart()
    slave.restart()
    assert master.send(b"c").number == 0
    assert slave.hear(POLL).reply == EOT


def test_an_expect_finds_the_answer_among_others() -> None:
    """Its own echo, another slave's talk and the wrong kind are counted; EOT or DATA answers a poll, ACK a block."""
    master = Master(A)
    poll = DartExpect(master, master.poll())
    assert poll.feed(encode_frame(POLL) + bytes.fromhex("53 70 FA")) is NEED_MORE
    assert poll.feed(encode_frame(ack(0))) is NEED_MORE
    assert poll.discarded == {ECHO: 3, FOREIGN: 6}
    assert poll.feed(encode_frame(data(3))) == data(3)
    sent = master.send(b"hello")
    block = DartExpect(master, sent)
    assert block.feed(encode_frame(sent) + encode_frame(EOT)) is NEED_MORE
    assert block.give_up() is NEED_MORE
    assert block.feed(encode_frame(nak(0))) == nak(0)
    assert block.discarded == {ECHO: len(encode_frame(sent)), FOREIGN: 3}
