"""A pack that answers and refuses: sorted by what the caller does next."""

from __future__ import annotations

import pytest
from pack_mouths import PACK, daly_modbus_pack
from pack_rig import Mouth, slot

from drivers.errors import DeviceError, DeviceFault, Garbled, Transient, Unsupported
from protocols.fieldbus import jbd, jk4e57, pace
from protocols.fieldbus.jk4e57_app import Items
from protocols.fieldbus.modbus import DeviceSide, ExceptionCode, Framing, exception_frame


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (jbd.Status.NO_SUCH_REGISTER, Unsupported),
        (jbd.Status.NOT_ALLOWED, Unsupported),
        (jbd.Status.WRONG_PASSWORD, Unsupported),
        (jbd.Status.WRONG_SUM, Transient),
        (0x99, DeviceFault),
    ],
)
async def test_jbd(status: int, error: type[DeviceError]) -> None:
    """By the status of its answer."""
    pack = Mouth(jbd.ear(), lambda request: [jbd.answer_frame(request.register, status=status)])
    async with slot(pack, "jbd", timeout_ms=60) as it:
        with pytest.raises(error, match=f"register 03 is refused with status {status:02X}"):
            await it.read()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (pace.Status.WRONG_SUM, Transient),
        (pace.Status.INTERNAL_LINK, Transient),
        (pace.Status.NO_DATA, Transient),
        (pace.Status.UNKNOWN_COMMAND, Unsupported),
        (pace.Status.NOT_ALLOWED, Unsupported),
        (pace.Status.EQUIPMENT, DeviceFault),
        (pace.Status.FAILED, DeviceFault),
    ],
)
async def test_pace(status: int, error: type[DeviceError]) -> None:
    """By the status of its answer."""
    pack = Mouth(pace.ear(pace.PACE, 1), lambda _: [pace.answer_frame(pace.PACE, 1, status=status)])
    async with slot(pack, "pace", timeout_ms=60) as it:
        with pytest.raises(error, match=f"command 42 is refused with status {status:02X}"):
            await it.read()


@pytest.mark.parametrize(
    ("code", "error"), [(ExceptionCode.ILLEGAL_ADDRESS, Unsupported), (ExceptionCode.BUSY, Transient), (4, DeviceFault)]
)
@pytest.mark.parametrize("protocol", ["daly-modbus", "vmo"])
async def test_modbus(protocol: str, code: int, error: type[DeviceError]) -> None:
    """By its exception."""
    pack = Mouth(DeviceSide(Framing.RTU), lambda request: [exception_frame(Framing.RTU, request, code)])
    async with slot(pack, protocol, timeout_ms=60) as it:
        with pytest.raises(error, match=f"exception {int(code)}"):
            await it.read()


async def test_another_form() -> None:
    """A sound frame that says something else than was asked for is no reading, and shows its bytes."""
    wrong_jbd = Mouth(jbd.ear(), lambda request: [jbd.answer_frame(request.register, b"\x01\x02")])
    async with slot(wrong_jbd, "jbd", timeout_ms=60) as it:
        with pytest.raises(Garbled, match="register 03: 01 02 is no answer"):
            await it.read()
    wrong_pace = Mouth(pace.ear(pace.PACE, 1), lambda _: [pace.answer_frame(pace.PACE, 1, b"\x00")])
    async with slot(wrong_pace, "pace", timeout_ms=60) as it:
        with pytest.raises(Garbled, match="analog values"):
            await it.read()
    wrong_jk = Mouth(jk4e57.ear(), lambda question: [jk4e57.answer_frame(question, Items({0x85: b"\x32"}).encode())])
    async with slot(wrong_jk, "jk4e57", timeout_ms=60) as it:
        with pytest.raises(Garbled, match="everything: 85 32"):
            await it.read()


async def test_a_daly_modbus_pack_without_a_code() -> None:
    """It refuses those registers: no code, and the rest all the same."""
    honest = daly_modbus_pack(lambda: PACK)

    def hears(data: bytes) -> list[bytes]:
        said = honest(data)
        request = honest.heard[-1]
        return [exception_frame(Framing.RTU, request, 2)] if request.pdu.address == 0xB9 else said

    async with slot(hears, "daly-modbus", timeout_ms=60) as it:
        read = await it.read()
        assert (read.serial, read.voltage_mv) == (None, 62_000)
