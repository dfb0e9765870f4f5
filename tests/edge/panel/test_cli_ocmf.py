"""Meter records of the real daemon: one with each closed session, out of its journal, judged by pyocmf."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from daemon_rig import CARD, CONFIG, SITE, Box, daemon, make_box, twins, until
from pyocmf import OcmfContainer

from edge.journal import reading
from edge.panel.journal_file import opened
from protocols.proof import keys, ocmf
from protocols.proof.ocmf_lint import continuity
from protocols.trade.codec import BYTES_MAX, decode
from protocols.trade.records import EpochOpened, Record, SessionClosed, body_of
from tests.protocols.proof.meter_records import eichrecht, theirs

PLATE = CONFIG.replace('profile = "eastron-sdm630"', 'profile = "eastron-sdm630"\nserial = "24071133"')


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """A box that has sold twice, with a restart between; its daemon is not running any more."""
    box = make_box(tmp_path_factory.mktemp("site"), PLATE)
    with twins(box):
        for _ in range(2):
            with daemon(box) as process:
                until(lambda: box.asks("sessions") is not None, process)
                until(lambda: box.ask("status")["connectors"][0]["register_wh"], process)
                until(lambda: box.cli("start", "c1", "--card", CARD).returncode == 0, process)
                until(lambda: box.ask("sessions")[0]["energy_wh"] >= 3, process)
                assert box.cli("stop", "c1", "--wait").returncode == 0
    return box


def bodies_of(box: Box) -> list[object]:
    with opened(box.journal) as connection:
        size = reading.read_head(connection).size
        return [body_of(decode(data, Record)) for data in reading.read_records(connection, 0, size, BYTES_MAX * size)]


def test_every_closed_session_has_one(sold: Box) -> None:
    """Signed by the key that the log's first record names, in order over a restart."""
    bodies = bodies_of(sold)
    assert isinstance(bodies[0], EpochOpened)
    texts = [body.meter_record for body in bodies if isinstance(body, SessionClosed)]
    assert len(texts) == 2
    records = []
    for text in texts:
        assert text is not None
        records.append(ocmf.verify(text, keys.device_public_from_spki(bodies[0].device_key)))
        assert theirs(text, bodies[0].device_key.hex())
        assert eichrecht(text) == []
    assert continuity(records, first_page=1) == []
    assert [(record.fields["MV"], record.fields["MS"]) for record in records] == [("Eastron", "24071133")] * 2


def test_the_command_shows_it(sold: Box, tmp_path: Path) -> None:
    """For a person, for a program, and for the transparency software; without the daemon."""
    seqs = [body.session for body in bodies_of(sold) if isinstance(body, SessionClosed)]
    text = sold.cli("ocmf", str(seqs[0])).stdout
    assert f"{SITE}/1/{seqs[0]}" in text
    assert "24071133" in text
    told = json.loads(sold.cli("ocmf", str(seqs[1]), "--json").stdout)
    assert told["findings"] == []
    assert theirs(told["record"], told["public_key"])
    path = tmp_path / "session.xml"
    path.write_text(sold.cli("ocmf", str(seqs[1]), "--xml").stdout)
    container = OcmfContainer.from_xml(path, strict=True)
    (entry,) = container
    assert entry.verify_signature()
    assert [result.is_compliant for result in container.check_eichrecht(errors_only=True)] == [True]
    shown = sold.cli("keys").stdout
    assert told["public_key"] in shown
    assert told["fingerprint"] in shown


def test_what_has_none_is_told(sold: Box) -> None:
    """A record that opens no session, and a number that is none."""
    refused = sold.cli("ocmf", "0")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "record 0 opens no session" in refused.stderr
    assert sold.cli("ocmf", "999999").returncode == 2
