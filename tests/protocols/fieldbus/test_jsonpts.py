"""jsonPTS on the wire: golden dialogues in both roles, and everything that is refused."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.jsonpts import BODY_MAX, Answerer, Asker, Done, Report
from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_packets import (
    QUESTIONS,
    Packet,
    PumpAuthorize,
    PumpAuthorizeConfirmation,
    PumpCloseTransaction,
    PumpEndOfTransactionStatus,
    PumpFillingStatus,
    PumpGetPrices,
    PumpGetStatus,
    PumpGetTotals,
    PumpGetTransactionInformation,
    PumpIdleStatus,
    PumpOfflineStatus,
    PumpPrices,
    PumpSetPrices,
    PumpStop,
    PumpTotals,
    PumpTransactionInformation,
    PumpTransactionRecord,
    ReportGetPumpTransactions,
    UploadPumpTransaction,
)

STATUS = PumpGetStatus(pump=1)


def reply(*packets: str) -> bytes:
    return f'{{"Protocol":"jsonPTS","Packets":[{",".join(packets)}]}}'.encode()


def ask_one(question: Packet, packet: str) -> object:
    asker = Asker()
    asker.ask([question])
    return asker.receive(reply(packet))[0]


GOLDEN = [
    (
        PumpAuthorize(pump=1, nozzle=2, type="Amount", dose=Decimal("50.00"), price=Decimal("7.85")),
        b'{"Id":1,"Type":"PumpAuthorize","Data":{"Pump":1,"Type":"Amount","Nozzle":2,"Dose":50.00,"Price":7.85}}',
        '{"Id":1,"Type":"PumpAuthorizeConfirmation","Data":{"Pump":1,"Transaction":1001}}',
        PumpAuthorizeConfirmation(pump=1, transaction=1001),
    ),
    (
        PumpAuthorize(pump=1, fuel_grade_id=2, type="Volume", dose=Decimal("30.000"), tag="A1B2"),
        b'{"Id":1,"Type":"PumpAuthorize","Data":{"Pump":1,"Type":"Volume","FuelGradeId":2,"Dose":30.000,"Tag":"A1B2"}}',
        '{"Id":1,"Type":"PumpAuthorizeConfirmation","Data":{"Pump":1}}',
        PumpAuthorizeConfirmation(pump=1),
    ),
    (
        PumpAuthorize(pump=1, nozzles=[1, 2], type="FullTank", auto_close_transaction=False),
        b'{"Id":1,"Type":"PumpAuthorize","Data":{"Pump":1,"Type":"FullTank","Nozzles":[1,2],'
        b'"AutoCloseTransaction":false}}',
        '{"Id":1,"Type":"PumpAuthorize","Error":true,"Code":42,"Message":"JSONPTS_ERROR_PUMP_BUSY_FILLING"}',
        Refusal(42, "JSONPTS_ERROR_PUMP_BUSY_FILLING"),
    ),
    (
        STATUS,
        b'{"Id":1,"Type":"PumpGetStatus","Data":{"Pump":1}}',
        '{"Id":1,"Type":"PumpIdleStatus","Data":{"Pump":1,"NozzleUp":0,"Nozzle":0,"Request":"","NozzlePrices":[],'
        '"LastNozzle":1,"LastVolume":5.23,"LastPrice":290.60,"LastAmount":1519.84,"LastTransaction":12345,'
        '"LastDateTime":null,"User":""}}',
        PumpIdleStatus(
            pump=1,
            nozzle_up=0,
            nozzle=0,
            request="",
            last_nozzle=1,
            last_volume=Decimal("5.23"),
            last_price=Decimal("290.60"),
            last_amount=Decimal("1519.84"),
            last_transaction=12345,
        ),
    ),
    (
        STATUS,
        b'{"Id":1,"Type":"PumpGetStatus","Data":{"Pump":1}}',
        '{"Id":1,"Type":"PumpFillingStatus","Data":{"Pump":1,"Nozzle":1,"Volume":2.15,"Price":7.85,"Amount":16.88,'
        '"Transaction":7,"IsSuspended":false,"FlowRate":0.35}}',
        PumpFillingStatus(
            pump=1,
            nozzle=1,
            volume=Decimal("2.15"),
            price=Decimal("7.85"),
            amount=Decimal("16.88"),
            transaction=7,
            is_suspended=False,
        ),
    ),
    (
        STATUS,
        b'{"Id":1,"Type":"PumpGetStatus","Data":{"Pump":1}}',
        '{"Id":1,"Type":"PumpEndOfTransactionStatus","Data":{"Pump":1,"Nozzle":2,"Volume":26.720,"TCVolume":26.654,'
        '"Price":7.85,"Amount":209.75,"TotalVolume":48231.150,"Transaction":7}}',
        PumpEndOfTransactionStatus(
            pump=1,
            nozzle=2,
            volume=Decimal("26.720"),
            price=Decimal("7.85"),
            amount=Decimal("209.75"),
            transaction=7,
            total_volume=Decimal("48231.150"),
        ),
    ),
    (
        STATUS,
        b'{"Id":1,"Type":"PumpGetStatus","Data":{"Pump":1}}',
        '{"Id":1,"Type":"PumpOfflineStatus","Data":{"Pump":1,"State":"Offline","NozzleUp":false}}',
        PumpOfflineStatus(pump=1),
    ),
    (
        STATUS,
        b'{"Id":1,"Type":"PumpGetStatus","Data":{"Pump":1}}',
        '{"Id":1,"Type":"PumpTotals","Data":{"Pump":1,"Nozzle":2,"Volume":123456.789,"Amount":987654.32,"User":"a"}}',
        PumpTotals(pump=1, nozzle=2, volume=Decimal("123456.789"), amount=Decimal("987654.32")),
    ),
    (
        STATUS,
        b'{"Id":1,"Type":"PumpGetStatus","Data":{"Pump":1}}',
        '{"Id":1,"Type":"PumpPrices","Data":{"Pump":1,"Prices":[7.85,8.31,0,0,0,0],"User":"admin"}}',
        PumpPrices(pump=1, prices=[Decimal("7.85"), Decimal("8.31"), *[Decimal(0)] * 4]),
    ),
    (
        PumpSetPrices(pump=3, prices=[Decimal("7.85"), Decimal("0")]),
        b'{"Id":1,"Type":"PumpSetPrices","Data":{"Pump":3,"Prices":[7.85,0]}}',
        '{"Id":1,"Type":"PumpSetPrices","Message":"OK"}',
        Done(),
    ),
    (
        PumpCloseTransaction(pump=1, transaction=7),
        b'{"Id":1,"Type":"PumpCloseTransaction","Data":{"Pump":1,"Transaction":7}}',
        '{"Id":1,"Type":"PumpCloseTransaction","Error":true,"Code":27,'
        '"Message":"JSONPTS_ERROR_TRANSACTION_NUMBER_NOT_MATCH"}',
        Refusal(27, "JSONPTS_ERROR_TRANSACTION_NUMBER_NOT_MATCH"),
    ),
    (
        PumpGetTransactionInformation(pump=1),
        b'{"Id":1,"Type":"PumpGetTransactionInformation","Data":{"Pump":1}}',
        '{"Id":1,"Type":"PumpTransactionInformation","Data":{"Pump":1,"Transaction":15,"State":"Finished","Nozzle":1,'
        '"Volume":1.15,"TCVolume":1.14,"Price":10.00,"Amount":11.50,"UserId":1}}',
        PumpTransactionInformation(
            pump=1,
            transaction=15,
            state="Finished",
            nozzle=1,
            volume=Decimal("1.15"),
            price=Decimal("10.00"),
            amount=Decimal("11.50"),
        ),
    ),
    (
        ReportGetPumpTransactions(pump=0, date_time_start="2026-11-22T00:00:00", date_time_end="2026-11-22T08:00:00"),
        b'{"Id":1,"Type":"ReportGetPumpTransactions","Data":{"Pump":0,"DateTimeStart":"2026-11-22T00:00:00",'
        b'"DateTimeEnd":"2026-11-22T08:00:00"}}',
        '{"Id":1,"Type":"ReportPumpTransactions","Data":[{"DateTimeStart":"2026-11-22T06:12:00",'
        '"DateTime":"2026-11-22T06:14:35","Pump":1,"Nozzle":2,"Transaction":7,"Volume":26.72,"TCVolume":26.65,'
        '"Price":7.85,"Amount":209.75,"TotalVolume":48231.15,"TotalAmount":9043341.00,"UserId":1}]}',
        Report(
            (
                PumpTransactionRecord(
                    pump=1,
                    nozzle=2,
                    transaction=7,
                    volume=Decimal("26.72"),
                    price=Decimal("7.85"),
                    amount=Decimal("209.75"),
                    date_time="2026-11-22T06:14:35",
                    date_time_start="2026-11-22T06:12:00",
                    total_volume=Decimal("48231.15"),
                    total_amount=Decimal("9043341.00"),
                ),
            )
        ),
    ),
]


@pytest.mark.parametrize(("question", "asked", "answered", "answer"), GOLDEN)
def test_golden_dialogue(question: Packet, asked: bytes, answered: str, answer: object) -> None:
    """Each question is these bytes, and these bytes are that answer; the other side reads the question back."""
    asker = Asker()
    body = asker.ask([question])
    assert body == reply(asked.decode())
    assert asker.receive(reply(answered)) == [answer]
    (heard,) = Answerer().receive(body)
    assert heard.question == question


@pytest.mark.parametrize(("question", "asked", "answered", "answer"), GOLDEN)
def test_what_a_controller_writes_a_host_reads(
    question: Packet, asked: bytes, answered: str, answer: Packet | Done | Report | Refusal
) -> None:
    """Both roles agree on every answer."""
    asker, answerer = Asker(), Answerer("003A003A3435510938393730")
    (heard,) = answerer.receive(asker.ask([question]))
    assert asker.receive(answerer.answer([(heard, answer)])) == [answer]
    assert asker.peer_id == "003A003A3435510938393730"


def test_many_questions_in_one_envelope_are_matched_by_id() -> None:
    """Answers in any order come out in the order of the questions, and Ids go on rising."""
    asker = Asker()
    asker.ask([STATUS])
    body = asker.ask([PumpGetStatus(pump=1), PumpGetStatus(pump=2), PumpStop(pump=3)])
    assert [packet["Id"] for packet in json.loads(body)["Packets"]] == [2, 3, 4]
    answers = asker.receive(
        reply(
            '{"Id":4,"Type":"PumpStop","Message":"OK"}',
            '{"Id":3,"Type":"PumpOfflineStatus","Data":{"Pump":2}}',
            '{"Id":2,"Type":"PumpIdleStatus","Data":{"Pump":1}}',
        )
    )
    assert answers == [PumpIdleStatus(pump=1), PumpOfflineStatus(pump=2), Done()]


@pytest.mark.parametrize(
    ("packets", "wanted"),
    [
        ((), "expected an answer to packet 1"),
        (('{"Id":9,"Type":"PumpIdleStatus","Data":{"Pump":1}}',), "packet 9: expected an Id of a question still open"),
        (('{"Id":1,"Type":"PumpIdleStatus","Data":{"Pump":1}}',) * 2, "packet 1: expected an Id of a question"),
        (('{"Id":1,"Type":"PumpIdleStatus","Data":{"Pump":2}}',), "expected an answer for the pump that was asked"),
        (('{"Id":1,"Type":"DateTime","Data":{"DateTime":"x"}}',), "expected an answer to PumpGetStatus, got DateTime"),
        (('{"Id":1,"Type":"PumpIdleStatus","Data":{"Pump":"1"}}',), "Expected `int`, got `str` - at `$.Pump`"),
        (('{"Id":1,"Type":"PumpIdleStatus","Data":{"Pump":1,"Nozzle":7}}',), "Expected `int` <= 6"),
        (('{"Id":1,"Type":"PumpIdleStatus","Data":{"Pump":1,"LastVolume":true}}',), "got `bool` - at `$.LastVolume`"),
        (('{"Id":1,"Type":"PumpEndOfTransactionStatus","Data":{"Pump":1}}',), "missing required field `Nozzle`"),
        (('{"Id":1,"Type":"PumpIdleStatus"}',), "missing required field `Pump`"),
        (('{"Type":"PumpIdleStatus","Data":{"Pump":1}}',), "missing required field `Id`"),
        (("7",), "Expected `object`, got `int` - at `$.Packets[0]`"),
    ],
)
def test_answers_that_are_none(packets: tuple[str, ...], wanted: str) -> None:
    """Missing, foreign, double, wrong pump, wrong type: each is named, none is taken."""
    asker = Asker()
    asker.ask([STATUS])
    with pytest.raises(Malformed, match="^.*" + _plain(wanted)):
        asker.receive(reply(*packets))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>401</html>",
        b"\xff\xfe",
        b'{"Protocol":"jsonPTS"}',
        b'{"Protocol":"XML","Packets":[]}',
        b'{"Protocol":"jsonPTS","Packets":{}}',
        b'{"Protocol":"jsonPTS","Packets":[' + b"[" * 100_000,
        b'{"Protocol":"jsonPTS","Packets":[],"x":' + b'{"y":' * 13 + b"1" + b"}" * 13 + b"}",
        b'{"Protocol":"jsonPTS","x":"' + b"y" * BODY_MAX + b'"}',
        b'{"Protocol":"jsonPTS","x":"\\',
    ],
)
def test_bodies_that_are_no_jsonpts(body: bytes) -> None:
    """Whatever comes is Malformed, quickly, and never another error."""
    asker = Asker()
    asker.ask([STATUS])
    with pytest.raises(Malformed):
        asker.receive(body)


def test_a_refused_envelope_refuses_each_question() -> None:
    """A controller that cannot read the request answers without packets."""
    asker = Asker()
    asker.ask([STATUS, STATUS])
    refused = Refusal(2, "INVALID_JSON_REQUEST")
    assert asker.receive(Answerer().refuse(refused)) == [refused, refused]


def test_a_success_may_be_called_anything() -> None:
    """Firmware differs in how it says OK: by the question's name, by `...Confirmation`, with a message or without."""
    for packet in (
        '{"Id":1,"Type":"PumpStop"}',
        '{"Id":1,"Type":"PumpStop","Message":"OK"}',
        '{"Id":1,"Type":"PumpStopConfirmation","Data":{"Pump":1},"Message":null}',
    ):
        assert ask_one(PumpStop(pump=1), packet) == Done()


