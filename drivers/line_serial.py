"""How is a serial port opened with exactly the settings that its line has?

A system may take settings and not keep them: an adapter that cannot make 5,787 baud runs at 9,600 and says nothing. So
what it really runs at is read back, and a port that does something else is refused.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import termios
from pathlib import Path
from typing import Final

import serial

from drivers.line_config import LineConfig

BAUD_OFF_MAX: Final = 0.025  # both ends of a character of eleven bits still agree within half a bit
PTY_MAJORS: Final = range(136, 144)  # Linux, Documentation/admin-guide/devices.txt: Unix98 PTY slaves
TCGETS2: Final = 0x802C542A  # asm-generic/ioctls.h
TCSETS2: Final = 0x402C542B
_INPUT_FLAGS: Final = struct.Struct("I")  # the first word of struct termios2
_TERMIOS2: Final = struct.Struct("4I20x2I")  # c_iflag c_oflag c_cflag c_lflag, c_line and c_cc, c_ispeed c_ospeed


def open_serial(config: LineConfig, strict: bool = False) -> serial.Serial:
    """Blocks for as long as the system does. Raises OSError (serial.SerialException is one), in words for a person.

    strict: characters with a wrong parity, and breaks of the line, do not arrive. Else they arrive as whatever bits
    came: a check sum finds them out, and a device of another parity is understood as it always was.
    """
    assert config.path is not None
    pty = is_pty(config.path)
    try:
        port = serial.Serial(
            config.path,
            baudrate=config.baud,
            bytesize=serial.EIGHTBITS if pty else config.data_bits,
            parity=serial.PARITY_NONE if pty else config.parity,
            stopbits=config.stop_bits,
            exclusive=True,  # two owners of one port garble each other's frames
        )
    except termios.error as error:  # the adapter went between opening and setting up, or it has no such setting
        raise OSError(f"{config.baud} baud {config.mode}: {error.args[-1]}") from error
    except ValueError as error:  # a baud rate of its own kind that the driver does not take
        raise OSError(f"the port cannot be set to {config.baud} baud: {error}") from error
    if strict:
        _drop_bad_characters(port.fileno())
    refusal = None if pty else misfit(config, port.fileno())
    if refusal is not None:
        port.close()
        raise OSError(refusal)
    return port


def is_pty(path: str) -> bool:
    """Whether it is a simulated port, which carries bytes of eight bits without parity. False: no such path as well."""
    try:
        status = Path(path).stat()
    except OSError:
        return False
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in PTY_MAJORS


def _drop_bad_characters(fd: int) -> None:
    """Through the ioctl of the custom rates: tcsetattr would have to name the rate again. Raises OSError."""
    settings = bytearray(fcntl.ioctl(fd, TCGETS2, bytes(_TERMIOS2.size)))
    (flags,) = _INPUT_FLAGS.unpack_from(settings)
    _INPUT_FLAGS.pack_into(settings, 0, flags | termios.INPCK | termios.IGNPAR | termios.IGNBRK)
    fcntl.ioctl(fd, TCSETS2, settings)


def misfit(config: LineConfig, fd: int) -> str | None:
    """What the port does instead of what `config` says, in words; None: it does as told, or the system does not say."""
    try:
        _, _, flags, _, _, baud = _TERMIOS2.unpack(fcntl.ioctl(fd, TCGETS2, bytes(_TERMIOS2.size)))
    except OSError:
        return None
    if baud and abs(baud - config.baud) > BAUD_OFF_MAX * config.baud:
        return f"the adapter cannot make {config.baud} baud: it runs at {baud}; one with an FTDI chip can"
    size = {termios.CS7: 7, termios.CS8: 8}.get(flags & termios.CSIZE)
    parity = "N" if not flags & termios.PARENB else "O" if flags & termios.PARODD else "E"
    mode = f"{size}{parity}{2 if flags & termios.CSTOPB else 1}"
    if mode != config.mode:
        return f"the adapter cannot do {config.mode}: it does {mode}"
    return None
