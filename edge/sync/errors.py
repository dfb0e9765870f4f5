"""What can go wrong between a site and headquarters, sorted by what the site does next."""

from __future__ import annotations

from protocols.trade.wire import Refusal, RefusalCode


class HqError(Exception):
    """Headquarters did not do as asked. `what` and `remedy` are for a person; the class is for the program."""

    remedy = "The site goes on selling within its rights; `fieldtill status` shows what waits to be sent."

    def __init__(self, what: str, *, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        if remedy is not None:
            self.remedy = remedy


class HqUnreachable(HqError):
    """No answer, or one by something in between. Try again; whether the request was carried out is not known."""

    remedy = "Check the modem or cable, and that `[hq] url` can be reached from the box."


class ClockTrouble(HqUnreachable):
    """Headquarters' certificate is valid at no time that it can be now, by all the times this box has been told."""

    remedy = "Renew headquarters' certificate; the box's own clock has no say in this (`date` there, if it is new)."


class Untrusted(HqUnreachable):
    """Whoever answered has no certificate that `ca_file` vouches for under the host's name."""

    remedy = "Check `[hq] ca_file` and the host name in `[hq] url`; somebody in between may be answering."


class HqGarbled(HqError):
    """The answer is not what was agreed: its form, or a signature in it. Nothing of it is used."""

    remedy = "Compare the versions of site and headquarters, and `[hq] keys_file` with `fieldtill-hq keys`."


class HqRefused(HqError):
    """Headquarters understood and refused; nothing was changed there. `size`: how many records it has of this log."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(
            f"{refusal.code}: {refusal.what}: expected {refusal.expected}, got {refusal.got}", remedy=refusal.remedy
        )
        self.refusal = refusal
        self.size = refusal.size

    @property
    def code(self) -> RefusalCode | None:
        """None for a code that this software does not know."""
        return next((code for code in RefusalCode if code == self.refusal.code), None)


class LogForked(HqError):
    """Headquarters holds another history of this log: this disk was copied or set back. Nothing more is uploaded."""

    remedy = "Keep the disk as it is and call headquarters; `fieldtill epoch abandon` then makes room for a new log."


class BrokerLost(HqError):
    """No connection to the MQTT broker. The site polls headquarters instead."""

    remedy = "Check `[mqtt]`: host, port, ca_file, username and password_file; and that the broker runs."


class BrokerRefused(HqError):
    """The broker takes the connection, but not what is done with it."""

    remedy = (
        "In the broker's ACL, let this user write fieldtill/SITE/presence and state, and read fieldtill/SITE/news "
        "and command."
    )
