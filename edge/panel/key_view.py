"""Which keys has this box, and whose does it trust? Public parts alone, as they are read aloud."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge.config import Config
from edge.keys import DEVICE, KeyRing, KeyUnusable, fingerprint
from edge.sync import trust
from edge.sync.enrol import NoCredentialKey, load_credential_key
from protocols.door import Refused
from protocols.proof.ed25519 import public_of
from protocols.proof.keys import log_verifier, spki


def key_rows(config: Config) -> list[dict[str, str]]:
    """Each key: its file, what it is of, and its public part; or what is wrong with it."""
    ring = KeyRing(config.keys_dir)
    rows = [
        _row(DEVICE, "this box", lambda: fingerprint(ring.device())),
        _row(DEVICE, "its measurements (OCMF, FTM)", lambda: spki(ring.device().public_key()).hex().upper()),
    ]
    for path in sorted(config.keys_dir.glob("log-*.pem")):
        epoch = re.fullmatch(r"log-(\d+)\.pem", path.name)
        if epoch is None:
            rows.append({"key": path.name, "of": "the epoch to come", "public": "not numbered by headquarters yet"})
        else:
            number = int(epoch[1])
            rows.append(_row(path.name, f"the log, epoch {number}", partial(_log_key, ring, config.site, number)))
    rows.append(
        _row("credential.key", "card numbers", lambda: f"version {load_credential_key(config.keys_dir).version}")
    )
    if config.hq is not None:
        file = Path(config.hq.keys_file)
        rows.append(_row(file.name, "headquarters, granting", lambda: str(trust.load(file).grant)))
        rows.append(_row(file.name, "headquarters, cosigning", lambda: str(trust.load(file).cosign)))
    return rows


def _log_key(ring: KeyRing, site: str, epoch: int) -> str:
    return str(log_verifier(site, epoch, public_of(ring.log(epoch))))


def _row(key: str, of: str, public: Callable[[], str]) -> dict[str, str]:
    try:
        text = public()
    except (KeyUnusable, NoCredentialKey) as error:
        text = f"{error}. {error.remedy}"
    except Refused as error:
        text = str(error)
    return {"key": key, "of": of, "public": text}
