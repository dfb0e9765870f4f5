"""Signed meter records of a till at work: one with every closed session, judged by a verifier of somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge.meter_record import DISPUTED, MISSING, MeterRecorder
from edge.till.progress import StopReason
from protocols.proof import ocmf
from protocols.proof.ocmf import MeterRecord, SoftwareSigner
from protocols.proof.ocmf_lint import continuity
from protocols.proof.ocmf_session import Plate, Session, disagreements
from protocols.trade.records import Notice, SessionClosed, SessionOpened, SessionVoided, body_of
from tests.edge.desk_rig import Till, a_till, reopen
from tests.edge.till.story import TWO_PRICES
from tests.protocols.proof.meter_records import KEY, SIGNER, V0_KEY, eichrecht, theirs

RECORDER = MeterRecorder(SIGNER, "0.1.0", {"m1": Plate("24071133", "Eastron", "SDM630")}, {"c1": "DE*ABC*E0001*1"})


def records_of(till: Till) -> list[MeterRecord]:
    """Of all closed sessions, verified by us and by pyocmf, in the log's order."""
    texts = [body.meter_record for body in till.bodies(SessionClosed)]
    assert None not in texts
    assert all(theirs(text, V0_KEY) for text in texts)
    return [ocmf.verify(text, KEY.public_key()) for text in texts]


def sessions_of(till: Till) -> list[Session]:
    """Opening and closing record of each closed session."""
    log = list(till.journal.records())
    closings = [(record, body) for record in log if isinstance(body := body_of(record), SessionClosed)]
    sessions = []
    for record, closed in closings:
        opening = log[closed.session]
        opened = body_of(opening)
        assert isinstance(opened, SessionOpened)
        sessions.append(Session("hz-1", 1, closed.session, opening.stamp, opened, closed, record.stamp))
    return sessions


async def test_a_closed_session_has_its_meter_record(tmp_path: Path) -> None:
    """Begin and end register, plate, place, bill and log in one signed text, in the record that closes the session."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        session = await till.start()
        await till.wait(100)
        await till.finish(StopReason.REMOTE)
        (record,) = records_of(till)
        pin = session.opened.pins[0]
    assert eichrecht(record.text) == []
    told = {key: part for key, part in record.fields.items() if key != "RD"}
    assert told == {
        "FV": "1.3", "GI": "Fieldtill", "GS": "hz-1/1", "GV": "0.1.0", "PG": "T1",
        "MV": "Eastron", "MM": "SDM630", "MS": "24071133",
        "IS": True, "IL": "TRUSTED", "IF": ["RFID_NONE", "OCPP_NONE", "ISO15118_NONE", "PLMN_NONE"],
        "IT": "LOCAL", "ID": f"hz-1/1/{session.seq}", "TT": "flat, version 1",
        "CT": "EVSEID", "CI": "DE*ABC*E0001*1",
        "U_AMOUNT_FEN": 20, "V_LOG": "fieldtill/hz-1/1", "V_SESSION": session.seq, "V_METER": "m1",
        "W_TARIFF_SHA256": pin.hash.hex(),
    }  # fmt: skip
    same = {"RI": "01-00:01.08.00*FF", "RU": "kWh", "RT": "AC", "EF": "", "ST": "G"}
    readings = [{**reading, "RV": str(reading["RV"])} for reading in record.readings]
    assert readings == [
        {"TM": "2026-01-01T00:00:00,000+0000 S", "TX": "B", "RV": "1000.000", **same},
        {"TM": readings[1]["TM"], "TX": "R", "RV": "1000.200", **same},
    ]
    assert readings[1]["TM"].startswith("2026-01-01T00:01:4")


async def test_the_bill_and_its_meter_record_are_one_commit(tmp_path: Path) -> None:
    """R2: signing adds neither a record nor a commit."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        await till.start()
        await till.wait(50)
        commits = till.journal.counters.commits
        await till.finish()
        assert till.journal.counters.commits - commits == 2  # the stop, and the end
        assert till.kinds[-2:] == ["session-closed", "value-returned"]


