"""Does the box's signed measurement of a session say what the log says? The same of fillings, swaps and ports."""

from __future__ import annotations

from protocols.proof import keys, measurement
from protocols.proof.errors import Unproven
from protocols.proof.lines import Line, failed, open_, proven
from protocols.proof.measured import Told, measured
from protocols.proof.receipt_story import FillingStory, PortStory, SwapStory


def check_measurement(story: FillingStory | SwapStory | PortStory, device_key: bytes) -> Line:
    """A reading in doubt says so itself. device_key: SubjectPublicKeyInfo of the box."""
    closed = story.closed
    if closed is None or closed.meter_record is None:
        return open_("measurement")
    meant = measured(Told(story.site, story.epoch, story.seq, story.began, story.opened, closed, story.ended))
    try:
        record = measurement.verified(closed.meter_record, keys.device_public_from_spki(device_key))
    except Unproven:
        return failed("measurement")
    if meant is None or any(measurement.disagreements(record, meant)):
        return failed("measurement")
    doubts = [one.status for one in meant.readings if one.status != "G"]
    return open_("measurement-doubt", status=doubts[0]) if doubts else proven("measurement", page=record.page)
