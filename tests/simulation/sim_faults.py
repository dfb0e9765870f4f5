"""What fails in a simulation, how often, and how it is healed: links, processes, power, clocks, disks, devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from sim_box import POWER, Box
from sim_net import Weather, signed_request
from sim_people import query
from sim_plant import Stand
from sim_ports import PortStand
from sim_pump import FuelStand
from sim_shop import AT_SLOTS, HAZARDS, IN_PACKS, ShopStand
from sim_wrong import Wrong

from drivers.twins.cabinets.faults import ONCE
from edge.journal.errors import JournalFull
from edge.sync import trust
from protocols.trade import wire
from protocols.trade.codec import decode
from protocols.trade.wire import Batch, BatchReply

if TYPE_CHECKING:
    from sim_world import World

YEAR_MS = 365 * 86_400_000
PUMP_WORLDS = 0.2
SHOP_WORLDS = 0.2
PORT_WORLDS = 0.15
POWER_CUT = f"{POWER} cut"


@dataclass
class Faults:
    """What this world suffers. Odds are per chance; `every_s` are mean times between events, 0 for never."""

    weather: Weather = field(default_factory=Weather)
    link_every_s: int = 0
    kill_every_s: int = 0
    power_every_s: int = 0
    whole_site: bool = True
    odds_of_death: float = 0.0
    odds_of_cut: float = 0.0
    odds_of_hq_death: float = 0.0
    meter_every_s: int = 0
    meter_registers: bool = False
    charger_every_s: int = 0
    stuck: bool = False
    clock_every_s: int = 0
    disk_every_s: int = 0
    rtc: bool = True
    replay_every_s: int = 0
    set_back_every_s: int = 0
    copied_every_s: int = 0
    lose_every_s: int = 0
    close_every_s: int = 0
    pool_every_s: int = 0
    hot_every_s: int = 0
    pumps: int = 0  # percent of sites that sell fuel
    pump_every_s: int = 0
    pump_answers: float = 0.0  # odds that a pump does as told and its answer is lost
    pump_totals: bool = False
    pump_memory: bool = False
    shops: int = 0  # percent of sites that swap packs
    shop_every_s: int = 0
    shop_answers: float = 0.0  # odds that a lock is pulsed and the answer lost
    shop_packs: bool = False
    shop_hazards: bool = False
    ports: int = 0  # percent of sites with boards of ports or lockers
    port_every_s: int = 0
    port_answers: float = 0.0  # odds that a board does as told and its answer is lost
    port_bills: bool = False
    port_dark: bool = False

    @classmethod
    def drawn(cls, random: Random) -> Faults:
        """Swarm testing: each kind is there or not, so that no kind always hides behind another."""

        def some(low: int, high: int, odds: float = 0.5) -> int:
            return random.randint(low, high) if random.random() < odds else 0

        def odds(most: float) -> float:
            return random.uniform(0, most) if random.random() < 0.6 else 0.0

        power_every_s = some(200, 900, 0.4)
        odds_of_cut = random.uniform(0.01, 0.15) if power_every_s or random.random() < 0.3 else 0.0
        return cls(
            weather=Weather(odds(0.3), odds(0.3), odds(0.4), odds(0.1), odds(0.3)),
            link_every_s=some(60, 600, 0.7),
            kill_every_s=some(60, 600),
            power_every_s=power_every_s,
            whole_site=random.random() < 0.7,
            odds_of_death=odds(0.03),
            odds_of_cut=odds_of_cut,
            odds_of_hq_death=odds(0.2),
            meter_every_s=some(100, 600),
            meter_registers=random.random() < 0.5,
            charger_every_s=some(100, 600),
            stuck=random.random() < 0.4,
            clock_every_s=some(60, 600),
            disk_every_s=some(100, 900, 0.3),
            rtc=random.random() < 0.5,
            replay_every_s=some(5, 60, 0.7),
            set_back_every_s=some(80, 500, 0.15),
            copied_every_s=some(80, 500, 0.1),
            lose_every_s=some(150, 600, 0.12),
            close_every_s=some(100, 400, 0.25),
            pool_every_s=some(60, 300, 0.4),
            hot_every_s=some(60, 300, 0.4),
        )

    def with_pumps(self, random: Random) -> Faults:
        """The same, in a share of worlds with pumps and what befalls these."""
        if random.random() >= PUMP_WORLDS:
            return self
        return replace(
            self,
            pumps=random.choice((60, 100)),
            pump_every_s=random.randint(30, 300) if random.random() < 0.7 else 0,
            pump_answers=random.choice((0.0, 0.05, 0.3)),
            pump_totals=random.random() < 0.5,
            pump_memory=random.random() < 0.5,
        )

    def with_shops(self, random: Random) -> Faults:
        """The same, in a share of worlds with cabinets and what befalls these."""
        if random.random() >= SHOP_WORLDS:
            return self
        return replace(
            self,
            shops=random.choice((60, 100)),
            shop_every_s=random.randint(20, 200) if random.random() < 0.8 else 0,
            shop_answers=random.choice((0.0, 0.05, 0.3)),
            shop_packs=random.random() < 0.6,
            shop_hazards=random.random() < 0.4,
        )

    def with_ports(self, random: Random) -> Faults:
        """The same, in a share of worlds with boards and what befalls these."""
        if random.random() >= PORT_WORLDS:
            return self
        return replace(
            self,
            ports=random.choice((60, 100)),
            port_every_s=random.randint(20, 200) if random.random() < 0.8 else 0,
            port_answers=random.choice((0.0, 0.05, 0.3)),
            port_bills=random.random() < 0.6,
            port_dark=random.random() < 0.5,
        )

    def without(self, names: Iterable[str]) -> Faults:
        """The same, but these never happen. A name with a point is one of the weather's."""
        calm, changes = Faults(), dict[str, Any]()
        for name in names:
            if name.startswith("weather."):
                part = name.removeprefix("weather.")
                weather = changes.get("weather", self.weather)
                changes["weather"] = replace(weather, **{part: getattr(calm.weather, part)})
            else:
                changes[name] = getattr(calm, name)
        return replace(self, **changes)

    def names(self) -> list[str]:
        """What happens in this world, for `without`."""
        calm = Faults()
        own = [f.name for f in fields(self) if getattr(self, f.name) != getattr(calm, f.name)]
        weather = [f"weather.{f.name}" for f in fields(self.weather) if getattr(self.weather, f.name)]
        return [*(name for name in own if name != "weather"), *weather]


