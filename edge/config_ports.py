"""Do the port boards of a site's config fit each other, their lines and listeners, and what hangs beside them?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drivers.line_config import LineConfig
from drivers.ports.config import BAUD, ListenerConfig, PortBoardConfig
from protocols.door import Fault


def port_faults(
    lines: Sequence[LineConfig],
    listeners: Sequence[ListenerConfig],
    boards: Sequence[PortBoardConfig],
    others: Mapping[str, set[str]],
) -> Iterator[Fault]:
    """What cannot work. That each id is used once is not looked at here. others: what else is spoken on each line."""
    line_ids, listener_ids = {line.id for line in lines}, {listener.id for listener in listeners}
    for index, board in enumerate(boards):
        if board.line is not None:
            yield from _known(f"port_board[{index}].line", board.line, line_ids)
        if board.listener is not None:
            yield from _known(f"port_board[{index}].listener", board.listener, listener_ids)
    yield from _addresses(boards)
    yield from _protocols(lines, boards, others)
    yield from _places(listeners)


def port_doubts(
    lines: Sequence[LineConfig], listeners: Sequence[ListenerConfig], boards: Sequence[PortBoardConfig]
) -> Iterator[str]:
    """What may work and mostly does not, in words for a person."""
    for index, line in enumerate(lines):
        here = sorted({board.protocol for board in boards if board.line == line.id})
        for protocol in here:
            odd = (line.baud, line.mode) != (BAUD, "8N1") and (line.path is not None or line.framing is not None)
            if odd:
                yield f"line[{index}]: {protocol} boards have {BAUD} baud 8N1, and this line {line.baud} {line.mode}"
            if line.host is not None and line.framing is None:
                yield f'line[{index}]: a serial server with port boards behind it has `framing = "raw"`'
    for index, listener in enumerate(listeners):
        if not any(board.listener == listener.id for board in boards):
            yield f"listener[{index}]: no board connects to `{listener.id}`"
        elif not listener.peers:
            yield (
                f"listener[{index}]: no `peers`: whoever reaches {listener.where} may pass for a board, for these have "
                "no password"
            )
    for index, board in enumerate(boards):
        if board.protocol == "dongjun":
            yield f"port_board[{index}]: `{board.id}` is only watched: how to start a dongjun board is not known"


def _addresses(boards: Sequence[PortBoardConfig]) -> Iterator[Fault]:
    """A line has one board at a virtual id, a site one of a number, and a dongjun board its line alone."""
    seen: dict[tuple[object, ...], str] = {}
    for index, board in enumerate(boards):
        places: list[tuple[str, tuple[object, ...]]] = []
        if board.address is not None:
            places.append(("address", ("address", board.line, board.address)))
        if board.device is not None:
            places.append(("device", ("device", board.device, board.options.get("kind"))))
        if board.protocol == "dongjun":
            places.append(("line", ("dongjun", board.line)))
        for key, place in places:
            if place in seen:
                got = f"{getattr(board, key)}, which `{seen[place]}` has already"
                yield Fault(f"port_board[{index}].{key}", f"its own {key}", got)
            seen.setdefault(place, board.id)


def _protocols(
    lines: Sequence[LineConfig], boards: Sequence[PortBoardConfig], others: Mapping[str, set[str]]
) -> Iterator[Fault]:
    """A frame of one protocol may be an order in another."""
    for line in lines:
        own = {board.protocol for board in boards if board.line == line.id}
        spoken = sorted({*own, *others.get(line.id, ())})
        if own and len(spoken) > 1:
            yield Fault(f"line `{line.id}`", "one protocol", ", ".join(spoken), "Give each a line of its own.")


def _places(listeners: Sequence[ListenerConfig]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for index, listener in enumerate(listeners):
        if listener.port and listener.where in seen:
            got = f"{listener.where}, which `{seen[listener.where]}` has already"
            yield Fault(f"listener[{index}].port", "a port of its own", got)
        seen.setdefault(listener.where, listener.id)


def _known(path: str, name: str, names: set[str]) -> Iterator[Fault]:
    if name not in names:
        yield Fault(path, f"one of {', '.join(sorted(names)) or '(none defined)'}", f"`{name}`")
