"""The host's and the pump's ears: whose word is it, what is an echo, when is a block for us, when is a sale over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LENGTH, NEED_MORE, NOISE
from protocols.fieldbus.gilbarco import Bad, Command, DataLength, Level, Preset, Status, encode_block
from protocols.fieldbus.gilbarco_host import (
    Question,
    ask_live_amount,
    ask_live_volume,
    ask_ready,
    ask_sale,
    ask_special,
    ask_status,
    ask_totals,
)
from protocols.fieldbus.gilbarco_pump import EVENTS_MAX, AllStop, Asked, Given, PumpEar, Spoilt
from protocols.fieldbus.gilbarco_replies import (
    EXTENDED,
    GradeTotal,
    HoseVolume,
    SaleReply,
    encode_live_volume,
    encode_sale,
    encode_totals,
)
from protocols.fieldbus.gilbarco_special import EXTENDED_STATUS, ExtendedStatus, encode_extended_status
from protocols.fieldbus.gilbarco_watch import SaleWatch, Stage

SALE = SaleReply(3, 1, Level.CASH, 1440, 13889, 2000)
TOTALS = (GradeTotal(1, 1001389, 1442000, 1440, 1440),)


# The host hears.


def test_a_status() -> None:
    """Its own nibble, and a state; pump 16 answers as 0."""
    assert ask_status(3).frame == b"\x03"
    assert ask_status(3).expect.feed(b"\x73") is Status.CALL
    assert ask_status(16).expect.feed(b"\x70") is Status.CALL
    assert ask_ready(3).expect.feed(b"\xd3") is True


def test_the_echo_of_a_status_question_is_no_data_error() -> None:
    """It is held back until the answer comes; and it is the answer where nothing more does."""
    echoed = ask_status(3).expect
    assert echoed.feed(b"\x03") is NEED_MORE
    assert echoed.feed(b"\x63") is Status.OFF
    assert echoed.discarded == {ECHO: 1}
    refused = ask_status(3).expect
    assert refused.feed(b"\x03") is NEED_MORE
    assert refused.give_up() is Status.DATA_ERROR
    assert refused.discarded == {}
    both = ask_status(3).expect
    assert both.feed(b"\x03\x03") is Status.DATA_ERROR
    assert both.discarded == {ECHO: 1}


@pytest.mark.parametrize(
    ("heard", "discarded"), [(b"\x74", {FOREIGN: 1}), (b"\xf3", {NOISE: 1}), (b"\xd3", {NOISE: 1}), (b"", {})]
)
def test_words_that_are_no_status(heard: bytes, discarded: dict[str, int]) -> None:
    """Another pump's word is foreign; a word that is no state is noise."""
    expect = ask_status(3).expect
    assert expect.feed(heard) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert expect.discarded == discarded


@pytest.mark.parametrize("chunk", [1, 5, 33])
@pytest.mark.parametrize("before", ["", "43", "00 12 F0", "43 FF 10"])
def test_a_sale_in_any_chunks(chunk: int, before: str) -> None:
    """Behind our echo and noise, in pieces of any size."""
    expect = ask_sale(3).expect
    wire = bytes.fromhex(before) + encode_sale(SALE)
    found = [expect.feed(wire[at : at + chunk]) for at in range(0, len(wire), chunk)]
    assert found[-1] == SALE
    assert sum(expect.discarded.values()) == len(bytes.fromhex(before))
    assert (ECHO in expect.discarded) == before.startswith("43")


def test_sales_that_are_not_the_answer() -> None:
    """Another pump's, another mode's, and one with a wrong sum."""
    spoilt = bytearray(encode_sale(SALE))
    spoilt[20] ^= 1
    for wire, kind in (
        (encode_sale(SaleReply(4, 1, Level.CASH, 1440, 13889, 2000)), FOREIGN),
        (encode_sale(SALE, EXTENDED), LENGTH),
        (bytes(spoilt), CRC),
    ):
        expect = ask_sale(3).expect
        assert expect.feed(wire) is NEED_MORE
        assert expect.discarded == {kind: len(wire)}
        assert expect.feed(encode_sale(SALE)) == SALE


