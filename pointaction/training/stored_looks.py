"""`pointaction finetune STORE --probe` and `--fuse`: features that lie beside the tracks.

TrAction, appendices C and D: a probe is trained on what a frozen backbone found, and one linear
layer on the probe's features beside the CLS token of a motion branch, both of which stay as they
are. What comes of it is registered, and is served through the backbone of the model store.

Shapes:  B clips   S tokens   C width
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

from pointaction.appearance.stored import open_trained_on
from pointaction.errors import DamagedWeights, InputError, MissingExtra, UnknownModel
from pointaction.evaluation.stored import Ask, ask_all, top
from pointaction.models.catalog import Entry, Looks, find
from pointaction.models.files import save_network
from pointaction.models.fusion import LateFusion, load_probe
from pointaction.models.probe import AttentiveProbe, ProbeConfig
from pointaction.models.store import BUILDERS
from pointaction.models.traction import TrAction
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.whole import WholeClips
from pointaction.training.batch import Batch
from pointaction.training.card import looks_card
from pointaction.training.division import Division, divide_store
from pointaction.training.finetune import Finetuned, Start, Watcher, find_start
from pointaction.training.finetune_store import StoreWish, stored_inputs
from pointaction.training.looks_entry import looks_entry
from pointaction.training.loop import Run, optimise
from pointaction.training.probing import heads_of
from pointaction.training.processes import is_first
from pointaction.training.register import register
from pointaction.training.variants import as_it_is


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


@dataclass(frozen=True, kw_only=True)
class _Serving:
    """What the catalogue is to say of a network that is registered."""

    version: str
    looks: Looks
    motion: Start | None = None  # of a fusion


def probe_store(wish: StoreWish, backbone: str, watcher: Watcher, *, middle: bool) -> Finetuned:
    """Train a probe on the features of the clips, validate and register it."""
    told = backbone_of(wish.clips, backbone)
    serving = _serving(wish, told, middle=middle)
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
    run = _run(wish, f"probe {backbone}", division, middle=middle)
    return _learn(
        wish, run, division, probe, seeing(probe), watcher, middle=middle, serving=serving
    )


def fuse_store(
    wish: StoreWish, backbone: str, probe: Path, watcher: Watcher, *, middle: bool
) -> Finetuned:
    """Train the layer above a motion branch, `wish.start`, and a probe, which stay as they are;
    validate the whole and register it.
    """
    told = backbone_of(wish.clips if wish.looks is None else wish.looks, backbone)
    serving = _serving(wish, told, middle=middle)
    among = wish.looks.places if wish.looks is not None else None
    division = divide_store(wish.clips, share=wish.share, among=among)
    expect_labels(probe, read_labels(probe), division)
    motion, start = _motion(wish, division)
    torch.manual_seed(wish.seed)
    looked = load_probe(probe)
    model = LateFusion(motion, looked)
    begun = (start.weights, f"probe {_word(looked)}")
    run = _run(wish, f"fuse {backbone}", division, middle=middle, begun=begun)
    serving = replace(serving, motion=start) if serving else None
    return _learn(
        wish, run, division, model, fusing(model), watcher, middle=middle, serving=serving
    )


def _serving(wish: StoreWish, told: dict[str, Any], *, middle: bool) -> _Serving | None:
    """None where nothing is registered. InputError for what could not be served, before a long
    training rather than after it.
    """
    version = wish.version()
    if version is None:
        return None
    mend = "give --no-register to leave what is learned in the run's folder alone"
    if middle:
        raise InputError(
            f"a model is served with all frames of its backbone, and not with the middle; {mend}"
        )
    looks = Looks(name=told["name"], sha256=told["sha256"], frames=told["frames"])
    try:
        open_trained_on(wish.models, looks)
    except (UnknownModel, DamagedWeights, MissingExtra) as error:
        raise InputError(f"{error}; or {mend}") from error
    return _Serving(version=version, looks=looks)


def _motion(wish: StoreWish, division: Division) -> tuple[TrAction, Start]:
    """The branch that tells how points move, and what it is, which the catalogue is told.

    Raises InputError for one that names other labels than the clips.
    """
    if wish.start is None:
        raise InputError(
            "--fuse on a store wants --from: a model or weights that finetune made of its tracks"
        )
    count, variant = len(division.labels), wish.variant
    if variant is None:
        start = find_start(wish.models, wish.start)
        own = Path(wish.start) == start.weights
        told = read_labels(start.weights) if own else find(wish.models, wish.start).labels
        build = BUILDERS[start.builder]
    else:
        if variant.relative or variant.change is not as_it_is:
            raise InputError(
                f"a fusion would not know what {variant.name} leaves out; fuse one that tells all"
            )
        start = Start.unknown(Path(wish.start), variant.name)
        told, build = read_labels(start.weights), variant.build
    expect_labels(wish.start, told, division)
    return load_motion(start.weights, build(count)), start


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


def expect_labels(what: str | Path, told: Sequence[str], division: Division) -> None:
    """InputError for a branch that names other labels than are to be learned."""
    if tuple(told) != division.labels:
        raise InputError(
            f"{what} was taught other labels than the {len(division.labels)} of the store; give "
            "one that was taught on the same clips"
        )


def _width(division: Division) -> int:
    """Of the tokens; as `together` for a clip without."""
    first = next(iter(division.taught))
    if first.features is None:
        raise InputError(f"clip {first.key} of the store has no features", value=first.key)
    return first.features[1]


def _run(
    wish: StoreWish,
    name: str,
    division: Division,
    *,
    middle: bool,
    begun: tuple[Path, str] | None = None,
) -> Run:
    """begun: the weights of the motion branch, and a word that changes with the probe."""
    looks = wish.looks.digest[:12] if wish.looks is not None else "its own"
    more = [*(["middle"] if middle else []), *([begun[1]] if begun else [])]
    return Run(
        recipe=wish.settings.recipe(name, clips=len(division.taught)),
        folder=wish.folder,
        seed=wish.seed,
        device=wish.device,
        start=begun[0] if begun else None,
        workers=wish.workers,
        minutes=wish.minutes,
        data=" ".join([division.digest, looks, *more]),
    )


def _learn(
    wish: StoreWish,
    run: Run,
    division: Division,
    network: AttentiveProbe | LateFusion,
    ask: Ask,
    watcher: Watcher,
    *,
    middle: bool,
    serving: _Serving | None,
) -> Finetuned:
    moving = isinstance(network, LateFusion)
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
    last = None
    if len(division.kept):
        clips = WholeClips(division.kept, division.labels)
        shown = WholeLooked(clips, middle=middle, looks=wish.looks)
        last = top(*ask_all(ask, network, shown, workers=run.workers))
    weights = run.folder / "weights.safetensors"
    digest = save_network(network.cpu().eval(), weights)
    (run.folder / "labels.txt").write_text("\n".join(division.labels) + "\n", encoding="utf-8")
    entry = None
    if serving is not None:
        entry = replace(_entry(wish, serving, division, network), sha256=digest)
        card = looks_card(entry, division.clips, last, seed=wish.seed)
        register(wish.models, entry, weights, card)
    return replace(done, entry=entry, last=last, weights=weights)


def _entry(
    wish: StoreWish, serving: _Serving, division: Division, network: AttentiveProbe | LateFusion
) -> Entry:
    moves = {}
    if isinstance(network, LateFusion):
        moves = stored_inputs(wish.clips, network.motion)
    return looks_entry(
        wish.models,
        wish.name,
        serving.version,
        network,
        serving.looks,
        labels=division.labels,
        motion=serving.motion,
        moves=moves,
    )


def _word(probe: AttentiveProbe) -> str:
    """What changes with the probe; files of equal ones may differ in how they are written."""
    told = sha256()
    for name, value in sorted(probe.state_dict().items()):
        told.update(name.encode() + value.numpy().tobytes())
    return told.hexdigest()[:12]


def _naming(ask: Ask) -> Any:
    def objective(batch: LookedBatch, number: int) -> dict[str, Tensor]:
        logits = ask(batch)
        right = (logits.argmax(-1) == batch.label).float().mean()
        return {"loss": cross_entropy(logits, batch.label), "right": right}

    return objective
