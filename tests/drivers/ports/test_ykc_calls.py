"""Who may call as a pile, byte by byte: golden dialogues, strangers, impostors, garbage, slow callers, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ykc_rig import CODE, MODEL, OTHER, Rig, order, settled, small_car, until, ykc

from drivers.api import LinkState
from drivers.port_board import PortState
from drivers.ports.ykc_switchboard import NOISE_MAX
from protocols.door import Refused
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.ykc import Connection, End, Heard
from protocols.fieldbus.ykc_money import Bill, BillPart, MeterSeal, SealedBill, StartedBy
from protocols.fieldbus.ykc_session import Heartbeat, Login, LoginAnswer, Network, StartBy, StartRequest, Supply

LOGIN = bytes.fromhex(
    "68 22 00 00 00 01 55 03 14 12 78 23 05 00 02 0F 56 34 2E 31 2E 35 30 00 01 01 01 01 01 01 01 01 01 01 01 04 0F 32"
)
WELCOME = bytes.fromhex("68 0C 00 00 00 02 55 03 14 12 78 23 05 00 DA 4C")
STATE = bytes.fromhex(
    "68 40 1A 01 00 13 32 01 02 00 00 00 01 01 26 11 21 10 30 00 00 01 32 01 02 00 00 00 01 01 03 00 01 01 09 A0 00 "
    "4E 00 00 00 00 00 00 00 00 00 00 0C 00 00 00 20 20 01 00 20 20 01 00 C0 59 01 00 00 00 4B 8A"
)
STORED = bytes.fromhex("68 15 80 01 00 40 32 01 02 00 00 00 01 01 26 11 21 10 30 00 00 01 00 0F B6")
BILL = Bill(
    order="32010200000001012611211030000001", pile=CODE, gun=1,
    started_at=datetime(2026, 11, 21, 10, 30), ended_at=datetime(2026, 11, 21, 11, 45, 30),
    parts=(
        BillPart(130_000, 0, 0, 0), BillPart(120_000, 40_000, 40_000, 48_000),
        BillPart(90_000, 33_760, 33_760, 30_384), BillPart(60_000, 0, 0, 0),
    ),
    meter_start_dwh=1_234_567_890, meter_end_dwh=1_234_641_650,
    energy_dwh=73_760, energy_loss_dwh=73_760, amount_e2=78_384,
    vin="LSVAA4187E2184321", started_by=StartedBy.APP, billed_at=datetime(2026, 11, 21, 11, 45, 31),
    stop_reason=0x40, card="00000000D14B0A54",
)  # fmt: skip


class Wire:
    """A pile's end, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.said = bytearray()  # by the gateway
        self.ended = False

    async def until(self, reached: Callable[[], Any]) -> None:
        async with asyncio.timeout(8):
            while not reached():
                assert not self.ended, "the gateway has hung up"
                data = await self.reader.read(4096)
                self.ended = not data
                self.said += data

    async def hung_up(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self.until(lambda: self.ended)


@contextlib.asynccontextmanager
async def wire(rig: Rig, local: str = "127.0.0.1") -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.listener.port, local_addr=(local, 0))
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def quiet(**changes: Any) -> Any:
    """A gateway that nobody has called yet."""
    return ykc(
        ready=False, listener={"connections_max": 3, "greeting_s": 0.3}, twin={"code": "00000000000000"}, **changes
    )


def login(code: str = CODE) -> Login:
    return Login(code, Supply.AC, 2, 16, "V1", Network.LAN, "0" * 20, 4)


async def test_the_documents_login_is_welcomed() -> None:
    """Byte for byte, also when it comes byte by byte."""
    async with quiet(pile={"code": OTHER}) as rig, wire(rig) as pile:
        for byte in LOGIN:
            pile.writer.write(bytes([byte]))
            await pile.writer.drain()
        await pile.until(lambda: len(pile.said) >= len(WELCOME))
        assert pile.said.startswith(WELCOME)
        assert rig.pile.login is not None
        assert rig.pile.login.supply == Supply.DC


async def test_the_facts_state_and_bill() -> None:
    """What they mean; and the answer to the bill, once it is stored, has the bill's number."""
    async with quiet() as rig, wire(rig) as pile:
        speech = Connection(End.PILE)
        pile.writer.write(speech.send(login()) + STATE)
        await until(lambda: rig.status() is not None)
        status = rig.status()
        assert status is not None
        assert (status.state, status.power_w, status.energy_wh, status.elapsed_s) == (
            PortState.CHARGING,
            3_688,
            7_376,
            720,
        )
        assert status.order == bytes.fromhex(BILL.order)
        pile.writer.write(_numbered(0x0180, BILL))
        (said,) = await settled(rig)
        assert (said.energy_wh, said.amount_fen, said.elapsed_s) == (7_376, 784, 4_530)
        assert said.register_wh == (123_456_789, 123_464_165)
        assert [(part.period, part.energy_wh, part.amount_fen) for part in said.parts] == [
            (1, 4_000, 480),
            (2, 3_376, 304),
        ]
        assert said.began_ms == int(datetime(2026, 11, 21, 2, 30, tzinfo=UTC).timestamp()) * 1000
        await rig.pile.acknowledge(said)
        await pile.until(lambda: STORED in pile.said)


