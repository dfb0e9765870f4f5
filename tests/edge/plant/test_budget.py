"""The budget of a site: set-points never add up to more than there is, and neither do loads that are slow to follow."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from edge.plant.budget import CALM_MS, SETTLE_MS, STUBBORN_MS, Budget, Load, Seen, Shares, room_w, share, unknown

TURN_S = 900
CAR = {"least_w": 4_140, "most_w": 22_080, "step_w": 690}  # 6 to 32 A on three phases


@dataclass
class Yard:
    """Loads that do as they are told after a while, or do not."""

    loads: list[Load]
    shares: Shares = field(default_factory=Shares)
    wants: set[str] = field(default_factory=set)
    draws_w: dict[str, int] = field(default_factory=dict)
    now_ms: int = 1_000_000

    def look(self, available_w: int, elapsed_ms: int = 1_000, *, obeying: bool = True) -> Shares:
        """One tick. obeying: every load has acknowledged its set-point at once and was read just now."""
        self.now_ms += elapsed_ms
        seen = {
            load.id: Seen(
                load.id in self.wants,
                self.shares.told[load.id].at_ms if obeying and load.id in self.shares.told else None,
                self.draws_w.get(load.id, 0),
                self.now_ms,
            )
            for load in self.loads
        }
        self.shares = share(self.shares, self.loads, seen, available_w, self.now_ms, TURN_S)
        return self.shares

    def follow(self) -> None:
        """Every load now draws what it was told."""
        self.draws_w = {load.id: self.shares.power_w(load.id) for load in self.loads}


def two_cars() -> Yard:
    return Yard([Load("a", **CAR), Load("b", **CAR)])


def test_one_car_gets_all_that_it_can_take() -> None:
    """Up to its own most, in its own steps, and no more than there is."""
    yard = two_cars()
    yard.wants = {"a"}
    assert yard.look(30_000).power_w("a") == 22_080
    yard = two_cars()
    yard.wants = {"a"}
    assert yard.look(10_000).power_w("a") == 4_140 + 8 * 690
    assert yard.look(4_000).power_w("a") == 0


def test_two_cars_share_and_the_second_waits_until_the_first_has_come_down() -> None:
    """The first is lowered at once; what it leaves is given away only once it is seen to have left it."""
    yard = two_cars()
    yard.wants = {"a"}
    yard.look(22_080)
    yard.follow()
    yard.look(22_080, CALM_MS)
    yard.wants = {"a", "b"}
    shares = yard.look(22_080)
    assert (shares.power_w("a"), shares.power_w("b")) == (4_140 + 10 * 690, 0)
    assert yard.look(22_080, SETTLE_MS).power_w("b") == 0  # it still draws the whole
    yard.draws_w["a"] = 11_040
    shares = yard.look(22_080, SETTLE_MS)
    assert (shares.power_w("a"), shares.power_w("b")) == (11_040, 11_040)


def test_what_was_read_before_a_car_could_follow_says_nothing() -> None:
    """It drew little by chance, was told less than before, and may still go up to what it was told then."""
    yard = two_cars()
    yard.wants = {"a"}
    yard.look(22_080)
    yard.draws_w["a"] = 500
    yard.wants = {"a", "b"}
    yard.look(22_080, CALM_MS)
    assert yard.look(22_080, SETTLE_MS - 1_000).power_w("b") == 0
    assert yard.look(22_080, 2_000).power_w("b") > 0


def test_a_car_that_does_not_acknowledge_keeps_its_share() -> None:
    """The order may be lost: nobody is raised into what it may still draw."""
    yard = two_cars()
    yard.wants = {"a"}
    yard.look(22_080)
    yard.wants = {"a", "b"}
    for _ in range(10):
        assert yard.look(22_080, SETTLE_MS, obeying=False).power_w("b") == 0


def test_less_room_is_followed_at_once() -> None:
    """The others in the house need it: set-points fall in the same tick, down to nothing."""
    yard = two_cars()
    yard.wants = {"a", "b"}
    yard.look(30_000)
    yard.follow()
    assert yard.look(9_000).set_w <= 9_000
    assert yard.look(0).set_w == 0


def test_a_load_that_defies_its_set_point_is_made_room_for() -> None:
    """A charger restarted with its factory limit: it is told to stop, the others make room, and it may come back."""
    yard = two_cars()
    yard.wants = {"a", "b"}
    yard.look(16_000)
    yard.follow()
    yard.look(16_000, CALM_MS)
    yard.draws_w["a"] = 11_000
    yard.look(16_000)
    for _ in range(5):
        shares = yard.look(16_000, STUBBORN_MS)
        assert shares.power_w("b") + 11_000 <= 16_000
        assert shares.power_w("a") == 0
    yard.draws_w["a"] = 0
    assert yard.look(16_000, CALM_MS).power_w("a") > 0


def test_who_waits_gets_a_turn() -> None:
    """There is room for one car: after a quarter of an hour it is the other's turn."""
    yard = two_cars()
    yard.wants = {"a", "b"}
    first = yard.look(5_000)
    running = next(load.id for load in yard.loads if first.power_w(load.id))
    other = "b" if running == "a" else "a"
    yard.follow()
    for _ in range(5):
        yard.look(5_000, 60_000)
    assert yard.shares.power_w(other) == 0
    yard.look(5_000, TURN_S * 1_000)
    yard.follow()
    yard.look(5_000, SETTLE_MS)
    yard.look(5_000, CALM_MS)
    assert yard.shares.power_w(other) > 0
    assert yard.shares.power_w(running) == 0


