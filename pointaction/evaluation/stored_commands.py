"""`pointaction evaluate stored`: weights on the clips of a store. Thin: imported when asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.progress import counting
from pointaction.terminal import out, plain

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pointaction.evaluation.figures import Figure
    from pointaction.evaluation.stored import Ask, Shown
    from pointaction.models.traction import TrackEncoder
    from pointaction.trackstore.part import Part
    from pointaction.training.variants import Variant

stored = typer.Typer(help="Weights on the clips of a store of tracks.", no_args_is_help=True)

Clips = Annotated[str, typer.Argument(help="A store: a folder, or s3://bucket/folder.")]
Weights = Annotated[Path, typer.Option(help="That a command left in a run's folder.")]
VariantName = Annotated[str, typer.Option(help="Of TrAction, as it was trained.")]
Small = Annotated[bool, typer.Option("--small", help="The variant was trained in a small size.")]
Figures = Annotated[
    Path | None, typer.Option("--figures", help="Also write what was measured here, as JSON.")
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that read clips.")]


@stored.command()
def accuracy(
    clips: Clips,
    weights: Weights,
    variant: VariantName = "paper",
    small: Small = False,
    share: Annotated[
        float, typer.Option("--val-share", min=0, max=0.9, help="As it was trained.")
    ] = 0.2,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Tracks of each clip, instead of all.")
    ] = None,
    times: Annotated[
        int, typer.Option(min=1, help="Samples of a clip, whose logits are averaged.")
    ] = 1,
    middle: Annotated[bool, typer.Option("--middle", help="As it was trained.")] = False,
    looks: Annotated[
        str | None, typer.Option(help="The store of the features, if it is another.")
    ] = None,
    figures: Figures = None,
    workers: Workers = 0,
    device: Device = "cpu",
) -> None:
    """Top-1 and top-5 of a fine-tuned variant, a probe or a fusion, on the clips that were kept."""
    import torch

    from pointaction.evaluation.stored import ask_all, top
    from pointaction.evaluation.stored import share as as_figure
    from pointaction.trackstore.store import TrackStore
    from pointaction.trackstore.whole import WholeClips
    from pointaction.training.division import divide_store
    from pointaction.training.stored_looks import WholeLooked, read_labels

    labels = read_labels(weights)
    network, ask, looking = _opened(weights, find(variant, small), len(labels))
    other = TrackStore(looks) if looks else None
    network.to(torch.device(device))
    among = other.places if other is not None else None
    kept = divide_store(TrackStore(clips), share=share, among=among).kept
    if not len(kept):
        raise InputError(
            f"{clips} keeps no clips to be asked about; give --val-share as in training"
        )
    logits: list[Tensor] = []
    for draw in range(times):
        moves = WholeClips(kept, labels, sample=sample, draw=draw)
        shown: Shown = WholeLooked(moves, middle=middle, looks=other) if looking else moves
        with counting("ask") as progress:
            said, numbers = ask_all(ask, network, shown, workers=workers, progress=progress)
        logits.append(said)
    together = torch.stack(logits).mean(0)
    _tell(
        {f"top-{k}": as_figure(top(together, numbers, k=k)) for k in (1, 5)},
        figures,
    )


@stored.command()
def neighbours(
    clips: Clips,
    weights: Annotated[
        Path | None, typer.Option(help="Of a pretraining; else the features in the store.")
    ] = None,
    variant: VariantName = "paper",
    small: Small = False,
    k: Annotated[int, typer.Option(min=1, help="Neighbours that vote.")] = 20,
    figures: Figures = None,
    workers: Workers = 0,
    device: Device = "cpu",
) -> None:
    """Is the action near, or who does it? k-NN with each actor held out, and each action: IARD."""
    from pointaction.evaluation.embedded import numbered
    from pointaction.evaluation.neighbours import evaluate_neighbours
    from pointaction.evaluation.stored import as_items, mean_of_tracks
    from pointaction.evaluation.stored import share as as_figure

    part = _all_of(clips)
    items = as_items(part)
    if weights is None:
        features = _looks(part)
    else:
        encoder = _encoder(weights, find(variant, small), device)
        features = _asked(part, mean_of_tracks(encoder), encoder, workers)
    found = evaluate_neighbours(
        features,
        numbered([item.label for item in items]),
        numbered([str(item.group) for item in items]),
        k=k,
    )
    _tell({"action": as_figure(found.motion), "identity": as_figure(found.identity)}, figures)


@stored.command()
def groups(
    clips: Clips,
    weights: Weights,
    variant: VariantName = "paper",
    small: Small = False,
    figures: Figures = None,
    workers: Workers = 0,
    device: Device = "cpu",
) -> None:
    """A linear probe per chiral group on the CLS token, and the mean over groups: CiA."""
    import torch
    from torch import Generator

    from pointaction.evaluation.chiral_groups import probe_groups
    from pointaction.evaluation.metrics import bootstrap
    from pointaction.evaluation.stored import chiral_items, embedding, mean

    part = _all_of(clips)
    encoder = _encoder(weights, find(variant, small), device)
    rows, items = chiral_items(part)
    features = _asked(part, embedding(encoder), encoder, workers)[torch.tensor(rows)]
    found = probe_groups(items, features)
    shares = torch.tensor([each.share for each in found.values()])
    chance = Generator().manual_seed(0)
    over = bootstrap(lambda drawn: drawn.mean().item(), shares, generator=chance)
    _tell({"mean over groups": mean(over, f"{len(found)} groups")}, figures)


@stored.command()
def episodes(
    clips: Clips,
    weights: Weights,
    split: Annotated[str, typer.Option(help="Whose classes are asked about.")] = "test",
    ways: Annotated[int, typer.Option(min=2)] = 5,
    shots: Annotated[
        list[int] | None, typer.Option(min=1, help="Numbers of examples; 5 if none is given.")
    ] = None,
    asked: Annotated[int, typer.Option("--episodes", min=2)] = 10_000,
    tracks: Annotated[int, typer.Option(min=16, help="Of a clip, as it was trained.")] = 256,
    seed: Annotated[int, typer.Option(help="Which episodes.")] = 0,
    figures: Figures = None,
    store: Store = DEFAULT_STORE,
    device: Device = "cpu",
) -> None:
    """Few-shot: Trokens, STRM or TRX, one query per class, as the papers measure."""
    import torch

    from pointaction.evaluation.embedded import numbered
    from pointaction.evaluation.fewshot import Trial, evaluate_episodes
    from pointaction.evaluation.stored import over_episodes
    from pointaction.models.fewshot import load_network
    from pointaction.trackstore.store import TrackStore
    from pointaction.training.division import split_of
    from pointaction.training.episodes import ask, together
    from pointaction.training.stored_episode_commands import frame_of
    from pointaction.training.stored_episodes import Clips as Shown
    from pointaction.training.stored_episodes import described, pupil_of

    opened = TrackStore(clips)
    part = split_of(opened, split)
    frame = frame_of(opened, store)
    pupil = pupil_of(load_network(weights), looking=frame is not None)
    shown = Shown(part=part, labels=(), tracks=tracks, frame=frame)
    parts = []
    with counting("describe") as progress:
        for few in described(pupil, shown, device=torch.device(device)):
            parts.append(few)
            progress(sum(len(each[0]) for each in parts), len(part))
    told = tuple(torch.cat(each) for each in zip(*parts, strict=True))
    pupil.network.cpu()
    labels = numbered([str(entry.label) for entry in part])
    found: dict[str, Figure] = {}
    for count in shots or [5]:
        trial = Trial(ways=ways, queries=1, episodes=asked, seed=seed)
        with torch.inference_mode():
            outcome = evaluate_episodes(
                labels,
                lambda support, query: together(pupil, ask(pupil, told, support, query)),
                trial,
                shots=count,
            )
        found[f"{count}-shot"] = over_episodes(outcome, asked)
    _tell(found, figures)


def _all_of(url: str) -> "Part":
    from pointaction.trackstore.part import Part
    from pointaction.trackstore.store import TrackStore

    part = Part.of(TrackStore(url))
    if not len(part):
        raise InputError(f"{url} has no clips; if some failed, its failures.jsonl says why")
    return part


def find(name: str, small: bool) -> "Variant":
    """The variant of that name; InputError names those there are."""
    from pointaction.choices import chosen
    from pointaction.training.variants import VARIANTS

    variant = chosen(name, VARIANTS)
    return variant.small() if small else variant


def _opened(weights: Path, variant: "Variant", classes: int) -> "tuple[nn.Module, Ask, bool]":
    """The network of a file, how it is asked, and whether it looks at features."""
    from pointaction.evaluation.stored import naming
    from pointaction.models.files import network_in
    from pointaction.models.fusion import load_fusion, load_probe
    from pointaction.training.stored_looks import fusing, load_motion, seeing

    held = network_in(weights)
    if held == "attentiveprobe":
        probe = load_probe(weights)
        return probe, seeing(probe), True
    if held == "latefusion":
        fusion = load_fusion(weights)
        return fusion, fusing(fusion), True
    model = load_motion(weights, variant.build(classes))
    return model, naming(model), False


def _encoder(weights: Path, variant: "Variant", device: str) -> "TrackEncoder":
    import torch

    from pointaction.training.checkpoints import load_encoder

    encoder = variant.build(1).encoder
    load_encoder(encoder, weights)
    return encoder.to(torch.device(device)).eval()


def _asked(part: "Part", ask: "Ask", network: "nn.Module", workers: int) -> "Tensor":
    from pointaction.evaluation.stored import ask_all
    from pointaction.trackstore.whole import WholeClips

    with counting("embed") as progress:
        return ask_all(ask, network, WholeClips(part), workers=workers, progress=progress)[0]


def _looks(part: "Part") -> "Tensor":
    """The mean of each clip's tokens, (n, C)."""
    import torch

    from pointaction.trackstore.whole import WholeClips

    clips = WholeClips(part)
    rows = []
    for number in range(len(clips)):
        for place in clips.places(number):
            found = part.store.features_at(place)
            if found is None:
                raise InputError(
                    f"{part.store.url} has no features; give --weights, or extract some"
                )
            rows.append(torch.from_numpy(found.tokens.astype("float32")).mean(0))
    return torch.stack(rows)


def _tell(found: "Mapping[str, Figure]", path: Path | None) -> None:
    from pointaction.evaluation.figures import save_figures

    for name, figure in found.items():
        out.print(f"{name}: {figure}", highlight=False)
    if path is not None:
        save_figures(path, found)
        out.print(f"written to {plain(path)}", soft_wrap=True)
