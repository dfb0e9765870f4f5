"""A forecourt's day, handed out: receipts, evidence and views of fillings from a journal that the real till wrote."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from browser import CHROMIUM, chromium
from sold_box import Said

from edge.evidence import gather, words
from edge.journal.connection import connect_reader
from edge.journal.verify import verify
from edge.page import bill
from protocols.proof import keys, measurement
from protocols.proof.receipt_file import parse
from tests.edge.forecourt.proven_court import Sold, a_forecourts_day
from tests.edge.journal.verify_rig import DEVICE, TRUST

FINGERPRINT = keys.fingerprint(keys.spki(DEVICE.public_key()))
HQ_KEY = str(TRUST.cosigners[0])


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Sold:
    """50 yuan of petrol, a filling on a guarantee, one where nothing flowed, and one under way."""
    return a_forecourts_day(tmp_path_factory.mktemp("forecourt"))


def receipt_of(sold: Sold, session: int, path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert Said(capsys, "receipt", str(session), "--out", str(path), "--journal", str(sold.path)).code == 0
    return path


def test_the_journal_verifies(sold: Sold, capsys: pytest.CaptureFixture[str]) -> None:
    """Every key real, every measurement verified; the filling under way has its row."""
    report = verify(sold.path, TRUST)
    assert (list(report.findings), report.not_checked) == ([], [])
    assert (report.tally.bills, report.tally.meter_records) == (2, 2)
    assert Said(capsys, "verify", str(sold.path), "--site-key", FINGERPRINT, "--hq-key", HQ_KEY).code == 0


def test_the_receipt_as_a_customer_reads_it(sold: Sold, capsys: pytest.CaptureFixture[str]) -> None:
    """Pump, nozzle, grade and litres, in Chinese and in English."""
    zh = Said(capsys, "receipt", str(sold.bought), "--lang", "zh", "--journal", str(sold.path)).out
    assert re.sub(r" {2,}", "  ", zh) == (
        "加油收据\n"
        f"会话  hz-1/1/{sold.bought}\n"
        "加油机  p1\n"
        "开始  2026-01-01 00:00:04 UTC\n"
        "结束  2026-01-01 00:00:20 UTC\n"
        "结束原因  达到设定量\n"
        "油枪  1\n"
        "油品  92#\n"
        "累计数  1000.000 → 1006.370 L\n"
        "升数  6.370 L\n"
        "\n"
        "项目  数量  单价  金额\n"
        "油款 · 92#  6.370 L  ¥7.85  ¥50.00\n"
        "\n"
        "合计  ¥50.00\n"
        "\n"
        "状态  最终收据：总部已入账并会签\n"
    )
    nothing = Said(capsys, "receipt", str(sold.not_billed), "--lang", "en", "--journal", str(sold.path)).out
    assert "Nothing billed, nothing charged" in nothing
    running = Said(capsys, "receipt", str(sold.open_), "--journal", str(sold.path))
    assert (running.code, "no bill yet" in running.err) == (1, True)


def test_each_receipt_verifies(sold: Sold, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the fingerprint from the box and headquarters' key; what each claim says, and the gist below them."""
    trust = ("--site-key", FINGERPRINT, "--hq-key", HQ_KEY, "--lang", "en")
    for session in (sold.bought, sold.guaranteed, sold.not_billed):
        path = receipt_of(sold, session, tmp_path / f"{session}.json", capsys)
        said = Said(capsys, "verify", str(path), *trust)
        assert said.code == 0, said.out
        assert said.out.splitlines()[-2] == "PROVEN"
    told = Said(capsys, "verify", str(tmp_path / f"{sold.guaranteed}.json"), *trust).out
    assert "✓  What was set aside was drawn on in its order, a guarantor's last\n" in told
    assert "✓  ¥7.85 a litre of 92 is what that list said then\n" in told
    assert re.search(rf"^hz-1/1/{sold.guaranteed}  p1  7\.000 L  ¥54\.95  2026-01-01T", told, re.M)
    lied = (tmp_path / f"{sold.bought}.json").read_text().replace('"volume_l": "6.370"', '"volume_l": "9.370"')
    (tmp_path / "lied.json").write_text(lied)
    assert Said(capsys, "verify", str(tmp_path / "lied.json"), *trust).code == 1


