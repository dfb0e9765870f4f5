"""`fieldtill evidence`: a folder that a stranger can check, and read."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from browser import CHROMIUM, chromium
from daemon_rig import CONFIG
from sold_box import FINGERPRINT, SPKI, Said

from protocols.proof.keys import device_public_from_spki
from protocols.proof.note import SignatureType, VerifierKey
from protocols.proof.ocmf import verify
from protocols.proof.receipt_file import parse
from tests.protocols.proof.people import HQ_KEY


def test_a_pack_holds_everything_and_its_sums(pack: Path) -> None:
    """Each file is listed with its hash, and every one is what it says."""
    listed = dict(reversed(line.split("  ")) for line in (pack / "SHA256SUMS").read_text().splitlines())
    there = {str(path.relative_to(pack)) for path in pack.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert there == set(listed) == {
        "index.html", "receipt.json", "verify.html", "checkpoint.txt", "keys.json",
        "records/3.session-opened.bin", "records/3.session-opened.json", "records/3.tlog-proof",
        "records/4.session-closed.bin", "records/4.session-closed.json", "records/4.tlog-proof",
        "documents/tariff-1.bin", "documents/tariff-1.json", "meter-record.ocmf", "meter-record.xml",
    }  # fmt: skip
    for path, digest in listed.items():
        assert hashlib.sha256((pack / path).read_bytes()).hexdigest() == digest, path
    receipt = parse((pack / "receipt.json").read_bytes(), source="receipt.json")
    assert (pack / "records/4.session-closed.bin").read_bytes() == receipt.records[1].data
    assert (pack / "documents/tariff-1.bin").read_bytes() == receipt.documents[0].payload
    assert json.loads((pack / "records/4.session-closed.json").read_text())["body"]["amount_fen"] == 120
    record = verify((pack / "meter-record.ocmf").read_text(), device_public_from_spki(SPKI))
    assert record.text in (pack / "meter-record.xml").read_text().replace("&gt;", ">").replace("&lt;", "<")
    keys = json.loads((pack / "keys.json").read_text())
    assert keys["device"] == {"fingerprint": FINGERPRINT, "spki_hex": SPKI.hex(), "class": "C, in software"}


def test_a_pack_is_the_same_each_time(journal: Path, pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two of one session differ in nothing, so that they can be compared by their sums; they are never mixed."""
    again = pack.with_name("again")
    Said(capsys, "evidence", "3", str(again), "--journal", str(journal))
    assert (again / "SHA256SUMS").read_bytes() == (pack / "SHA256SUMS").read_bytes()
    refused = Said(capsys, "evidence", "5", str(pack), "--journal", str(journal))
    assert refused.code == 2
    assert "no empty folder" in refused.err


def test_a_box_names_headquarters_keys(journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that it believes, so that the page can say that headquarters has cosigned, and by which key."""
    grant = VerifierKey("hq.example/grant", SignatureType.ED25519, HQ_KEY.public)
    cosign = VerifierKey("hq.example/cosign", HQ_KEY.type, HQ_KEY.public)
    (tmp_path / "hq.vkeys").write_text(f"{grant}\n{cosign}\n")
    config = tmp_path / "config.toml"
    hq = '[hq]\nurl = "https://hq.example"\nkeys_file = "hq.vkeys"\n'
    config.write_text(CONFIG.format(root=tmp_path).replace("[till]", f"{hq}[till]"))
    folder = tmp_path / "evidence"
    asked = ("evidence", "3", str(folder), "--journal", str(journal), "--config", str(config))
    assert Said(capsys, *asked).code == 0
    assert json.loads((folder / "keys.json").read_text())["headquarters"] == [
        {"name": key.name, "vkey": str(key)} for key in (grant, cosign)
    ]
    assert str(cosign) in (folder / "index.html").read_text()


def test_its_page_is_plain(pack: Path) -> None:
    """No script, no other host; all it links to is in the pack."""
    page = (pack / "index.html").read_text()
    assert "<script" not in page
    assert not re.search(r"https?://", page)
    for target in re.findall(r'href="([^"#]+)', page):
        assert (pack / target).is_file(), target


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium) to open the pack's pages")
def test_its_page_leads_to_the_verifier(pack: Path, tmp_path: Path) -> None:
    """A click opens the verifier with the receipt in it; it then asks for the fingerprint on the box."""
    with chromium(tmp_path / "profile") as page:
        page.open((pack / "index.html").as_uri())
        assert "会话证据" in page.run("document.body.innerText")
        page.open(page.run("document.querySelector('.check a').href"))
        page.wait_for("document.body.dataset.verdict === 'unproven'")
        page.run("document.getElementById('same').click()")
        page.wait_for("document.body.dataset.verdict === 'proven'")


def test_the_verifier_page_can_be_had_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a web site, or to be sent to customers."""
    assert Said(capsys, "verifier", str(tmp_path / "v.html")).code == 0
    assert (tmp_path / "v.html").read_text().startswith("<!doctype html>")
