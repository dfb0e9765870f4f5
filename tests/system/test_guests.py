"""Guests with the real processes: paid by phone, served without a link, and given back what they did not use."""

from __future__ import annotations

from pathlib import Path

import pytest
from plant import SITE, Plant, plant, running, session_of

from cloud import guests, refunds, schema, store, tend
from cloud.guests import Paid
from cloud.policy import Policy
from cloud.refunds import Refund

pytestmark = pytest.mark.system


class Kiosk(Plant):
    """A plant at which people pay by phone."""

    def pay(self, amount_fen: int, connector: str) -> Paid:
        head = self.head
        with store.writing(head.engine) as connection:
            paid = guests.pay(
                connection,
                head.keys,
                head.clock,
                channel="wechat",
                reference=f"wx-{self.paid_in_fen}",
                amount=amount_fen,
                site=SITE,
                connector=connector,
            )
        self.paid_in_fen += amount_fen
        self.cards[paid.account] = ""
        return paid

    def due(self) -> list[Refund]:
        with store.reading(self.head.engine) as connection:
            return refunds.show_all(connection)


@pytest.mark.timeout(300)
async def test_a_guest_is_served_without_a_link(tmp_path: Path) -> None:
    """40.00 paid; the site is offline and learns of it from the phone. The guest leaves early; the rest is owed back
    when the log arrives, and the same code starts nothing more.
    """
    async with plant(tmp_path, {}, make=Kiosk) as site:
        assert site.link is not None
        site.link.cut()
        paid = site.pay(4_000, "c1")
        assert paid.code is not None
        taken = await site.panel("take", code=paid.code.text)
        assert taken["account"] == paid.account
        await site.until("c1 to charge", lambda s: (session_of(s, "c1") or {}).get("energy_wh", 0) > 2)
        await site.panel("stop", connector="c1")
        await site.until("it to stop", lambda s: "c1" not in running(s))
        again = await site.panel("take", code=paid.code.text)
        assert (again["news"], again["refused"]["code"]) == (False, "old-number")
        assert site.due() == []
        site.link.mend()
        await site.sold_out()
        found = await site.audit({})
        (closed,) = found.closed.values()
        assert 0 < closed.amount_fen < 4_000
        assert [(one.amount, one.why) for one in site.due()] == [(4_000 - closed.amount_fen, "unused")]
        assert site.books().refunds_due == 4_000 - closed.amount_fen


@pytest.mark.timeout(300)
async def test_a_guest_who_never_comes_gets_everything_back(tmp_path: Path) -> None:
    """The grant reaches the site by its link. When the start's time is over the account is frozen, the site returns
    what it has, and it is owed back; the code is of no use after that.
    """
    async with plant(tmp_path, {}, make=Kiosk) as site:
        paid = site.pay(3_000, "c2")
        assert paid.code is not None
        await site.until("the grant to arrive", lambda s: (s["value"] or {}).get("accounts") == 1)
        head = site.head
        with store.writing(head.engine) as connection:
            connection.execute(schema.guests.update().values(starts_until_ms=0))
        assert tend.tend(head.engine, head.keys, head.clock, Policy()).codes_expired == [paid.account]
        await site.until("it to be returned", lambda s: site.due() != [])
        assert [(one.amount, one.why) for one in site.due()] == [(3_000, "unused")]
        refused = await site.panel("take", code=paid.code.text)
        assert refused["refused"] is not None
        await site.sold_out()
        found = await site.audit({})
        assert found.opened == {}
