"""Which boxes get an epoch, and which do not."""

from __future__ import annotations

import msgspec
import pytest
from hq_box import Box, admit, dump, read, refused

from cloud import sites, store
from cloud.accounts import Denied
from cloud.service import Headquarters, Request
from protocols.trade import wire
from protocols.trade.codec import decode, encode
from protocols.trade.wire import EnrolAsk, EnrolReply, RefusalCode


def test_the_same_log_key_always_gets_the_same_epoch(hq: Headquarters) -> None:
    """A reply that was lost is asked for again; a new log key gets the next number."""
    box = Box("pudong-1")
    admit(hq, box)
    first = box.enrol(hq)
    before = dump(hq)
    assert box.enrol(hq) == first
    assert dump(hq) == before
    box.log_key = Box("x").log_key
    assert box.enrol(hq).epoch == first.epoch + 1


def test_every_box_gets_the_fleets_credential_key(hq: Headquarters) -> None:
    """A card hidden at headquarters is the same card at every site."""
    boxes = [Box("pudong-1"), Box("pudong-2")]
    for box in boxes:
        admit(hq, box)
    keys = {(box.enrol(hq).credential_key_version, box.enrol(hq).credential_key) for box in boxes}
    assert len(keys) == 1


def test_an_exchanged_box_takes_over_once_it_is_admitted(hq: Headquarters) -> None:
    """The old box's epoch stays; the new box, admitted by a person, gets the next."""
    old, new = Box("pudong-1"), Box("pudong-1")
    admit(hq, old)
    old.enrol(hq)
    old.send(hq, 0)
    assert refused(hq.answer(new.enrol_request())).code == RefusalCode.WRONG_FINGERPRINT
    with store.writing(hq.engine) as connection:
        sites.admit(connection, "pudong-1", new.fingerprint)
    assert new.enrol(hq).epoch == 2
    new.send(hq, 0)
    assert refused(hq.answer(old.enrol_request())).code == RefusalCode.WRONG_FINGERPRINT
    old.sell("late", 0)
    old.send(hq, 1)  # what it sold before the exchange still counts


def test_a_key_used_by_another_device_is_refused(hq: Headquarters) -> None:
    """A log key belongs to the device that enrolled it, even after an exchange."""
    old, new = Box("pudong-1"), Box("pudong-1")
    admit(hq, old)
    old.enrol(hq)
    new.log_key = old.log_key
    admit(hq, new)
    assert refused(hq.answer(new.enrol_request())).code == RefusalCode.WRONG_FINGERPRINT


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"site": "nowhere"}, RefusalCode.UNKNOWN_SITE),
        ({"site": "pu\x00dong"}, RefusalCode.UNREADABLE),
        ({"device_key": b"no key"}, RefusalCode.UNREADABLE),
        ({"log_key": bytes(32)}, RefusalCode.UNREADABLE),
        ({"signature": b"forged"}, RefusalCode.BAD_SIGNATURE),
        ({"log_key": Box("x").log_public}, RefusalCode.BAD_SIGNATURE),
    ],
    ids=["unknown site", "no name", "no device key", "weak log key", "forged", "another log key"],
)
def test_what_is_refused_changes_nothing(hq: Headquarters, change: dict[str, object], code: RefusalCode) -> None:
    """Each refusal has its code and leaves the database as it was."""
    box = Box("pudong-1")
    admit(hq, box)
    before = dump(hq)
    request = box.enrol_request()
    ask = msgspec.structs.replace(decode(request.body, EnrolAsk), **change)
    refusal = refused(hq.answer(plain(request.path, ask)))
    assert refusal.code == code
    assert refusal.remedy
    assert dump(hq) == before


def test_a_stopped_site_is_not_heard(hq: Headquarters) -> None:
    """Until a person resumes it."""
    box = Box("pudong-1")
    admit(hq, box)
    box.enrol(hq)
    with store.writing(hq.engine) as connection:
        sites.stop(connection, "pudong-1")
    refusal = refused(hq.answer(box.request(wire.PATH_BATCH, box.batch(0))))
    assert refusal.code == RefusalCode.UNKNOWN_SITE
    with store.writing(hq.engine) as connection:
        sites.resume(connection, "pudong-1")
    box.send(hq, 0)


@pytest.mark.parametrize("name", ["hq", "", "a/b", "a b", "x" * 65])
def test_names_that_no_site_may_have(light_hq: Headquarters, name: str) -> None:
    """A site's name stands in the origin of its log, beside headquarters' own."""
    with store.writing(light_hq.engine) as connection, pytest.raises(Denied):
        sites.add(connection, light_hq.clock, name, title="", device="", zone="Asia/Shanghai", day_starts_h=0)


def test_a_path_that_nobody_answers(light_hq: Headquarters) -> None:
    """Not found, with the paths that are."""
    assert refused(light_hq.answer(plain("/v1/money", EnrolReply(1, 1, bytes(32))))).code == "not-found"
    assert read(light_hq.answer(_enrolled(light_hq)), EnrolReply).epoch == 1


def _enrolled(hq: Headquarters) -> Request:
    box = Box("pudong-1")
    admit(hq, box)
    return box.enrol_request()


def plain(path: str, struct: object) -> Request:
    return Request(path, encode(struct))
