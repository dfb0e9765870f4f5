"""`fieldtill receipt` and `fieldtill verify receipt.json`: what they print, and how they end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sold_box import FINGERPRINT, SPKI, Said, sell

from protocols.proof.receipt_file import parse
from tests.protocols.proof.people import HQ_KEY


def test_the_receipt_as_a_customer_reads_it(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In Chinese and in English, from the journal alone."""
    zh = Said(capsys, "receipt", "hz-1/1/3", "--lang", "zh", "--journal", str(journal)).out
    assert re.sub(r" {2,}", "  ", zh) == (
        "充电收据\n"
        "会话  hz-1/1/3\n"
        "枪位  c1\n"
        "开始  2026-01-01 00:00:00 UTC\n"
        "结束  2026-01-01 00:20:01 UTC\n"
        "结束原因  现场结束\n"
        "电表  m1  1000.000 → 1002.400 kWh\n"
        "电量  2.400 kWh\n"
        "\n"
        "项目  数量  单价  金额\n"
        "电费 · 谷  2.400 kWh  ¥0.50  ¥1.20\n"
        "\n"
        "合计  ¥1.20\n"
        "\n"
        "状态  最终收据：总部已入账并会签\n"
    )
    en = Said(capsys, "receipt", "5", "--lang", "en", "--journal", str(journal)).out
    assert "Total" in en
    assert "Nothing delivered, nothing charged" in en


@pytest.mark.parametrize(
    ("session", "code", "told"),
    [
        ("7", 1, "no bill yet"),
        ("4", 2, "opens no session"),
        ("99", 2, "no record 99"),
        ("hello", 2, "is no session"),
        ("sh-7/1/3", 2, "not of this log"),
    ],
)
def test_what_has_no_receipt(
    journal: Path, capsys: pytest.CaptureFixture[str], session: str, code: int, told: str
) -> None:
    """It says why, and what to do."""
    said = Said(capsys, "receipt", session, "--journal", str(journal))
    assert said.code == code
    assert told in said.err
    assert "next" in said.err


def test_it_verifies_line_by_line(receipt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the fingerprint from the box and headquarters' key from a file; the exit code is the verdict."""
    keys = receipt.with_name("hq.vkeys")
    keys.write_text(f"# headquarters\n{HQ_KEY}\n")
    asked = ("verify", str(receipt), "--site-key", FINGERPRINT, "--hq-key", f"@{keys}")
    said = Said(capsys, *asked, "--lang", "en")
    assert said.code == 0, said.out
    assert "✓  Priced again by that tariff, every line is the same\n" in said.out
    assert "✓  The signed meter record (OCMF, page 1) is by the same box and says what the log says\n" in said.out
    assert "○  Keys of class C, in software" in said.out
    assert said.out.splitlines()[-2] == "PROVEN"
    assert Said(capsys, *asked, "--lang", "zh").out.splitlines()[-2] == "已证实"
    told = json.loads(Said(capsys, *asked, "--json").out)
    assert told["proven"] is True
    assert told["bill"]["amount_yuan"] == "1.20"
    assert {line["mark"] for line in told["lines"]} == {"proven", "open"}


def test_the_exit_code_tells_a_forgery_from_what_is_no_receipt(
    receipt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 proven, 1 not proven, 2 bad input."""
    good = receipt.read_text()
    receipt.write_text(good.replace('"amount_yuan": "1.20"', '"amount_yuan": "0.20"'))
    forged = Said(capsys, "verify", str(receipt), "--site-key", FINGERPRINT, "--lang", "en")
    assert forged.code == 1
    assert "✗  What the file shows in plain text is not" in forged.out
    receipt.write_text(good[:500])
    cut = Said(capsys, "verify", str(receipt), "--site-key", FINGERPRINT)
    assert cut.code == 2
    assert "expected JSON" in cut.err
    assert Said(capsys, "verify", str(receipt.with_name("none.json"))).code == 2
    receipt.write_text(good)
    assert Said(capsys, "verify", str(receipt), "--site-key", "2a22").code == 2
    assert "one of zh, en" in Said(capsys, "verify", str(receipt), "--lang", "fr").err
    assert Said(capsys, "verify", str(receipt), "--lang", "en").code == 1  # nobody whom the reader knows vouches


def test_a_provisional_receipt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before headquarters has heard of the sale the site alone vouches, and whoever asks for more is told."""
    journal, path = sell(tmp_path, cosigned=False), tmp_path / "receipt.json"
    said = Said(capsys, "receipt", "3", "--out", str(path), "--journal", str(journal), "--lang", "en")
    assert "provisional: headquarters has not cosigned it yet" in said.out
    assert Said(capsys, "verify", str(path), "--site-key", SPKI.hex(), "--lang", "en").code == 0
    asked = Said(capsys, "verify", str(path), "--site-key", FINGERPRINT, "--hq-key", str(HQ_KEY), "--lang", "en")
    assert asked.code == 1
    assert "○  Provisional: headquarters (hq.example/cosigner) has not cosigned yet" in asked.out


def test_a_receipt_carries_no_card(receipt: Path) -> None:
    """Neither its number nor what stands for it at a site, in any spelling."""
    text = receipt.read_text()
    assert "04A1B2C3" not in text
    assert "04A1B2C3" not in b"".join(one.data for one in parse(text.encode(), source="r").records).hex().upper()
