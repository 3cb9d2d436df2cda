"""A standard few-shot benchmark, by the papers' protocol: many episodes from one of its parts.

Ten thousand 5-way episodes with one query per class, and the mean of their accuracies with its
95 % interval, as TRX, STRM and Trokens report. Nothing is learned from the other parts here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from torch import nn

from pointaction.count import Count, uncounted
from pointaction.datasets.annotations import Annotations, Item
from pointaction.datasets.fewshot_splits import BENCHMARKS, read_benchmark
from pointaction.errors import InputError, PointActionError
from pointaction.evaluation.contest import OWN, by_matcher, own_way
from pointaction.evaluation.describers import CLOCK, describe_all, describer_for
from pointaction.evaluation.fewshot import Contender
from pointaction.evaluation.followed import follow_file
from pointaction.evaluation.performances import Inputs
from pointaction.fewshot.features import Features, Part
from pointaction.fewshot.matcher import Matcher
from pointaction.fewshot.matchers import open_matcher
from pointaction.models.catalog import find
from pointaction.models.fewshot import load_network
from pointaction.models.store import load_model
from pointaction.pipeline import inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """Who is measured."""

    name: str
    network: nn.Module  # frozen; describes the clips
    matcher: Matcher | None  # None: as the network is trained

    @classmethod
    def open(cls, store: Path, *, model: str, weights: Path | None, matcher: str | None) -> Self:
        """A model of the store, or `weights` of an episodic training instead."""
        network: nn.Module
        if weights is None:
            entry = find(store, model)
            name, network = f"{model} {entry.version}", load_model(store, entry).encoder
        else:
            name, network = weights.stem, load_network(weights)
        return cls(
            name=f"{name}, {matcher or OWN}",
            network=network,
            matcher=open_matcher(matcher) if matcher else None,
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """What of each clip is compared."""
        return (self.matcher.part if self.matcher else "clip",)

    def compare(self, clips: Sequence[Features]) -> Contender:
        """What it says about n clips that it described."""
        return by_matcher(self.matcher, clips) if self.matcher else own_way(self.network, clips)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The clips that could be read, and what a network made of them."""

    items: tuple[Item, ...]
    features: list[Features]  # one per item


def measured(name: str, lists: Path, videos: Path, part: str | None) -> Annotations:
    """The clips of one part; None: that on which papers measure.

    Raises InputError as `read_benchmark` does, and for a part that there is not.
    """
    annotations = read_benchmark(name, lists, videos)
    parts = BENCHMARKS[name].parts
    asked = part or BENCHMARKS[name].measured
    if asked not in parts:
        raise InputError(f"{name} has the parts {', '.join(parts)}, not {asked!r}")
    items = annotations.of(asked)
    return Annotations(items=items, labels=tuple(sorted({item.label for item in items})))


def describe_items(
    items: Sequence[Item],
    entrant: Entrant,
    *,
    tracks: int,
    cache: Path | None,
    progress: Count,
    failed: Callable[[Path, Exception], None],
) -> Described:
    """Follow each clip, or take its tracks out of `cache`, and describe it; only that is kept.

    Frames are 32, spread over the whole clip. A clip that cannot be read is told to `failed` and
    left out. Raises InputError when none can be.
    """
    seen: list[Item] = []

    def watched() -> Iterator[Inputs]:
        for done, item in enumerate(items, 1):
            try:
                geometry, visible = inputs(
                    follow_file(item.path, tracks=tracks, cache=cache), CLOCK
                )
            except (PointActionError, OSError) as error:
                failed(item.path, error)
            else:
                seen.append(item)
                yield Inputs(geometry=geometry, visible=visible)
            progress(done, len(items))

    told = describe_all(
        watched(),
        {entrant.name: describer_for(entrant.network)},
        parts=entrant.parts,
        total=len(items),
        progress=uncounted,
    )
    if not seen:
        raise InputError("none of the clips is here and can be read")
    return Described(items=tuple(seen), features=told[entrant.name])
