"""`pointaction finetune STORE --probe` and `--fuse`: features that lie beside the tracks.

TrAction, appendices C and D: a probe is trained on what a frozen backbone found, and one linear
layer on the probe's features beside the CLS token of a motion branch, both of which stay as they
are.

Shapes:  B clips   S tokens   C width
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

from pointaction.errors import InputError
from pointaction.evaluation.stored import Ask, ask_all, top
from pointaction.models.files import save_network
from pointaction.models.fusion import LateFusion, load_probe
from pointaction.models.probe import AttentiveProbe, ProbeConfig
from pointaction.models.traction import TrAction
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.whole import WholeClips
from pointaction.training.batch import Batch
from pointaction.training.division import Division, divide_store
from pointaction.training.finetune import Finetuned, Watcher
from pointaction.training.finetune_store import StoreWish
from pointaction.training.loop import Run, optimise
from pointaction.training.probing import heads_of
from pointaction.training.processes import is_first


@dataclass(frozen=True, kw_only=True)
class LookedBatch:
    """B clips, as a backbone saw them, and how their points move where that is asked for."""

    tokens: Tensor  # (B, S, C) in half precision
    time: Tensor  # (S,)
    label: Tensor  # (B,)
    moves: Batch | None = None

    def to(self, device: torch.device) -> "LookedBatch":
        return LookedBatch(
            tokens=self.tokens.to(device),
            time=self.time.to(device),
            label=self.label.to(device),
            moves=self.moves.to(device) if self.moves else None,
        )


class LookedBatches(Dataset[LookedBatch]):
    """`batches[number]` as of `StoreBatches`."""

    def __init__(
        self,
        batches: StoreBatches,
        *,
        moving: bool,
        middle: bool = False,
        looks: TrackStore | None = None,
    ) -> None:
        """moving: with tracks. middle: only what was found in the frame in the middle.
        looks: the store that has the features of the same clips, if it is another.
        """
        self.batches = batches
        self.moving = moving
        self.middle = middle
        self.looks = looks

    def __getitem__(self, number: int) -> LookedBatch:
        reader, turns = self.batches.reader, self.batches.turns(number)
        entries = [reader.turn(*turn)[0] for turn in turns]
        if self.looks is None:
            found = [reader.features(*turn) for turn in turns]
        else:
            found = [self.looks.features(entry.key) for entry in entries]
        tokens, time = together(found, middle=self.middle)
        return LookedBatch(
            tokens=tokens,
            time=time,
            label=torch.tensor([self.batches.label(entry) for entry in entries]),
            moves=self.batches[number] if self.moving else None,
        )


class WholeLooked(Dataset[LookedBatch]):
    """`clips[number]` as of `WholeClips`."""

    def __init__(
        self, clips: WholeClips, *, middle: bool = False, looks: TrackStore | None = None
    ) -> None:
        self.clips = clips
        self.middle = middle
        self.looks = looks

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, number: int) -> LookedBatch:
        moves = self.clips[number]
        store, places = self.clips.part.store, self.clips.places(number)
        if self.looks is None:
            found = [store.features_at(place) for place in places]
        else:
            keys = [store.entries(place.shard)[place.row].key for place in places]
            found = [self.looks.features(key) for key in keys]
        tokens, time = together(found, middle=self.middle)
        return LookedBatch(tokens=tokens, time=time, label=moves.label, moves=moves)


def together(looked: Sequence[StoredFeatures | None], *, middle: bool) -> tuple[Tensor, Tensor]:
    """Tokens (B, S, C) of some clips, and their steps in time (S,).

    Raises InputError where a clip has none.
    """
    found = [each for each in looked if each is not None]
    if len(found) < len(looked):
        raise InputError("some clips of the store have no features; extract it with a backbone")
    time = torch.from_numpy(found[0].time.astype("int64"))
    tokens = torch.stack([torch.from_numpy(each.tokens.copy()) for each in found])
    if middle:
        steps = time.unique()
        wanted = time == steps[len(steps) // 2]
        return tokens[:, wanted], time[wanted]
    return tokens, time


def seeing(probe: AttentiveProbe) -> Ask:
    """Logits (n, classes)."""
    return lambda batch: probe(batch.tokens.float(), batch.time)


def fusing(model: LateFusion) -> Ask:
    """Logits (n, classes) of both branches together."""

    def ask(batch: LookedBatch) -> Tensor:
        assert batch.moves is not None  # it was asked for
        moves = batch.moves
        scores, _ = model(
            moves.geometry, moves.visible, batch.tokens.float(), batch.time, moves.present
        )
        fused: Tensor = scores.fused
        return fused

    return ask


def backbone_of(store: TrackStore, name: str | None = None) -> dict[str, Any]:
    """What the manifest says of the backbone; InputError where there is none, or it is another."""
    told = store.making.backbone
    if told is None:
        raise InputError(f"{store.url} has no features; extract it with a backbone")
    if name not in (None, told.get("name")):
        raise InputError(
            f"the features of {store.url} are of {told.get('name')}, not {name}", value=name
        )
    return told


def probe_store(wish: StoreWish, backbone: str, watcher: Watcher, *, middle: bool) -> Finetuned:
    """Train a probe on the features of the clips; its weights are in the run's folder."""
    told = backbone_of(wish.clips, backbone)
    division = divide_store(wish.clips, share=wish.share)
    torch.manual_seed(wish.seed)
    width = _width(division)
    probe = AttentiveProbe(
        ProbeConfig(
            width=width,
            classes=len(division.labels),
            heads=heads_of(width),
            told_time=bool(told.get("timeless")) and not middle,
        )
    )
    return _learn(wish, f"probe {backbone}", division, probe, seeing(probe), watcher, middle=middle)


