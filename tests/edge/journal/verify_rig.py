"""A till whose every signature is real: for tests of whoever checks its journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.journal.verify import verify
from edge.journal.verify_report import Report, Trust
from edge.till.state import encode_state
from protocols.proof import checkpoint, keys
from protocols.proof.ed25519 import public_of
from protocols.proof.note import SignatureType, VerifierKey
from protocols.proof.reader_keys import SiteKey
from protocols.trade import documents, grants
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF, Document
from protocols.trade.grants import Grant, hide_credential, join
from protocols.trade.records import CNY, Draft, EpochOpened, TechnicianAct
from protocols.trade.tariff import Tariff
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY, LOG_KEY, Till, Time

DEVICE = ec.derive_private_key(2**200 + 7, ec.SECP256R1())
GRANTER = Ed25519PrivateKey.from_private_bytes(b"g" * 32)
COSIGNER = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
COSIGN_NAME = "hq.fieldtill/cosign"

TRUST = Trust(
    sites=(SiteKey(fingerprint=keys.fingerprint(keys.spki(DEVICE.public_key()))),),
    cosigners=(keys.cosigner_verifier(COSIGN_NAME, public_of(COSIGNER)),),
    granters=(VerifierKey("hq.fieldtill/grant", SignatureType.ED25519, public_of(GRANTER)),),
)


@dataclass
class ProvenTill(Till):
    """As `Till`, with leaf 0, documents, grants and acknowledgements signed by the keys above."""

    async def begin(self, granted_fen: int = 10_000, **more: int) -> None:
        certificate = keys.certify_log_key(DEVICE, "hz-1", 1, public_of(LOG_KEY)).signature
        spki = keys.spki(DEVICE.public_key())
        await self.desk.record([Draft(EpochOpened("hz-1", 1, public_of(LOG_KEY), spki, certificate, "test"))])
        await self.publish(self.tariff)
        await self.grant(granted_fen, **more)

    async def publish(self, tariff: Tariff) -> None:
        payload = encode(tariff)
        signed = documents.signed_part(TARIFF, "hz-1", tariff.version, payload)
        signature = keys.sign(GRANTER, documents.DOMAIN, signed)
        await self.site.take_documents([encode(Document(TARIFF, "hz-1", tariff.version, payload, signature))])

    def signed(
        self, total: int, account: str = "ann", card: str = CARD, *, may_stay: int = 0, serial: int | None = None
    ) -> bytes:
        number = self.lease(account).serial + 1 if serial is None else serial
        hidden = hide_credential(CREDENTIAL_KEY, card)
        grant = Grant(account, CNY, "hz-1", 1, number, total, 0, 4_000_000_000, 0, may_stay, 1, [hidden])
        return join(grant, keys.sign(GRANTER, grants.DOMAIN, encode(grant)))

    async def cosign(self) -> None:
        """Headquarters acknowledges all that is durable."""
        note = checkpoint.cosign(self.journal.checkpoint(), COSIGNER, COSIGN_NAME, 1_767_300_000)
        await self.journal.store_cosignature(note, self.journal.size)

    async def sell(self, seconds: int = 40) -> None:
        """A whole session, its energy counted second by second."""
        await self.start()
        await self.wait(seconds)
        await self.finish()

    async def sweep(self) -> None:
        """Something that moves nothing, 32 times: as many records as the narrowest kept subtree has."""
        await self.desk.record([Draft(TechnicianAct("li", "swept", "")) for _ in range(32)])

    async def close_day(self) -> None:
        await self.desk.close_day([register for register in map(self._register, self.bays) if register is not None])

    def _register(self, name: str) -> object:
        return self.watch.sight(name).register


@asynccontextmanager
async def a_proven_till(path: Path, *, granted_fen: int = 10_000) -> AsyncIterator[ProvenTill]:
    """One that can sell, on a journal of its own at `path`."""
    till = ProvenTill(Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0), Time())
    try:
        await till.begin(granted_fen, may_stay=granted_fen)
        yield till
    finally:
        await till.journal.close()


async def a_day(path: Path) -> Path:
    """A closed journal: two sessions and a day close, acknowledged; one session since, and one that runs."""
    async with a_proven_till(path) as till:
        await till.sweep()
        await till.sell()
        await till.wait(5)
        await till.sell(30)
        await till.close_day()
        await till.cosign()
        await till.sweep()
        await till.wait(5)  # a reading is as old as the machine made it wait, and this one must be newer than those
        await till.sell(20)
        await till.start()
        await till.wait(12)
        await till.desk.save()
        await till.journal.commit(Step(snapshot=encode_state(till.desk.state)))
    return path / "journal.db"


def verified(path: Path) -> Report:
    return verify(path, TRUST)
