"""What do libraries load that the daemon never uses? Left out, it needs 6 MB less of a small box's memory."""

from __future__ import annotations

import sys
import warnings
from typing import Final

UNUSED: Final = {
    "rich": "structlog: tracebacks in colour; a terminal gets plain ones",
    "charset_normalizer": "requests: guesses the encoding of texts; headquarters answers with bytes",
    "chardet": "requests: the same",
}
"""By name, who would load it and for what. They do without where it is not installed."""


def leave_out() -> None:
    """For this process, before anything of it is imported. What is loaded already stays."""
    for name in UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # the import system's own word for "not there"
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")
