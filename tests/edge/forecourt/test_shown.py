"""What panel, page, broker and monitoring say of pumps and fillings; and what can be asked at the panel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.pumps.config import NozzleConfig, PumpConfig
from edge.config import Config
from edge.daemon_state import Daemon
from edge.metrics import render
from edge.page import pumps as page
from edge.page.front import front
from edge.page.places import at
from edge.page.visits import Visits
from edge.panel.cli_fuel import masked
from edge.panel.record_view import gist
from edge.panel.server import answer
from edge.premises import Premises
from edge.service import ill, in_words
from edge.sync.live import look
from edge.sync.papers import faults_in
from protocols.trade import fuel_prices, fuel_terms
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.fuel_terms import FuelTerms, Terms
from protocols.trade.records import TechnicianAct
from protocols.trade.records_fuel import FillingClosed, FillingOpened, FuelUnattributed, PumpPricesSet
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY
from tests.edge.forecourt.court_rig import Court, a_court


def daemon_of(court: Court) -> Daemon:
    """The daemon as panel and page see it."""
    nozzles = (NozzleConfig(number=1, grade="92", tank="t1"), NozzleConfig(number=2, grade="0", tank="t2"))
    pumps = tuple(
        PumpConfig(id=name, number=number, protocol="dart", address=0x4F + number, nozzles=nozzles, line="island")
        for number, name in enumerate(court.pumps, start=1)
    )
    premises = Premises({}, {}, {}, dict(court.pumps))
    daemon = Daemon(Config("hz-1", "/nowhere", pump=pumps), premises, court.clock, court.time.mono_ms)
    daemon.journal, daemon.site = court.journal, court.site
    return daemon


async def ask(daemon: Daemon, verb: str, **args: Any) -> Any:
    told = await answer(daemon, msgspec.json.encode({"verb": verb, "args": args}), "li")
    assert told.trouble is None, told.trouble
    return msgspec.to_builtins(told.result)


async def trouble(daemon: Daemon, verb: str, **args: Any) -> tuple[str, str]:
    """Its code and what to do next."""
    told = await answer(daemon, msgspec.json.encode({"verb": verb, "args": args}), "li")
    assert told.trouble is not None, told.result
    return told.trouble.code, told.trouble.remedy


# --- the panel --------------------------------------------------------------------------------------------------------


async def test_the_attendant_fills_watches_and_stops(tmp_path: Path) -> None:
    """By the pump's number; the filling as it runs, and its end by `stop`."""
    async with a_court(tmp_path) as court:
        daemon = daemon_of(court)
        opened = await ask(daemon, "fill", pump="1", account="ann", preset="volume", amount=20_000, asked="81200")
        assert (opened["pump"], opened["preset"], opened["order"]) == ("p1", "20.000 L", "20.000 L")
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700)
        await court.wait(3)
        (running,) = await ask(daemon, "fillings")
        assert (running["phase"], running["nozzle"]) == ("delivering", 1)
        assert running["volume_ml"] > 1_000
        status = await ask(daemon, "status")
        assert [one["state"] for one in status["pumps"]] == ["delivering", "idle"]
        assert status["pumps"][0]["filling"]["seq"] == opened["seq"]
        assert await ask(daemon, "stop", connector="1") == {"session": opened["seq"], "stopping": True}
        await court.wait(2)
        court.model.hang_up()
        await court.wait(2)
        assert await ask(daemon, "fillings") == []
        (body,) = court.bodies(FillingOpened)
        assert (body.origin.by, body.asked) == ("li", "81200")


async def test_a_guarantee_at_the_panel(tmp_path: Path) -> None:
    """Fuel first, then the card; who took the money is in the log."""
    async with a_court(tmp_path) as court:
        daemon = daemon_of(court)
        await court.grant(50_000, "bob", "99887766", may_stay=50_000)
        opened = await ask(daemon, "fill", pump="1", guarantee="bob")
        await court.wait(1)
        await court.pour(7_000)
        assert await trouble(daemon, "pay", session=opened["seq"], account="eve") == (
            "unknown-account",
            "Headquarters places value here (`fieldtill-hq account`), or the card is tapped online.",
        )
        assert await ask(daemon, "pay", session=opened["seq"], card=CARD) == {"session": opened["seq"], "paid": True}
        await court.wait(1)
        assert (court.lease("ann").used, court.lease("bob").used) == (5_495, 0)
        assert [body.detail for body in court.bodies(TechnicianAct) if body.verb == "pay"] == [
            f"session {opened['seq']}, a card"
        ]


