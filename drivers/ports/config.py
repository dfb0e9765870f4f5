"""What must be written down about a port board, and about a TCP port that boards connect to?"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from protocols.door import Refused, check

O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741  # the options of one protocol

Protocol = Literal["dny", "dny-tcp", "dongjun"]
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
        description="1 to 32 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
]

UnixMs = Callable[[], int | None]
"""What time is it, for boards that ask? Unix ms; None: not known well enough to tell anybody."""

DNY: Final = "dny"
VIRTUAL_IDS: Final = range(50)
POLL_ANSWER_S: Final = 0.15  # 60 ms by the document, and what adapters add
BAUD: Final = 9600  # of all these boards on RS-485, 8N1

ON_A_LINE: Final = ("dny", "dongjun")
NUMBERED: Final = ("dny", "dny-tcp")  # by what is printed on them; a line has one Dongjun board


class ListenerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[listener]]`: a TCP port that `dny-tcp` boards connect to.

    id: the name in logs and commands. host: an address of this box, in the network that the boards are in: their
    protocol has neither a password nor encryption, so that network is theirs alone. peers: the addresses or networks
    that may connect, such as `192.168.8.0/24`; none named: any. connections_max: open at a time; beyond, the new one is
    closed. greeting_s: a connection that has not said within so long which board it is, is closed. silence_s: one that
    says nothing for so long is closed; above twice the boards' heartbeat.
    """

    id: Name
    host: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    peers: tuple[str, ...] = ()
    connections_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64
    greeting_s: Annotated[float, msgspec.Meta(ge=0.05, le=600)] = 60.0
    silence_s: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] = 600.0

    def __post_init__(self) -> None:
        try:
            address = ip_address(self.host)
        except ValueError:
            raise ValueError(f"`host` is an IP address of this box, not {self.host!r}") from None
        if address.is_unspecified or address.is_multicast or address.is_global:
            raise ValueError(f"`host` is an address of the boards' own network, not {self.host}")
        for peer in self.peers:
            try:
                ip_network(peer)
            except ValueError as error:
                raise ValueError(f"`peers` are addresses or networks such as 192.168.8.0/24: {error}") from None

    @property
    def where(self) -> str:
        """The port in words."""
        return f"{self.host}:{self.port}"


class PortBoardConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[port_board]]`: one board with outlets, or one charging cabinet.

    id: the name in logs and commands. number: what customers read on it. line or listener: the id of what it hangs on:
    `dny` and `dongjun` have a line, `dny-tcp` connects to a listener. device: the number printed on it, below
    16777216; `dongjun` has none. address: of `dny` its virtual id on the line, 0 to 49. ports:
    how many outlets it has; customers read 1, 2, ... on them. serial: what stands on its plate besides. options: what
    one protocol alone asks; the driver's own options struct says what there is.
    """

    id: Name
    number: Annotated[int, msgspec.Meta(ge=1, le=999)]
    protocol: Protocol
    ports: Annotated[int, msgspec.Meta(ge=1, le=64)]
    line: str | None = None
    listener: str | None = None
    device: Annotated[int, msgspec.Meta(ge=0, lt=1 << 24)] | None = None
    address: Annotated[int, msgspec.Meta(ge=0, le=49)] | None = None
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None
    options: dict[str, Any] = {}

    def __post_init__(self) -> None:
        wanted, unwanted = ("line", "listener") if self.protocol in ON_A_LINE else ("listener", "line")
        if getattr(self, wanted) is None or getattr(self, unwanted) is not None:
            raise ValueError(f"`{self.protocol}` hangs on a `{wanted}`, and on no `{unwanted}`")
        if (self.device is not None) != (self.protocol in NUMBERED):
            needs = "needs the number printed on it as `device`" if self.device is None else "has no `device` number"
            raise ValueError(f"`{self.protocol}` {needs}")
        if (self.address is not None) != (self.protocol == "dny"):
            needs = "needs its virtual id as `address`" if self.address is None else "has no `address`"
            raise ValueError(f"`{self.protocol}` {needs}")

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its outlets as customers read them."""
        return tuple(range(1, self.ports + 1))

    def options_as(self, into: type[O]) -> O:
        """The options, typed. Raises door.Refused with every fault."""
        options, faults = check(self.options, into, "options")
        if options is None or faults:
            raise Refused(f"port board {self.id}", faults)
        return options
