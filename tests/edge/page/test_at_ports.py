"""A charging port on a customer's phone, over real HTTP: is it free, what does it cost, how does mine stand, stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from page_rig import Phone, at_a_port, hidden, link_in, text_of

from edge.ports.taps import tap_at
from edge.till.port.progress import PortEnds
from edge.till.state import OpenPort
from protocols.trade.port_prices import PortPrice, PowerStep
from protocols.trade.quantities import yuan
from protocols.trade.records import Preset
from protocols.trade.records_port import PortClosed
from tests.edge.codes import code, order
from tests.edge.desk_rig import CARD
from tests.edge.ports.port_rig import POLICY, Rack

HERE = "/at/rack.1?lang=en"
PAYER = "guest-7"
"""Whom these codes are for."""


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


# --- one that takes the order and does not begin ----------------------------------------------------------------------


@asynccontextmanager
async def a_lazy_port(path: Path) -> AsyncIterator[tuple[Rack, Phone, str]]:
    """It has taken the order of a code, and says that it is idle. The link of its session."""
    async with at_a_port(path) as (rack, phone):
        rack.rules = rack.ports.policy = replace(POLICY, settle_wait_s=3_600)
        rack.steel.lazy = True
        link = link_in(await phone.take(a_charge()))
        yield rack, phone, link


async def test_it_has_not_begun_yet(tmp_path: Path) -> None:
    """First that it has the order; once it says that it is idle: look at the plug, and when the money comes back."""
    async with a_lazy_port(tmp_path) as (rack, phone, link):
        await rack.loop.step()
        assert "The port has the order and is about to begin" in await read(phone, f"{link}&lang=en")
        await rack.wait(10)
        back = "If it does not begin, it is cancelled and what was set aside goes back in about 2 min."
        for path in (f"{link}&lang=en", HERE):
            said = await read(phone, path)
            assert "The port has the order and has not begun yet" in said
            assert f"See that the plug is in firmly, and that your charger is on. {back}" in said
            assert "Charging" not in said.replace("Charging port", "")
        said = await read(phone, f"{link}&lang=zh")
        assert "充电口已接单，尚未开始充电" in said
        assert "约 2 分钟后自动取消，预留款项会退回" in said
        assert "1 wait 2 plugged" in await read(phone, "/?lang=en")
        rack.steel.outlets[1].plugged = False
        await rack.wait(10)
        assert "The port feels no plug: plug your charger in." in await read(phone, HERE)


async def test_it_begins_late(tmp_path: Path) -> None:
    """The plug was loose: it charges, and nothing speaks of going back any more."""
    async with a_lazy_port(tmp_path) as (rack, phone, link):
        await rack.wait(10)
        (found,) = rack.ports.sessions()
        rack.steel.lazy = False
        await rack.steel.start(1, rack.ports.order_of(found[0]))
        await rack.wait(10)
        said = await read(phone, f"{link}&lang=en")
        assert "rack.1 Charging 0.0" in said
        assert "goes back in" not in said
        await rack.wait(3_600, 30)


async def test_it_never_began_and_the_money_is_back(tmp_path: Path) -> None:
    """It is cancelled for a minute, in which it may begin yet; then the link says that all has gone back, as it has."""
    async with a_lazy_port(tmp_path) as (rack, phone, link):
        await rack.wait(70)
        said = await read(phone, f"{link}&lang=en")
        assert "It has not begun, and is being cancelled" in said
        assert "If it has not begun by then, what was set aside goes back in about 1 min." in said
        assert "End charging" not in said
        assert rack.lease(PAYER).held == 400
        await rack.wait(70)
        assert rack.lease(PAYER).held == 0
        said = await read(phone, f"{link}&lang=en")
        assert "Charging did not come about, and it cost nothing All that was set aside has gone back." in said
        assert "未能充电，未收费" in await read(phone, f"{link}&lang=zh")
        assert "Plugged in" in await read(phone, HERE)


async def test_its_customer_ends_it_before_it_begins(tmp_path: Path) -> None:
    """The page promises the money for when it comes, and not before."""
    async with a_lazy_port(tmp_path) as (rack, phone, link):
        rack.steel.tell()
        await rack.loop.step()
        (found,) = rack.ports.sessions()
        await rack.hall.stop(found[0].seq, PortEnds.LOCAL)
        await rack.wait(10)
        assert "goes back in about 1 min" in await read(phone, f"{link}&lang=en")
        await rack.wait(60)
        assert "has gone back" in await read(phone, f"{link}&lang=en")


async def test_nobody_has_heard_it(tmp_path: Path) -> None:
    """It was silent, and may have charged: no money is promised for any minute."""
    async with a_lazy_port(tmp_path) as (rack, phone, link):
        await rack.wait(10)
        rack.steel.answers = False
        await rack.wait(600)
        rack.steel.answers = True
        await rack.wait(20)
        said = await read(phone, f"{link}&lang=en")
        assert "Waiting for word from the port" in said
        assert "Once it has settled, what was not used goes back." in said
        assert "in about" not in said
