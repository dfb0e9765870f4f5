"""Does our own receiver hear what we send, and which of the bytes that arrive are only that?

Many two-wire adapters leave their receiver on while sending. A write of one register is answered with the very bytes of
the request, so on such a line the echo must be taken away first, or it would pass for the device's consent.
"""

from __future__ import annotations


class EchoFilter:
    """Takes one copy of the frame just sent from the front of what arrives, where the line is known to echo.

    It is known by configuration, or from the first request whose echo differs from its answer (`learn`), until an
    answer comes without an echo before it.
    """

    def __init__(self, configured: bool) -> None:
        self._configured = configured
        self.echoes = configured
        self._left = b""
        self._taken = b""

    def learn(self) -> None:
        self.echoes = True

    def sent(self, frame: bytes) -> None:
        """`frame` goes out now."""
        self._left = frame if self.echoes else b""
        self._taken = b""

    def strip(self, data: bytes) -> bytes:
        """What of `data` is no echo."""
        if not self._left:
            return data
        size = min(len(data), len(self._left))
        if data[:size] == self._left[:size]:
            self._left = self._left[size:]
            self._taken += data[:size]
            return data[size:]
        self.echoes = self._configured
        self._left = b""
        return self._taken + data