class Mischief:
    """Lets things fail. Whatever it breaks ends by itself, or when the world is healed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self._old_grants: list[tuple[str, bytes]] = []

    def unleash(self) -> None:
        """From now on things fail."""
        world, faults = self.world, self.world.faults
        world.network.weather = faults.weather
        world.hq.odds_of_death = faults.odds_of_hq_death
        for box in world.boxes:
            box.odds_of_death, box.odds_of_cut = faults.odds_of_death, faults.odds_of_cut
            box.slow_disk = world.random.random() < 0.3
            world.often(faults.link_every_s, lambda box=box: self.cut_link(box))
            world.often(faults.kill_every_s, lambda box=box: box.kill("SIGKILL"))
            world.often(faults.power_every_s, lambda box=box: self.cut_power(box))
            world.often(faults.clock_every_s, lambda box=box: self.disturb_clock(box))
            world.often(faults.disk_every_s, lambda box=box: self.fill_disk(box))
            for stand in box.stands.values():
                world.often(faults.meter_every_s, lambda stand=stand: self.disturb_meter(stand))
                world.often(faults.charger_every_s, lambda stand=stand: self.disturb_charger(stand))
            for pump in box.pumps.values():
                pump.odds_of_lost = faults.pump_answers
                world.often(faults.pump_every_s, lambda pump=pump: self.disturb_pump(pump))
            if box.shop is not None:
                box.shop.odds_of_lost = faults.shop_answers
                world.often(faults.shop_every_s, lambda shop=box.shop: self.disturb_shop(shop))
            for board in box.boards.values():
                board.odds_of_lost = faults.port_answers
                world.often(faults.port_every_s, lambda board=board: self.disturb_board(board))
        world.often(faults.replay_every_s, self.replay)

    def heal(self) -> None:
        """Nothing fails any more, the cars leave, and every clock is set right."""
        world = self.world
        world.network.weather = Weather()
        world.network.down.clear()
        world.hq.odds_of_death = 0.0
        for box in world.boxes:
            box.odds_of_death, box.odds_of_cut, box.disk.full, box.slow_disk = 0.0, 0.0, False, False
            box.clock.set_right()
            for stand in box.stands.values():
                stand.settle()
                stand.stuck = stand.deaf = stand.charger_silent = stand.meter_silent = False
                stand.power(True)
                stand.unplug()
            box.places.heal()
            if not box.alive:
                world.loop.create_task(self.revive(box, 0))

    def cut_link(self, box: Box) -> None:
        self.world.network.down.add(box.name)
        seconds = self.random.choice((2, 10, 60, 300, 1_800))
        self.world.later(seconds, lambda: self.world.network.down.discard(box.name))

    def cut_power(self, box: Box) -> None:
        """The box alone, or the whole place with its chargers."""
        if not box.alive:
            return
        whole = self.world.faults.whole_site
        dark_s = self.random.choice((3, 20, 120, 600)) if whole else self.random.uniform(3, 40)
        for stand in box.stands.values():
            stand.settle()
            stand.excused |= stand.failsafe_s is None
        if whole:
            box.places.power(False)
        self.world.report.power_cuts += 1
        box.kill(POWER_CUT)
        box.boot_id = b""
        self.revive_later(box, dark_s)

    def revive_later(self, box: Box, after_s: float | None = None) -> None:
        """systemd starts a dead daemon again; one whose box is dark waits for the power."""
        if box.retired:
            return
        if after_s is None:
            long = self.random.random() < 0.1
            after_s = self.random.uniform(16, 60) if long else self.random.uniform(0.5, 6)
            if long:
                for stand in box.stands.values():
                    stand.excused |= stand.failsafe_s is None
        life = box.life
        self.world.loop.call_later(
            after_s, lambda: self.world.loop.create_task(self.revive(box, life)) if box.life == life else None
        )

    async def revive(self, box: Box, life: int) -> None:
        if box.alive or box.retired or (life and box.life != life):
            return
        if not box.boot_id:
            box.places.power(True)
            box.power_on(rtc=self.world.quiet or self.world.faults.rtc)
            self.world.loop.call_later(self.random.uniform(1, 60), self.ntp, box, box.boot_id)
        try:
            await box.start()
        except JournalFull:
            box.kill("no room to start")
        except Exception as error:  # whatever a daemon fails on when it starts is a finding of this run
            self.world.fail(error)

    def ntp(self, box: Box, boot: bytes) -> None:
        """Time from the network, where there is one."""
        if box.boot_id == boot and (self.world.quiet or box.name not in self.world.network.down):
            box.clock.set_right()

    def disturb_clock(self, box: Box) -> None:
        by_ms = self.random.choice((-YEAR_MS, YEAR_MS, -3_600_000, 3_600_000, 5_000, -5_000))
        box.clock.jump(by_ms)
        self.world.later(self.random.uniform(5, 200), lambda: self.ntp(box, box.boot_id))

    def fill_disk(self, box: Box) -> None:
        box.disk.full = True

        def free() -> None:
            box.disk.full = False

        self.world.later(self.random.uniform(1, 20), free)

    def disturb_meter(self, stand: Stand) -> None:
        """Silence is no excuse: the till stops in time, and bills from the register once it answers again."""
        faults, kinds = self.world.faults, ["silent"]
        if faults.meter_registers:
            kinds += ["reset", "backwards"]
            if not (faults.power_every_s or faults.odds_of_cut):
                kinds.append("jump")  # unseen, with an unknown clock, nothing tells it from energy that flowed
        kind = self.random.choice(kinds)
        shown_wh = stand.register_wh
        if kind == "silent":
            stand.meter_silent = True

            def answer() -> None:
                stand.meter_silent = False

            self.world.later(self.random.choice((1, 5, 15, 90)), answer)
            return
        stand.excused = True
        if kind == "reset":
            stand.base_wh -= shown_wh
        elif kind == "backwards":
            stand.base_wh -= min(shown_wh, self.random.randrange(5_000, 50_000))
        else:
            stand.base_wh += self.random.randrange(1_000_000, 2_000_000)

    def disturb_charger(self, stand: Stand) -> None:
        stand.settle()
        kinds = ["charger_silent", "deaf", "gone"] + (["stuck", "stuck"] if self.world.faults.stuck else [])
        kind = self.random.choice(kinds)
        if kind == "gone":
            stand.unplug()
            return
        failsafe = stand.failsafe_s is not None
        stand.excused |= not (kind == "charger_silent" and failsafe)
        setattr(stand, kind, True)

        def recover() -> None:
            stand.settle()
            setattr(stand, kind, False)
            if kind == "stuck":
                stand.relay = False

        self.world.later(self.random.choice((15, 60, 300) if kind == "stuck" else (1, 5, 15, 60)), recover)

    def disturb_pump(self, pump: FuelStand) -> None:
        """None of it excuses a bill: what moves by itself is nobody's, a sale that was forgotten is in the totals."""
        faults, random = self.world.faults, self.random
        kinds = ["silent", "deaf", "slow", "dark", "alarm"]
        kinds += ["leap", "creep", "reset"] if faults.pump_totals else []
        kinds += ["forget", "dark-and-blank"] if faults.pump_memory else []
        kind = random.choice(kinds)
        nozzle = random.choice(list(pump.pump.nozzles))
        undo: Callable[[], None] | None = None
        match kind:
            case "silent" | "deaf" | "slow":
                setattr(pump, kind, True)
                undo = partial(setattr, pump, kind, False)
            case "dark" | "dark-and-blank":
                pump.power(False, forgets=kind != "dark")
                undo = partial(pump.power, True)
            case "alarm":
                pump.alarm(True)
                undo = partial(pump.alarm, False)
            case "leap":
                pump.move_total(nozzle, random.randrange(10, 30_000))
            case "creep":
                pump.creep(nozzle, random.randrange(100, 50_000))
                undo = partial(pump.creep, nozzle, 0)
            case "reset":
                pump.reset_total(nozzle)
            case "forget":
                pump.forget_sale()
        self.world.auditor.seen[f"pump {kind}"] += 1
        if undo is not None:
            self.world.later(random.choice((1, 5, 15, 60, 200)), undo)

    def disturb_shop(self, shop: ShopStand) -> None:
        """None of it excuses a bill: where nobody can tell, nobody pays."""
        faults, random = self.world.faults, self.random
        kinds = list(AT_SLOTS)
        kinds += IN_PACKS if faults.shop_packs else ()
        kinds += HAZARDS if faults.shop_hazards else ()
        kind = random.choice([None, *kinds])
        for_s = random.choice((5, 15, 60, 200))
        if kind is None:
            shop.silent = True
            self.world.later(for_s, partial(setattr, shop, "silent", False))
        else:
            slot = None if kind in HAZARDS else random.choice(list(shop.cabinet.slots))
            if not shop.break_down(kind, slot, None if kind in ONCE else for_s * 1000, None):
                return
        self.world.auditor.seen[f"cabinet {'silent' if kind is None else kind.value}"] += 1

    def disturb_board(self, board: PortStand) -> None:
        """None of it excuses a bill: what was told is billed, what is not told any more is nobody's debt."""
        faults, random = self.world.faults, self.random
        kinds = ["silent", "deaf", "smoke", "stuck"]
        kinds += ["dark", "dark-and-blank"] if faults.port_dark else []
        kinds += ["late", "more", "lost", "renumbered", "second", "again"] if faults.port_bills else []
        kind = random.choice(kinds)
        self.world.auditor.seen[f"board {kind}"] += 1
        undo = board.break_down(kind)
        if undo is not None:
            self.world.later(random.choice((1, 5, 15, 60, 200)), undo)

    def replay(self) -> None:
        """Something old comes again: a request at headquarters, a grant or a command at its site, a batch cut short."""
        random = self.random
        match random.randrange(4):
            case 0:
                self.world.network.replay()
            case 1:
                self.replay_grant()
            case 2 if self.world.people.orders:
                name, signed = random.choice(self.world.people.orders)
                box = next(box for box in self.world.boxes if box.name == name)
                if box.site is not None:
                    self.world.act(
                        self.world.ask(box, box.site.command(trust.check_command(self.world.hq.pinned, signed)))
                    )
            case 3:
                self.cut_batch(random.choice(self.world.boxes))

    def replay_grant(self) -> None:
        """Any grant ever signed may be carried to its site again."""
        with query(self.world.hq.path) as hq:
            rows = hq.execute("SELECT site, grant FROM leases JOIN epochs ON epochs.id = log WHERE length(grant) > 0")
            self._old_grants = [*self._old_grants[-50:], *((site, bytes(grant)) for site, grant in rows)]
        if self._old_grants:
            name, grant = self.random.choice(self._old_grants)
            box = next(box for box in self.world.boxes if box.name == name)
            if box.site is not None:
                self.world.act(self.world.ask(box, box.site.take_grants([grant])))

    def resend(self, box: Box) -> None:
        """Everything from some record on comes again as one batch: answered as before, and nothing changes."""
        first = self.random.randrange(box.journal.size)
        records = box.journal.read(first, box.journal.size, 1 << 20)
        last = first + len(records)
        batch = Batch(first, records, box.journal.checkpoint_at(last), box.boot_id, 0, 0)
        before = self.world.hq.books()
        answer = self.world.hq.deliver(signed_request(wire.PATH_BATCH, batch, box.name, box.epoch, box.log_key))
        cosigned = box.journal.cosigned()
        assert answer is not None
        assert cosigned is not None
        if answer.status != 200 or decode(answer.body, BatchReply).cosigned != cosigned[1]:
            raise Wrong("repeat-is-answered-as-before", f"{box.branch}: records from {first} on: {answer.status}")
        if self.world.hq.books() != before:
            raise Wrong("repeat-changes-nothing", f"{box.branch}: records from {first} on have been posted again")

    def cut_batch(self, box: Box) -> None:
        """A batch whose last record has been taken out; whoever does that cannot sign another head."""
        if not box.alive or box.journal.size < 2:
            return
        size = box.journal.size
        first = self.random.randrange(size - 1)
        records = box.journal.read(first, size - first, 1 << 20)
        batch = Batch(first, records[:-1], box.journal.checkpoint(), box.boot_id, 0, 0)
        answer = self.world.hq.deliver(signed_request(wire.PATH_BATCH, batch, box.name, box.epoch, box.log_key))
        if answer is not None and answer.status == 200:
            raise Wrong("altered-is-refused", f"{box.name}: a batch without its last record was taken")
        self.world.network.refused += 1
