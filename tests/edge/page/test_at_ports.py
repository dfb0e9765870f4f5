"""A charging port on a customer's phone, over real HTTP: is it free, what does it cost, how does mine stand, stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_rig import Phone, at_a_port, hidden, link_in, text_of

from edge.ports.taps import tap_at
from edge.till.state import OpenPort
from protocols.trade.port_prices import PortPrice, PowerStep
from protocols.trade.quantities import yuan
from protocols.trade.records import Preset
from protocols.trade.records_port import PortClosed
from tests.edge.codes import code, order
from tests.edge.desk_rig import CARD

HERE = "/at/rack.1?lang=en"


def a_charge(number: int = 1, *, total: int = 400, port: int = 1) -> str:
    """A code that charges at the port until its money is used up."""
    return code(total, serial=number, start=order(number, f"rack.{port}", Preset("full", 0)))


async def read(phone: Phone, path: str) -> str:
    """What a person reads there."""
    answer = await phone.get(path)
    assert answer.status == 200, answer.text
    return text_of(answer)


# --- the port that was scanned ----------------------------------------------------------------------------------------


async def test_how_it_stands(tmp_path: Path) -> None:
    """Free, plugged, faulty, silent: in both languages, and what to do."""
    async with at_a_port(tmp_path) as (rack, phone):
        assert "Plugged in: tap your card or use a code" in await read(phone, HERE)
        rack.steel.outlets[1].plugged = False
        rack.steel.outlets[2].fault = True
        rack.steel.tell()
        assert "Free: plug your charger in" in await read(phone, HERE)
        assert "空闲，请插上充电器" in await read(phone, "/at/rack.1")
        assert "Out of order Take another port." in await read(phone, "/at/rack.2?lang=en")
        assert "rack · 1 of 3 free 1 free 2 out 3 plugged" in await read(phone, "/?lang=en")
        rack.steel.answers = False
        rack.elapse(61)
        assert "Out of service" in await read(phone, HERE)
        assert (await phone.get("/at/rack.9")).status == 404
        assert (await phone.get("/at/rack")).status == 404


async def test_its_price_by_power_step(tmp_path: Path) -> None:
    """Each step that the port can come to, by the hour; the cap, and what the port gives."""
    async with at_a_port(tmp_path) as (rack, phone):
        said = await read(phone, HERE)
        for text in (
            "Up to 200 W ¥1.00 an hour", "Up to 400 W ¥1.50 an hour", "Above 400 W ¥3.00 an hour",
            "Each second costs its own power step; in doubt, the cheaper one.",
            "Without an amount of yours ¥5.00 are set aside at most", "A port gives 1000 W at most",
        ):  # fmt: skip
            assert text in said
        dear = PortPrice("bikes", "time", [PowerStep(1_000, 80_000)], 0, 50_000, 1_800, 300, 0, 0, 0)
        await rack.publish_prices(dear, version=2)
        said = await read(phone, HERE)
        for text in ("Any power ¥0.80 an hour", "At least 30 min", "¥0.50 for each session", "¥3.00 are set aside"):
            assert text in said


@pytest.mark.parametrize(("price", "said"), [("cars", "Energy ¥1.20 per kWh"), ("piles", "00:00-24:00")])
async def test_its_price_by_energy_or_by_the_sites_tariff(tmp_path: Path, price: str, said: str) -> None:
    """A kWh, or the tariff's periods of the day."""
    async with at_a_port(tmp_path, price=price) as (_, phone):
        assert said in await read(phone, HERE)


async def test_a_port_without_a_price(tmp_path: Path) -> None:
    """Nothing can be sold there, and the page says so before anybody pays."""
    async with at_a_port(tmp_path, price="nobody") as (_, phone):
        said = await read(phone, HERE)
        assert "No price is known yet" in said


# --- a session --------------------------------------------------------------------------------------------------------


async def test_a_session_by_code_from_start_to_bill(tmp_path: Path) -> None:
    """Energy, power, time and cost so far; ended by its link's form, once; then the bill under the same link."""
    async with at_a_port(tmp_path) as (rack, phone):
        started = await phone.take(a_charge())
        assert "Port rack.1 has been started" in text_of(started)
        link = link_in(started)
        await rack.wait(1_800, 30)
        running = await phone.get(f"{link}&lang=en")
        said = text_of(running)
        for text in ("0.07", "kWh · ¥0.4", "Charging", "150 W", "29 min", "Set aside ¥4.00", "End charging"):
            assert text in said
        assert "充电中" in await read(phone, f"{link}&lang=zh")
        path, _, token = link.partition("?")
        visit = hidden(running, "visit")
        done = await phone.send(f"{path}/end?{token}&lang=en", visit=visit)
        assert (done.status, done.headers["Location"]) == (303, f"{link}&lang=en")
        assert (await phone.send(f"{path}/end?{token}&lang=en", visit=visit)).status == 403
        assert "Ending" in await read(phone, f"{link}&lang=en")
        await rack.wait(20, 5)
        (bill,) = rack.bodies(PortClosed)
        assert bill.reason == "local"
        assert f"Total ¥{yuan(bill.amount_fen)}" in await read(phone, f"{link}&lang=en")


async def test_what_a_stranger_sees_of_it(tmp_path: Path) -> None:
    """Energy and cost, as a charger's display shows them; not whose they are, and no way to end it."""
    async with at_a_port(tmp_path) as (rack, phone):
        session = (await tap_at(rack.hall, "rack.1", CARD)).found
        assert isinstance(session, OpenPort)
        await rack.wait(600, 30)
        seen = await phone.get(HERE)
        assert "Charging 0.02" in text_of(seen)
        assert "9 min" in text_of(seen)
        for secret in ("ann", CARD, "/receipt/", session.opened.origin.credential.hex()):
            assert secret not in seen.text
        path = f"/receipt/hz-1/1/{session.seq}"
        for query in ("", "?k=AAAAAAAAAAAAAAAAAAAAAA"):
            assert (await phone.send(f"{path}/end{query}", visit="1.2.3")).status == 404
        assert rack.ports.session(session.seq)[1].may_flow  # type: ignore[index]  # it is open


async def test_refusals_say_what_to_do(tmp_path: Path) -> None:
    """Nothing is plugged in; then somebody else charges there."""
    async with at_a_port(tmp_path) as (rack, phone):
        rack.steel.outlets[1].plugged = False
        rack.steel.tell()
        refused = text_of(await phone.take(a_charge()))
        assert "Port rack.1 did not begin Plug in first Plug your charger in, then use the same code again." in refused
        rack.steel.outlets[1].plugged = True
        await rack.begin_port()
        await rack.wait(10, 5)
        assert "Wait for its end, or take another." in text_of(await phone.take(a_charge()))
        again = await phone.take(a_charge())
        assert "Nothing of it is lost" in text_of(again)