@pytest.mark.parametrize(
    ("verb", "args", "code"),
    [
        ("fill", {"pump": "9", "account": "ann"}, "unknown-pump"),
        ("fill", {"pump": "1", "account": "eve"}, "unknown-account"),
        ("fill", {"pump": "1", "account": "ann", "preset": "money", "amount": 60_000}, "not-enough"),
        ("pay", {"session": 7, "account": "ann"}, "no-session"),
        ("pump-show", {"pump": "9"}, "unknown-pump"),
        ("pump-tell", {"pump": "9", "act": "stop"}, "unknown-pump"),
        ("stop", {"connector": "1"}, "no-such-session"),
    ],
)
async def test_refusals_say_what_to_do(tmp_path: Path, verb: str, args: dict[str, Any], code: str) -> None:
    """Each with a code for programs and a remedy for people."""
    async with a_court(tmp_path) as court:
        told, remedy = await trouble(daemon_of(court), verb, **args)
        assert told == code
        assert remedy


async def test_a_pump_is_shown_as_it_is_now(tmp_path: Path) -> None:
    """Prices by list and by pump, totals read at this moment, and of all pumps at once."""
    async with a_court(tmp_path) as court:
        daemon = daemon_of(court)
        court.model.move_total(2, 5_000)
        shown = await ask(daemon, "pump-show", pump="1")
        assert [(one["due_e3"], one["shown_e3"], one["total_ml"]) for one in shown["pump"]["nozzles"]] == [
            (785_000, 785_000, 1_000_000),
            (750_000, 750_000, 2_005_000),
        ]
        assert [body.volume_ml for body in court.bodies(FuelUnattributed)] == [5_000]
        totals = await ask(daemon, "pump-totals")
        assert [(one["pump"], one["nozzle"], one["volume_ml"]) for one in totals] == [
            ("p1", 1, 1_000_000), ("p1", 2, 2_005_000), ("p2", 1, 1_000_000), ("p2", 2, 2_000_000)
        ]  # fmt: skip
        court.pump.answers = False
        await court.wait(10)
        assert (await ask(daemon, "pumps"))[0]["state"] is None


def test_a_plate_is_masked_before_it_leaves_the_command_line() -> None:
    """Enough to ask about, too little to follow anybody."""
    assert [masked(plate) for plate in ("浙A12345", "AB12", "")] == ["浙A***45", "AB12", ""]


async def test_records_in_a_few_words(tmp_path: Path) -> None:
    """As `fieldtill records` shows them."""
    async with a_court(tmp_path) as court:
        await court.begin_filling()
        await court.wait(1)
        await court.pour(12_340)
        court.model.move_total(2, 5_000)
        await court.wait(40)
        said = [gist(court.bodies(kind)[0]) for kind in (PumpPricesSet, FillingOpened, FillingClosed, FuelUnattributed)]
        assert said == [
            "p1: 1 92 7.85, 2 0 7.50, by price-list",
            "p1, ¥199.50 at most, by panel: ann holds ¥200.00",
            f"session {court.bodies(FillingClosed)[0].session}: 12.340 L of 92 at 7.85, ¥96.87, hung-up",
            f"p1 nozzle 2: 5.000 L of 0, no-sale, after session {court.bodies(FillingClosed)[0].session}",
        ]


# --- page, broker, monitoring -----------------------------------------------------------------------------------------