def test_a_controller_refuses_what_it_cannot_read_and_serves_the_rest() -> None:
    """One bad question does not hide the others."""
    heard = Answerer().receive(
        reply(
            '{"Id":1,"Type":"PumpFly","Data":{}}',
            '{"Id":2,"Type":"PumpGetStatus","Data":{"Pump":0}}',
            '{"Id":3,"Type":"PumpGetPrices","Data":{"Pump":3}}',
        )
    )
    assert [asked.question for asked in heard] == [None, None, PumpGetPrices(pump=3)]
    assert [asked.refusal for asked in heard] == [
        Refusal.of(Code.NOT_FOUND),
        Refusal.of(Code.INVALID_JSON_REQUEST),
        None,
    ]


def test_an_upload_is_a_question_of_the_controller() -> None:
    """The other way round: the controller asks with its own id, the host says OK."""
    controller, host = Asker("PTS1"), Answerer()
    sale = UploadPumpTransaction(
        pump=1,
        nozzle=2,
        transaction=1001,
        volume=Decimal("26.720"),
        price=Decimal("7.85"),
        amount=Decimal("209.75"),
        date_time="2026-09-01T06:14:35",
        is_offline=False,
    )
    (heard,) = host.receive(controller.ask([sale]))
    assert (heard.question, host.peer_id) == (sale, "PTS1")
    assert host.answer([(heard, Done())]) == reply('{"Id":1,"Type":"UploadPumpTransaction","Message":"OK"}')


