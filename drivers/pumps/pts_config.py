"""What must be written down about a PTS-2 controller, and about a pump behind it?"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

import msgspec


class ControllerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[controller]]`: one PTS-2, by its address in the station's own network.

    id: the name in logs and commands. host: its name or address; without TLS a private address. port: None: 443, or 80
    without TLS. ca_file: what its certificate is checked by: the certificate itself, or that of who signed it.
    tls_name: the name in its certificate; None: `host`. auth: "digest" with DIP-2 off, "basic" with DIP-2 on.
    password_file: a file with the password in its first line. poll_s: seconds between polls of all its pumps.
    timeout_s: for one request, from connecting to the last byte of the answer.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    host: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    password_file: str
    login: Annotated[str, msgspec.Meta(pattern=r'^[^:"\\\x00-\x1f]{1,32}$')] = "admin"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    tls: bool = True
    ca_file: str | None = None
    tls_name: str | None = None
    auth: Literal["digest", "basic"] = "digest"
    poll_s: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 0.5
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 5.0

    def __post_init__(self) -> None:
        if self.tls and self.ca_file is None:
            raise ValueError("`tls` needs `ca_file`: the controller's own certificate, or that of who signed it")
        if not self.tls and (self.ca_file is not None or self.tls_name is not None):
            raise ValueError("`ca_file` and `tls_name` are for `tls = true`")
        if not self.tls and not _private(self.host):
            raise ValueError("without `tls`, `host` is a private address such as 192.168.1.117")

    @property
    def where(self) -> str:
        """The peer in words."""
        return f"{self.host}:{self.tcp_port}"

    @property
    def tcp_port(self) -> int:
        return self.port if self.port is not None else 443 if self.tls else 80


class PtsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` of a pump behind a PTS-2. What the head itself can do, the controller does not tell.

    amount_max_fen, volume_max_ml: the largest presets. price_max_e3: the highest price. total_ml_wraps: the volume
    totalizers begin again at 0 after this many mL. can_suspend: the head can pause and go on. act_s: how long the pump
    may take to show what it was told, after the controller has taken it. totals_s: to give one nozzle's totalizers.
    report_h: how far back the controller's memory card is searched for a sale that it no longer shows.
    display: what Volume of PumpFillingStatus carries: some heads' has the money in it. Nothing is billed from it.
    """

    amount_max_fen: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 999_999
    volume_max_ml: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 999_990
    price_max_e3: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 9_999_000
    total_ml_wraps: Annotated[int, msgspec.Meta(ge=1_000_000, le=10**15)] = 10_000_000_000
    can_suspend: bool = True
    display: Literal["litres", "money", "nothing"] = "litres"
    act_s: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 10.0
    totals_s: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 10.0
    report_h: Annotated[int, msgspec.Meta(ge=1, le=720)] = 48


def _private(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return False
