"""Simulated YKC piles over real TCP, the driver for them, and a charge done over both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from drivers.port_board import PortOrder, PortState, PortStatus, Settlement, order_number
from drivers.ports.listener import Listener
from drivers.ports.ykc import YkcPile
from drivers.ports.ykc_config import PileConfig, YkcConfig
from drivers.ports.ykc_switchboard import YkcSwitchboard, build_ykc
from drivers.twins.car import Car
from drivers.twins.ports.ykc import YkcTwin
from drivers.twins.ports.ykc_faults import parse_pile_faults
from drivers.twins.ports.ykc_serve import YkcCaller
from protocols.fieldbus.ykc_money import Price, PriceModel

CODE, OTHER = "32010200000001", "55031412782305"
PATIENCE_S = 20.0  # no test waits so long; it is what a broken one takes to fail
SPEED = 200  # of the pile's world
NOON = datetime(2026, 11, 21, 12, 0)
NOON_MS = 1_795_233_600_000  # in China

PRICES = (Price(100_000, 30_000), Price(90_000, 30_000), Price(60_000, 30_000), Price(30_000, 30_000))
MODEL = PriceModel("0100", PRICES, 0, (3,) * 14 + (2,) * 10 + (1,) * 12 + (2,) * 12)
DEARER = replace(MODEL, model="0101", prices=(PRICES[0],) * 4)

QUICK: dict[str, Any] = {
    "heartbeat_s": 0.4, "answer_s": 2.0, "poll_s": 0.5, "shown_s": 1.5, "again_s": 0.2, "tick_s": 0.05,
}  # fmt: skip


@dataclass
class Rig:
    """What hangs together. The twin's `charges` are the truth, `pile` is what the driver makes of it."""

    config: YkcConfig
    listener: Listener
    pile: YkcPile
    twin: YkcTwin
    caller: YkcCaller
    running: list[asyncio.Task[Any]]
    prices: PriceModel | None = MODEL

    @property
    def switchboard(self) -> YkcSwitchboard:
        board = self.listener.switchboard
        assert isinstance(board, YkcSwitchboard)
        return board

    @property
    def counts(self) -> Mapping[str, int]:
        return self.pile.link().counts

    def unix_ms(self) -> int | None:
        return NOON_MS + self.caller.now_ms

    def plug(self, car: Car | None = None, gun: int = 1) -> None:
        self.twin.plug(gun, car or small_car(), self.caller.now_ms)

    def unplug(self, gun: int = 1) -> None:
        self.twin.unplug(gun, self.caller.now_ms)

    def status(self, port: int = 1) -> PortStatus | None:
        return self.pile.status()[port].value

    def fault(self, *words: str) -> None:
        for fault in parse_pile_faults(words):
            self.twin.faults.set(fault)

    async def gateway_gone(self) -> None:
        """The daemon dies: its port closes, and it knows nothing any more."""
        for task in self.running:
            task.cancel()
        await asyncio.wait(self.running)
        self.running.clear()

    async def gateway_back(self) -> None:
        """Another process, on the same port."""
        assert self.listener.port is not None
        config = YkcConfig(**{**_plain(self.config), "port": self.listener.port})
        self.listener, (self.pile, *_) = build_ykc(config, self.unix_ms)
        self.pile.prices = lambda: self.prices
        self.open()
        await until(lambda: self.listener.up)

    def open(self) -> None:
        self.running += [asyncio.create_task(self.listener.run()), asyncio.create_task(self.pile.run())]


def small_car(room_wh: int = 100, power_w: int = 7_000) -> Car:
    """Full after so many Wh."""
    return Car(capacity_wh=60_000, energy_wh=60_000 - room_wh, power_w_max=power_w, phases=1,
               curve=((0, 1000), (1000, 1000)))  # fmt: skip


def order(seq: int = 7, **changes: Any) -> PortOrder:
    plain = {"number": order_number(3, seq), "kind": "full", "limit": 0, "prepaid_fen": 10_000}
    return PortOrder(**{**plain, **changes})


def pile_config(**changes: Any) -> PileConfig:
    return PileConfig(**{"id": "pile-1", "number": 1, "code": CODE, "guns": 2, **QUICK, **changes})


def _plain(config: YkcConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in YkcConfig.__struct_fields__}


@asynccontextmanager
async def ykc(
    *,
    faults: Iterable[str] = (),
    ready: bool = True,
    speed: int = SPEED,
    prices: PriceModel | None = MODEL,
    pile: Mapping[str, Any] | None = None,
    listener: Mapping[str, Any] | None = None,
    twin: Mapping[str, Any] | None = None,
    tls: ssl.SSLContext | None = None,
    local: str | None = None,
) -> AsyncIterator[Rig]:
    """faults: of the pile. ready: wait until it may charge. The mappings change what is built."""
    config = YkcConfig(
        **{"id": "piles", "host": "127.0.0.1", "port": 0, "pile": (pile_config(**(pile or {})),), **(listener or {})}
    )
    device = YkcTwin(**{"code": CODE, "guns": 2, "local": NOON, "faults": parse_pile_faults(faults), **(twin or {})})
    async with AsyncExitStack() as stack:
        rig: Rig | None = None

        def unix_ms() -> int | None:
            return None if rig is None else rig.unix_ms()

        port, (built, *_) = build_ykc(config, unix_ms)
        opening = asyncio.create_task(port.run())
        await until(lambda: port.up)
        assert port.port is not None
        caller = YkcCaller(device, "127.0.0.1", port.port, speed=speed, tls=tls, tls_name="pile", local=local)
        rig = Rig(config, port, built, device, caller, [opening], prices)
        built.prices = lambda: rig.prices if rig else None
        rig.running.append(asyncio.create_task(built.run()))
        stack.push_async_callback(rig.gateway_gone)
        calling = asyncio.create_task(caller.run())
        try:
            if ready:
                await until(lambda: device.model == prices and rig.status(2) is not None and _priced(built, prices))
            yield rig
        finally:
            calling.cancel()
            await asyncio.wait([calling])


def _priced(pile: YkcPile, prices: PriceModel | None) -> bool:
    """Whether the driver knows that the pile has them."""
    shown = {point.name: point.value for point in pile.points()}
    return shown["price model"] == ("-" if prices is None else prices.model)


async def until(reached: Callable[[], Any]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110  # what is waited for is in another process's place
            await asyncio.sleep(0.01)


async def charging(rig: Rig, port: int = 1) -> PortStatus:
    """When it charges."""
    await until(lambda: (status := rig.status(port)) is not None and status.state is PortState.CHARGING)
    status = rig.status(port)
    assert status is not None
    return status


async def settled(rig: Rig, count: int = 1) -> list[Settlement]:
    """When so many settlements wait."""
    await until(lambda: len(rig.pile.settlements()) >= count)
    return list(rig.pile.settlements())
