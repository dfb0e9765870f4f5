"""What a gateway sees on the wire: pacing, and every fault that concerns an answer."""

from __future__ import annotations

import asyncio

import pytest

from drivers.twins.config import DeviceConfig, LineConfig, OutletConfig, SiteConfig
from drivers.twins.faults import Fault, FaultKind
from drivers.twins.pty import wire_time_us
from drivers.twins.site import TwinSite
from drivers.twins.wire_serial import SerialWire, frame_gap_us
from drivers.twins.wire_tcp import TcpWire
from protocols.fieldbus.modbus import (
    Answer,
    Framing,
    ReadRegisters,
    Refused,
    Space,
    UnknownRequest,
    answer_frame,
    request_frame,
)
from protocols.fieldbus.modbus import Request as Asked

from .gateway import Gateway

IMPORT = ReadRegisters(Space.HOLDING, 0x0C83, 4)  # iEM3155, Wh
REQUEST = request_frame(Framing.RTU, 7, IMPORT)
RIGHT = answer_frame(Framing.RTU, Asked(7, IMPORT), Answer(registers=(0, 0, 1, 0xE240)))  # 123456 Wh


def two_meters(kind: str = "rtu", baud: int = 115_200) -> SiteConfig:
    devices = [
        DeviceConfig(id=f"m{unit}", line="line", profile="schneider-iem3155", unit=unit, outlet="c1",
                     register_start_wh=123_456)
        for unit in (7, 8)
    ]  # fmt: skip
    line = LineConfig(id="line", kind=kind, baud=baud)  # type: ignore[arg-type]  # one of the kinds
    return SiteConfig(line=(line,), outlet=(OutletConfig(id="c1"),), device=tuple(devices))


async def test_two_twins_share_a_line_and_others_are_silent() -> None:
    """Each unit answers for itself; a unit that nobody serves gets nothing."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        assert await gateway.ask(7, IMPORT) == await gateway.ask(8, IMPORT) == Answer((0, 0, 1, 0xE240))
        assert await gateway.ask(9, IMPORT, timeout_s=0.05) is None
        assert gateway.raw == b""
        assert site.wires["line"].stats.unheard == 1


async def test_an_answer_takes_at_least_its_wire_time() -> None:
    """Request, 3.5 characters and answer at 11 bits each: no answer is complete before that."""
    async with TwinSite(two_meters(baud=2400)) as site, Gateway(site.port("line")) as gateway:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        await gateway.ask(7, IMPORT)
        took_us = (loop.time() - begun_s) * 1e6
        least_us = wire_time_us(len(REQUEST), 2400) + frame_gap_us(2400) + wire_time_us(len(RIGHT), 2400)
        stats = site.wires["line"].stats
        assert took_us >= least_us == 36_667 + 16_042 + 59_584
        assert least_us <= stats.wire_us < least_us + 20  # chunks are rounded up one by one
        assert stats.late_us >= 0


async def test_requests_in_a_row_each_take_their_time() -> None:
    """No time is saved by asking again at once, also after noise."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        loop = asyncio.get_running_loop()
        gateway.send(b"\xff\x55")
        begun_s = loop.time()
        for _ in range(20):
            await gateway.ask(7, IMPORT)
        took_us = (loop.time() - begun_s) * 1e6
        each_us = wire_time_us(len(REQUEST), 115_200) + 1_750 + wire_time_us(len(RIGHT), 115_200)
        assert took_us >= 20 * each_us - 20  # the loop's own clock and ours, rounded


@pytest.mark.parametrize(
    ("fault", "sees"),
    [
        (Fault(FaultKind.DEAD), b""),
        (Fault(FaultKind.FOREIGN), answer_frame(Framing.RTU, Asked(8, IMPORT), Answer(registers=(0, 0, 1, 0xE240)))),
        (Fault(FaultKind.CRC), RIGHT[:-1] + bytes([RIGHT[-1] ^ 1])),
        (Fault(FaultKind.SHORT, amount=4), RIGHT[:-4]),
        (Fault(FaultKind.HANG_UP), b""),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else "",
)
async def test_a_spoilt_answer_is_exactly_this(fault: Fault, sees: bytes) -> None:
    """Faults without chance give known bytes, and no valid answer; when they are used up, all is well again."""
    once = Fault(fault.kind, count=1, amount=fault.amount)
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        site.device("m7").fault(once)
        assert await gateway.ask(7, IMPORT, timeout_s=0.1, bytes_least=len(sees)) is None
        assert gateway.raw == sees
        assert await gateway.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))


async def test_echo_and_noise_stand_around_the_answer() -> None:
    """The request comes back first, noise comes before and after, and the answer is whole among them."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        site.device("m7").fault(Fault(FaultKind.ECHO, count=1))
        assert await gateway.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))
        assert gateway.raw == REQUEST + RIGHT
        site.device("m7").fault(Fault(FaultKind.NOISE_BEFORE, count=1, amount=5))
        site.device("m7").fault(Fault(FaultKind.NOISE_AFTER, count=1, amount=2))
        assert await gateway.ask(7, IMPORT, bytes_least=5 + len(RIGHT) + 2) == Answer((0, 0, 1, 0xE240))
        assert len(gateway.raw) == 5 + len(RIGHT) + 2
        assert gateway.raw[5:-2] == RIGHT


async def test_exceptions_change_nothing_in_the_device() -> None:
    """The asked code is answered as often as asked for."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        site.device("m7").fault(Fault(FaultKind.EXCEPTION, count=2, amount=6))
        answers = [await gateway.ask(7, IMPORT) for _ in range(3)]
        assert answers == [Refused(6), Refused(6), Answer((0, 0, 1, 0xE240))]