def _numbered(sequence: int, message: Any) -> bytes:
    speech = Connection(End.PILE)
    for _ in range(sequence):
        speech.send(Heartbeat(CODE, 1, sound=True))
    return speech.send(message)


@pytest.mark.parametrize(
    ("code", "local", "pile"),
    [(OTHER, "127.0.0.1", {}), (CODE, "127.0.0.2", {"peer": "127.0.0.1"}), ("0" * 14, "127.0.0.1", {"code": "1" * 14})],
)
async def test_a_stranger_is_refused(code: str, local: str, pile: dict[str, Any]) -> None:
    """A number that nobody has, or one that calls from elsewhere: told so, hung up, and shown to a person."""
    async with quiet(pile=pile) as rig, wire(rig, local) as caller:
        caller.writer.write(Connection(End.PILE).send(login(code)))
        await caller.hung_up()
        hearer = Connection(End.PILE)
        hearer.receive_data(bytes(caller.said))
        assert hearer.next_event() == Heard(0, LoginAnswer(code, welcome=False))
        assert code in rig.switchboard.strangers
        assert code in (rig.listener.stats().error or "")
        assert rig.pile.link().state is LinkState.NEW


async def test_strangers_are_not_all_remembered() -> None:
    """However many numbers are tried."""
    async with quiet() as rig:
        for number in range(30):
            async with wire(rig) as caller:
                caller.writer.write(Connection(End.PILE).send(login(f"9{number:013}")))
                await caller.hung_up()
        assert len(rig.switchboard.strangers) == 20
        words = rig.listener.stats().error or ""
        assert f"9{29:013}" in words
        assert "and 17 more" in words


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 60,
        bytes(range(256)) * 8,
        b"\x68" * (NOISE_MAX + 300),
        Connection(End.PILE).send(Heartbeat(CODE, 1, sound=True)),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
    ],
    ids=["http", "bytes", "heads", "no login", "tls", "nothing"],
)
async def test_who_is_no_pile_is_hung_up(said: bytes) -> None:
    """Too much noise, something before the login, or nothing for too long."""
    async with quiet() as rig, wire(rig) as caller:
        caller.writer.write(said)
        await caller.hung_up()
        assert not caller.said


async def test_a_slow_loris_before_the_login() -> None:
    """A login that takes for ever is none."""
    async with quiet() as rig, wire(rig) as caller:
        with contextlib.suppress(ConnectionError):
            for byte in LOGIN * 10:
                caller.writer.write(bytes([byte & 0x7E]))
                await caller.writer.drain()
                await asyncio.sleep(0.02)
        await caller.hung_up()


async def test_a_slow_loris_behind_the_login() -> None:
    """Bytes that make no frame are no word: after three heartbeats it is hung up."""
    async with quiet() as rig, wire(rig) as caller:
        caller.writer.write(Connection(End.PILE).send(login()))
        await until(lambda: rig.pile.link().state is LinkState.ONLINE)
        with contextlib.suppress(ConnectionError):
            while rig.pile.link().state is LinkState.ONLINE:
                caller.writer.write(b"\x68")
                await caller.writer.drain()
                await asyncio.sleep(0.02)
        await caller.hung_up()
        assert "no word" in (rig.pile.link().error or "")


async def test_noise_behind_the_login() -> None:
    """A pile that goes mad is hung up, and counted."""
    async with quiet() as rig, wire(rig) as caller:
        caller.writer.write(Connection(End.PILE).send(login()))
        await until(lambda: rig.pile.link().state is LinkState.ONLINE)
        caller.writer.write(bytes(2 * NOISE_MAX))
        await caller.hung_up()
        await until(lambda: rig.counts.get("noise", 0) > NOISE_MAX)


async def test_too_many_at_a_time() -> None:
    """The fourth is closed; when the others have been, there is room again."""
    async with quiet() as rig, contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(wire(rig))
        await until(lambda: rig.listener.calls == 3)
        async with wire(rig) as caller:
            await caller.hung_up()
        await until(lambda: rig.listener.calls == 0)


async def test_the_newest_connection_wins() -> None:
    """A pile that calls again while the old connection stands is the pile; from elsewhere it is noted, too."""
    async with ykc() as rig:
        async with wire(rig, "127.0.0.2") as other:
            other.writer.write(Connection(End.PILE).send(login()))
            await until(lambda: rig.counts.get("impostors") == 1)
            assert "127.0.0.2 logged in while 127.0.0.1 was alive" in (rig.pile.link().error or "")
        await until(lambda: rig.counts["logins"] >= 3)
        rig.plug(small_car(20))
        await until(lambda: rig.status().state is PortState.PLUGGED)  # it has called again
        await rig.pile.start(1, order())


