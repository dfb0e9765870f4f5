"""The local page over real HTTP: what a phone sees, what it can give in, and what it cannot find out."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from page_rig import Phone, a_phone, link_in

from edge.page.exchange import BODY_BYTES_MAX
from edge.page.server import CLIENTS_MAX, PEER_MAX
from edge.page.token import load
from edge.page.words import PROBLEMS
from edge.till.start import Refusal
from protocols.proof import receipt_file
from protocols.trade.carried import Fault
from protocols.trade.codec import decode
from protocols.trade.records import Preset, Record, session_id
from tests.edge.codes import code, order
from tests.edge.desk_rig import CARD


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with a_phone(tmp_path) as one:
        yield one


# --- the first page ---------------------------------------------------------------------------------------------------


async def test_places_and_prices(phone: Phone) -> None:
    """Which places are free, what is plugged, and what a kWh costs now; in the phone's language."""
    phone.till.bays["c1"].plugged = False
    english = await phone.get("/", **{"Accept-Language": "fr-CH, en;q=0.9, zh;q=0.5"})
    assert english.status == 200
    for text in ("Free", "Plugged in", "¥1.00 per kWh", "00:00-24:00", "c1", "c2"):
        assert text in english.text
    chinese = await phone.get("/")
    for text in ("空闲", "已插枪", "1.00 元/度"):
        assert text in chinese.text
    assert "湖滨站 &lt;1&gt;" in chinese.text


async def test_a_running_session_is_shown_without_its_payer(phone: Phone) -> None:
    """Energy and price stand on the charger's own display, too; whose they are stands nowhere."""
    tapped = await phone.till.site.tap("c1", CARD)
    assert tapped.session is not None
    phone.till.obey()
    await phone.till.wait(50)
    page = (await phone.get("/?lang=en")).text
    assert "Charging" in page
    assert "0.100 kWh · ¥0.10" in page
    for secret in ("ann", CARD, "receipt/", tapped.session.opened.origin.credential.hex()):
        assert secret not in page


async def test_a_charger_that_is_dead_or_ill(phone: Phone) -> None:
    """Said as it is, so that nobody plugs in there."""
    phone.till.bays["c1"].charger_answers = False
    assert "Out of service" in (await phone.get("/?lang=en")).text


async def test_nothing_may_run_in_it_but_its_own(phone: Phone) -> None:
    """No cookie, no foreign script, no frame, no cache, and links with tokens are told to nobody."""
    headers = (await phone.get("/")).headers
    assert "Set-Cookie" not in headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


async def test_the_charger_that_was_scanned(phone: Phone) -> None:
    """Its part of the first page, and the form; what is no charger is nothing."""
    seen = await phone.get("/at/c1?lang=en")
    for text in ("Charger c1", "Plugged in", "¥1.00 per kWh", 'id="code"'):
        assert text in seen.text
    assert "c2" not in seen.text
    assert (await phone.get("/at/c9")).status == 404


# --- codes ------------------------------------------------------------------------------------------------------------


async def test_a_code_starts_a_session_and_gives_its_link(phone: Phone) -> None:
    """Paid by phone, given in by the page, no link: it charges, and the phone has the receipt's address."""
    started = await phone.take(code(4_000, start=order(1, preset=Preset("money", 4_000))))
    assert "c1 has been started" in started.text
    assert "guest-7" not in started.text
    running = await phone.get(link_in(started))
    assert "¥40.00" in running.text
    again = await phone.take(code(4_000, start=order(1, preset=Preset("money", 4_000))))
    assert "c1 is charging for you" in again.text
    assert link_in(again) == link_in(started)


async def test_a_code_without_a_start(phone: Phone) -> None:
    """What may be spent, and what to do next; the second time it is no news."""
    text = code(4_000)
    assert "¥40.00 may be spent" in (await phone.take(text)).text
    assert "taken in before" in (await phone.take(text)).text


async def test_a_refused_start_says_why_and_that_nothing_is_lost(phone: Phone) -> None:
    """No car: plug in, and give in the same code again."""
    phone.till.bays["c1"].plugged = False
    text = code(4_000, start=order(1))
    refused = await phone.take(text)
    assert "Plug the car in" in refused.text
    assert "Nothing of it is lost" in refused.text
    phone.till.bays["c1"].plugged = True
    assert "c1 has been started" in (await phone.take(text)).text


@pytest.mark.parametrize("text", ["", "hello", "<script>alert(1)</script>", "FT1:ABC", code(1, site="hz-2")])
async def test_a_code_that_is_of_no_use(phone: Phone, text: str) -> None:
    """A sentence, never the text itself."""
    answer = await phone.take(text)
    assert "This code is of no use here" in answer.text
    assert "alert" not in answer.text


def test_every_reason_has_its_words() -> None:
    """In both languages; a customer is never told a code word."""
    for one in (*Fault, *Refusal):
        assert one.value in PROBLEMS, one


# --- receipts ---------------------------------------------------------------------------------------------------------


