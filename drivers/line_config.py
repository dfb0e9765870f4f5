"""What must be written down about a line and about a device on it?"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

BITS_PER_CHARACTER: Final = 11  # start, eight, parity or second stop, stop (Modbus Serial Line V1.02, clause 2.5.1)
GUARD_CHARACTERS: Final = 3.5
FIXED_GUARD_S: Final = 0.00175  # above 19,200 baud, same clause

BAUD_MIN: Final = 300
BAUD_MAX: Final = 230_400
USUAL_BAUDS: Final = (300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400)

# Any rate, for there are pumps at 5787 baud; what is meant for a usual one and is not is found by `fieldtill check`.
Baud = Annotated[int, msgspec.Meta(ge=BAUD_MIN, le=BAUD_MAX, description=f"a baud rate from {BAUD_MIN} to {BAUD_MAX}")]


class LineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One serial port, or one TCP peer with one or more devices behind it.

    id: the name in logs and commands.
    path: the serial port. Prefer /dev/serial/by-id/...: it stays the same when the adapter comes back as another tty.
    host, port: the TCP peer, instead of `path`.
    baud, data_bits, parity, stop_bits: of the serial line; for a serial server (`host` with framing rtu, ascii or
        raw), of the line behind it. Any baud rate that the port can make.
    framing: how Modbus travels here. None: "rtu" on a serial port, "tcp" to a peer. A serial server is host and "rtu";
        one with pumps behind it, whose protocols frame themselves, is host and "raw".
    guard_ms: silence between two frames. None: 3.5 characters, or 1.75 ms above 19,200 baud, and more where the
        device to be asked needs it (`DevicePolicy.guard_s`).
    drain_ms: after a time-out, silence that must pass before the next request. USB adapters hold bytes for up to 16 ms.
    turnaround_ms: pause after a broadcast.
    echo: the adapter always hears itself. False: the line finds out by its first read.
    reopen_after_s: nobody on the line has answered for so long, and at least twice: close it and open it
        again. None: never.
    """

    id: str
    path: str | None = None
    host: str | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502
    baud: Baud = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    framing: Literal["rtu", "ascii", "tcp", "raw"] | None = None
    guard_ms: Annotated[float, msgspec.Meta(ge=0, le=1000)] | None = None
    drain_ms: Annotated[float, msgspec.Meta(ge=0, le=5000)] = 20.0
    turnaround_ms: Annotated[float, msgspec.Meta(ge=0, le=5000)] = 100.0
    echo: bool = False
    connect_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0
    reopen_after_s: Annotated[float, msgspec.Meta(gt=0)] | None = 5.0
    queue_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64

    def __post_init__(self) -> None:
        if (self.path is None) == (self.host is None):
            raise ValueError("either `path` (a serial port) or `host` (a TCP peer), not both and not neither")
        if self.path is not None and self.framing == "tcp":
            raise ValueError('`framing = "tcp"` needs `host`; a serial port speaks rtu or ascii')

    @property
    def modbus_framing(self) -> Literal["rtu", "ascii", "tcp"]:
        if self.framing is None:
            return "tcp" if self.path is None else "rtu"
        return "rtu" if self.framing == "raw" else self.framing

    @property
    def mode(self) -> str:
        """Data bits, parity and stop bits, such as `8E1`."""
        return f"{self.data_bits}{self.parity}{self.stop_bits}"

    @property
    def where(self) -> str:
        """The port or peer in words."""
        return self.path if self.path is not None else f"{self.host}:{self.port}"

    @property
    def character_s(self) -> float:
        """How long one character takes on the wire; 0 where there is no serial line."""
        return 0.0 if self.modbus_framing == "tcp" else BITS_PER_CHARACTER / self.baud

    @property
    def guard_s(self) -> float:
        """Silence between two frames."""
        if self.guard_ms is not None:
            return self.guard_ms / 1000
        if self.modbus_framing == "tcp":
            return 0.0
        return FIXED_GUARD_S if self.baud > 19200 else GUARD_CHARACTERS * self.character_s


class DevicePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How patient to be with one device.

    timeout_s: from the last bit of the request to the first byte of the answer.
    retries: further attempts at a request that got no valid answer. Each first waits out `late_s`.
    guard_s: silence on the line that the device needs before each frame to it, if longer than the line's; a line with
        `guard_ms` set keeps to that.
    drop_bad_characters: its protocol has no check sum but the parity, so a character whose parity is wrong must not
        count. Holds for the whole line, from its next opening.
    request_gap_s: rest the device needs between two requests to it; others use the line meanwhile.
    late_s: how long after a time-out an answer may still come in; until then nothing is asked of the device whose
        answer would look the same. None: as long as `timeout_s`.
    offline_after_s, offline_after_fails: both must be reached, without a good answer between, to call the device
        offline.
    hold_off_s: after a connection to it has ended, a TCP peer takes no new one for so long; the line waits for it.
    back_off: while offline, ask it only once per step (0.5 s doubling to 10 s or 24 time-outs). False: for tools, which
        ask once anyway, and whose failures say nothing about the line.
    """

    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.5
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 1
    guard_s: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    drop_bad_characters: bool = False
    request_gap_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    late_s: Annotated[float, msgspec.Meta(ge=0, le=60)] | None = None
    offline_after_s: Annotated[float, msgspec.Meta(ge=0)] = 3.0
    offline_after_fails: Annotated[int, msgspec.Meta(ge=1)] = 2
    hold_off_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    back_off: bool = True

    @property
    def late_window_s(self) -> float:
        return self.timeout_s if self.late_s is None else self.late_s
