"""Codes of the real headquarters at a box with a link: the grant comes by both ways, and what is not used goes back."""

from __future__ import annotations

from pathlib import Path

from sync_box import BAY, Box, all_sent, enrolled, running, until
from sync_hq import Headquarters

from cloud import carried, store
from cloud.carried import Order
from edge.carried import Codes, Taken
from edge.sync import trust
from edge.till.ask import Refusal
from protocols.trade.records import CNY, Preset


def issue(hq: Headquarters, box: Box, account: str, amount_fen: int, order: Order) -> str:
    """What the customer's phone gets."""
    reference = f"{account}-{order.connector}"
    with store.writing(hq.engine) as connection:
        made = carried.issue(
            connection, hq.keys, hq.clock, account, box.name, amount_fen, reference=reference, order=order
        )
    return made.text


async def take(box: Box, text: str) -> Taken:
    taken = await Codes(box.site, trust.load(Path(box.config.keys_file))).take(text)
    assert isinstance(taken, Taken)
    return taken


async def test_by_link_and_by_phone_it_is_one_grant(hq: Headquarters, tmp_path: Path) -> None:
    """The batch's answer brings it first: the code is no news, and starts all the same."""
    async with enrolled(hq, tmp_path, "code-both") as box:
        account = hq.customer("CARD-BOTH", 1_000)
        hq.publish(box.name)
        text = issue(hq, box, account, 700, Order(BAY, Preset("money", 700)))
        async with running(box.uplink()):
            await until(lambda: bool(box.site.desk.state.leases) and box.site.desk.tariff is not None)
            taken = await take(box, text)
        assert (taken.news, taken.refused) == (False, None)
        assert taken.session is not None
        assert taken.session.hold_fen == 700


async def test_a_start_that_never_was_gives_its_money_back(hq: Headquarters, tmp_path: Path) -> None:
    """The code names a place that is not here; its time passes; the money is free again at headquarters."""
    async with enrolled(hq, tmp_path, "code-vain") as box:
        account = hq.customer("CARD-VAIN", 1_000)
        hq.publish(box.name)
        text = issue(hq, box, account, 700, Order("c9", Preset("money", 700), life_s=1))
        taken = await take(box, text)
        assert taken.refused is not None
        assert (taken.news, taken.refused.refusal) == (True, Refusal.UNKNOWN_CONNECTOR)
        assert hq.balance(f"cust:{account}") == 300
        async with running(box.uplink()) as uplink:
            await until(lambda: hq.balance(f"cust:{account}") == 1_000)
            await all_sent(uplink)
        (lease,) = box.site.desk.state.leases.values()
        assert (lease.asset, lease.returned, lease.rights) == (CNY, 700, 0)