class Elsewhere(NamedTuple):
    """A log of another epoch."""

    site: str
    epoch: int


async def sold(phone: Phone) -> str:
    """A whole session; the link to its receipt."""
    started = await phone.take(code(4_000, start=order(1)))
    phone.till.obey()
    await phone.till.wait(50)
    await phone.till.finish()
    return link_in(started)


async def test_the_bill_and_its_proof(phone: Phone) -> None:
    """The link that was given at the start shows the bill after it, and a receipt that proves itself."""
    link = await sold(phone)
    page = await phone.get(f"{link}&lang=en")
    assert "¥0.11" in page.text or "¥0.10" in page.text
    assert "provisional" in page.text
    saved = await phone.get(link.replace("?", ".json?"))
    assert saved.headers["Content-Type"] == "application/json"
    assert 'filename="receipt-hz-1-1-' in saved.headers["Content-Disposition"]
    file = receipt_file.parse(saved.body, source="phone")
    log = phone.till.journal.read(0, 99, 1 << 20)
    assert [one.data for one in file.records] == [log[one.proof.index] for one in file.records]
    assert [decode(one.data, Record).kind for one in file.records] == ["session-opened", "session-closed"]


async def test_receipts_cannot_be_walked_through(phone: Phone) -> None:
    """Without the token, or with that of another session, there is no such page; nor does one learn that there is."""
    link = await sold(phone)
    path, _, query = link.partition("?")
    seq = int(path.rsplit("/", 1)[1])
    nothing = await phone.get("/receipt/hz-1/1/9999?k=AAAAAAAAAAAAAAAAAAAAAA&lang=en")
    for guess in (path, f"{path}?k=", f"{path}?k=AAAAAAAAAAAAAAAAAAAAAA", f"/receipt/hz-1/1/{seq + 1}?{query}"):
        answer = await phone.get(f"{guess}{'&' if '?' in guess else '?'}lang=en")
        assert (answer.status, answer.body) == (404, nothing.body)


async def test_a_receipt_of_an_epoch_that_has_ended(phone: Phone) -> None:
    """Its log has been moved aside: the link still shows the bill."""
    link = await sold(phone)
    data_dir = phone.daemon.config.data_dir
    shutil.copytree(data_dir, f"{data_dir}/epochs/1", ignore=shutil.ignore_patterns("epochs", "keys"))
    phone.daemon.journal = Elsewhere("hz-1", 2)  # type: ignore[assignment]  # the box goes on with its next epoch
    assert "provisional" in (await phone.get(link + "&lang=en")).text


async def test_links_outlive_the_daemon(phone: Phone) -> None:
    """The secret is kept, readable by its owner alone."""
    assert phone.daemon.receipt_url is not None
    keys_dir = phone.daemon.config.keys_dir
    token = load(keys_dir).of(session_id("hz-1", 1, 7))
    assert f"k={token}" in phone.daemon.receipt_url(7)
    assert (keys_dir / "page.key").stat().st_mode & 0o777 == 0o600


# --- whoever else asks ------------------------------------------------------------------------------------------------


async def test_what_is_not_there(phone: Phone) -> None:
    """Other paths and methods get a plain answer."""
    assert (await phone.get("/admin")).status == 404
    assert (await phone.get("/take")).status == 405
    assert (await phone.post("/", "x=1")).status == 405
    assert (await phone.get("/receipt/hz-1/1/%00")).status == 404


async def test_a_long_body_is_refused(phone: Phone) -> None:
    """Above 4 KiB nothing is read any further."""
    assert (await phone.post("/take", "code=" + "A" * BODY_BYTES_MAX)).status == 413


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 9_000,
        b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["tls", "short", "no-host", "long", "binary", "method"],
)
async def test_noise(phone: Phone, noise: bytes) -> None:
    """Whatever comes, the answer is an error, and the next phone is served."""
    reader, writer = await asyncio.open_connection("127.0.0.1", phone.port)
    writer.write(noise)
    writer.write_eof()
    said = await reader.read()
    writer.close()
    assert said.startswith(b"HTTP/1.1 4")
    assert (await phone.get("/")).status == 200


async def test_one_phone_keeps_nobody_out(phone: Phone) -> None:
    """Connections that say nothing: of one address only so many are heard, and they are let go."""
    idle = [await asyncio.open_connection("127.0.0.1", phone.port) for _ in range(PEER_MAX)]
    over = await asyncio.open_connection("127.0.0.1", phone.port)
    assert await over[0].read() == b""
    assert PEER_MAX < CLIENTS_MAX
    for _, writer in [*idle, over]:
        writer.close()
        await writer.wait_closed()
    assert (await phone.get("/")).status == 200


async def test_it_waits_for_the_epoch(phone: Phone) -> None:
    """Before the till is open the page says so."""
    phone.daemon.site, phone.daemon.codes = None, None
    assert "getting ready" in (await phone.get("/?lang=en")).text
    assert (await phone.take(code(1))).status == 503
