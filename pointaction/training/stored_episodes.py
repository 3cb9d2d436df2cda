"""Episodic training on the clips of a store: classes of one split, a few examples of each.

Where a backbone's features lie beside the tracks, networks see both, as Trokens, TRX and STRM do;
else they see tracks alone. A batch is one episode: some classes, and of each some examples and some
queries.

Shapes:  B clips   N tracks   T frames   g * g patches of C values
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import Dataset

from pointaction.appearance.native_input import Centre, NativeInput, Squashed
from pointaction.choices import chosen
from pointaction.depth.looming import looming
from pointaction.errors import InputError
from pointaction.fewshot.track_features import PATCH_WIDTH
from pointaction.models.fewshot import Network
from pointaction.models.strm import STRM, STRMConfig, patches_of
from pointaction.models.trokens import Trokens, TrokensConfig, frame_vectors
from pointaction.tokens.normalise import geometry
from pointaction.trackstore.encoding import decode
from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.part import Part
from pointaction.trackstore.store import Place
from pointaction.training.batch import Batch
from pointaction.training.episodes import (
    EpisodeRecipe,
    Pupil,
    STRMPupil,
    Told,
    TrokensPupil,
    episodes,
)
from pointaction.training.loop import Report, Run, Waited, optimise, unheeded
from pointaction.training.track_batches import choose, on_clock

FRAMES = 32  # of the clock that tracks are put on
SEEN = 8  # frames that a network looks at
LEAVE_OUT = ("ple", "fle", "query-class")  # parts of STRM that can be

Frame = Centre | Squashed
"""What a backbone saw of a frame."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """B clips, and what a backbone found in them."""

    moves: Batch
    place: Tensor  # (B, N, T, 2) of the tracks, from -1 to 1 over what the backbone saw
    maps: Tensor  # (B, SEEN, g, g, C) in half precision

    @property
    def group(self) -> Tensor | None:
        return self.moves.group

    @property
    def label(self) -> Tensor:
        return self.moves.label

    def to(self, device: torch.device) -> "Seen":
        return Seen(
            moves=self.moves.to(device), place=self.place.to(device), maps=self.maps.to(device)
        )


@dataclass(frozen=True)
class LookingTrokens(TrokensPupil):
    def describe(self, batch: Any) -> Told:
        when = torch.linspace(0, batch.place.shape[2] - 1, SEEN).round().long()
        encoded = self.network(
            batch.place[:, :, when], batch.moves.visible[:, :, when], batch.maps.float()
        )
        return frame_vectors(encoded), encoded.logits


@dataclass(frozen=True)
class LookingSTRM(STRMPupil):
    def describe(self, batch: Any) -> Told:
        maps = batch.maps.float().permute(0, 1, 4, 2, 3)
        return self.network.enrich(patches_of(maps, self.network.config.patches))


@dataclass(frozen=True, kw_only=True)
class Clips:
    """How the clips of a store are shown to a network."""

    part: Part
    labels: Sequence[str]  # of training, in the order of the head that names them
    tracks: int  # of each clip, by chance
    frame: Frame | None = None  # None: tracks alone

    def show(self, places: Sequence[Place], group: Tensor | None, chance: Generator) -> Any:
        """`Batch` or `Seen` of the clips that lie there."""
        store = self.part.store
        entries = [store.entries(place.shard)[place.row] for place in places]
        told, visible, sizes = [], [], []
        for place in places:
            tracks = decode(store.read_rows(place.shard, [place.row])[0], depth=False)
            xy, seen, real = choose(
                *on_clock(tracks, FRAMES, own_depth=False), self.tracks, generator=chance
            )
            told.append(xy)
            visible.append(seen & real[:, None])
            sizes.append(tracks.size)
        xy, shown = torch.stack(told), torch.stack(visible)
        number = {label: row for row, label in enumerate(self.labels)}
        moves = Batch(
            geometry=geometry(xy, looming(xy, shown)),
            visible=shown,
            present=shown.any(-1),
            label=torch.tensor([number.get(entry.label or "", -1) for entry in entries]),
            group=group,
        )
        if self.frame is None:
            return moves
        return Seen(
            moves=moves,
            place=on_what_is_seen(xy, sizes, self.frame),
            maps=as_maps([store.features_at(place) for place in places]),
        )


def on_what_is_seen(xy: Tensor, sizes: Sequence[tuple[int, int]], frame: Frame) -> Tensor:
    """xy (B, N, T, 2), in units of the longer side, from -1 to 1 over what a backbone saw."""
    extent = torch.tensor([[width, height] for height, width in sizes], dtype=torch.float32)
    extent = extent / extent.amax(1, keepdim=True)  # (B, 2) of the frame, in these units
    corner = torch.zeros_like(extent)
    if isinstance(frame, Centre):
        side = extent.amin(1, keepdim=True) * frame.side / frame.short_side
        corner, extent = (extent - side) / 2, side.expand(-1, 2)
    return 2 * (xy - corner[:, None, None]) / extent[:, None, None] - 1


def as_maps(looked: Sequence[StoredFeatures | None]) -> Tensor:
    """Features of a backbone that sees frame by frame, (B, SEEN, g, g, C).

    Raises InputError where a clip has none, or frames are no squares of patches.
    """
    maps = []
    for each in looked:
        if each is None:
            raise InputError("some clips of the store have no features; extract it with a backbone")
        steps = int(each.time.max()) + 1
        by_step = torch.from_numpy(each.tokens.copy()).unflatten(0, (steps, -1))
        side = int(by_step.shape[1] ** 0.5)
        if by_step.shape[1] - side * side > 1:
            raise InputError(f"{by_step.shape[1]} tokens of a frame are no square of patches")
        when = torch.linspace(0, steps - 1, SEEN).round().long()
        patches = by_step[when, by_step.shape[1] - side * side :]  # CLS comes first
        maps.append(patches.unflatten(1, (side, side)))
    return torch.stack(maps)


def seen_frame(native: NativeInput) -> Frame:
    """InputError for a backbone that sees frames in another way."""
    if isinstance(native.frame, Centre | Squashed):
        return native.frame
    raise InputError("few-shot networks want a backbone that looks at squares")


class StoredEpisodes(Dataset[Any]):
    """`batches[number]`: always the same episode of a seed, class by class.

    `group` is the class within the episode. Classes with too few clips are never drawn; InputError
    where too few are left.
    """

    def __init__(self, clips: Clips, recipe: EpisodeRecipe, *, seed: int) -> None:
        self.clips = clips
        self.recipe = recipe
        self.seed = seed
        by_label: dict[str, list[Place]] = defaultdict(list)
        for shard, rows in enumerate(clips.part.rows):
            entries = clips.part.store.entries(shard) if len(rows) else []
            for row in rows.tolist():
                by_label[str(entries[row].label)].append(Place(shard, row))
        self.classes = [
            places for _, places in sorted(by_label.items()) if len(places) >= recipe.performances
        ]
        if len(self.classes) < recipe.ways:
            raise InputError(
                f"{recipe.ways}-way episodes need {recipe.ways} classes of {recipe.performances} "
                f"clips; only {len(self.classes)} have so many",
                limit=recipe.ways,
                value=len(self.classes),
            )

    def __getitem__(self, number: int) -> Any:
        recipe = self.recipe
        chance = Generator().manual_seed(self.seed * 1_000_003 + number)
        ways = torch.randperm(len(self.classes), generator=chance)[: recipe.ways]
        places: list[Place] = []
        for way in ways.tolist():
            own = self.classes[way]
            order = torch.randperm(len(own), generator=chance)[: recipe.performances]
            places += [own[row] for row in order.tolist()]
        group = torch.arange(recipe.ways).repeat_interleave(recipe.performances)
        return self.clips.show(places, group, chance)


def described(
    pupil: Pupil, clips: Clips, *, device: torch.device, together: int = 16
) -> Iterator[Told]:
    """What a network makes of all clips of the part, a few at a time, in its order."""
    places = [
        Place(shard, row) for shard, rows in enumerate(clips.part.rows) for row in rows.tolist()
    ]
    pupil.network.to(device).eval()
    for first in range(0, len(places), together):
        chance = Generator().manual_seed(first)
        batch = clips.show(places[first : first + together], None, chance)
        with torch.inference_mode():
            yield tuple(part.cpu() for part in pupil.describe(batch.to(device)))


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a network is to be like."""

    network: str  # trokens, strm or trx
    small: bool = False
    cardinalities: tuple[int, ...] | None = None  # of tuples; None: the papers'
    without: tuple[str, ...] = ()  # of LEAVE_OUT

    def build(self, *, classes: int, tracks: int, map_shape: tuple[int, int] | None) -> Network:
        """map_shape: patches on a side and numbers in each; None: from tracks alone."""
        known = {"trokens": self._trokens, "strm": self._strm, "trx": self._trx}
        return chosen(self.network, known)(classes, tracks, map_shape)

    def _trokens(self, classes: int, tracks: int, map_shape: tuple[int, int] | None) -> Network:
        grid, width = map_shape or (16, None)
        size: dict[str, Any] = {"width": 48, "heads": 4} if self.small else {}
        return Trokens(
            TrokensConfig(
                frames=SEEN, points=tracks, appearance=width, grid=grid, classes=classes, **size
            )
        )

    def _strm(self, classes: int, tracks: int, map_shape: tuple[int, int] | None) -> Network:
        inputs = map_shape[1] if map_shape else PATCH_WIDTH
        size: dict[str, Any] = {"width": inputs, "inputs": None}
        if self.small or map_shape is None:
            size = {"width": 128, "inputs": inputs, "projection": 128}
            size |= {"bottleneck": 64, "query_class_width": 64}
        parts = {name.replace("-", "_"): False for name in self.without}
        return STRM(
            STRMConfig(frames=SEEN, cardinalities=self.cardinalities or (2,), **size, **parts)
        )

    def _trx(self, classes: int, tracks: int, map_shape: tuple[int, int] | None) -> Network:
        own = Build(
            network="strm",
            small=self.small,
            cardinalities=self.cardinalities or (2, 3),
            without=LEAVE_OUT,
        )
        return own._strm(classes, tracks, map_shape)