async def test_the_page_lists_pumps_with_their_prices(tmp_path: Path) -> None:
    """By the number that customers read; no account stands on it."""
    async with a_court(tmp_path) as court:
        daemon = daemon_of(court)
        text = re.sub(r"<[^>]+>", " ", front(daemon, "en"))
        assert re.search(r"Pumps\s+1\s+Free\s+92#\s+¥7.85 per litre\s+diesel\s+¥7.50 per litre\s+2\s+Free", text)
        assert "7.85 元/升" in front(daemon, "zh")
        assert "Chargers" not in text
        scanned = at(daemon, "p2", Visits(), "en")
        assert scanned is not None
        assert re.search(r"live.*<b>2</b>.*7\.50 per litre.*FT1:", scanned[1])
        assert "<b>1</b>" not in scanned[1]
        filling = await court.begin_filling()
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700)
        await court.wait(3)
        court.pumps["p2"].model.lift(1)
        await court.wait(1)
        text = re.sub(r"<[^>]+>", " ", front(daemon, "en"))
        assert re.search(r"1\s+Filling\s+\d\.\d{3} L · ¥", text)
        assert "Nozzle lifted" in text
        assert "ann" not in front(daemon, "en")
        found = court.fills.filling(filling.seq)
        assert found is not None
        assert "Hang the nozzle up" in page.running(court.fills, *found, "en")


async def test_the_pole_shows_what_the_pumps_show(tmp_path: Path) -> None:
    """By one list: a change reaches pole and idle pumps together, and the pole says while a customer keeps the old."""
    async with a_court(tmp_path) as court:
        daemon = daemon_of(court)
        before = msgspec.json.decode(page.pole(daemon))["prices"]
        assert before == [
            {"grade": "92", "name": "92#", "yuan_per_litre": "7.85", "at_pumps": True},
            {"grade": "0", "name": "diesel", "yuan_per_litre": "7.50", "at_pumps": True},
        ]
        await court.begin_filling()
        await court.price({"92": 800_000, "0": 750_000}, version=2)
        await court.wait(3)
        after = msgspec.json.decode(page.pole(daemon))["prices"]
        assert [(one["yuan_per_litre"], one["at_pumps"]) for one in after] == [("8.00", False), ("7.50", True)]
        await court.pour(5_000)
        await court.wait(5)
        assert all(one["at_pumps"] for one in msgspec.json.decode(page.pole(daemon))["prices"])


async def test_live_state_metrics_and_watchdog(tmp_path: Path) -> None:
    """Each knows pumps and fillings."""
    async with a_court(tmp_path) as court:
        daemon = daemon_of(court)
        await court.begin_filling()
        await court.wait(1)
        live = look(court.site)
        assert [(one.id, one.state) for one in live.pumps] == [("p1", "authorised"), ("p2", "idle")]
        assert [(one.session, one.phase, one.hold_fen) for one in live.fillings] == [
            (f"hz-1/1/{court.fills.fillings()[0][0].seq}", "authorised", 20_000)
        ]
        assert in_words(daemon) == "0 sessions, 1 filling, 2 of 2 devices online"
        assert b"fieldtill_fillings 1.0" in render(daemon)
        await court.pour(7_000)
        assert b'fieldtill_day_fuel_millilitres{grade="92"} 7000.0' in render(daemon)
        assert ill(daemon) is None
        court.site.looked_ms = court.time.mono_ms + 200_000
        court.time += 200_000
        assert ill(daemon) == "pump p1 has not been looked at for 200 s"


# --- documents --------------------------------------------------------------------------------------------------------


def test_a_price_list_that_cannot_be_kept_is_not_put_in_force() -> None:
    """Signed or not: each fault with its path."""
    wrong = PriceList(
        "east", 1, "UTC", [], [Grade("92", "92#")], [PriceStep(5, []), PriceStep(5, [GradePrice("92", 0)])]
    )
    paths = [fault.path for fault in faults_in(_document(fuel_prices.KIND, wrong), CREDENTIAL_KEY)]
    assert paths == ["offsets", "steps[1].from", "steps[0].prices", "steps[1].prices.92"]


def test_fuel_terms_in_disorder_are_not_put_in_force() -> None:
    """Each account and card once, in order."""
    twice = FuelTerms(1, [Terms("ann", b"", [], 0, ""), Terms("ann", b"", ["92"], 0, "")])
    assert [fault.path for fault in faults_in(_document(fuel_terms.KIND, twice), CREDENTIAL_KEY)] == ["terms"]
    assert faults_in(_document(fuel_terms.KIND, FuelTerms(1, twice.terms[:1])), CREDENTIAL_KEY) == []


def _document(kind: str, payload: PriceList | FuelTerms) -> Document:
    return Document(kind, "hz-1", 1, encode(payload), bytes(64))