async def test_another_pile_on_the_same_connection() -> None:
    """A second login by another number is refused and hung up; what it says of others is not taken."""
    async with quiet() as rig, wire(rig) as caller:
        speech = Connection(End.PILE)
        caller.writer.write(speech.send(login()))
        caller.writer.write(speech.send(Heartbeat(OTHER, 1, sound=True)))
        seal = MeterSeal("0" * 12, bytes(34), "0100", 0)
        for bill in (replace(BILL, pile=OTHER), SealedBill(replace(BILL, pile=OTHER), seal)):
            caller.writer.write(speech.send(bill))
        await until(lambda: rig.counts.get("foreign") == 3)
        assert rig.pile.settlements() == []
        caller.writer.write(speech.send(login()))
        await until(lambda: rig.counts["logins"] == 2)
        caller.writer.write(speech.send(login(OTHER)))
        await caller.hung_up()


async def test_bills_without_end() -> None:
    """More than there is room for stay with the pile: they are not taken and not answered."""
    async with quiet() as rig, wire(rig) as caller:
        speech = Connection(End.PILE)
        caller.writer.write(speech.send(login()))
        for number in range(220):
            caller.writer.write(speech.send(replace(BILL, order=f"{number:032}")))
        await until(lambda: rig.counts.get("bills-too-many") == 20)
        assert len(rig.pile.settlements()) == 200
        for said in rig.pile.settlements()[:50]:
            await rig.pile.acknowledge(said)
        caller.writer.write(speech.send(replace(BILL, order=f"{219:032}")))
        await until(lambda: len(rig.pile.settlements()) == 151)


async def test_guns_are_two_decimal_digits() -> None:
    """The tenth is 0x10, and there is none between."""
    async with quiet(pile={"guns": 10}) as rig, wire(rig) as caller:
        speech = Connection(End.PILE)
        caller.writer.write(speech.send(login()))
        hearer = Connection(End.PILE)
        guns: list[int] = []

        def last_asked() -> bool:
            hearer.receive_data(bytes(caller.said))
            caller.said.clear()
            while (event := hearer.next_event()) is not NEED_MORE:
                if isinstance(event, Heard) and type(event.message).__name__ == "ReadState":
                    guns.append(event.message.gun)
            return len(guns) >= 10

        await caller.until(last_asked)
        assert guns[:10] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10]
        assert "guns" in rig.counts


async def test_a_customer_with_a_password_or_at_no_gun() -> None:
    """Refused without asking anybody."""
    async with quiet() as rig, wire(rig) as caller:
        speech, hearer = Connection(End.PILE), Connection(End.PILE)
        reasons: list[int] = []
        caller.writer.write(speech.send(login()))
        for gun, password in ((1, True), (9, False), (2, False)):
            request = StartRequest(CODE, gun, StartBy.CARD, password, "0" * 16, bytes(16))
            caller.writer.write(speech.send(request))

        def answered() -> bool:
            hearer.receive_data(bytes(caller.said))
            caller.said.clear()
            while (event := hearer.next_event()) is not NEED_MORE:
                if isinstance(event, Heard) and type(event.message).__name__ == "StartAnswer":
                    reasons.append(int(event.message.reason))
            return len(reasons) == 3

        await caller.until(answered)
        assert sorted(reasons) == [5, 6, 7]  # no prices yet, not here, password


# TLS.


def certificates(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """A self-signed certificate and key for each name, as PEM files `name.pem` and `name.key`."""
    made = {}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3650)).not_valid_after(now + timedelta(days=3650))
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]), False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        made[name] = folder / f"{name}.pem"
        made[name].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return made


async def test_a_pile_over_tls(tmp_path: Path) -> None:
    """Where the box has a certificate; with `ca_file` the pile shows one, too, and others do not come in."""
    made = certificates(tmp_path, ["pile", "stranger"])
    listener = {
        "cert_file": str(made["pile"]), "key_file": str(tmp_path / "pile.key"), "ca_file": str(made["pile"]),
    }  # fmt: skip
    context = ssl.create_default_context(cafile=str(made["pile"]))
    context.load_cert_chain(made["pile"], tmp_path / "pile.key")
    async with ykc(listener=listener, tls=context) as rig:
        rig.plug(small_car(20))
        await rig.pile.start(1, order())
        await settled(rig)
        async with wire(rig) as caller:
            caller.writer.write(Connection(End.PILE).send(login()))
            await caller.hung_up()
        assert rig.counts["logins"] == 1


async def test_certificates_that_are_none(tmp_path: Path) -> None:
    """Said at the start, not at the first call."""
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(Refused, match="certificate and its key"):
        async with ykc(listener={"cert_file": str(tmp_path / "x.pem"), "key_file": str(tmp_path / "x.pem")}):
            pass


def test_the_rigs_prices_are_right() -> None:
    """Noon is in a peak."""
    assert MODEL.half_hours[24] == 1
