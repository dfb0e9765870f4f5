"""What the panel can be asked of a line itself: who answers on it, and what comes back on raw bytes."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec

from drivers.boards.config import WIRES as BOARDS
from drivers.cabinets.plan import slot_plans
from drivers.line_tools import raw, scan
from drivers.packs.config import WIRES as PACKS
from drivers.ports.config import DNY, POLL_ANSWER_S, VIRTUAL_IDS
from drivers.pumps.config import WIRES
from drivers.pumps.scan import MODBUS, SCANNED, Part, WrongProtocol, plan, scan_pumps
from edge.config import Config
from edge.daemon_state import Daemon
from edge.panel import views
from edge.panel.messages import Trouble
from edge.panel.verbs import Declined, Verb, unknown

FRAME_MAX = 256
LOCK_BOARDS: Final[tuple[Literal["xor", "kerong"], ...]] = ("xor", "kerong")
LOCK_ANSWER_S: Final = 0.1


class ScanLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """protocol: `modbus`, or one of pumps, packs, lock or port boards; empty: the line's own. The others: None: as the
    protocol has it.
    """

    line: str
    protocol: str = ""
    first: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    last: Annotated[int, msgspec.Meta(ge=1, le=255)] | None = None
    timeout_ms: Annotated[int, msgspec.Meta(ge=10, le=5000)] | None = None


class PlanScan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    line: str
    protocol: str = ""


class RawFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    line: str
    frame: str  # hex
    timeout_ms: Annotated[int, msgspec.Meta(ge=10, le=30_000)] = 1000


async def scan_line(daemon: Daemon, args: ScanLine, by: str) -> object:
    part = _scan_parts(daemon, args.line, args.protocol)[0]
    if (controller := daemon.premises.controllers.get(args.line)) is not None:
        from drivers.pumps.pts_scan import scan_controller  # a site without one never pays for it

        addresses = _addresses(args, part)
        pumps = [one for one in daemon.config.pump if one.controller == args.line]
        known = {one.address: daemon.premises.pumps[one.id] for one in pumps}
        return [views.plain(found) async for found in scan_controller(controller, addresses, known)]
    line, units = daemon.premises.lines[args.line], _addresses(args, part)
    timeout_s = part.timeout_s if args.timeout_ms is None else args.timeout_ms / 1000
    if part.protocol == DNY:
        from drivers.ports.scan import scan_dny  # as above

        boards = {board.address: board.id for board in daemon.config.port_board if board.line == args.line}
        polled = {address: daemon.premises.port_boards[name] for address, name in boards.items() if address is not None}
        return [views.plain(found) async for found in scan_dny(line, units, polled, timeout_s=timeout_s)]
    if (lock := next((one for one in LOCK_BOARDS if one == part.protocol), None)) is not None:
        from drivers.boards.scan import scan_boards  # as above

        here = {one.address: one.id for one in daemon.config.board if one.line == args.line}
        locks = {address: daemon.premises.boards[name] for address, name in here.items()}
        return [views.plain(found) async for found in scan_boards(line, lock, units, locks, timeout_s=timeout_s)]
    if part.protocol == MODBUS:
        return [views.plain(found) async for found in scan(line, units=units, timeout_s=timeout_s)]
    if (pack := next((one for one in PACKS if one == part.protocol), None)) is not None:
        from drivers.packs.scan import scan_packs  # as above

        return [views.plain(found) async for found in scan_packs(line, pack, timeout_s=timeout_s)]
    protocol = next(one for one in WIRES if one == part.protocol)
    here = {one.address: one.id for one in daemon.config.pump if one.line == args.line and one.protocol == protocol}
    known = {address: daemon.premises.pumps[name] for address, name in here.items()}
    return [views.plain(found) async for found in scan_pumps(line, protocol, units, known, timeout_s=timeout_s)]


async def plan_scan(daemon: Daemon, args: PlanScan, by: str) -> object:
    return [views.plain(part) for part in _scan_parts(daemon, args.line, args.protocol)]


async def raw_frame(daemon: Daemon, args: RawFrame, by: str) -> object:
    line = daemon.premises.lines.get(args.line)
    if line is None:
        raise Declined(unknown("line", args.line, daemon.premises.lines))
    digits = re.sub(r"[\s:]", "", args.frame)
    try:
        frame = bytes.fromhex(digits)
    except ValueError:
        raise Declined(Trouble("not-hex", f"expected hex digits in pairs, got {args.frame!r}")) from None
    if not 1 <= len(frame) <= FRAME_MAX:
        raise Declined(Trouble("bad-length", f"expected 1 to {FRAME_MAX} bytes, got {len(frame)}"))
    if daemon.site is not None:
        await daemon.site.note(by, "raw", f"{args.line} {frame.hex()}")
    return {"sent": frame.hex(" "), "received": (await raw(line, frame, timeout_s=args.timeout_ms / 1000)).hex(" ")}


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "scan": (ScanLine, scan_line),
    "scan-plan": (PlanScan, plan_scan),
    "raw": (RawFrame, raw_frame),
}


def _scan_parts(daemon: Daemon, name: str, protocol: str) -> list[Part]:
    """At least one. Raises Declined."""
    controller = daemon.premises.controllers.get(name)
    if controller is not None:
        numbers = WIRES["pts"].addresses
        return [Part("pts", numbers[0], numbers[-1], controller.config.timeout_s)]
    line = daemon.premises.lines.get(name)
    if line is None:
        raise Declined(unknown("line", name, [*daemon.premises.lines, *daemon.premises.controllers]))
    known = (*SCANNED, *LOCK_BOARDS, DNY)
    if protocol and protocol not in known:
        raise Declined(unknown("protocol", protocol, known))
    spoken = _spoken(daemon.config, name)
    for lock in LOCK_BOARDS:  # asked only where they are meant
        if protocol in ("", lock) and (spoken == {BOARDS[lock].family} or (protocol and not spoken)):
            addresses = BOARDS[lock].addresses
            return [Part(lock, addresses[0], addresses[-1], LOCK_ANSWER_S)]
    if spoken <= {DNY} and DNY in (protocol, *spoken) and protocol in ("", DNY):
        return [Part(DNY, VIRTUAL_IDS[0], VIRTUAL_IDS[-1], POLL_ANSWER_S)]
    try:
        parts = plan(line.config, spoken, protocol)
    except WrongProtocol as error:
        remedy = "Scan it in its own protocol, or take its pumps and devices out of the config first."
        raise Declined(Trouble("wrong-protocol", str(error), remedy)) from error
    if not parts and spoken:
        raise Declined(
            Trouble("no-protocol", f"what speaks {' and '.join(sorted(spoken))} cannot be looked for", where=name)
        )
    if not parts:
        settings = f"no protocol has {line.config.baud} baud {line.config.mode}"
        raise Declined(Trouble("no-protocol", settings, "Name one with --protocol.", where=name))
    return parts


def _addresses(args: ScanLine, part: Part) -> range:
    """Those that are asked. Raises Declined for what the protocol has not; 0 is a broadcast in some."""
    first = part.first if args.first is None else args.first
    last = part.last if args.last is None else args.last
    if not part.first <= first <= last <= part.last:
        told = f"expected addresses of {part.protocol} within {part.first} to {part.last}, got {first} to {last}"
        raise Declined(Trouble("bad-request", told))
    return range(first, last + 1)


def _spoken(config: Config, line: str) -> set[str]:
    """The protocols of what the config has on a line."""
    return {
        *(pump.protocol for pump in config.pump if pump.line == line),
        *(MODBUS if device.speaks_modbus else device.profile for device in config.device if device.line == line),
        *(board.protocol for board in config.port_board if board.line == line),
        *(BOARDS[board.protocol].family for board in config.board if board.line == line),
        *(
            plan.pack.link.protocol
            for cabinet in config.cabinet
            for plan in slot_plans(cabinet)
            if plan.pack is not None and plan.pack.link.line == line
        ),
    }
