"""The verifier page in a real browser: it says what `fieldtill verify` says, of good receipts and of every bad one."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from browser import CHROMIUM, Page, chromium
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_

from edge.evidence import words
from edge.evidence.verifier_page import verifier_page
from protocols.door import Refused
from protocols.proof import reader_keys
from protocols.proof.errors import Malformed
from protocols.proof.receipt_file import ReceiptFile, parse
from protocols.proof.receipt_view import view
from protocols.proof.statement import state
from protocols.trade.records import CNY, Hold
from protocols.trade.tender import Tender, Tenders
from tests.protocols.proof.filled import CLOSING as FILLED_CLOSING
from tests.protocols.proof.filled import FILLED, fuel_receipt
from tests.protocols.proof.filled import OPENING as FILLING_OPENING
from tests.protocols.proof.filled import VOIDED as NOT_BILLED
from tests.protocols.proof.filled import closing as filling_closing
from tests.protocols.proof.fronted import PILED, PORTED, RENTED, STAYED, SWAPPED
from tests.protocols.proof.people import HQ_KEY, LOG_KEY, flip
from tests.protocols.proof.sold import (
    BEGAN_MS,
    CLOSING,
    EXTENDED,
    GOOD,
    HELD,
    OPENING,
    PROVISIONAL,
    SPKI,
    UNCERTAIN,
    VOIDED,
    closing,
    metered,
    mixed,
    priced,
    record,
    spoilt,
)
from tests.protocols.proof.sold import receipt_file as sold
from tests.protocols.proof.test_filling_statement import (
    DOCUMENTS,
    LISTED,
    MIXED_UP,
    PAYERS,
    TOTALS,
    fillings,
    odd_fillings,
)
from tests.protocols.proof.test_filling_statement import LIES as FILLING_LIES
from tests.protocols.proof.test_receipt_file import FINGERPRINT, FORM
from tests.protocols.proof.test_shop_statement import GOOD as SHOP_GOOD
from tests.protocols.proof.test_shop_statement import LIES as SHOP_LIES
from tests.protocols.proof.test_shop_statement import MIXED_UP as SHOP_MIXED_UP
from tests.protocols.proof.test_shop_statement import PORTS, STAYS, odd_fronts
from tests.protocols.proof.test_statement import LIES, MIXED_OPENING, MIXES, ODD_STORIES, odd_bills
from tests.protocols.trade.samples import slices, tariffs, unix_ms

needs_browser = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium) to open the verifier page")

Case = tuple[str, bytes, str, str]
"""What it is, receipt.json, and what stands in the two fields for keys."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page from a file, as a customer opens it: no server."""
    folder = tmp_path_factory.mktemp("page")
    path = folder / "verify.html"
    path.write_text(verifier_page(), encoding="utf-8")
    with chromium(folder / "profile") as tab:
        tab.open(path.as_uri())
        yield tab


def ours(case: Case) -> dict[str, Any]:
    """What `fieldtill verify` says of it."""
    _, text, site, hq = case
    try:
        file = parse(text, source="receipt.json")
        told = state(file, reader_keys.site_keys(site), reader_keys.hq_keys(hq) if hq else ())
    except (Refused, Malformed):
        return {"verdict": "bad-input", "lines": [], "bill": None}
    return {
        "verdict": "proven" if told.proven else "unproven",
        "lines": [[line.code, str(line.mark), words.say(line, "zh"), words.say(line, "en")] for line in told.lines],
        "bill": view(told.story) if told.story else None,
    }


def theirs(page: Page, cases: list[Case]) -> list[dict[str, Any]]:
    """What the page says of them."""
    given = [[text.decode("utf-8", "replace"), site, hq] for _, text, site, hq in cases]
    return list(
        page.run(f"""(async () => {{
        const found = [];
        for (const [text, site, hq] of {json.dumps(given)}) {{
            const told = await judge(text, site, hq);
            found.push({{ verdict: told.verdict, bill: told.story ? viewOf(told.story) : null,
                lines: told.lines.map((one) => [one.code, one.mark, say(one, 0), say(one, 1)]) }});
        }}
        return found;
    }})()""")
    )


def agree(page: Page, cases: list[Case]) -> list[dict[str, Any]]:
    """Both say the same of every case, to the word; what they say."""
    said = [ours(case) for case in cases]
    for case, one, other in zip(cases, said, theirs(page, cases), strict=True):
        assert other == one, case[0]
    return said


