"""A shop front's day, handed out: receipts and evidence of swaps and ports from journals that the real till wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sold_box import Said

from edge.journal.verify import verify
from protocols.proof import keys, measurement
from tests.edge.evidence.shop_front_day import (
    SoldPacks,
    SoldPorts,
    SoldStays,
    a_boards_day,
    a_cabinets_day,
    a_lockers_day,
)
from tests.edge.journal.verify_rig import DEVICE, TRUST

KEYS = ("--site-key", keys.fingerprint(keys.spki(DEVICE.public_key())), "--hq-key", str(TRUST.cosigners[0]))


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> SoldPacks:
    """A swap by plan, one by energy, a rent, a return, one cancelled, one under way."""
    return a_cabinets_day(tmp_path_factory.mktemp("cabinet"))


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> SoldPorts:
    """An hour at a port, and a port where nothing was drawn."""
    return a_boards_day(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="module")
def stays(tmp_path_factory: pytest.TempPathFactory) -> SoldStays:
    """A pack collected too late, one that staff took out, one that is still there."""
    return a_lockers_day(tmp_path_factory.mktemp("lockers"))


def test_the_journals_verify(packs: SoldPacks, ports: SoldPorts, stays: SoldStays) -> None:
    """Every measurement is signed, numbered in one row, and says what the log says."""
    for path, measured in ((packs.path, 4), (ports.path, 1), (stays.path, 0)):
        report = verify(path, TRUST)
        assert (list(report.findings), report.tally.meter_records) == ([], measured)


def test_each_receipt_verifies(
    packs: SoldPacks, ports: SoldPorts, stays: SoldStays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With keys from elsewhere; one altered word, and it does not."""
    sold = [
        (packs.path, seq) for seq in (packs.planned, packs.by_energy, packs.rented, packs.returned, packs.cancelled)
    ]
    sold += [(ports.path, ports.by_time), (ports.path, ports.never), (stays.path, stays.late), (stays.path, stays.free)]
    for journal, session in sold:
        path = tmp_path / f"{journal.parent.name}-{session}.json"
        assert Said(capsys, "receipt", str(session), "--out", str(path), "--journal", str(journal)).code == 0
        said = Said(capsys, "verify", str(path), *KEYS, "--lang", "en")
        assert (said.code, said.out.splitlines()[-2]) == (0, "PROVEN"), said.out
        path.write_text(path.read_text().replace('"clock": "synchronised"', '"clock": "unknown"'))
        assert Said(capsys, "verify", str(path), *KEYS).code == 1
    for journal, session in ((packs.path, packs.running), (stays.path, stays.running)):
        running = Said(capsys, "receipt", str(session), "--journal", str(journal))
        assert (running.code, "no bill yet" in running.err) == (1, True)


def test_the_slip_of_a_locker(stays: SoldStays, capsys: pytest.CaptureFixture[str]) -> None:
    """Where, how long, who took it out, and what the days cost."""
    late = Said(capsys, "receipt", str(stays.late), "--journal", str(stays.path), "--lang", "zh")
    shown = [text for text in ("存放收据", "rack.1", "电池已取走", "逾期费", "¥6.00") if text not in late.out]
    assert (late.code, shown) == (0, []), late.out
    free = Said(capsys, "receipt", str(stays.free), "--journal", str(stays.path), "--lang", "en")
    assert (free.code, "staff took the pack out" in free.out, "¥0.00" in free.out) == (0, True, True), free.out


def test_bills_tell_the_time_of_what_priced_them(
    packs: SoldPacks, ports: SoldPorts, stays: SoldStays, capsys: pytest.CaptureFixture[str]
) -> None:
    """Swap terms and port prices are of Shanghai here; the site's tariff, which priced none of them, is in UTC."""
    for journal, session in ((packs.path, packs.rented), (ports.path, ports.by_time), (stays.path, stays.late)):
        said = Said(capsys, "receipt", str(session), "--journal", str(journal), "--lang", "en")
        times = re.findall(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} (\S+)", said.out)
        assert (set(times), len(times) >= 2) == ({"UTC+8"}, True), said.out


def test_the_evidence_of_a_stay(stays: SoldStays, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every opening of the door, and the prices; no measurement, for nothing was measured."""
    folder = tmp_path / "evidence"
    assert Said(capsys, "evidence", str(stays.late), str(folder), "--journal", str(stays.path)).code == 0
    kinds = sorted(path.name.partition(".")[2] for path in (folder / "records").glob("*.bin"))
    assert [*dict.fromkeys(kinds)] == [
        "locker-closed.bin", "locker-door.bin", "locker-opened.bin", "locker-overdue.bin", "locker-stored.bin"
    ]  # fmt: skip
    assert not list(folder.glob("m*r*t.*"))
    assert "柜格" in (folder / "index.html").read_text()


def test_a_pack_holds_the_steps_the_terms_and_the_measurement(
    packs: SoldPacks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a page to read, in both languages."""
    folder = tmp_path / "evidence"
    assert Said(capsys, "evidence", str(packs.planned), str(folder), "--journal", str(packs.path)).code == 0
    steps = sorted(path.name.partition(".")[2] for path in (folder / "records").glob("*.bin"))
    assert steps == ["swap-closed.bin", "swap-opened.bin", *["swap-stepped.bin"] * 3]
    handed_out = [path.name for path in sorted((folder / "documents").glob("*.bin"))]
    assert handed_out == ["swap-terms-1.bin"]
    record = measurement.verified((folder / "measurement.ftm").read_text(), DEVICE.public_key())
    assert (record.page, record.fields["V_CABINET"], record.meter) == (1, "cab-1", "CAB-0417")
    page = (folder / "index.html").read_text()
    assert [text for text in ("换电柜", "Pack taken", "换电费", "Swap terms, version 1") if text not in page] == []