async def test_no_card_number_is_in_it(tmp_path: Path) -> None:
    """The customer is the session; neither the card, nor its HMAC, nor the account gets out."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        tapped = await till.site.tap("c1", "04A1B2C3")
        assert tapped.session is not None
        till.obey()
        await till.wait(50)
        await till.finish()
        (record,) = records_of(till)
        assert (record.fields["IL"], record.fields["IF"][0]) == ("HEARSAY", "RFID_PLAIN")
        for secret in ("04A1B2C3", tapped.session.opened.origin.credential.hex(), "ann"):
            assert secret not in record.text.replace('"ann', "")


async def test_pages_count_on_over_meters_and_restarts(tmp_path: Path) -> None:
    """T1, T2, ... in the log's order, whatever else happens; nothing is left out, and the log agrees with each."""
    async with a_till(tmp_path, may_stay=10_000, tariff=TWO_PRICES, recorder=RECORDER) as till:
        for reason in (StopReason.LOCAL, StopReason.EV_DISCONNECTED):
            await till.start("c1")
            await till.start("c2")
            await till.wait(40)
            await till.finish(reason)
        await till.start("c1")  # nothing flows: voided, and takes no page
        till.bays["c1"].delivering = False
        await till.desk.stop(till.desk.sessions()[0][0].seq, StopReason.LOCAL)
        await till.wait(10)
        await till.start("c1")
        await till.wait(20)
        await till.desk.save()
        await reopen(till, tmp_path)
        await till.wait(5)
        await till.finish()
        records = records_of(till)
        sessions = sessions_of(till)
        assert len(till.bodies(SessionVoided)) == 1
    assert [record.fields["PG"] for record in records] == ["T1", "T2", "T3", "T4", "T5"]
    assert [record.readings[1]["TX"] for record in records] == ["L", "L", "E", "E", "L"]
    assert continuity(records, first_page=1) == []
    for page, (record, session) in enumerate(zip(records, sessions, strict=True), 1):
        assert eichrecht(record.text) == []
        assert disagreements(record, session, page) == []
        assert disagreements(record, session, page + 1) != []


async def test_a_power_cut_ends_with_p(tmp_path: Path) -> None:
    """Across two boots the wall clock alone counts: informative, in both readings."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        await till.start()
        await till.wait(30)
        till.time.wall_ms += 600_000
        await reopen(till, tmp_path, boot=b"boot-002")
        till.obey()
        await till.wait(3)
        (record,) = records_of(till)
    begin, end = record.readings
    assert (begin["TM"], end["TX"], end["ST"]) == ("2026-01-01T00:00:00,000+0000 I", "P", "G")
    assert end["TM"].startswith("2026-01-01T00:10:3")
    assert end["TM"].endswith(" I")
    assert eichrecht(record.text) == []


async def test_after_a_power_cut_without_a_clock_the_duration_is_unknown(tmp_path: Path) -> None:
    """1970: the energy is right and is billed; the end says that its time is of no use (EF t, which is no error)."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        await till.start()
        await till.wait(30)
        till.time.wall_ms, till.time.synchronised = 5_000, False
        await reopen(till, tmp_path, boot=b"boot-002")
        till.obey()
        await till.wait(3)
        (record,) = records_of(till)
    begin, end = record.readings
    assert begin["TM"][-1] == end["TM"][-1] == "U"
    assert (end["EF"], end["ST"], str(end["RV"])) == ("t", "G", "1000.060")
    assert eichrecht(record.text) == []