def test_totals_live_numbers_and_special_functions() -> None:
    """Every other answer."""
    assert ask_totals(3).expect.feed(encode_totals(TOTALS)) == TOTALS
    assert ask_live_amount(3).expect.feed(bytes.fromhex("63 E0 E0 E9 E2 E4 E0")) == 42900
    assert ask_live_amount(3, EXTENDED).expect.feed(bytes.fromhex("E0 E0 E9 E2 E4 E0 E0 E0")) == 42900
    assert ask_live_volume(3).expect.feed(encode_live_volume(HoseVolume(1, 2548))) == HoseVolume(1, 2548)
    special = ask_special(3, EXTENDED_STATUS)
    reply = encode_extended_status(3, ExtendedStatus(True, 2))
    assert special.frame == bytes.fromhex("FF E9 FE E0 E1 E0 FB EE F0")
    assert special.expect.feed(special.frame) is NEED_MORE
    assert special.expect.feed(reply) is not NEED_MORE
    assert special.expect.discarded == {ECHO: len(special.frame)}
    other = ask_special(3, EXTENDED_STATUS).expect
    assert other.feed(encode_extended_status(4, ExtendedStatus(True, 2))) is NEED_MORE
    assert other.discarded == {FOREIGN: len(reply)}


def test_a_live_number_of_another_length_is_none() -> None:
    """Six digits, no more: nothing else tells a number from a piece of one."""
    expect = ask_live_amount(3).expect
    assert expect.feed(bytes.fromhex("E0 E0 E9 E2 E4 E0 E0")) is NEED_MORE
    assert expect.discarded == {LENGTH: 7}
    assert expect.feed(bytes.fromhex("E0 E0 E9")) is NEED_MORE
    assert expect.give_up() is NEED_MORE


@given(st.lists(st.binary(max_size=80) | st.lists(st.integers(0xE0, 0xFF), max_size=80).map(bytes), max_size=6))
def test_noise_never_raises_and_is_never_kept(chunks: list[bytes]) -> None:
    """Every byte is counted once, however it comes; after it is given up, a true answer is found."""
    questions: list[Question[object]] = [
        ask_status(3),
        ask_ready(16),
        ask_sale(3),
        ask_totals(3),
        ask_live_amount(3),
        ask_special(3, EXTENDED_STATUS),
    ]
    for question in questions:
        expect, fed = question.expect, 0
        for chunk in chunks:
            fed += len(chunk)
            if expect.feed(chunk) is not NEED_MORE:
                break
        else:
            expect.give_up()
            assert sum(expect.discarded.values()) <= fed
    expect = ask_sale(3).expect
    for chunk in chunks:
        expect.feed(chunk)
    expect.give_up()
    assert expect.feed(encode_sale(SALE)) == SALE


# The pump hears.


def events(ear: PumpEar, wire: str) -> list[object]:
    ear.receive_data(bytes.fromhex(wire))
    found: list[object] = []
    while (event := ear.next_event()) is not None:
        found.append(event)
    return found


def test_a_preset_as_the_pump_hears_it() -> None:
    """Announced, given, asked about: in one chunk or byte by byte."""
    wire = "23 FF E6 F2 F8 E0 E0 E0 E2 E0 FB E4 F0 03 13"
    expected = [
        Asked(Command.DATA_NEXT, 3),
        Given(3, Preset("amount", 2000)),
        Asked(Command.STATUS, 3),
        Asked(Command.AUTHORISE, 3),
    ]
    assert events(PumpEar(DataLength.COUNTED), wire) == expected
    ear = PumpEar()
    assert [event for byte in wire.split() for event in events(ear, byte)] == expected