def test_every_question_has_its_name_on_the_wire() -> None:
    """No two structs share a Type, and codes have the maker's names."""
    names = [question.__name__ for question in QUESTIONS]
    assert len(set(names)) == len(names)
    assert Refusal.of(Code.PUMP_BUSY_FILLING) == Refusal(42, "JSONPTS_ERROR_PUMP_BUSY_FILLING")
    assert Refusal.of(Code.INVALID_JSON_REQUEST).message == "INVALID_JSON_REQUEST"
    assert (Refusal(999, "NEW").known, Refusal(42, "").known) == (None, Code.PUMP_BUSY_FILLING)


def test_decimals_keep_every_digit() -> None:
    """A total of twelve digits before the point comes through as written: it never was a float."""
    packet = '{"Id":1,"Type":"PumpTotals","Data":{"Pump":1,"Nozzle":1,"Volume":123456789012.345}}'
    assert ask_one(STATUS, packet) == PumpTotals(pump=1, nozzle=1, volume=Decimal("123456789012.345"))
    asked = Asker().ask([PumpGetTotals(pump=1, nozzle=1)])
    assert b'"Data":{"Pump":1,"Nozzle":1}' in asked


VALID = reply(
    '{"Id":1,"Type":"PumpIdleStatus","Data":{"Pump":1,"NozzleUp":1,"LastVolume":5.23,"LastTransaction":7}}',
    '{"Id":2,"Type":"ReportPumpTransactions","Data":[]}',
    '{"Id":3,"Type":"PumpStop","Error":true,"Code":43,"Message":"x"}',
)
PIECES = (b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"-1", b"1e999", b"7", b"\\", b"\xff", b'"Data"')


@given(st.integers(0, len(VALID)), st.integers(0, 20), st.lists(st.sampled_from(PIECES), max_size=6))
def test_damaged_bodies_are_answers_or_malformed(at: int, cut: int, put: list[bytes]) -> None:
    """Whatever is cut out and put in: answers of the right kinds, or Malformed; the other side, too."""
    body = VALID[:at] + b"".join(put) + VALID[at + cut :]
    asker = Asker()
    asker.ask([STATUS, ReportGetPumpTransactions(pump=0, date_time_start="", date_time_end=""), PumpStop(pump=1)])
    try:
        assert len(asker.receive(body)) == 3
    except Malformed:
        pass
    try:
        Answerer().receive(body)
    except Malformed:
        pass


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in r"$[].()" else c for c in text)
