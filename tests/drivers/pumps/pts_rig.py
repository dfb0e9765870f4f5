"""A simulated PTS-2 with two pumps, the driver for it over real TCP, and a filling done over them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.pump import Order, PumpState, PumpStatus, Sale
from drivers.pumps.config import NozzleConfig, PumpConfig
from drivers.pumps.pts import PtsController, PtsPump
from drivers.pumps.pts_config import ControllerConfig
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import Customer
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults, parse_pump_faults
from drivers.twins.pumps.parts import Head, Nozzle
from drivers.twins.pumps.pts import PtsTwin
from drivers.twins.pumps.pts_serve import PtsServer

PRICES = {1: 785_000, 2: 836_000}
TOTALS_ML = {1: 1_000_000, 2: 2_000_000}
PASSWORD = "s3cret"
PATIENCE_S = 20.0  # no test waits so long; it is what a broken one takes to fail


@dataclass(frozen=True, slots=True)
class Rig:
    """What hangs together. `dispensers` are the truth, `pumps` what the driver makes of them."""

    controller: PtsController
    pumps: list[PtsPump]
    bays: list[Bay]
    twin: PtsTwin
    server: PtsServer

    @property
    def pump(self) -> PtsPump:
        return self.pumps[0]

    @property
    def bay(self) -> Bay:
        return self.bays[0]

    @property
    def dispenser(self) -> Dispenser:
        return self.bays[0].pump

    def another(self, **changes: Any) -> tuple[PtsController, PtsPump]:
        """The box after a restart, or with another config: it knows nothing of before."""
        config = {name: getattr(self.controller.config, name) for name in ControllerConfig.__struct_fields__}
        controller = PtsController(ControllerConfig(**{**config, **changes}))
        return controller, PtsPump(controller, pump_config(1))


def pump_config(number: int, **changes: Any) -> PumpConfig:
    plain = {
        "id": f"P{number}",
        "number": number,
        "protocol": "pts",
        "address": number,
        "controller": "pts",
        "nozzles": tuple(NozzleConfig(number=n, grade=str(90 + n)) for n in PRICES),
        "poll_s": 0.05,
        "options": {"act_s": 3.0, "totals_s": 3.0},
    }
    return PumpConfig(**{**plain, **changes})


@asynccontextmanager
async def pts(
    folder: Path,
    *,
    pumps: int = 2,
    speed: int = 100,
    polled: bool = True,
    faults: Iterable[str] = (),
    head: Mapping[str, Any] | None = None,
    twin: Mapping[str, Any] | None = None,
    server: Mapping[str, Any] | None = None,
    controller: Mapping[str, Any] | None = None,
    pump: Mapping[str, Any] | None = None,
) -> AsyncIterator[Rig]:
    """faults: of the first pump. The other mappings change what is built. polled: `run` goes on beside."""
    bays = {number: _bay(number, speed, head or {}) for number in range(1, pumps + 1)}
    for fault in parse_pump_faults(faults):
        bays[1].faults.set(fault)
    desk = PtsTwin(bays, **(twin or {}))
    door = PtsServer(desk, **{"login": "till", "password": PASSWORD, **(server or {})})
    await door.open()
    secret = folder / "password"
    secret.write_text(f"{PASSWORD}\n")
    plain = {"id": "pts", "host": "127.0.0.1", "port": door.port, "tls": False, "login": "till"}
    config = ControllerConfig(
        **{**plain, "password_file": str(secret), "poll_s": 0.05, "timeout_s": 2.0, **(controller or {})}
    )
    asking = PtsController(config)
    built = [PtsPump(asking, pump_config(number, **(pump or {}))) for number in bays]
    running = asyncio.create_task(asking.run()) if polled else None
    try:
        yield Rig(asking, built, list(bays.values()), desk, door)
    finally:
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        else:
            asking.close()
        await door.close()


def order(kind: str = "amount", limit: int = 10_000, nozzles: tuple[int, ...] = (1,)) -> Order:
    assert kind in ("amount", "volume", "full")
    return Order(kind, limit, nozzles, PRICES)  # type: ignore[arg-type]  # checked above


async def until(pump: PtsPump, reached: Callable[[PumpStatus], bool]) -> PumpStatus:
    """Read the status until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status = (await pump.read_status()).value
            assert status is not None
            if reached(status):
                return status
            await asyncio.sleep(0.02)


async def over(pump: PtsPump) -> PumpStatus:
    """Wait for the end of the sale, or for an idle pump."""
    return await until(pump, lambda status: status.state in (PumpState.ENDED, PumpState.IDLE))


async def sell(rig: Rig, ordered: Order, customer: Customer) -> Sale | None:
    """A whole filling as the till does it; the totals must agree with what the pump says it sold."""
    pump, dispenser = rig.pump, rig.dispenser
    before = await pump.read_totals()
    await pump.authorise(ordered)
    rig.bay.add(customer)
    async with asyncio.timeout(PATIENCE_S):
        while rig.bay.busy:
            rig.bay.catch_up()
            await asyncio.sleep(0.01)
    ended = await over(pump)
    sale = await pump.read_sale() if ended.state is PumpState.ENDED else None
    await pump.release()
    after = await pump.read_totals()
    moved = {nozzle: after[nozzle].volume_ml - before[nozzle].volume_ml for nozzle in after}
    sold = {nozzle: sale.volume_ml if sale is not None and sale.nozzle == nozzle else 0 for nozzle in after}
    assert moved == sold
    assert {nozzle: after[nozzle].volume_ml for nozzle in after} == {
        nozzle: dispenser.total(nozzle).volume_ml for nozzle in after
    }
    return sale


def certificate(folder: Path, *names: str, days: int = 36_500) -> tuple[ssl.SSLContext, Path]:
    """A new self-signed certificate, as controllers have one: the server's context, and the file to pin it by."""
    from datetime import UTC, datetime, timedelta  # only here: most tests need no certificate

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / f"{names[0]}.pem", folder / f"{names[0]}.key"
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, private)
    return context, cert


def _bay(number: int, speed: int, head: Mapping[str, Any]) -> Bay:
    nozzles = [Nozzle(n, str(90 + n), price, total_ml=TOTALS_ML[n], total_fen=700_000) for n, price in PRICES.items()]
    pump = Dispenser(nozzles, Head(**{"remembers_zero": False, **head}))
    return Bay(pump, id=f"P{number}", faults=PumpFaults(pump, seed=number), speed=speed)
