"""Who takes the calls of YKC piles: who is it, is it known, and is what it says a pile's speech at all?"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from typing import Final

from drivers.ports.listener import Caller, Listener
from drivers.ports.strangers import Strangers
from drivers.ports.ykc import YkcPile
from drivers.ports.ykc_config import YkcConfig
from drivers.ports.ykc_talk import Talk
from protocols.door import Fault, Refused
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.ykc import Connection, End, Heard, Unread
from protocols.fieldbus.ykc_session import Login, LoginAnswer

QUIET_S: Final = 2.0  # after so long a frame that has begun is none
NOISE_MAX: Final = 1_024  # bytes in a row that are no frame: five of the longest. Who says more is no pile
NOISE_ALL_MAX: Final = 65_536  # of one connection, whatever stands between
REMEDY: Final = "Give it a [[ykc.pile]] with this `code`, and the `peer` that it has, or take it off the network."


class YkcSwitchboard:
    """The piles of one listener. strangers: whoever calls under a number, or from an address, of no pile here."""

    def __init__(self, piles: Iterable[YkcPile]) -> None:
        self.strangers = Strangers("pile", REMEDY)
        self._piles = {pile.code: pile for pile in piles}

    async def serve(self, caller: Caller) -> None:
        """As `listener.Switchboard`. Returns when the pile leaves, is none, or is to call again."""
        connection = Connection(End.PLATFORM)
        talk = Talk(caller, connection, caller.peer)
        noise_before = 0
        pile: YkcPile | None = None
        try:
            while not talk.closed:
                try:
                    async with asyncio.timeout(QUIET_S):
                        data = await caller.receive()
                    if not data:
                        return
                    connection.receive_data(data)
                    event = connection.next_event()
                except TimeoutError:
                    event = connection.silence()
                while event is not NEED_MORE:
                    noise_before = connection.noise_bytes
                    talk.heard_now()
                    if isinstance(event, Heard) and isinstance(event.message, Login):
                        if (pile := self._login(talk, event, event.message, pile)) is None:
                            return
                    elif pile is None:
                        return  # a pile says first who it is
                    elif isinstance(event, Heard):
                        pile.heard(talk, event)
                    elif isinstance(event, Unread):
                        pile.unread(f"unread-{event.why.name.lower().replace('_', '-')}")
                    event = connection.next_event()
                if connection.noise_bytes - noise_before > NOISE_MAX or connection.noise_bytes > NOISE_ALL_MAX:
                    return
        finally:
            if pile is not None:
                pile.unread("noise", connection.noise_bytes)
                pile.gone(talk, "its connection has ended")

    def _login(self, talk: Talk, heard: Heard, login: Login, before: YkcPile | None) -> YkcPile | None:
        """The pile that it is; None: it is nobody, and has been told so."""
        pile = self._piles.get(login.pile)
        allowed = pile is not None and pile.config.peer in (None, talk.host)
        if pile is None or not allowed or before not in (None, pile):
            self.strangers.met(login.pile, talk.caller.peer)
            talk.answer(heard, LoginAnswer(login.pile, welcome=False))
            return None
        talk.caller.known = True
        talk.answer(heard, LoginAnswer(login.pile, welcome=True))
        pile.came(talk, login)
        return pile


def build_ykc(config: YkcConfig, unix_ms: Callable[[], int | None]) -> tuple[Listener, list[YkcPile]]:
    """The port and its piles; nothing is open until their `run`. Raises door.Refused for certificates that are none."""
    piles = [YkcPile(pile, config.id, unix_ms) for pile in config.pile]
    return Listener(config, YkcSwitchboard(piles), _tls(config)), piles


def _tls(config: YkcConfig) -> ssl.SSLContext | None:
    if config.cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=config.ca_file)
    try:
        context.load_cert_chain(config.cert_file, config.key_file)
    except (OSError, ssl.SSLError) as error:
        raise Refused(f"ykc {config.id}", [Fault("cert_file", "a certificate and its key", str(error))]) from error
    if config.ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
