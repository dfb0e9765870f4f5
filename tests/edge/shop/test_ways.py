"""The ways to a cabinet: a code on a phone, a command, a card, a grant that is asked for online."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from drivers.twins.cabinets.rider_words import swaps
from edge.epochs import Closing
from edge.till.ask import Refusal, Refused
from edge.till.state_shop import OpenSwap
from protocols.trade.codec import encode
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, Preset
from protocols.trade.records_pack import SwapOpened
from protocols.trade.wire import Command
from tests.edge.desk_rig import CREDENTIAL_KEY
from tests.edge.shop.shop_rig import CABINET, PLAN, TERMS, a_shop


async def test_a_start_by_code_uses_its_number_once(tmp_path: Path) -> None:
    """The rider's own start number stands in the opening record, and lower or equal is refused."""
    async with a_shop(tmp_path) as shop:
        origin = Origin("qr", b"", 5, "")
        shop.rider(swaps)
        first = await shop.shop.begin(CABINET, Preset("full", 0), origin, "ann")
        assert isinstance(first, OpenSwap)
        await shop.end()
        again = await shop.shop.begin(CABINET, Preset("full", 0), origin, "ann")
        assert isinstance(again, Refused)
        assert again.refusal is Refusal.OLD_NUMBER


async def test_headquarters_names_the_offer_and_tells_of_consent(tmp_path: Path) -> None:
    """As at the counter: by this price and no other, and a pack that is not full where the rider has agreed to it."""
    async with a_shop(tmp_path) as shop:
        for number, offer, consent, said in (
            (1, "gold", False, "unknown-offer"),
            (2, "single", True, "started"),
        ):
            boot, preset = shop.time.boot, Preset("swap", 0)
            told = Command("hz-1", boot, number, "start", CABINET, "ann", preset, 0, offer, consent, 4_000_000_000)
            assert await shop.site.command(encode(told)) == said
        (opened,) = shop.bodies(SwapOpened)
        assert (opened.offer, opened.consent_permille) == ("single", TERMS.consent_permille)


async def test_a_preset_that_no_cabinet_knows(tmp_path: Path) -> None:
    """Kilowatt-hours are for chargers."""
    async with a_shop(tmp_path) as shop:
        asked = await shop.shop.begin(CABINET, Preset("energy", 1_000), Origin("qr", b"", 5, ""), "ann")
        assert isinstance(asked, Refused)
        assert asked.refusal is Refusal.UNKNOWN_PRESET


async def test_a_stranger_s_plan_is_asked_for_online(tmp_path: Path) -> None:
    """An unknown card: headquarters is asked for the plan first, then for money; what comes first opens the door."""
    async with a_shop(tmp_path) as shop:
        asked: list[tuple[str, int]] = []
        card = "04B0B0B0"

        async def ask_for_grant(credential: bytes, account: str, total: int, asset: str) -> bool:
            asked.append((asset, total))
            if asset == PLAN:
                await shop.allow(PLAN, 3, "bob", card)
                return True
            return False

        shop.site.ask_for_grant = ask_for_grant
        shop.rider(swaps, name="bob")
        outcome = await shop.shop.tap(CABINET, card)
        assert isinstance(outcome, OpenSwap)
        assert (outcome.account, outcome.opened.offer) == ("bob", "swaps30")
        assert outcome.opened.origin.credential == hide_credential(CREDENTIAL_KEY, card)
        assert asked == [(PLAN, 1)]
        await shop.end()


async def test_a_hot_card_opens_nothing(tmp_path: Path) -> None:
    """Whoever found it has no pack by it; and an unknown account is told so."""
    async with a_shop(tmp_path) as shop:
        outcome = await shop.shop.start(replace(shop.wish(), account="", credential=b"12345678"))
        assert isinstance(outcome, Refused)
        assert outcome.refusal is Refusal.UNKNOWN_ACCOUNT
        assert shop.cabinet.acts == []


async def test_an_epoch_closes_when_no_session_is_open(tmp_path: Path) -> None:
    """Asked for in mid-swap: the swap is brought to its end first, the cabinet is scanned, then the epoch is closed."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.desk.ask_to_close(Closing("li", "new disk"))
        assert (await shop.refused(account="bob")).refusal in (Refusal.EPOCH_CLOSING, Refusal.CABINET_BUSY)
        await shop.site._look()
        assert not shop.desk.state.closed
        await shop.end()
        await shop.wait(4)
        await shop.site._look()
        assert shop.desk.state.closed
        assert shop.kinds[-1] == "epoch-closed"
        await shop.wait(5)
