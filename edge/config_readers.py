"""What must be written down about a reader: which one it is, where it is, and where a tap at it starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated

import msgspec

from drivers.line_config import LineConfig
from drivers.pumps.config import Name
from drivers.readers.config import TRAITS, CardsConfig, FormConfig, Kind, ReaderSetup
from drivers.readers.registry import build_reader
from protocols.door import Fault
from protocols.fieldbus.card_number import Part


class ReaderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[reader]]`: what says who is there (docs/readers.md).

    connector: where a tap starts. Or pump: by its id or number; or pumps: a tap takes the one with a nozzle out; or
    cabinet: a swap cabinet; or board: a port board or its lockers.
    path: a serial port; or fd: a file descriptor, for a reader that is never spoken to; or terminal: of PC/SC, a part
    of its name, "" for the first. baud: None: the kind's own. form: how it prints numbers; None: they are taken as they
    stand. felica: a `pn532` looks for FeliCa cards too. setup: a `gm65` is set to plain text when it is opened.
    """

    id: Name
    connector: Name | None = None
    pump: Name | None = None
    pumps: tuple[Name, ...] = ()
    path: str | None = None
    fd: Annotated[int, msgspec.Meta(ge=0)] | None = None
    baud: Annotated[int, msgspec.Meta(ge=300, le=921_600)] | None = None
    kind: Kind = "text"
    cabinet: Name | None = None
    board: Name | None = None
    terminal: str | None = None
    form: FormConfig | None = None
    felica: bool = False
    setup: bool = True

    def __post_init__(self) -> None:
        if (self.kind == "pcsc") != (self.terminal is not None):
            raise ValueError('`terminal` is where a `kind = "pcsc"` is, and no other')
        if self.kind != "pcsc" and (self.path is None) == (self.fd is None):
            raise ValueError("either `path` (a serial port) or `fd` (a file descriptor), not both and not neither")
        if self.kind == "pcsc" and (self.path is not None or self.fd is not None):
            raise ValueError("a PC/SC reader has no `path` and no `fd`")
        if self.fd is not None and TRAITS[self.kind].talks:
            raise ValueError(f"a `{self.kind}` is spoken to, so it needs `path`")
        places = [self.connector, self.pump, self.pumps or None, self.cabinet, self.board]
        if sum(place is not None for place in places) != 1:
            raise ValueError("one of `connector`, `pump`, `pumps`, `cabinet` and `board` says where a tap starts")

    @property
    def island(self) -> tuple[str, ...]:
        """The pumps that a tap may be for; empty: it is for something else."""
        return self.pumps if self.pump is None else (self.pump,)

    def set_up(self, cards: CardsConfig | None = None) -> ReaderSetup:
        """As its driver needs it. cards: what the fleet keeps of a number; None: all of it."""
        return ReaderSetup(
            id=self.id,
            kind=self.kind,
            path=self.path,
            fd=self.fd,
            terminal=self.terminal,
            baud=self.baud,
            form=None if self.form is None else self.form.form,
            kept=None if cards is None else cards.kept,
            felica=self.felica,
            setup=self.setup,
        )


def reader_faults(
    readers: Sequence[ReaderConfig],
    lines: Sequence[LineConfig],
    connectors: Collection[str],
    pumps: Collection[str],
    cabinets: Collection[str],
) -> Iterator[Fault]:
    """Places that are not there, and ports that have two owners. pumps: ids and numbers."""
    taken = {line.path: f"line `{line.id}`" for line in lines if line.path is not None}
    for index, reader in enumerate(readers):
        here = f"reader[{index}]"
        if reader.connector is not None:
            yield from _known(f"{here}.connector", reader.connector, connectors)
        for name in reader.island:
            yield from _known(f"{here}.{'pumps' if reader.pumps else 'pump'}", name, pumps)
        if reader.cabinet is not None:
            yield from _known(f"{here}.cabinet", reader.cabinet, cabinets)
        if reader.path is not None:
            if reader.path in taken:
                yield Fault(f"{here}.path", "a port of its own", f"`{reader.path}`, which {taken[reader.path]} has")
            taken[reader.path] = f"reader `{reader.id}`"


def reader_doubts(readers: Sequence[ReaderConfig], cards: CardsConfig | None) -> Iterator[str]:
    """Readers whose cards would be strangers."""
    for reader in readers:
        form = build_reader(reader.set_up(cards)).setup.form
        if form is None or (form.octets is None and form.part is Part.WHOLE):
            continue
        if cards is None and form.part is not Part.WHOLE:
            yield f"reader `{reader.id}` says a part of each number and `[cards]` is not there, so it serves nobody"
        elif cards is not None and form.octets is not None and form.octets < cards.octets:
            yield (
                f"reader `{reader.id}` says {form.octets} octets of a number and `[cards]` keeps {cards.octets}, "
                "so it serves nobody"
            )
        elif cards is not None and form.part not in (Part.WHOLE, cards.kept.part):
            yield f"reader `{reader.id}` says the other end of a number than `[cards]` keeps, so it serves nobody"


def _known(path: str, name: str, names: Collection[str]) -> Iterator[Fault]:
    if name not in names:
        yield Fault(path, f"one of {', '.join(sorted(set(names))) or '(none defined)'}", f"`{name}`")
