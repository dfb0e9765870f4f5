"""Are a DNY board's thresholds as configured? If not, they are written; what is not configured is not touched."""

from __future__ import annotations

from dataclasses import fields

from drivers.errors import DeviceFault, Misconfigured
from drivers.ports.dny_options import DnyOptions
from drivers.ports.dny_talk import DnyTalk
from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny_codes import OK

Setting = platform.Floating | platform.Load | platform.Limits


class Settings:
    """83, 84 and 85 of one board."""

    def __init__(self, talk: DnyTalk, options: DnyOptions) -> None:
        self._talk = talk
        self._wanted: list[tuple[platform.Request, Setting]] = []
        if options.floating is not None:
            self._wanted.append((platform.ReadFloating(), options.floating.message(options.heartbeat_s)))
        if options.load is not None:
            self._wanted.append((platform.ReadLoad(), options.load.message()))
        if options.limits is not None:
            self._wanted.append((platform.ReadLimits(), options.limits.message()))

    async def write(self) -> None:
        """Read, write what differs, and read again. Raises Transient; DeviceFault and Misconfigured for a person."""
        for question, wanted in self._wanted:
            if not differs(await self._talk.ask(question), wanted):
                continue
            done = await self._talk.ask(wanted)
            if not isinstance(done, board.Result) or done.code != OK:
                raise DeviceFault(f"it refuses its {_name(wanted)}: {done}", where=self._talk.where)
            if found := differs(await self._talk.ask(question), wanted):
                raise Misconfigured(
                    f"it does not keep its {_name(wanted)}: {', '.join(found)}",
                    where=self._talk.where,
                    remedy="Take these values out of `options`, or set them as this board takes them.",
                )


def differs(said: object, wanted: Setting) -> list[str]:
    """Fields that are not as wanted, in words. A field that this board does not have is no difference."""
    if type(said) is not type(wanted):
        return [f"it answered {said}"]
    found = []
    for field in fields(wanted):
        is_now, is_wanted = getattr(said, field.name), getattr(wanted, field.name)
        if None not in (is_now, is_wanted) and is_now != is_wanted:
            found.append(f"{field.name} is {is_now}, not {is_wanted}")
    return found


def _name(setting: Setting) -> str:
    return type(setting).__name__.lower()
