"""What hangs on a simulated outlet, and how much does it draw as it fills?"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

MJ_PER_WH = 3_600_000


@dataclass(slots=True)
class Battery:
    """A charger with a battery behind it. steps: (Wh taken until then, W drawn), rising; after the last it floats.

    taken_mj: so far, in millijoules, which are watts times milliseconds. extra_w: drawn besides, as by a second charger
    on the same plug; may be negative.
    """

    steps: tuple[tuple[int, int], ...]
    float_w: int = 3
    taken_mj: int = 0
    extra_w: int = 0

    @classmethod
    def usual(cls, room_wh: int = 500, power_w: int = 200, float_w: int = 3) -> Battery:
        """Full power to four fifths, half of it to nineteen twentieths, and a seventh until it is full."""
        steps = ((room_wh * 4 // 5, power_w), (room_wh * 19 // 20, power_w // 2), (room_wh, power_w // 7))
        return cls(steps, float_w)

    @classmethod
    def some(cls, random: Random) -> Battery:
        """One of those that come in a day."""
        return cls.usual(random.randrange(60, 900), random.choice((90, 120, 180, 240, 300, 420)), random.randrange(6))

    @property
    def full(self) -> bool:
        return not self.steps or self.taken_mj >= self.steps[-1][0] * MJ_PER_WH

    @property
    def power_w(self) -> int:
        """That it draws now, when the relay is closed."""
        drawn = next((w for until_wh, w in self.steps if self.taken_mj < until_wh * MJ_PER_WH), self.float_w)
        return max(0, drawn + self.extra_w)

    def changes_in_ms(self) -> int | None:
        """Until it draws another power, at least 1. None: it stays as it is."""
        power_w = self.power_w
        left_mj = next(
            (mj - self.taken_mj for until_wh, _ in self.steps if (mj := until_wh * MJ_PER_WH) > self.taken_mj), None
        )
        return None if left_mj is None or not power_w else max(1, -(-left_mj // power_w))

    def take(self, ms: int) -> int:
        """It drew for so long, no longer than `changes_in_ms`; the millijoules."""
        mj = self.power_w * ms
        self.taken_mj += mj
        return mj