async def test_a_late_answer_comes_unasked() -> None:
    """The gateway has given up; the answer arrives all the same, while the other unit is asked."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        site.device("m7").fault(Fault(FaultKind.LATE, count=1, amount=120))
        assert await gateway.ask(7, IMPORT, timeout_s=0.02) is None
        assert await gateway.ask(8, IMPORT, bytes_least=2 * len(RIGHT)) == Answer((0, 0, 1, 0xE240))
        assert gateway.raw.endswith(RIGHT)
        assert len(gateway.raw) == 2 * len(RIGHT)


async def test_slow_answers_are_whole() -> None:
    """Byte by byte, at a multiple of the wire time."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        site.device("m7").fault(Fault(FaultKind.SLOW, amount=20))
        begun_s = asyncio.get_running_loop().time()
        assert await gateway.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))
        took_us = (asyncio.get_running_loop().time() - begun_s) * 1e6
        assert took_us >= 20 * wire_time_us(1, 115_200) * len(RIGHT)


async def test_two_at_one_address() -> None:
    """Both at once garble each other; one after the other gives two valid answers that disagree."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        site.device("m7").fault(Fault(FaultKind.TWO_AT_ONE_ADDRESS, count=1))
        assert await gateway.ask(7, IMPORT, timeout_s=0.1, bytes_least=len(RIGHT)) is None
        assert len(gateway.raw) == len(RIGHT)
        assert gateway.raw != RIGHT
        site.device("m7").fault(Fault(FaultKind.TWO_AT_ONE_ADDRESS, count=1, amount=5))
        assert await gateway.ask(7, IMPORT, bytes_least=2 * len(RIGHT)) == Answer((0, 0, 1, 0xE240))
        assert len(gateway.raw) == 2 * len(RIGHT)
        assert gateway.raw[: len(RIGHT)] == RIGHT


async def test_tcp_hangs_up_and_mixes_up_transactions() -> None:
    """On TCP, `hang-up` ends the connection and `crc` breaks the transaction id."""
    async with TwinSite(two_meters("tcp")) as site:
        twin = site.device("m7")
        async with Gateway(site.port("line")) as gateway:
            twin.fault(Fault(FaultKind.CRC, count=1))
            assert await gateway.ask(7, IMPORT, timeout_s=0.1, bytes_least=17) is None
            assert gateway.raw[:2] == b"\x00\x00"
            assert await gateway.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))
            twin.fault(Fault(FaultKind.HANG_UP, count=1))
            assert await gateway.ask(7, IMPORT, timeout_s=5) is None
            assert gateway.raw == b""
        async with Gateway(site.port("line")) as gateway:
            assert await gateway.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))


@pytest.mark.parametrize(("kind", "framing"), [("ascii", Framing.ASCII), ("rtu-over-tcp", Framing.RTU)])
async def test_other_framings(kind: str, framing: Framing) -> None:
    """ASCII over a pty, and RTU frames over TCP."""
    async with TwinSite(two_meters(kind)) as site, Gateway(site.port("line"), framing) as gateway:
        assert await gateway.ask(8, IMPORT) == Answer((0, 0, 1, 0xE240))


async def test_noise_and_broken_requests_do_not_deafen_a_line() -> None:
    """Half a request, junk and a wrong CRC are dropped and counted; the next request is answered."""
    async with TwinSite(two_meters()) as site, Gateway(site.port("line")) as gateway:
        for junk in (REQUEST[:5], b"\xff\x00\x55", REQUEST[:-1] + b"\x00"):
            gateway.send(junk)
            await asyncio.sleep(0.05)
            assert await gateway.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))
        assert site.wires["line"].stats.noise_bytes == 5 + 3 + len(REQUEST)


async def test_an_unknown_function_is_refused() -> None:
    """Function 43 is well framed and not served: exception 1."""
    async with TwinSite(two_meters("tcp")) as site, Gateway(site.port("line")) as gateway:
        gateway.send(bytes.fromhex("0009 0000 0005 07 2B 0E 01 00"))
        assert await gateway.unasked(9) == bytes.fromhex("0009 0000 0003 07 AB 01")
        assert site.device("m7").answer(Asked(7, UnknownRequest(3, b"\0\0\0\xff"))) == Refused(3)


async def test_a_gateway_may_come_and_go() -> None:
    """The pty outlives the gateway, and what nobody reads is lost as on a wire."""
    async with TwinSite(two_meters()) as site:
        for _ in range(3):
            async with Gateway(site.port("line")) as gateway:
                assert await gateway.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))
                gateway.send(REQUEST)
        assert isinstance(site.wires["line"], SerialWire)


async def test_a_single_client_port_turns_the_second_away() -> None:
    """Some boxes take one connection only."""
    line = LineConfig(id="line", kind="tcp", single_client=True)
    plain = two_meters("tcp")
    async with (
        TwinSite(SiteConfig(line=(line,), outlet=plain.outlet, device=plain.device)) as site,
        Gateway(site.port("line")) as first,
    ):
        assert isinstance(site.wires["line"], TcpWire)
        assert await first.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))
        async with Gateway(site.port("line")) as second:
            assert await second.ask(7, IMPORT, timeout_s=5) is None
        assert await first.ask(7, IMPORT) == Answer((0, 0, 1, 0xE240))


@pytest.mark.parametrize(
    ("baud", "gap_us"), [(2400, 16_042), (9600, 4_011), (19_200, 2_006), (38_400, 1_750), (115_200, 1_750)]
)
def test_the_gap_between_frames(baud: int, gap_us: int) -> None:
    """3.5 characters of 11 bits, fixed at 1.75 ms above 19200 baud."""
    assert frame_gap_us(baud) == gap_us
