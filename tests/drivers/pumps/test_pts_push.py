"""Sales that a controller uploads by itself."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from pts_rig import order, over, pts

from drivers.pump import Sale
from drivers.pumps.pts_push import Uploaded, Uploads
from drivers.twins.pumps.customer import fills
from protocols.fieldbus.jsonpts import Answer, Asker, Done
from protocols.fieldbus.jsonpts_errors import Malformed, Refusal
from protocols.fieldbus.jsonpts_packets import GetDateTime, Packet, UploadPumpTransaction

SALE = UploadPumpTransaction(
    pump=1,
    nozzle=2,
    transaction=1001,
    volume=Decimal("26.720"),
    price=Decimal("7.85"),
    amount=Decimal("209.75"),
    date_time="2026-09-01T06:14:35",
    is_offline=True,
)


def push(uploads: Uploads, *packets: Packet, pts_id: str = "PTS1") -> tuple[list[Uploaded], list[Answer]]:
    """What the door makes of it, and what the controller hears."""
    controller = Asker(pts_id)
    new, answer = uploads.receive(controller.ask(packets))
    return new, controller.receive(answer)


def test_a_new_sale_is_told_and_answered_with_ok() -> None:
    """With the controller's number, the pump's, and the sale in whole mL and fen."""
    new, heard = push(Uploads(), SALE)
    assert new == [Uploaded("PTS1", 1, Sale(2, 26_720, 20_975, 785_000, 1001), "2026-09-01T06:14:35", True)]
    assert heard == [Done()]


def test_a_repeated_sale_gets_its_ok_and_is_not_told_again() -> None:
    """Within one envelope and in another, once it is stored; before that it is told again."""
    uploads = Uploads()
    new, heard = push(uploads, SALE, SALE)
    assert (len(new), heard) == (1, [Done(), Done()])
    assert len(push(uploads, SALE)[0]) == 1  # the box failed before it was stored
    uploads.stored(new)
    assert push(uploads, SALE) == ([], [Done()])


def test_what_makes_a_sale_another_one() -> None:
    """Another controller, pump, number, or, when numbers begin again, another instant."""
    uploads = Uploads()
    new, _ = push(uploads, SALE)
    uploads.stored(new)
    assert len(push(uploads, SALE, pts_id="PTS2")[0]) == 1
    for change in ({"pump": 2}, {"transaction": 1002}, {"date_time": "2027-09-01T06:14:35"}):
        fields = {name: getattr(SALE, name) for name in SALE.__struct_fields__}
        assert len(push(uploads, UploadPumpTransaction(**{**fields, **change}))[0]) == 1


def test_the_oldest_are_forgotten() -> None:
    """The memory is bounded."""
    uploads = Uploads(known_max=2)
    for number in (1, 2, 3):
        fields = {name: getattr(SALE, name) for name in SALE.__struct_fields__}
        new, _ = push(uploads, UploadPumpTransaction(**{**fields, "transaction": number}))
        uploads.stored(new)
    assert len(push(uploads, UploadPumpTransaction(**{**fields, "transaction": 1}))[0]) == 1
    assert len(push(uploads, UploadPumpTransaction(**{**fields, "transaction": 3}))[0]) == 0


def test_what_is_no_sale_is_refused() -> None:
    """Other questions, and numbers that are none: refused, so that the controller keeps the sale."""
    fields = {name: getattr(SALE, name) for name in SALE.__struct_fields__}
    odd = UploadPumpTransaction(**{**fields, "amount": Decimal("0.001")})
    new, heard = push(Uploads(), GetDateTime(), odd, SALE)
    assert len(new) == 1
    assert [type(answer) for answer in heard] == [Refusal, Refusal, Done]


@pytest.mark.parametrize("body", [b"", b"{}", Asker().ask([SALE])])
def test_an_envelope_without_a_controller(body: bytes) -> None:
    """No jsonPTS, or nobody's: Malformed."""
    with pytest.raises(Malformed):
        Uploads().receive(body)


async def test_what_the_twin_uploads(tmp_path: Path) -> None:
    """The sale that is polled and the one that is pushed are the same."""
    async with pts(tmp_path) as rig:
        await rig.pump.authorise(order("volume", 1_000))
        rig.bay.add(fills(1))
        await over(rig.pump)
        body = rig.twin.upload()
        assert body is not None
        new, answer = Uploads().receive(body)
        assert [upload.sale for upload in new] == [await rig.pump.read_sale()]
        assert json.loads(answer)["Packets"][0]["Message"] == "OK"
