"""What a backbone found in one clip, as it lies beside the clip's tracks: a safetensors file.

It is not compressed. On real clips zstd took 17 % off, with bytes in planes, which took fifty times
as long to unpack as to open what is here, and 24 % of how tokens change from frame to frame.

Shapes:  S tokens   C width
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pointaction.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFeatures:
    """Tokens of one clip; which backbone's, the store's manifest says."""

    tokens: NDArray[np.float16]  # (S, C)
    time: NDArray[np.int16]  # (S,) the step in time that each token is of: 0, 1, ...

    def __post_init__(self) -> None:
        if self.tokens.ndim != 2 or self.tokens.dtype != np.float16:
            raise InputError(
                f"tokens must be float16 (S, C), got {self.tokens.dtype} {self.tokens.shape}"
            )
        if self.time.shape != self.tokens.shape[:1] or self.time.dtype != np.int16:
            raise InputError(
                f"time must be int16 (S,) = {self.tokens.shape[:1]}, got {self.time.dtype} "
                f"{self.time.shape}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(S, C)."""
        return self.tokens.shape[0], self.tokens.shape[1]

    @classmethod
    def rounded(cls, tokens: NDArray[np.float32], time: NDArray[np.int64]) -> "StoredFeatures":
        """In half precision; InputError where that cannot hold them."""
        with np.errstate(over="ignore"):
            half = tokens.astype(np.float16)
        if not np.isfinite(half).all():
            raise InputError(
                "the backbone's features are not finite in half precision, so they cannot be kept; "
                "look at its weights, or run it in float32"
            )
        return cls(tokens=half, time=time.astype(np.int16))

    def pack(self) -> bytes:
        """Equal features give equal bytes."""
        arrays = {"time": self.time, "tokens": np.ascontiguousarray(self.tokens)}
        packed: bytes = save(arrays)
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> "StoredFeatures":
        """What `pack` packed. Raises InputError for other bytes, whatever they are."""
        try:
            found = load(data)
            return cls(tokens=found["tokens"], time=found["time"])
        except (SafetensorError, KeyError, InputError) as error:
            raise InputError(f"these are not features as a store holds them: {error}") from error
