"""A port runs with the settings that were written down, or says which it has not."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import tty
from collections.abc import Iterator
from typing import Literal

import pytest

from drivers.line_config import LineConfig
from drivers.line_serial import TCGETS2, is_pty, misfit, open_serial


@pytest.fixture
def pty() -> Iterator[str]:
    master, tail = os.openpty()
    tty.setraw(tail)
    yield os.ttyname(tail)
    os.close(master)
    os.close(tail)


@pytest.mark.parametrize("baud", [5787, 5760, 9600, 230_400, 1234])
def test_any_baud_rate_can_be_had(pty: str, baud: int) -> None:
    """Also one that has no name in termios, as that of a Gilbarco loop; it is read back from the port."""
    with open_serial(LineConfig(id="a", path=pty, baud=baud)) as port:
        assert misfit(LineConfig(id="a", path=pty, baud=baud), port.fileno()) is None
        flags = fcntl.ioctl(port.fileno(), TCGETS2, bytes(44))
        assert struct.unpack_from("2I", flags, 36) == (baud, baud)


@pytest.mark.parametrize(("bits", "parity", "stop"), [(7, "E", 2), (8, "O", 1), (8, "E", 1), (8, "N", 2)])
def test_a_pty_takes_the_config_of_the_real_line(
    pty: str, bits: Literal[7, 8], parity: Literal["N", "E", "O"], stop: Literal[1, 2]
) -> None:
    """It knows no parity and no seven bits; and opening it again, as after a break, is no error."""
    config = LineConfig(id="a", path=pty, baud=5787, data_bits=bits, parity=parity, stop_bits=stop)
    for _ in range(3):
        open_serial(config).close()


def test_an_adapter_that_takes_a_rate_and_runs_at_another_is_found_out(pty: str) -> None:
    """The port then names both rates; a deviation that two UARTs bridge is none."""
    with open_serial(LineConfig(id="a", path=pty, baud=9600)) as port:
        assert misfit(LineConfig(id="a", path=pty, baud=5787), port.fileno()) == (
            "the adapter cannot make 5787 baud: it runs at 9600; one with an FTDI chip can"
        )
        assert misfit(LineConfig(id="a", path=pty, baud=9700), port.fileno()) is None


def test_an_adapter_that_has_no_such_characters_is_found_out(pty: str) -> None:
    """What a pty does with 8O1 is what a poor adapter does: it takes it and sends 8N1."""
    with open_serial(LineConfig(id="a", path=pty)) as port:
        refusal = misfit(LineConfig(id="a", path=pty, parity="O"), port.fileno())
        assert refusal == "the adapter cannot do 8O1: it does 8N1"


def test_what_is_no_serial_port_is_an_oserror() -> None:
    """A path that is not there or is something else is said as one kind of error."""
    for path, says in (("/nowhere/tty", "/nowhere/tty"), ("/dev/null", "Could not configure port")):
        assert not is_pty(path)
        with pytest.raises(OSError, match=says):
            open_serial(LineConfig(id="a", path=path))


@pytest.mark.parametrize("strict", [True, False])
def test_bad_characters_are_dropped_where_nothing_else_finds_them_out(pty: str, strict: bool) -> None:
    """A Gilbarco status is one byte without a check sum; elsewhere the check sum decides. The odd rate stays."""
    with open_serial(LineConfig(id="a", path=pty, baud=5787), strict) as port:
        flags, *_ = termios.tcgetattr(port.fileno())
        wanted = termios.INPCK | termios.IGNPAR | termios.IGNBRK
        assert flags & wanted == (wanted if strict else 0)
        assert misfit(LineConfig(id="a", path=pty, baud=5787), port.fileno()) is None