def test_lower_ranks_go_first() -> None:
    """Cars before cabinets, or the other way round: as the operator says."""
    yard = Yard([Load("car", **CAR, rank=1), Load("slot", 600, 600, rank=0)])
    yard.wants = {"car", "slot"}
    shares = yard.look(4_500)
    assert (shares.power_w("slot"), shares.power_w("car")) == (600, 0)


def test_after_a_restart_nothing_is_believed() -> None:
    """Every load may draw its most until it is seen to obey."""
    loads = [Load("a", **CAR), Load("b", **CAR)]
    yard = Yard(loads, unknown(loads, 1_000_000), {"b"})
    yard.draws_w["a"] = 22_080
    assert yard.look(22_080, CALM_MS).power_w("b") == 0
    yard.draws_w["a"] = 0
    assert yard.look(22_080, CALM_MS).power_w("b") > 0


def test_room() -> None:
    """What the others draw is taken off; a silent meter leaves what the operator allows blindly."""
    budget = Budget(limit_w=50_000, meter="main", blind_w=8_000, margin_w=2_000)
    assert room_w(budget, 40_000, 1_000, 30_000) == 38_000
    assert room_w(budget, 70_000, 1_000, 10_000) == 0
    assert room_w(budget, 5_000, 1_000, 9_000) == 48_000  # solar panels give no more than the limit
    assert room_w(budget, 40_000, 11_000, 30_000) == 8_000
    assert room_w(budget, None, None, 0) == 8_000
    assert room_w(Budget(limit_w=50_000), None, None, 0) == 50_000


@st.composite
def _loads(draw: st.DrawFn) -> list[Load]:
    def one(index: int) -> Load:
        least_w = draw(st.integers(100, 5_000))
        step_w = draw(st.integers(1, 700))
        most_w = least_w + step_w * draw(st.integers(0, 30))
        return Load(f"l{index}", least_w, most_w, step_w, draw(st.integers(0, 1)))

    return [one(index) for index in range(draw(st.integers(1, 6)))]


@given(_loads(), st.data())
def test_neither_set_points_nor_draws_pass_the_room(loads: list[Load], data: st.DataObject) -> None:
    """Whatever loads want, whenever they follow: at every tick the set-points add up to no more than the room, and what
    loads draw adds up to no more than the greatest room of the time that they take to follow."""
    yard = Yard(loads)
    limits: dict[str, int] = {load.id: 0 for load in loads}  # what each charger has heard; it draws up to this
    told: dict[str, tuple[int, int]] = {}  # heard at, set-point
    room = data.draw(st.integers(0, 40_000))
    for _ in range(data.draw(st.integers(1, 30))):
        elapsed_ms = data.draw(st.sampled_from([500, 1_000, 5_000, 11_000, 30_000]))
        yard.now_ms += elapsed_ms
        yard.wants = set(data.draw(st.lists(st.sampled_from([load.id for load in loads]), unique=True)))
        seen = {
            load.id: Seen(
                load.id in yard.wants,
                told[load.id][0] if load.id in told else None,
                data.draw(st.integers(0, limits[load.id])),
                yard.now_ms,
            )
            for load in loads
        }
        yard.shares = share(yard.shares, loads, seen, room, yard.now_ms, TURN_S)
        assert yard.shares.set_w <= room
        for load in loads:
            power_w = yard.shares.power_w(load.id)
            assert power_w == load.down_to_step(power_w)
            if data.draw(st.booleans()):  # the order arrives
                told[load.id] = (yard.now_ms, power_w)
                limits[load.id] = power_w
        assert sum(limits.values()) <= max(room, yard.shares.may_draw_w)
        assert sum(limits.values()) <= room
