"""How is a PACE or a Seplos V2 pack read, in their ASCII? Slowly: some answer after a second.

Nothing in an answer says to which question it is, so one that has another form than was asked for is none.
(facts: cabinets 1.9.)
"""

from __future__ import annotations

from functools import partial
from typing import Final

from drivers.errors import DeviceFault, Transient, Unsupported
from drivers.line import Priority
from drivers.packs.bms import no_switch
from drivers.packs.options import PACE_ON, PaceOptions, SeplosOptions
from drivers.packs.talk import PackTalk, Spared
from protocols.fieldbus.pace import Dialect, Reply, Status, expect, request_frame
from protocols.fieldbus.pace_app import Analog, Command, SeplosAnalog, Warn, switch_info
from protocols.fieldbus.pack import PackReading, text

SIGN_REMEDY: Final = "No pack is known that does; note its maker and model."

_DAMAGED: Final = (Status.WRONG_SUM, Status.WRONG_LENGTH_SUM, Status.INTERNAL_LINK, Status.NO_DATA)
_ILL: Final = (Status.FAILED, Status.EQUIPMENT, Status.NOT_DONE)


class _Ascii:
    """Questions and answers, with the refusals sorted."""

    def __init__(self, talk: PackTalk, dialect: Dialect, address: int) -> None:
        self.talk = talk
        self.number = bytes((address,))
        self._dialect = dialect
        self._address = address

    async def ask(self, command: Command, info: bytes = b"", *, act: bool = False) -> bytes:
        """INFO of the answer. act: to do something, so once. Raises DeviceError for a refusal."""
        frame = request_frame(self._dialect, self._address, command, info)
        wanted = expect(self._dialect, self._address, frame)
        if act:
            reply = await self.talk.ask(frame, wanted, tries=1, priority=Priority.COMMAND)
        else:
            reply = await self.talk.ask(frame, wanted)
        self._refuse(command, reply)
        return reply.info

    async def nudge(self, command: Command, info: bytes) -> None:
        frame = request_frame(self._dialect, self._address, command, info)
        await self.talk.nudge(frame, expect(self._dialect, self._address, frame))

    def _refuse(self, command: Command, reply: Reply) -> None:
        if reply.status == Status.OK:
            return
        what = f"command {command:02X} is refused with status {reply.status:02X}"
        if reply.status in _DAMAGED:
            raise Transient(what, where=self.talk.where)
        if reply.status in _ILL:
            raise DeviceFault(what, where=self.talk.where)
        raise Unsupported(what, where=self.talk.where)


class PaceTongue:
    """A `bms.Tongue`."""

    sign_remedy = SIGN_REMEDY

    def __init__(self, talk: PackTalk, address: int, options: PaceOptions) -> None:
        self._options = options
        self._ascii = _Ascii(talk, Dialect(0x25, options.kind), address)
        self._spared = Spared(self._analog)

    async def fast(self) -> PackReading:
        analog = await self._analog()
        warn = await self._spared.ask(Command.WARN, self._warn)
        return analog if warn is None else warn.over(analog)

    async def slow(self) -> PackReading:
        return PackReading(serial=await self._serial())

    async def wake(self) -> None:
        await self._ascii.nudge(Command.ANALOG, self._ascii.number)

    async def switch_charge(self, on: bool) -> None:
        meaning = self._options.switch_on
        if not self._options.charge_switch or meaning is None:
            raise no_switch(self._ascii.talk.where, allowed=False)
        await self._ascii.ask(Command.CHARGE_SWITCH, switch_info(on, PACE_ON[meaning]), act=True)

    def forget(self) -> None:
        self._spared.forget()

    async def _analog(self) -> PackReading:
        info = await self._ascii.ask(Command.ANALOG, self._ascii.number)
        analog = Analog.decode(info)
        if analog is None:
            raise self._ascii.talk.garbled("analog values", info)
        return analog.reading(self._options.kelvin_dc)

    async def _warn(self) -> PackReading:
        info = await self._ascii.ask(Command.WARN, self._ascii.number)
        warn = Warn.decode(info)
        if warn is None:
            raise self._ascii.talk.garbled("warnings", info)
        return warn.reading()

    async def _serial(self) -> str | None:
        """None: it has none."""
        try:
            info = await self._spared.ask(Command.SERIAL, partial(self._ascii.ask, Command.SERIAL))
        except Unsupported:
            return None
        return None if info is None else text(info)


class SeplosTongue:
    """A `bms.Tongue`. Only its analog values are public: it says no code and no alarms."""

    sign_remedy = SIGN_REMEDY

    def __init__(self, talk: PackTalk, address: int, options: SeplosOptions) -> None:
        self._options = options
        self._ascii = _Ascii(talk, Dialect(0x20, options.kind), address)

    async def fast(self) -> PackReading:
        info = await self._ascii.ask(Command.ANALOG, self._ascii.number)
        analog = SeplosAnalog.decode(info)
        if analog is None:
            raise self._ascii.talk.garbled("analog values", info)
        return analog.reading(self._options.kelvin_dc)

    async def slow(self) -> PackReading:
        return PackReading()

    async def wake(self) -> None:
        await self._ascii.nudge(Command.ANALOG, self._ascii.number)

    async def switch_charge(self, on: bool) -> None:
        raise no_switch(self._ascii.talk.where)

    def forget(self) -> None:
        return