def with_keys(name: str, file: ReceiptFile | bytes, site: str = FINGERPRINT, hq: str = str(HQ_KEY)) -> Case:
    return name, file if isinstance(file, bytes) else file.to_bytes(), site, hq


@needs_browser
def test_good_receipts_are_green(page: Page) -> None:
    """For every kind of key, and with what is missing said in the same words."""
    said = agree(page, [
        with_keys("final", GOOD),
        with_keys("by the device key", GOOD, site=SPKI.hex()),
        with_keys("by the log's key", GOOD, site=str(LOG_KEY)),
        with_keys("without headquarters' key", GOOD, hq=""),
        with_keys("provisional", PROVISIONAL, hq=""),
        with_keys("by headquarters alone", GOOD, site=""),
        with_keys("of an uncertain time", UNCERTAIN),
        with_keys("nothing delivered", sold(OPENING, record(VOIDED))),
        with_keys("extended and held for review", sold(OPENING, record(EXTENDED), record(HELD), CLOSING)),
        with_keys("a doubtful reading", sold(OPENING, closing(lambda bill: metered(bill, end_status="T")))),
        with_keys("no meter record", sold(OPENING, closing(lambda bill: with_(bill, meter_record=None)))),
        with_keys("no tariff", sold(OPENING, CLOSING, documents=())),
    ])  # fmt: skip
    assert {one["verdict"] for one in said} == {"proven"}


@needs_browser
def test_every_class_of_tampering_is_red(page: Page) -> None:
    """Forged, altered, mixed up, or signed by a lying site: the page and the command line tell the same lines."""
    cases = [with_keys(f"lie: {one.id}", sold(OPENING, one.values[0])) for one in LIES]
    cases += [with_keys(f"story: {one.id}", sold(*one.values[0], with_view=False)) for one in ODD_STORIES]
    cases += [with_keys(f"form: {one.id}", one.values[0]) for one in FORM]
    cases += [
        with_keys("nobody vouches", GOOD, site="", hq=""),
        with_keys("not final", PROVISIONAL),
        with_keys("another box", GOOD, site=FINGERPRINT[::-1]),
        with_keys("no site key at all", GOOD, site="hello"),
        with_keys("no key of headquarters", GOOD, hq=str(LOG_KEY)),
        with_keys("another summary", replace(GOOD, view={**GOOD.view, "amount_yuan": "1.00"})),
        with_keys("another summary's shape", replace(GOOD, view={**GOOD.view, "lines": {}})),
        with_keys("another device key", replace(GOOD, device_key=SPKI[:-1] + b"\0")),
        with_keys("turned around", replace(GOOD, records=GOOD.records[::-1])),
    ]
    assert {one["verdict"] for one in agree(page, cases)} == {"unproven", "bad-input"}


@needs_browser
def test_no_byte_can_be_changed(page: Page) -> None:
    """Every byte of a record, its proof and its note, one bit each."""
    data = GOOD.records[1].data
    cases = [
        with_keys(f"record, byte {at}", spoilt(GOOD, 1, data=flip(data, 8 * at + at % 8))) for at in range(len(data))
    ]
    good, text = GOOD.to_bytes(), json.loads(GOOD.to_bytes())
    proof = text["records"][1]["proof"]
    for at in range(len(proof)):
        other = chr(ord(proof[at]) ^ (1 << at % 7))
        records = [text["records"][0], {**text["records"][1], "proof": proof[:at] + other + proof[at + 1 :]}]
        cases.append(with_keys(f"proof, character {at}", json.dumps({**text, "records": records}).encode()))
    assert "proven" not in {one["verdict"] for one in agree(page, cases)}
    assert agree(page, [with_keys("whole", good)])[0]["verdict"] == "proven"


@needs_browser
def test_fillings_are_told_alike(page: Page) -> None:
    """Honest pumps, unlucky ones, uncertain clocks and every way to pay; and every lie about them."""
    good = [with_keys("filling", FILLED), with_keys("not billed", fuel_receipt(FILLING_OPENING, record(NOT_BILLED)))]
    good += [with_keys(f"paid: {one.id}", one.values[0]) for one in PAYERS]
    good.append(with_keys("no measurement", fuel_receipt(
        FILLING_OPENING, filling_closing(lambda bill: with_(bill, meter_record=None)))))  # fmt: skip
    assert {one["verdict"] for one in agree(page, good)} == {"proven"}
    told = agree(page, [with_keys(str(one.id), one.values[0]) for one in (*TOTALS, *LISTED)])
    assert {one["verdict"] for one in told} == {"proven", "unproven"}
    bad = [with_keys(f"lie: {name}", fuel_receipt(*records)) for name, records, _ in FILLING_LIES]
    bad += [with_keys("mixed up", fuel_receipt(*records, with_view=False)) for records in MIXED_UP]
    bad.append(with_keys("another summary", replace(FILLED, view={**FILLED.view, "volume_l": "30.000"})))
    assert {one["verdict"] for one in agree(page, bad)} == {"unproven"}
    listed = [(one.values[0], str(one.id)) for one in DOCUMENTS]
    agree(page, [with_keys(name, fuel_receipt(FILLING_OPENING, FILLED_CLOSING, documents=its)) for its, name in listed])