def test_a_block_is_for_the_pump_that_was_told() -> None:
    """It has no address; without the word before it, it is for nobody."""
    block = encode_block(Preset("amount", 2000)).hex()
    ear = PumpEar()
    assert events(ear, block) == []
    assert ear.noise == len(block) // 2
    assert events(ear, "23 04" + block) == [Asked(Command.DATA_NEXT, 3), Asked(Command.STATUS, 4)]
    assert events(ear, "20" + block)[1:] == [Given(16, Preset("amount", 2000))]


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("FF E6 F2 F8 E0 E0 E0 E2 E0 FB E5 F0", Bad.LRC),
        ("FF E3 F2 F8 E0 E0 E0 E2 E0 FB E7 F0", Bad.LENGTH),
        ("FF E6 F2 03", Bad.SHAPE),
        ("FF" + "E0" * 40, Bad.SHAPE),
        ("FF E6 FF", Bad.SHAPE),
    ],
)
def test_blocks_that_cannot_be_used(block: str, why: Bad) -> None:
    """Its next status is a data error."""
    found = events(PumpEar(DataLength.COUNTED), "23" + block)
    assert found[1] == Spoilt(3, why)


def test_all_stop() -> None:
    """One word for every pump."""
    assert events(PumpEar(), "FC") == [AllStop()]


@given(st.binary(max_size=200))
def test_a_pump_hears_anything(noise: bytes) -> None:
    """It never raises, and is ready for the next word."""
    ear = PumpEar()
    ear.receive_data(noise)
    while ear.next_event() is not None:
        pass
    ear.receive_data(b"\x03")
    last = None
    while (event := ear.next_event()) is not None:
        last = event
    assert last == Asked(Command.STATUS, 3)


def test_a_host_that_never_listens() -> None:
    """What piles up has a limit."""
    ear = PumpEar()
    ear.receive_data(b"\x03" * (EVENTS_MAX + 7))
    assert ear.noise == 7


# When a sale is over.

OFF, CALL, AUTH, BUSY, PEOT, FEOT, STOP = (
    Status.OFF,
    Status.CALL,
    Status.AUTHORISED,
    Status.BUSY,
    Status.PEOT,
    Status.FEOT,
    Status.STOP,
)


@pytest.mark.parametrize(
    ("seen", "stage", "flowed"),
    [
        ([OFF, CALL, AUTH, BUSY, PEOT, FEOT, OFF], Stage.OVER, True),
        ([OFF, CALL, AUTH, BUSY, FEOT, OFF, CALL], Stage.OVER, True),
        ([AUTH, BUSY, OFF], Stage.OVER, True),  # FEOT was missed
        ([AUTH, BUSY, CALL], Stage.OVER, True),  # and the next customer is there
        ([AUTH, PEOT, OFF], Stage.OVER, True),
        ([AUTH, OFF], Stage.OVER, False),  # stopped, hung up, or all the rest was missed
        ([AUTH, CALL], Stage.OVER, False),
        ([AUTH, BUSY, STOP], Stage.OVER, True),
        ([AUTH, BUSY, PEOT], Stage.RUNNING, True),
        ([FEOT, OFF], Stage.NONE, False),  # of before our time
        ([OFF, CALL, OFF], Stage.NONE, False),
        ([AUTH, BUSY, OFF, CALL, AUTH], Stage.RUNNING, False),
    ],
)
def test_when_a_sale_is_over(seen: list[Status], stage: Stage, flowed: bool) -> None:
    """Whatever was seen of it, and until it is released."""
    watch = SaleWatch()
    for status in seen:
        watch.saw(status)
    assert (watch.stage, watch.flowed) == (stage, flowed)
    watch.released()
    assert watch.stage is (Stage.NONE if stage is Stage.OVER else stage)


def test_a_pump_that_was_told_and_was_never_seen_authorised() -> None:
    """The word may have been heard: OFF after it is the end of a sale; a pump that did not take it has none."""
    heard, refused = SaleWatch(), SaleWatch()
    heard.authorising()
    assert heard.saw(OFF) is Stage.OVER
    refused.authorising()
    refused.refused()
    assert refused.saw(CALL) is Stage.NONE


def test_a_stop_that_may_be_resumed() -> None:
    """It is the end only where a head does not resume."""
    watch = SaleWatch(stop_ends=False)
    assert [watch.saw(status) for status in (BUSY, STOP, BUSY, STOP, OFF)] == [Stage.RUNNING] * 4 + [Stage.OVER]
    watch = SaleWatch(stop_ends=False)
    watch.ended()
    assert watch.stage is Stage.NONE
    watch.saw(BUSY)
    watch.ended()
    assert watch.saw(STOP) is Stage.OVER
