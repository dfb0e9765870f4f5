"""What systemd adds: exposure of the units, and keys that are unsealed for one service alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from daemon_rig import CARD, daemon, make_box, twins, until

from cloud import keys as hq_keys
from cloud.keys import FILES, BadKeyFile

SYSTEMD = Path(__file__).parents[2] / "systemd"
EXPOSURE_MAX = {"fieldtill.service": 2.2, "fieldtill-hq.service": 1.7}
"""systemd-analyze's own scale: 0 is safe, 10 is not. What is left is the network, and for the box its serial ports."""

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
"""prctl(2); what MemoryDenyWriteExecute= asks for."""


def test_every_unit_has_its_limit() -> None:
    """One that is added is judged."""
    assert {path.name for path in SYSTEMD.glob("*.service")} == EXPOSURE_MAX.keys()


@pytest.mark.parametrize("unit", EXPOSURE_MAX)
def test_exposure(unit: str) -> None:
    """As `systemd-analyze security` counts it, without a running systemd."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    command = [program, "security", "--offline=yes", "--no-pager", str(SYSTEMD / unit)]
    environment = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if "offline" in done.stderr and done.returncode:
        pytest.skip(f"this systemd-analyze judges running units alone: {done.stderr.strip()}")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX[unit]


def test_the_units_name_the_keys_that_the_code_reads() -> None:
    """A credential under another name would be ignored, and the plain file used."""
    hq = (SYSTEMD / "fieldtill-hq.service").read_text()
    assert set(re.findall(r"^#?LoadCredentialEncrypted=([\w.-]+):", hq, re.M)) == set(FILES.values())
    box = (SYSTEMD / "fieldtill.service").read_text()
    assert set(re.findall(r"^#?LoadCredentialEncrypted=([\w.-]+):", box, re.M)) == {"device.pem"}


@pytest.mark.parametrize(
    "loads",
    [
        "import edge.daemon, edge.page.server, edge.sync.broker, serial_asyncio_fast, prometheus_client",
        "import cloud.server, httptools, psycopg, jinja2, segno, uvloop\nuvloop.new_event_loop().close()",
    ],
    ids=["box", "headquarters"],
)
def test_nothing_writes_code_into_memory(loads: str) -> None:
    """As MemoryDenyWriteExecute= will have it: each library is loaded where the kernel refuses such memory."""
    code = f"""
import ctypes, mmap
if ctypes.CDLL(None, use_errno=True).prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0):
    raise SystemExit("this kernel cannot")
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    raise SystemExit("it was not refused")
except OSError:
    pass
{loads}
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives import hashes
ed25519.Ed25519PrivateKey.generate().sign(b"x")
ec.generate_private_key(ec.SECP256R1()).sign(b"x", ec.ECDSA(hashes.SHA256()))
print("signed")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    if "cannot" in done.stderr:
        pytest.skip("Linux before 6.3 has no PR_SET_MDWE")
    assert done.stdout == "signed\n", done.stderr


def seal(path: Path, into: Path) -> None:
    """As systemd leaves it: its user is let in by an ACL, whose mask shows as a right of the group."""
    into.mkdir(exist_ok=True)
    path.rename(into / path.name)
    (into / path.name).chmod(0o440)


def test_the_daemon_sells_with_sealed_keys(tmp_path: Path) -> None:
    """Device key and log key out of the credentials directory; none of them lies on the disk of the box."""
    root = tmp_path / "box"
    root.mkdir()
    box = make_box(root)
    for name in ("device.pem", "log-1.pem"):
        seal(box.keys_dir / name, tmp_path / "credentials")
    with twins(box), daemon(box, {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}) as process:
        until(lambda: box.asks("sessions") is not None, process)
        for known in ("iec", "register_wh"):
            until(lambda known=known: box.ask("status")["connectors"][0][known], process)
        box.ask("start", connector="c1", card=CARD)
    assert not list(box.keys_dir.glob("*.pem"))


def hq_says(home: Path, *words: str, credentials: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"CREDENTIALS_DIRECTORY": str(credentials)} if credentials else {})}
    code = "import sys; from cloud.cli.main import main; sys.argv = ['fieldtill-hq', *sys.argv[1:]]; main()"
    command = [sys.executable, "-c", code, "--home", str(home), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)


def test_headquarters_signs_with_sealed_keys(tmp_path: Path) -> None:
    """All three sealed: it works inside the service alone, and a sealed key is not rotated behind systemd's back."""
    home, credentials = tmp_path / "hq", tmp_path / "credentials"
    assert hq_says(home, "init").returncode == 0
    before = hq_says(home, "keys").stdout
    for name in FILES.values():
        seal(home / "keys" / name, credentials)
    assert hq_says(home, "keys", credentials=credentials).stdout == before
    opened = hq_says(home, "account", "add", credentials=credentials)
    assert opened.returncode == 0, opened.stderr
    outside = hq_says(home, "account", "add")
    assert outside.returncode == 2
    assert "found none" in outside.stderr
    rotated = hq_says(home, "keys", "rotate", "cosign", credentials=credentials)
    assert rotated.returncode == 2
    assert "sealed" in rotated.stderr
    assert hq_says(home, "verify", "--all", credentials=credentials).returncode == 0


def test_a_file_that_others_may_read_is_refused_beside_a_credential(tmp_path: Path) -> None:
    """The exception for systemd's ACL is for its directory alone."""
    hq_keys.create(tmp_path / "keys")
    seal(tmp_path / "keys" / "grant.pem", tmp_path / "credentials")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert hq_keys.locate(tmp_path / "keys", "grant.pem", environment).parent == tmp_path / "credentials"
    assert hq_keys.locate(tmp_path / "keys", "log.pem", environment).parent == tmp_path / "keys"
    (tmp_path / "keys" / "log.pem").chmod(0o644)
    with pytest.raises(BadKeyFile, match="0600"):
        hq_keys._read_private(tmp_path / "keys" / "log.pem")
