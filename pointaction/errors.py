"""Everything this library raises on purpose.

PointActionError
├── InputError          the caller's clip, tracks or options cannot be used
│   ├── UnsupportedClip     the bytes are not a video that we read
│   └── LimitExceeded       a documented limit was hit; carries the limit and the value
├── DecoderFailure      the decoder process died, hung or ran out of memory on this clip
├── UnknownModel        no such name in the catalogue
│   └── NotInstalled        it is in the catalogue, but what it needs is not here
├── DamagedWeights      the file on disk is not the file that the catalogue describes
└── MissingExtra        an optional dependency is not installed

`kind` is a stable, dash-separated word for programs; the message is for the person who has to
act: what was expected, what came, what to do.
"""

from typing import Any, ClassVar


class PointActionError(Exception):
    """Catch this to catch all of them."""

    default_kind: ClassVar[str] = "internal"

    def __init__(
        self, detail: str, *, kind: str | None = None, limit: Any = None, value: Any = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind or self.default_kind
        self.limit = limit
        self.value = value


class InputError(PointActionError):
    default_kind = "unusable-input"


class UnsupportedClip(InputError):
    default_kind = "unsupported-clip"


class LimitExceeded(InputError):
    default_kind = "limit-exceeded"

    def __init__(self, detail: str, *, kind: str | None = None, limit: Any, value: Any) -> None:
        super().__init__(detail, kind=kind, limit=limit, value=value)


class DecoderFailure(PointActionError):
    default_kind = "decoder-failure"


class UnknownModel(PointActionError):
    default_kind = "unknown-model"


class NotInstalled(UnknownModel):
    default_kind = "not-installed"


class DamagedWeights(PointActionError):
    default_kind = "damaged-weights"


class MissingExtra(PointActionError):
    default_kind = "missing-extra"

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs: pip install 'pointaction[{extra}]'")