def pupil_of(network: nn.Module, *, looking: bool) -> Pupil:
    """How the network is asked."""
    if isinstance(network, Trokens):
        return LookingTrokens(network) if looking else TrokensPupil(network)
    assert isinstance(network, STRM)  # there is no other
    return LookingSTRM(network) if looking else STRMPupil(network)


def learn_episodes(
    run: Run, report: Report, *, clips: Clips, build: Build, waited: Waited = unheeded
) -> tuple[Network, int]:
    """Train a network on episodes of the clips; it, and its steps so far. Call again to go on."""
    recipe = run.recipe
    assert isinstance(recipe, EpisodeRecipe)  # whoever made the run saw to it
    shown = StoredEpisodes(clips, recipe, seed=run.seed)
    torch.manual_seed(run.seed)  # initial weights
    map_shape = None
    if clips.frame is not None:
        maps = as_maps([clips.part.store.features_at(shown.classes[0][0])])
        map_shape = maps.shape[2], maps.shape[4]
    network = build.build(classes=len(clips.labels), tracks=clips.tracks, map_shape=map_shape)
    pupil = pupil_of(network, looking=clips.frame is not None)
    steps = optimise(
        run, network, episodes(pupil, recipe, seed=run.seed), shown, report, waited=waited
    )
    return network.cpu().eval(), steps