@needs_browser
def test_no_byte_of_a_filling_can_be_changed(page: Page) -> None:
    """Every byte of both records, one bit each."""
    cases = [
        with_keys(f"record {place}, byte {at}", spoilt(FILLED, place, data=flip(one.data, 8 * at + at % 8)))
        for place, one in enumerate(FILLED.records)
        for at in range(len(one.data))
    ]
    assert "proven" not in {one["verdict"] for one in agree(page, cases)}


@needs_browser
def test_cabinets_and_ports_are_told_alike(page: Page) -> None:
    """Swaps, rents and returns; ports by time, energy and tariff; stays in lockers; every lie about them."""
    good = [with_keys(str(one.id), one.values[0]) for one in (*SHOP_GOOD, *PORTS, *STAYS)]
    assert {one["verdict"] for one in agree(page, good)} == {"proven"}
    bad = [with_keys(f"lie: {name}", file) for name, file, _ in SHOP_LIES]
    bad += [with_keys("mixed up", sold(*records, documents=(), with_view=False)) for records in SHOP_MIXED_UP]
    bad += [
        with_keys("another pack", replace(SWAPPED, view={**SWAPPED.view, "taken": "BT1"})),
        with_keys("another time", replace(PORTED, view={**PORTED.view, "lasted": "0:10:00"})),
    ]
    assert {one["verdict"] for one in agree(page, bad)} == {"unproven"}


@needs_browser
@pytest.mark.parametrize("file", [SWAPPED, RENTED, PORTED, STAYED], ids=["swap", "rent", "port", "locker"])
def test_no_byte_of_a_swap_or_a_port_can_be_changed(page: Page, file: ReceiptFile) -> None:
    """Every byte of every record, one bit each."""
    cases = [
        with_keys(f"record {place}, byte {at}", spoilt(file, place, data=flip(one.data, 8 * at + at % 8)))
        for place, one in enumerate(file.records)
        for at in range(len(one.data))
    ]
    assert "proven" not in {one["verdict"] for one in agree(page, cases)}


@needs_browser
def test_other_value_than_money_is_drawn_again(page: Page) -> None:
    """By the tenders that were pinned, or it stays open."""
    cases = []
    for one in MIXES:
        documents, closing, _ = one.values
        cases.append(with_keys(str(one.id), sold(MIXED_OPENING, closing, documents=documents)))
    assert {one["verdict"] for one in agree(page, cases)} == {"proven", "unproven"}


AT_RANDOM = settings(max_examples=15, deadline=None, phases=[Phase.generate])
"""Ten receipts each. A failing case is told as it was found: to make it smaller would ask the browser for minutes."""

STARTS_MS = [BEGAN_MS, unix_ms("2026-03-29 01:30:00"), unix_ms("2026-10-24 13:00:00")]
"""An evening, and nights and days around summer time."""


@needs_browser
@AT_RANDOM
@given(st.data())
def test_any_bill_is_priced_alike(page: Page, data: st.DataObject) -> None:
    """Prices by the hour, summer times, clocks that are uncertain by days: the page finds the same lowest price."""
    cases = []
    for number in range(10):  # together, since asking the browser takes longer than its answer
        prices, pieces = data.draw(tariffs()), data.draw(slices())
        begin_ms = data.draw(
            st.sampled_from([BEGAN_MS, unix_ms("2026-03-29 01:30:00"), unix_ms("2026-10-24 13:00:00")])
        )
        unsure_ms = data.draw(st.sampled_from([0, 1, 40 * 60_000, 9 * 3_600_000, 26 * 3_600_000, None]))
        ub_ms = None if unsure_ms is None else begin_ms + unsure_ms
        cases.append(with_keys(f"{number}: {prices}, {pieces}, {begin_ms}", priced(prices, pieces, begin_ms, ub_ms)))
    assert {one["verdict"] for one in agree(page, cases)} == {"proven"}