def test_a_pack_holds_the_measurement_and_the_price_list(
    sold: Sold, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing of charging: tariff, OCMF and its XML are of no use here."""
    pack = tmp_path / "evidence"
    assert Said(capsys, "evidence", str(sold.guaranteed), str(pack), "--journal", str(sold.path)).code == 0
    seqs = [(sold.guaranteed + n, kind) for n, kind in enumerate(("filling-opened", "session-extended"))]
    seqs.append((sold.guaranteed + 2, "filling-closed"))
    records = {f"records/{seq}.{kind}.{end}" for seq, kind in seqs for end in ("bin", "json")}
    proofs = {f"records/{seq}.tlog-proof" for seq, _ in seqs}
    assert {str(path.relative_to(pack)) for path in pack.rglob("*") if path.is_file()} == {
        "index.html", "receipt.json", "verify.html", "checkpoint.txt", "keys.json", "SHA256SUMS", "measurement.ftm",
        "documents/fuel-prices-1.bin", "documents/fuel-prices-1.json", *records, *proofs,
    }  # fmt: skip
    record = measurement.verified((pack / "measurement.ftm").read_text(), DEVICE.public_key())
    assert (record.page, record.fields["U_VOLUME_ML"], record.fields["V_PUMP"]) == (2, 7_000, "p1")
    receipt = parse((pack / "receipt.json").read_bytes(), source="receipt.json")
    assert [one.kind for one in receipt.documents] == ["fuel-prices"]
    listed = json.loads((pack / "documents/fuel-prices-1.json").read_text())["content"]
    assert listed["steps"][0]["prices"][0] == {"grade": "92", "price_e3": 785_000}
    page = (pack / "index.html").read_text()
    for text in ("加油证据", "Price list", "油枪", "油品", "92#", "7.000 L", "¥54.95"):
        assert text in page
    assert "<script" not in page


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium) to open the pack's pages")
def test_the_pack_leads_to_the_verifier(sold: Sold, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As that of a charge does: the page proves the real till's receipt."""
    pack = tmp_path / "evidence"
    Said(capsys, "evidence", str(sold.guaranteed), str(pack), "--journal", str(sold.path))
    with chromium(tmp_path / "profile") as page:
        page.open((pack / "index.html").as_uri())
        page.open(page.run("document.querySelector('.check a').href"))
        page.wait_for("document.body.dataset.verdict === 'unproven'")
        page.run("document.getElementById('same').click()")
        page.wait_for("document.body.dataset.verdict === 'proven'")
        assert page.run("document.querySelectorAll('#lines .failed').length") == 0


def test_the_local_page_s_receipt(sold: Sold) -> None:
    """What a customer's phone shows of a filling, in both languages, with the file to take along."""
    with closing(connect_reader(sold.path)) as connection:
        gathered = gather.receipt_of(connection, sold.bought)
    zh, en = (bill.settled(gathered, "/receipt/hz-1/1/8.json?k=x&lang=zh", language) for language in words.LANGUAGES)
    for text in ("油枪", "油品", "92#", "累计数", "6.370 L", "¥50.00", "保存可验证的收据", "k=x&amp;lang=zh"):
        assert text in zh
    for text in ("Nozzle", "Grade", "Totalizer", "Fuel · 92#", "6.370 L", "Total"):
        assert text in en


def test_what_a_technician_sees(sold: Sold, capsys: pytest.CaptureFixture[str]) -> None:
    """Fillings in a few words among the records, and one whole; OCMF has nothing to say of fuel."""
    opened, extended, closed = (
        Said(capsys, "journal", "inspect", "--seq", str(sold.guaranteed + n), "--journal", str(sold.path)).out
        for n in range(3)
    )
    assert "p1, ¥199.50 at most, by panel, on a guarantee: ann holds ¥200.00" in opened
    assert "bob holds ¥54.95 more" in extended
    assert "7.000 L of 92 at 7.85, ¥54.95, hung-up" in closed
    assert "FTM|" in closed
    refused = Said(capsys, "ocmf", str(sold.bought), "--journal", str(sold.path))
    assert refused.code == 1
    assert "measurement.ftm" in refused.err
