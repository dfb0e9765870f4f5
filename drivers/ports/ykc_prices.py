"""Which prices does a pile reckon by, as far as is known? No I/O.

It asks for them after a login where it knows that it has others, and is told them in any case, once after each login
and when they change: only an answer to that says surely that it has them.
"""

from __future__ import annotations

from protocols.fieldbus.ykc_money import PriceModel


class Given:
    """What one pile was given. model: None: nothing is known, and it may not charge."""

    def __init__(self) -> None:
        self.model: PriceModel | None = None
        self._surely = False
        self._tried_ms: int | None = None

    def logged_in(self) -> None:
        """It may have forgotten them."""
        self._surely, self._tried_ms = False, None

    def says(self, number: str, wanted: PriceModel | None) -> bool:
        """It has a model of this number. Whether that is the one that it should have."""
        same = wanted is not None and wanted.model == number
        if not same:
            self.model = None
        elif self.model != wanted:
            self.model, self._surely = wanted, False
        return same

    def fetched(self, model: PriceModel) -> None:
        """It asked for them."""
        self.model, self._surely = model, False

    def due(self, wanted: PriceModel | None, now_ms: int, again_s: float) -> bool:
        """Whether it is to be told now; that is noted."""
        if wanted is None or (wanted == self.model and self._surely):
            return False
        if self._tried_ms is not None and now_ms - self._tried_ms < again_s * 1000:
            return False
        self._tried_ms = now_ms
        if wanted != self.model:
            self.model = None  # while it is told, nobody knows which it has
        return True

    def answered(self, model: PriceModel, *, done: bool) -> None:
        """It was told, and has taken them or not."""
        self.model, self._surely = (model, True) if done else (None, False)
