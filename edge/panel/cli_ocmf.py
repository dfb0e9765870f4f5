"""What does a session's signed meter record say, and how does it get into the transparency software?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.panel.cli_proof import Session, gather
from edge.panel.cli_shared import AsJson, Config, JournalFile, say
from edge.panel.client import Failed
from edge.panel.messages import Trouble
from edge.panel.paper import Paper

if TYPE_CHECKING:
    from protocols.proof.ocmf import MeterRecord

app = typer.Typer()


@app.command(epilog="Examples: fieldtill ocmf 14; fieldtill ocmf 14 --xml > session-14.xml")
def ocmf(
    session: Session,
    xml: Annotated[bool, typer.Option("--xml", help="A file for the S.A.F.E. transparency software.")] = False,
    journal: JournalFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """A session's meter record as the device key signed it (OCMF). The daemon may run."""
    from protocols.proof import keys, ocmf_xml
    from protocols.proof.errors import Unproven
    from protocols.proof.ocmf import verify
    from protocols.proof.ocmf_lint import lint
    from protocols.proof.receipt_story import ChargeStory

    gathered = gather(session, journal, config)
    if not isinstance(gathered.story, ChargeStory):
        remedy = f"`fieldtill evidence {gathered.story.seq} FOLDER` writes its signed measurement, measurement.ftm."
        raise Failed(
            Trouble(
                "no-meter-record",
                f"session {gathered.story.seq} is not measured by an electricity meter: OCMF knows no other",
                remedy,
            )
        )
    closed = gathered.story.closed
    if closed is None or closed.meter_record is None:
        why = "delivered nothing" if closed is None else "was closed without a meter record"
        remedy = f"`fieldtill records --first {gathered.story.seq}` shows what became of it."
        raise Failed(Trouble("no-meter-record", f"session {gathered.story.seq} {why}", remedy))
    try:
        public = keys.device_public_from_spki(gathered.file.device_key)
        record = verify(closed.meter_record, public)
    except Unproven as error:
        raise Failed(Trouble("unproven", str(error), error.remedy)) from error
    if xml:
        print(ocmf_xml.values([ocmf_xml.Value(gathered.story.seq, record.text, public)]), end="")
        return
    told = {
        "session": gathered.story.session,
        "record": record.text,
        "public_key": gathered.file.device_key.hex().upper(),
        "fingerprint": keys.fingerprint(gathered.file.device_key),
        "findings": [str(one) for one in lint(record.payload)],
    }
    say(as_json, told, lambda paper: _show(paper, record, told))


def _show(paper: Paper, record: MeterRecord, told: dict[str, Any]) -> None:
    begin, end = record.readings
    state = paper.warn("; ".join(told["findings"])) if told["findings"] else paper.good("good")
    paper.pairs(
        [
            ("session", told["session"]),
            ("page", str(record.fields["PG"])),
            ("meter", " ".join(str(record.fields[key]) for key in ("MV", "MM", "MS") if key in record.fields)),
            ("begin", f"{begin['RV']} {begin['RU']}, {begin['TM']}"),
            ("end", f"{end['RV']} {end['RU']}, {end['TM']}"),
            ("state", state),
            ("signed by", told["fingerprint"]),
            ("public key", told["public_key"]),
        ]
    )
    paper.write()
    paper.write(record.text)
