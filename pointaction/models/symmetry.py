"""What a label is called when time runs backwards, and when left and right are exchanged.

A model whose labels are in the store's vocabulary is asked about a clip as it is, backwards,
mirrored, and both; `pointaction.models.views` brings the four answers together. Needs no torch.
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pointaction.errors import DamagedWeights
from pointaction.stamp import told_by

UNNAMED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Symmetry:
    """Labels by number; UNNAMED where what becomes of a label has no name in the model."""

    reverse: tuple[int, ...]
    mirror: tuple[int, ...]

    @property
    def both(self) -> tuple[int, ...]:
        """Backwards and mirrored."""
        return tuple(
            UNNAMED if number == UNNAMED else self.reverse[number] for number in self.mirror
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def read_symmetry(vocabulary: Path, labels: Sequence[str]) -> Symmetry:
    """From a vocabulary as TOML; DamagedWeights where it lacks one of a model's labels."""
    try:
        motions = told_by(vocabulary, _motions)
    except (FileNotFoundError, tomllib.TOMLDecodeError, KeyError) as error:
        raise DamagedWeights(
            f"{vocabulary} is missing or no vocabulary ({error}); fetch the model store again"
        ) from None
    strange = [label for label in labels if label not in motions]
    if strange:
        raise DamagedWeights(
            f"{vocabulary} does not know {', '.join(strange)}; take the line `vocabulary` out of "
            "catalog.toml, or give the model labels that it knows",
            value=strange[0],
        )

    numbers = {label: number for number, label in enumerate(labels)}

    def becomes(way: str) -> tuple[int, ...]:
        return tuple(numbers.get(motions[label].get(way, ""), UNNAMED) for label in labels)

    return Symmetry(reverse=becomes("reverse"), mirror=becomes("mirror"))


def _motions(vocabulary: Path) -> dict[str, dict[str, str]]:
    told = tomllib.loads(vocabulary.read_text(encoding="utf-8"))
    motions: dict[str, dict[str, str]] = told["motions"]
    return motions
