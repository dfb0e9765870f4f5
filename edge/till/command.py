"""Whether a remote command may run: this site, this boot, this number, this minute; so it runs at most once."""

from __future__ import annotations

from enum import StrEnum

from edge.till.state import TillState
from protocols.trade.records import Stamp
from protocols.trade.wire import Command


class CommandRefusal(StrEnum):
    """Why a signed command is not carried out, in order of precedence."""

    OTHER_SITE = "other-site"
    OTHER_BOOT = "other-boot"
    OLD_NUMBER = "old-number"
    EXPIRED = "expired"
    UNKNOWN_VERB = "unknown-verb"


def vet(command: Command, state: TillState, ran: int, now: Stamp) -> CommandRefusal | None:
    """None: it may run. `ran`: the highest number run in this boot that is not in the log (a stop leaves no record).

    Expiry is tested against the best estimate of the time; the boot and the number are what makes it run once.
    """
    if command.site != state.site:
        return CommandRefusal.OTHER_SITE
    if command.boot != now.boot:
        return CommandRefusal.OTHER_BOOT
    logged = state.command[1] if state.command[0] == now.boot else 0
    if command.number <= max(logged, ran):
        return CommandRefusal.OLD_NUMBER
    if now.wall_ms >= command.expires_s * 1000:
        return CommandRefusal.EXPIRED
    if command.verb not in ("start", "stop"):
        return CommandRefusal.UNKNOWN_VERB
    return None