@needs_browser
@AT_RANDOM
@given(st.data())
def test_any_mix_of_value_is_drawn_alike(page: Page, data: st.DataObject) -> None:
    """Plans for some lines, coupons that cannot be divided, money in between, in any order."""
    cases = []
    for number in range(10):
        offers, holds = data.draw(mixes())
        cases.append(with_keys(f"{number}: {offers}, {holds}", mixed(offers, holds)))
    assert {one["verdict"] for one in agree(page, cases)} == {"proven"}


@needs_browser
@AT_RANDOM
@given(st.lists(odd_bills(), min_size=10, max_size=10))
def test_whatever_a_site_signs_is_answered_alike(page: Page, bills: list[bytes]) -> None:
    """Numbers beyond reason, clocks before time, records that are none."""
    agree(page, [with_keys(one.hex(), sold(OPENING, one, with_view=False)) for one in bills])


@needs_browser
@AT_RANDOM
@given(st.data())
def test_any_filling_is_told_alike(page: Page, data: st.DataObject) -> None:
    """Any steps and rounding of a pump, any price list and clock, any number of payers."""
    cases = [with_keys(f"filling {number}", data.draw(fillings())) for number in range(10)]
    assert {one["verdict"] for one in agree(page, cases)} == {"proven"}


@needs_browser
@AT_RANDOM
@given(st.lists(odd_fillings(), min_size=10, max_size=10))
def test_whatever_a_site_signs_of_a_filling_is_answered_alike(page: Page, bills: list[bytes]) -> None:
    """Volumes and amounts beyond reason, nozzles that are none, measurements of something else."""
    agree(page, [with_keys(one.hex(), fuel_receipt(FILLING_OPENING, one, with_view=False)) for one in bills])


@needs_browser
@AT_RANDOM
@given(st.data())
def test_whatever_a_site_signs_of_the_shop_front_is_answered_alike(page: Page, data: st.DataObject) -> None:
    """Packs, steps, seconds and sums beyond reason."""
    agree(page, [with_keys(f"shop {number}", data.draw(odd_fronts())) for number in range(10)])


@st.composite
def mixes(draw: st.DrawFn) -> tuple[Tenders, list[Hold]]:
    """Up to three other assets, and up to five holds of them and of money."""
    assets = draw(st.sets(st.sampled_from(["coupon", "kwh-plan", "points"]), max_size=3))
    offers = [
        Tender(
            asset,
            sorted(draw(st.sets(st.sampled_from(["energy", "service", "session", "idle"]), max_size=3))),
            draw(st.sampled_from([1, 110, 500, 3])),
            draw(st.sampled_from([1, 7, 1_000])),
            draw(st.booleans()),
        )
        for asset in sorted(assets)
    ]
    some = st.builds(
        Hold,
        st.sampled_from(["acc-77", "acc-78"]),
        st.sampled_from([CNY, *sorted(assets)]),
        st.sampled_from([1, 3, 300, 700, 1_500, 20_000]),
    )
    return Tenders(3, offers), draw(st.lists(some, min_size=1, max_size=5))


@needs_browser
@pytest.mark.parametrize(("lang", "verdict", "total"), [("zh", "已证实", "合计"), ("en", "PROVEN", "Total")])
def test_a_link_opens_the_receipt(page: Page, lang: str, verdict: str, total: str) -> None:
    """Receipt and keys after the `#`, which no server ever sees. That the keys came with it is said."""
    page.open(f"{page.run('location.href.split(`#`)[0]')}#{fragment(GOOD, lang)}")
    page.wait_for("document.body.dataset.verdict")
    shown = page.run("document.body.innerText")
    assert verdict in shown
    assert f"{total}\t\t\t¥21.60" in shown
    assert "2026-09-21 19:26:40 UTC+8" in shown
    assert page.run("document.getElementById('from-link').hidden") is False
    assert page.run("document.querySelectorAll('#lines .failed').length") == 0


@needs_browser
def test_the_bill_of_a_filling_is_shown(page: Page) -> None:
    """Pump, nozzle, grade and litres, in the price list's local time."""
    page.open(f"{page.run('location.href.split(`#`)[0]')}#{fragment(FILLED, 'zh')}")
    page.wait_for("document.body.dataset.verdict")
    shown = page.run("document.getElementById('slip').innerText")
    assert "加油收据" in shown
    assert "2026-09-21 19:26:40 UTC+8" in shown
    for name, value in (("加油机", "3"), ("油枪", "1"), ("油品", "92#"), ("累计数", "1234.560 → 1261.280 L")):
        assert f"{name}\t{value}" in shown
    assert "油款 · 92#\t26.720 L\t¥7.85\t¥209.75" in shown
    assert page.run("document.querySelectorAll('#lines .failed').length") == 0