def fuse_store(
    wish: StoreWish, backbone: str, probe: Path, watcher: Watcher, *, middle: bool
) -> Finetuned:
    """Train the layer above a motion branch, `wish.start`, and a probe; both stay as they are."""
    backbone_of(wish.looks or wish.clips, backbone)
    if wish.variant is None or wish.start is None:
        raise InputError("--fuse on a store wants --variant and --from: the motion branch's own")
    among = wish.looks.places if wish.looks else None
    division = divide_store(wish.clips, share=wish.share, among=among)
    expect_labels(Path(wish.start), division)
    expect_labels(probe, division)
    torch.manual_seed(wish.seed)
    motion = load_motion(Path(wish.start), wish.variant.build(len(division.labels)))
    model = LateFusion(motion, load_probe(probe))
    return _learn(wish, f"fuse {backbone}", division, model, fusing(model), watcher, middle=middle)


def load_motion(path: Path, model: TrAction) -> TrAction:
    """The model with the weights of a file that has all of it; InputError for another's."""
    state = {name: value.float() for name, value in load_file(path).items()}
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} holds another model: {error}") from error
    return model.eval()


def read_labels(weights: Path) -> tuple[str, ...]:
    """The labels of weights that `finetune` left in a run's folder, in the order of their heads."""
    path = weights.with_name("labels.txt")
    try:
        return tuple(path.read_text(encoding="utf-8").split("\n")[:-1])
    except FileNotFoundError:
        raise InputError(
            f"{path} is not there; labels lie beside the weights that they are of"
        ) from None


def expect_labels(weights: Path, division: Division) -> None:
    """InputError for weights that name other labels than are to be learned."""
    if read_labels(weights) != division.labels:
        raise InputError(
            f"{weights} was taught other labels than the {len(division.labels)} of the store"
        )


def _width(division: Division) -> int:
    """Of the tokens; as `together` for a clip without."""
    first = next(iter(division.taught))
    if first.features is None:
        raise InputError(f"clip {first.key} of the store has no features", value=first.key)
    return first.features[1]


def _learn(
    wish: StoreWish,
    name: str,
    division: Division,
    network: AttentiveProbe | LateFusion,
    ask: Ask,
    watcher: Watcher,
    *,
    middle: bool,
) -> Finetuned:
    moving = isinstance(network, LateFusion)
    looks = wish.looks.digest[:12] if wish.looks else "its own"
    run = Run(
        recipe=wish.settings.recipe(name, clips=len(division.taught)),
        folder=wish.folder,
        seed=wish.seed,
        device=wish.device,
        start=Path(wish.start) if wish.start and moving else None,
        workers=wish.workers,
        minutes=wish.minutes,
        data=" ".join([division.digest, looks, *(["middle"] if middle else [])]),
    )
    tracks = StoreBatches.of_run(division.taught, division.labels, run)
    steps = optimise(
        run,
        network,
        _naming(ask),
        LookedBatches(tracks, moving=moving, middle=middle, looks=wish.looks),
        watcher.training(run),
        waited=wish.pace,
    )
    done = Finetuned(steps=steps, planned=run.recipe.steps)
    if steps < run.recipe.steps or not is_first():
        return done
    shown = WholeLooked(WholeClips(division.kept, division.labels), middle=middle, looks=wish.looks)
    return _finished(done, run, network, ask, division, shown)


def _naming(ask: Ask) -> Any:
    def objective(batch: LookedBatch, number: int) -> dict[str, Tensor]:
        logits = ask(batch)
        right = (logits.argmax(-1) == batch.label).float().mean()
        return {"loss": cross_entropy(logits, batch.label), "right": right}

    return objective


def _finished(
    done: Finetuned,
    run: Run,
    network: AttentiveProbe | LateFusion,
    ask: Ask,
    division: Division,
    shown: WholeLooked,
) -> Finetuned:
    last = None
    if len(division.kept):
        last = top(*ask_all(ask, network, shown, workers=run.workers))
    weights = run.folder / "weights.safetensors"
    save_network(network.cpu().eval(), weights)
    (run.folder / "labels.txt").write_text("\n".join(division.labels) + "\n", encoding="utf-8")
    return replace(done, last=last, weights=weights)