@pytest.mark.parametrize(("learned", "letter"), [(False, "U"), (True, "R")])
async def test_a_box_without_a_clock(tmp_path: Path, learned: bool, letter: str) -> None:
    """Unknown stays unknown; a clock that is set while the session runs tells its begin too: relative time."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        till.time.wall_ms, till.time.synchronised = 5_000, False
        till.open()
        await till.start()
        await till.wait(30)
        if learned:
            now_ms = 1_780_272_600_000
            till.time.wall_ms, till.time.synchronised = now_ms, True
        await till.wait(30)
        await till.finish()
        (record,) = records_of(till)
    begin, end = record.readings
    assert begin["TM"][-1] == end["TM"][-1] == letter
    assert end["EF"] == ""
    if learned:
        assert begin["TM"].startswith("2026-06-01T00:09:30,000")
    assert eichrecht(record.text) == []


def reset(till: Till) -> None:
    till.bays["c1"].register_wh = 0


def jump(till: Till) -> None:
    till.bays["c1"].register_wh += 50_000


def backwards(till: Till) -> None:
    till.bays["c1"].register_wh -= 50_000


@pytest.mark.parametrize(
    ("accident", "finding"), [(reset, "meter-reset"), (jump, "meter-jump"), (backwards, "meter-backwards")]
)
async def test_a_meter_that_is_ill_is_never_called_good(
    tmp_path: Path, accident: Callable[[Till], None], finding: str
) -> None:
    """The last good register is a substitute (S); the record is signed, disputed, and no verifier takes it for good."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        await till.start()
        await till.wait(30)
        accident(till)
        await till.wait(20)
        (record,) = records_of(till)
        notices = {notice.what: notice.detail for notice in till.bodies(Notice)}
    end = record.readings[1]
    assert (end["TX"], end["ST"], str(end["RV"]), record.fields["V_FINDING"]) == ("A", "S", "1000.060", finding)
    assert notices[DISPUTED] == "RD[1].ST: the meter's status is S, not G (meter-status)"
    assert finding in notices
    assert len(eichrecht(record.text)) == 1


async def test_a_meter_that_died_is_called_silent(tmp_path: Path) -> None:
    """Settled at its last register after settle_after_s: status T."""
    async with a_till(tmp_path, recorder=RECORDER) as till:
        session = await till.start()
        await till.wait(30)
        till.bays["c1"].meter_answers = False
        await till.wait(1)
        await till.desk.stop(session.seq, StopReason.LOCAL)
        till.obey()
        await till.wait(60)
        assert till.bodies(SessionClosed) == []
        till.time += till.policy.settle_after_s * 1000
        await till.wait(2)
        (record,) = records_of(till)
    end = record.readings[1]
    assert (end["ST"], str(end["RV"]), record.fields["V_FINDING"]) == ("T", "1000.060", "meter-silent")
    assert end["TM"].startswith("2026-01-01T00:00:3")  # when it was read, not when it was settled


class BrokenKey:
    """Hardware that does as the test says."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.public = KEY.public_key()
        self.sign = answer


def unplugged(message: bytes) -> bytes:
    raise OSError("no answer from the security chip")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (unplugged, "the device key did not sign: no answer from the security chip"),
        (SoftwareSigner(ec.derive_private_key(7, ec.SECP256R1())).sign, "expected a signature by device"),
        (lambda message: b"", "expected a signature by device"),
    ],
    ids=["dead", "another key", "empty"],
)
async def test_a_key_that_does_not_sign_keeps_no_session_open(
    tmp_path: Path, answer: Callable[[bytes], bytes], why: str
) -> None:
    """The sale is closed and billed without a record, a notice says why, and the next record leaves no page out."""
    signer: Any = BrokenKey(SIGNER.sign)
    async with a_till(tmp_path, may_stay=10_000, recorder=MeterRecorder(signer, "0.1.0")) as till:
        for key in (SIGNER.sign, answer, SIGNER.sign):
            signer.sign = key
            await till.start()
            await till.wait(20)
            await till.finish()
        first, without, last = till.bodies(SessionClosed)
        (notice,) = till.bodies(Notice)
    assert without.meter_record is None
    assert without.amount_fen == first.amount_fen
    assert (notice.what, notice.subject) == (MISSING, str(without.session))
    assert why in notice.detail
    assert [ocmf.parse(body.meter_record).page for body in (first, last)] == [1, 2]


async def test_a_name_that_cannot_be_written_keeps_no_session_open(tmp_path: Path) -> None:
    """The lint stands before the key: what no verifier would take is not signed."""
    recorder = MeterRecorder(SIGNER, "0.1.0", {"m1": Plate(current="three-phase")})
    async with a_till(tmp_path, recorder=recorder) as till:
        await till.start()
        await till.wait(20)
        await till.finish()
        (closed,) = till.bodies(SessionClosed)
        (notice,) = till.bodies(Notice)
    assert closed.meter_record is None
    assert "RD[0].RT: expected one of AC, DC, got 'three-phase'" in notice.detail