@needs_browser
@pytest.mark.parametrize(
    ("file", "texts"),
    [
        (SWAPPED, ["换电收据", "换电柜\tcab-1", "放入电池\tBT3072020120000200521001, 18.0 %, 0.245 kWh", "¥2.64"]),
        (RENTED, ["租电收据", "租期付至\t2026-09-22 19:28:15 UTC+8", "租金\t1\t¥8.00\t¥8.00"]),
        (replace(RENTED, documents=()), ["开始\t2026-09-21 11:26:40 UTC\n"]),
        (PORTED, ["充电口收据", "充电口\track.3", "时长\t1:00:00", "计时费\t40 min 0 s\t¥1.00", "17:26:40 UTC+6"]),
        (PILED, ["开始\t2026-09-21 19:26:40 UTC+8", "电费 · "]),
        (STAYED, ["存放收据", "柜格\track.4", "电池已取走", "时长\t0:01:30", "逾期费\t1\t¥5.00\t¥5.00", "UTC+6"]),
    ],
    ids=["swap", "rent", "rent-without-terms", "port", "pile", "locker"],
)
def test_the_bill_of_the_shop_front_is_shown(page: Page, file: ReceiptFile, texts: list[str]) -> None:
    """Where it was, what changed hands or was counted, and the lines of the bill."""
    page.open(f"{page.run('location.href.split(`#`)[0]')}#{fragment(file, 'zh')}")
    page.wait_for("document.body.dataset.verdict")
    shown = page.run("document.getElementById('slip').innerText")
    assert [text for text in texts if text not in shown] == [], shown
    assert page.run("document.querySelectorAll('#lines .failed').length") == 0


@needs_browser
def test_the_bill_shown_is_the_signed_one(page: Page) -> None:
    """A summary that lies is neither believed nor shown."""
    file = replace(GOOD, view={**GOOD.view, "amount_yuan": "1.00", "connector": "<img src=x onerror=alert(1)>"})
    page.open(f"{page.run('location.href.split(`#`)[0]')}#{fragment(file, 'en')}")
    page.wait_for("document.body.dataset.verdict")
    assert page.run("document.body.dataset.verdict") == "unproven"
    assert page.run("document.getElementById('slip').innerText").count("¥21.60") == 1
    assert page.run("document.images.length") == 0


@needs_browser
def test_the_fingerprint_on_the_box_is_enough(page: Page) -> None:
    """Without keys the page shows which fingerprint to look for, and a click says that it is the one."""
    page.open(f"{page.run('location.href.split(`#`)[0]')}#{urlencode({'receipt': packed(GOOD), 'lang': 'en'})}")
    page.wait_for("document.body.dataset.verdict === 'unproven'")
    assert FINGERPRINT in page.run("document.getElementById('same').innerText")
    assert page.run("document.getElementById('verdict').classList.contains('waiting')") is True
    page.run("document.getElementById('same').click()")
    page.wait_for("document.body.dataset.verdict === 'proven'")
    assert page.run("document.getElementById('site').value") == FINGERPRINT


@needs_browser
def test_the_page_reaches_nobody(page: Page) -> None:
    """The policy in its head forbids every request, and every script but its own."""
    assert page.run("fetch('https://example.com/').then(() => 'sent', () => 'refused')") == "refused"
    broken = page.run("""new Promise((done) => {
        document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.body.append(script);
    })""")
    assert broken.startswith("script-src")
    assert page.run("window.ran") is None


def test_the_policy_allows_this_script_and_style_alone() -> None:
    """By their hashes; and there is nothing in the page that would ask for another file."""
    text = verifier_page()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    for tag in ("script", "style"):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert inside is not None
        assert f"{tag}-src 'sha256-{b64encode(sha256(inside[1].encode()).digest()).decode()}'" in policy[1]
    assert policy[1].startswith("default-src 'none'; ")
    assert not re.search(r"<(link|img|iframe|object|script [^>]*src)", text)
    assert verifier_page() == text


def packed(file: ReceiptFile) -> str:
    return urlsafe_b64encode(file.to_bytes()).decode()


def fragment(file: ReceiptFile, lang: str) -> str:
    return urlencode({"receipt": packed(file), "site": FINGERPRINT, "hq": str(HQ_KEY), "lang": lang})
