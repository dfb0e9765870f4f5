"""How does the command line reach the daemon? Over its socket, whose place the config tells."""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from edge.panel.messages import ANSWER_MAX, Ask, Told, Trouble

USUAL_CONFIG = Path("/etc/fieldtill/config.toml")
CONFIG_VARIABLE = "FIELDTILL_CONFIG"
PATIENCE_S = 60.0
"""Longer than any verb takes: a start waits for the meter and, with a link, for headquarters."""


class Failed(Exception):
    """The command cannot be done; `trouble` says why, where, and what next."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble


class NoDaemon(Failed):
    """Nobody answers on the socket."""


def find_config(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The config file of a command: what was given, else $FIELDTILL_CONFIG, else the usual place."""
    named = environment.get(CONFIG_VARIABLE)
    return given or (Path(named) if named else USUAL_CONFIG)


def find_socket(config: Path) -> Path:
    """Where the daemon of this config listens. Looks no further into the file: a daemon that runs has checked it."""
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = f"Name it with --config PATH or ${CONFIG_VARIABLE}, or the daemon's socket with --socket PATH."
        raise Failed(Trouble("no-config", f"{config} does not exist", remedy)) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Failed(Trouble("bad-config", f"{config}: {error}", "`fieldtill check` tells more.")) from error
    named = table.get("panel", {}).get("socket") or f"{table.get('data_dir', '.')}/panel.sock"
    return (config.parent / str(named)).absolute()


class Client:
    """One connection to the daemon. Use as `with Client(path) as daemon:`."""

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        """Raises NoDaemon, Failed."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience_s)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise _unreachable(path, error) from error
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, verb: str, **args: Any) -> Any:
        """The result. Raises Failed."""
        try:
            self._socket.sendall(msgspec.json.encode(Ask(verb, args)) + b"\n")
            line = self._file.readline(ANSWER_MAX + 1)
        except TimeoutError as error:
            remedy = "`systemctl status fieldtill` shows whether it is well."
            raise Failed(Trouble("no-answer", "the daemon does not answer", remedy)) from error
        except OSError as error:
            raise NoDaemon(Trouble("hung-up", f"the daemon hung up: {error}", "Try again.")) from error
        if not line.endswith(b"\n"):
            raise NoDaemon(Trouble("hung-up", "the daemon hung up", "`journalctl -u fieldtill` tells why."))
        told = msgspec.json.decode(line, type=Told)
        if told.trouble is not None:
            raise Failed(told.trouble)
        return told.result


def _unreachable(path: Path, error: OSError) -> Failed:
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            remedy = "Start it: `systemctl start fieldtill`, `fieldtill run`. `journalctl -u fieldtill` tells its end."
            return NoDaemon(Trouble("no-daemon", f"no daemon listens on {path}", remedy))
        case PermissionError():
            remedy = "Use `sudo`, or join the group that owns the socket ([panel] group in the config)."
            return Failed(Trouble("not-allowed", f"you may not use {path}", remedy))
    return Failed(Trouble("bad-socket", f"{path}: {error.strerror or error}"))
