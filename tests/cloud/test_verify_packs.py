"""Tables of packs against the records: sound as they are, and every edited row is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from shop_box import A, B, ShopBox, rider

from cloud import pack_words, schema, store
from cloud.clock import SetClock
from cloud.service import Headquarters
from cloud.verify_packs import verify_packs
from protocols.trade.records_pack import DEPOSIT


@pytest.fixture
def told(hq: Headquarters) -> Headquarters:
    """A headquarters where one pack was rented, lost and brought back late, and another is numbered."""
    assert isinstance(hq.clock, SetClock)
    north, ann = ShopBox("north"), rider(hq, deposit=30_000)
    north.start(hq)
    north.send(hq, 0)
    north.ask(hq, ann, 30_000, DEPOSIT)
    north.rent(ann, A)
    north.scan({2: B})
    north.send(hq, 0)
    hq.clock.advance(3_600_000)
    with store.writing(hq.engine) as connection:
        pack_words.lost(connection, hq.keys, hq.clock, A, "")
        pack_words.number(connection, hq.keys, hq.clock, B, 200_001)
    north.hours(24 * 32)
    north.take_back(ann, A)
    north.send(hq, 0)
    return hq


def findings(hq: Headquarters) -> list[str]:
    with store.reading(hq.engine) as connection:
        return [it.what for it in verify_packs(connection)]


def test_what_was_told_is_what_is_kept(told: Headquarters) -> None:
    """Kept, given back of what was kept, and given back: all of it stands in the log."""
    assert findings(told) == []


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda t: t.packs.update().values(site="south").where(t.packs.c.code == A), f"pack {A}"),
        (lambda t: t.packs.delete().where(t.packs.c.code == B), f"pack {B}"),
        (lambda t: t.packs.update().values(hot=True).where(t.packs.c.code == B), f"pack {B}"),
        (lambda t: t.rentals.update().values(state="out"), "rental"),
        (lambda t: t.rental_deposits.update().values(kept=0), "kept"),
        (lambda t: t.rental_deposits.update().values(back=0), "back"),
        (lambda t: t.pack_facts.delete().where(t.pack_facts.c.code == B), f"fact of pack {B}"),
        (lambda t: t.pack_facts.update().values(code=B).where(t.pack_facts.c.code == A), f"fact of pack {A}"),
    ],
)
def test_an_edited_row_is_found(told: Headquarters, edit: Callable[[object], sa.Update], what: str) -> None:
    """Whoever has the database open can write any row, and no table is believed for itself."""
    with store.writing(told.engine) as connection:
        connection.execute(edit(schema))
    found = findings(told)
    assert found
    assert what in found[0]
