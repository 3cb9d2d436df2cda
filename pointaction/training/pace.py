"""How much of its time a run spends on learning, and how much on waiting for something to learn."""

import time


class Pace:
    """Told of every wait (`loop.Waited`); the first batch is not waited for, it has to be begun."""

    def __init__(self) -> None:
        self.batches = 0
        self.waited = 0.0  # seconds
        self._began = 0.0

    def __call__(self, seconds: float) -> None:
        if self.batches:
            self.waited += seconds
        else:
            self._began = time.monotonic()
        self.batches += 1

    @property
    def busy(self) -> float | None:
        """The share of the time since the first batch that was not waiting; None before two."""
        if self.batches < 2:
            return None
        return 1 - self.waited / max(time.monotonic() - self._began, 1e-9)
