"""The panel's socket: who may ask, how much at a time, and what a failure looks like on the wire."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import socket
import struct
from pathlib import Path

import msgspec
import structlog

from drivers.errors import DeviceError
from edge.config import Config
from edge.daemon_state import Daemon
from edge.journal.errors import JournalError, JournalLocked
from edge.panel import (
    verbs,
    verbs_epoch,
    verbs_fuel,
    verbs_learn,
    verbs_line,
    verbs_port,
    verbs_swap,
    verbs_tank,
    views,
)
from edge.panel.messages import LINE_MAX, Ask, Told, Trouble
from edge.panel.verbs import Declined
from protocols.door import Fault

CLIENTS_MAX = 16
"""More at once than technicians fit at a site; each costs one file descriptor."""
IDLE_S = 300.0
PATH_MAX = 107
"""Bytes of a Unix socket's path (unix(7))."""

log = structlog.get_logger()

_VERBS = (
    verbs.VERBS
    | verbs_epoch.VERBS
    | verbs_fuel.VERBS
    | verbs_learn.VERBS
    | verbs_line.VERBS
    | verbs_port.VERBS
    | verbs_swap.VERBS
    | verbs_tank.VERBS
)
_ask = msgspec.json.Decoder(Ask)
_told = msgspec.json.Encoder(enc_hook=str)


async def serve_panel(daemon: Daemon) -> None:
    """Serve until cancelled."""
    clients = 0

    async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal clients
        clients += 1
        try:
            if clients <= CLIENTS_MAX:
                await _converse(daemon, reader, writer)
        except (OSError, TimeoutError, asyncio.LimitOverrunError, ValueError):
            pass  # whoever hangs up, falls asleep or floods is let go
        finally:
            clients -= 1
            writer.close()

    path = daemon.config.socket_path
    with _listen(path, daemon.config.panel.group) as listener:
        server = await asyncio.start_unix_server(serve_client, sock=listener, limit=LINE_MAX)
        try:
            await server.serve_forever()
        finally:
            server.close()
            path.unlink(missing_ok=True)


def check_socket(config: Config) -> list[Fault]:
    """What would keep the panel from listening, as far as the config can tell."""
    faults: list[Fault] = []
    path, group = config.socket_path, config.panel.group
    if len(os.fsencode(path)) > PATH_MAX:
        length = f"{path}, of {len(os.fsencode(path))}"
        faults.append(Fault("panel.socket", f"a path of at most {PATH_MAX} bytes", length, "Linux takes no longer."))
    if group is not None:
        try:
            grp.getgrnam(group)
        except KeyError:
            faults.append(Fault("panel.group", "a group of this box", f"`{group}`", f"Run `groupadd {group}`."))
    return faults


async def answer(daemon: Daemon, line: bytes, by: str) -> Told:
    """One request, one answer. Expected failures are values; anything else is logged and said to be our fault."""
    try:
        ask = _ask.decode(line)
        if ask.verb not in _VERBS:
            return Told(trouble=Trouble("unknown-verb", f"expected one of {', '.join(_VERBS)}, got {ask.verb!r}"))
        into, verb = _VERBS[ask.verb]
        return Told(result=await verb(daemon, msgspec.convert(ask.args, into), by))
    except msgspec.ValidationError as error:
        remedy = "`fieldtill COMMAND --help` says what it takes; else command line and daemon differ in version."
        return Told(trouble=Trouble("bad-request", str(error), remedy))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Told(trouble=Trouble("bad-request", str(error), "This command line and the daemon differ in version."))
    except Declined as declined:
        return Told(trouble=declined.trouble)
    except DeviceError as error:
        return Told(trouble=_device_trouble(daemon, error))
    except JournalError as error:
        return Told(trouble=Trouble(type(error).__name__.lower(), error.what, error.remedy))
    except Exception as error:
        log.error("a verb of the panel failed", by=by, exc_info=error)  # not what was asked: cards stand in it
        what = f"a fault of this software: {type(error).__name__}: {error}"
        return Told(trouble=Trouble("bug", what, "Report it with the lines that `journalctl -u fieldtill` shows."))


def _device_trouble(daemon: Daemon, error: DeviceError) -> Trouble:
    """With the time of the device's last good answer; `where` names it after its line."""
    name = error.where.split(":")[1] if ":" in error.where else ""
    device = next((one for one in daemon.premises.everything() if one.id == name), None)
    last_good_s = None if device is None else views.last_good_s(device)
    return Trouble(type(error).__name__.lower(), error.what, error.remedy, error.where, last_good_s)


async def _converse(daemon: Daemon, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    by = _who(writer)
    while True:
        async with asyncio.timeout(IDLE_S):
            line = await reader.readline()
        if not line:
            return
        told = await answer(daemon, line, by)
        writer.write(_told.encode(told) + b"\n")
        await writer.drain()


def _who(writer: asyncio.StreamWriter) -> str:
    """The Unix user at the other end, as the kernel says."""
    peer: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _listen(path: Path, group: str | None) -> socket.socket:
    """A socket that its group alone may open, from its first moment. One left over from a crash is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    if _answers(path):
        raise JournalLocked(f"another daemon answers on {path}")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    if group is not None:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    return listener
