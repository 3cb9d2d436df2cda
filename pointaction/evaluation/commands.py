"""`pointaction evaluate`: one function per command. Thin: the work is imported when asked for."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointaction.choices import chosen
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.progress import counting

if TYPE_CHECKING:
    from pointaction.evaluation.performances import Programme, Seen, Sight
    from pointaction.evaluation.report import Report
    from pointaction.explain.canvas import Image
    from pointaction.models.traction import TrackEncoder
    from pointaction.pipeline import Recogniser

evaluation = typer.Typer(help="Measure a model.", no_args_is_help=True)

Model = Annotated[str, typer.Option(help="A model of the catalogue.")]
Points = Annotated[int, typer.Option("--tracks", min=2, help="Points per clip.")]
PerClass = Annotated[int, typer.Option(min=1, help="Clips per class.")]
Pixels = Annotated[int, typer.Option(min=0, help="Rendered clips per class, 0 for none.")]
Wide = Annotated[bool, typer.Option(help="More widely varied than in training.")]
Seed = Annotated[int, typer.Option(help="Which held-out performances.")]
Processes = Annotated[int, typer.Option(min=1, help="That perform and track.")]
Models = Annotated[
    list[str] | None, typer.Option(help="Of the catalogue; traction-tiny if none is named.")
]
Weights = Annotated[list[Path] | None, typer.Option(help="Exported weights that are in no store.")]
Builder = Annotated[str, typer.Option(help="Shape of --weights and --untrained.")]
Untrained = Annotated[bool, typer.Option("--untrained", help="Also random weights.")]
Cache = Annotated[Path | None, typer.Option(help="Keep tracks here for the next run.")]
ReportFolder = Annotated[
    Path | None, typer.Option("--report", help="Also file the tables here, as .md and .json.")
]


@evaluation.command()
def procedural(
    model: Model = "traction-tiny",
    per_class: PerClass = 20,
    pixels: Pixels = 5,
    wide: Wide = True,
    tracks: Points = 512,
    seed: Seed = 0,
    processes: Processes = 2,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """The motions that the model was taught, performed anew: top-1, top-5, what is mistaken."""
    from pointaction.evaluation.pictures import confusion_picture
    from pointaction.evaluation.procedural import evaluate_closed_set, every_label, tables
    from pointaction.evaluation.report import Report
    from pointaction.pipeline import Recogniser

    recogniser = Recogniser.load(store, model)
    labels, outcomes = recogniser.entry.labels, {}
    for name, (sight, count) in _ways(tracks, per_class, pixels).items():
        programme = every_label(labels, per_class=count, seed=seed, wide=wide)
        seen = _see(name, recogniser, programme, sight, processes)
        outcomes[name] = evaluate_closed_set(seen, labels)
    filed = _show(
        Report(
            title="Named motions on held-out performances",
            conditions=_conditions(model, tracks=tracks, wide=wide, seed=seed)
            | {"labels": f"{len(outcomes['exact tracks'].per_label)} of {len(labels)}"},
            tables=tables(outcomes),
        ),
        report,
        f"procedural-{model}",
    )
    for name, outcome in outcomes.items():
        _draw(confusion_picture(outcome.confusion, labels), filed, f"confusion {name}")


@evaluation.command()
def chirality(
    model: Model = "traction-tiny",
    per_class: PerClass = 20,
    pixels: Pixels = 5,
    wide: Wide = True,
    tracks: Points = 512,
    seed: Seed = 0,
    processes: Processes = 2,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Motions and their opposites: by the model's answer, and by a linear probe per pair."""
    from pointaction.evaluation.chirality import evaluate_pairs, opposite_motions, opposites, table
    from pointaction.evaluation.report import Report
    from pointaction.pipeline import Recogniser

    recogniser = Recogniser.load(store, model)
    labels, outcomes = recogniser.entry.labels, {}
    for name, (sight, count) in _ways(tracks, per_class, pixels).items():
        halves = {}
        for half, its_seed in (("training", seed + 1), ("testing", seed)):
            programme = opposite_motions(labels, per_class=count, seed=its_seed, wide=wide)
            halves[half] = _see(f"{name}, {half}", recogniser, programme, sight, processes)
        outcomes[name] = evaluate_pairs(**halves, pairs=opposites(labels))
    _show(
        Report(
            title="Motions and their opposites",
            conditions=_conditions(model, tracks=tracks, wide=wide, seed=seed),
            tables={
                "One of two: the model's own answer, and a linear probe": table(outcomes, labels)
            },
        ),
        report,
        f"chirality-{model}",
    )


@evaluation.command()
def neighbours(
    model: Model = "traction-tiny",
    actors: Annotated[int, typer.Option(min=2, help="Bodies, each with its room.")] = 5,
    times: Annotated[int, typer.Option(min=1, help="That each does every motion.")] = 2,
    k: Annotated[int, typer.Option(min=1, help="Neighbours that vote.")] = 20,
    pixels: Annotated[bool, typer.Option(help="Also render and track.")] = False,
    wide: Wide = True,
    tracks: Points = 512,
    seed: Seed = 0,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Do clips lie near those of the same motion, or of the same actor? k-NN as on IARD."""
    from pointaction.evaluation.neighbours import (
        evaluate_neighbours,
        everyone_does_everything,
        table,
    )
    from pointaction.evaluation.report import Report
    from pointaction.pipeline import Recogniser

    recogniser = Recogniser.load(store, model)
    programme = everyone_does_everything(
        recogniser.entry.labels, actors=actors, times=times, seed=seed, wide=wide
    )
    assert programme.identity is not None  # everyone is somebody
    outcomes = {}
    for name, (sight, _) in _ways(tracks, 1, int(pixels)).items():
        seen = _see(name, recogniser, programme, sight, processes=1)
        outcomes[name] = evaluate_neighbours(seen.cls, programme.labels, programme.identity, k=k)
    _show(
        Report(
            title="What a clip's nearest neighbours share with it",
            conditions=_conditions(model, tracks=tracks, wide=wide, seed=seed)
            | {"actors": actors, "times": times, "k": k},
            tables={"The actor held out for the motion, the motion for the actor": table(outcomes)},
        ),
        report,
        f"neighbours-{model}",
    )


@evaluation.command()
def robustness(
    model: Model = "traction-tiny",
    per_class: PerClass = 5,
    pixels: Annotated[bool, typer.Option(help="Also at lower and lower resolution.")] = True,
    wide: Wide = True,
    tracks: Points = 512,
    seed: Seed = 0,
    processes: Processes = 2,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """The same performances with fewer points, fewer frames, more noise, fewer pixels."""
    from pointaction.evaluation.performances import Seen, Sight, performers, see
    from pointaction.evaluation.procedural import every_label
    from pointaction.evaluation.report import Report
    from pointaction.evaluation.robustness import evaluate_robustness, sights, table
    from pointaction.pipeline import Recogniser

    recogniser = Recogniser.load(store, model)
    labels = recogniser.entry.labels
    programme = every_label(labels, per_class=per_class, seed=seed, wide=wide)

    with performers(processes) as pool:

        def look(name: str, sight: Sight) -> Seen:
            with counting(name) as progress:
                return see(recogniser, programme, sight, progress=progress, pool=pool)

        found = evaluate_robustness(look, sights(points=tracks, pixels=pixels))
    _show(
        Report(
            title="Named motions, seen less well",
            conditions=_conditions(model, tracks=tracks, wide=wide, seed=seed),
            tables={"The same performances throughout": table(found)},
        ),
        report,
        f"robustness-{model}",
    )


@evaluation.command()
def openset(
    model: Model = "traction-tiny",
    per_class: Annotated[int, typer.Option(min=2, help="Clips per class.")] = 10,
    seen_as: Annotated[
        str, typer.Option(help="exact, tracked (exact but for a tracker's noise) or pixels.")
    ] = "tracked",
    wide: Wide = True,
    tracks: Points = 512,
    seed: Seed = 0,
    processes: Processes = 2,
    save: Annotated[
        Path | None, typer.Option(help="Write temperature and threshold here, as JSON.")
    ] = None,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Is the model as right as it is sure, and does it notice what it has no name for?"""
    from torch import Generator

    from pointaction.evaluation.calibration import reliability, reliability_table
    from pointaction.evaluation.openset import evaluate_open_set
    from pointaction.evaluation.performances import EXACT, PIXELS, TRACKED, Programme
    from pointaction.evaluation.pictures import reliability_picture
    from pointaction.evaluation.procedural import every_label
    from pointaction.evaluation.report import Report
    from pointaction.pipeline import Recogniser

    sights = {"exact": EXACT, "tracked": TRACKED, "pixels": PIXELS}
    sight = replace(chosen(seen_as, sights), points=tracks)
    recogniser = Recogniser.load(store, model)
    labels = recogniser.entry.labels
    fitted = every_label(labels, per_class=per_class, seed=seed + 1, wide=wide)
    known = every_label(labels, per_class=per_class, seed=seed, wide=wide)
    unknown = Programme.unnamed(len(known.labels), seed=seed, wide=wide)
    parts = []
    for part, programme in (("fit", fitted), ("known", known), ("unknown", unknown)):
        parts.append(_see(f"{seen_as}, {part}", recogniser, programme, sight, processes))
    chance = Generator().manual_seed(seed)
    found = evaluate_open_set(*parts, generator=chance)
    reliabilities = {
        when: reliability(
            parts[1].logits, parts[1].labels, temperature=temperature, generator=chance
        )
        for when, temperature in (("as it is", 1.0), ("calibrated", found.temperature))
    }
    if save is not None:
        found.calibration().save(save)
    filed = _show(
        Report(
            title="Calibration, and motions without a name",
            conditions=_conditions(model, tracks=tracks, wide=wide, seed=seed)
            | {"seen as": seen_as, "best score": found.best},
            tables={
                "Sureness against accuracy": reliability_table(reliabilities),
                "Named motions against endless motion programs": found.table(),
            },
        ),
        report,
        f"openset-{model}",
    )
    for when, measured in reliabilities.items():
        _draw(reliability_picture(measured), filed, f"reliability {when}")


@evaluation.command()
def fewshot(
    folder: Annotated[Path, typer.Argument(help="One folder per label, with clips in it.")],
    model: Models = None,
    weights: Weights = None,
    builder: Builder = "traction_tiny",
    untrained: Untrained = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also what needs no learning.")
    ] = False,
    ways: Annotated[int, typer.Option(min=2)] = 5,
    shots: Annotated[tuple[int, int], typer.Option(help="Two numbers of examples to try.")] = (
        1,
        5,
    ),
    queries: Annotated[int, typer.Option(min=1, help="Per class and episode.")] = 5,
    episodes: Annotated[int, typer.Option(min=2)] = 1000,
    tracks: Points = 512,
    seed: Annotated[int, typer.Option(help="Which episodes, and which random weights.")] = 0,
    failures: Annotated[
        bool, typer.Option("--failures", help="Also what is taken for what, per contender.")
    ] = False,
    cache: Cache = None,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Clips of your own: frozen encoders and baselines on the same tracks and episodes."""
    from pointaction.evaluation import fewshot
    from pointaction.evaluation.followed import follow_folder
    from pointaction.evaluation.report import Report

    encoders = _encoders(store, model, weights, builder, seed if untrained else None)
    with counting("follow") as progress:
        clips = follow_folder(folder, tracks=tracks, cache=cache, progress=progress)
    contenders = {name: fewshot.frozen(encoder, clips) for name, encoder in encoders.items()}
    if baselines:
        contenders |= fewshot.baselines(clips)
    trial = fewshot.Trial(ways=ways, queries=queries, episodes=episodes, seed=seed)
    labels, names = fewshot.label_numbers(clips)
    tables = {
        "Accuracy and its 95 % interval over the episodes": fewshot.compare(
            labels, contenders, trial, shots=shots
        )
    }
    for name, contender in contenders.items() if failures else ():
        tables[f"Shares of answers, {name}"] = fewshot.confusions(
            labels, names, contender, trial, shots=shots[0]
        )
    _show(
        Report(
            title="Few-shot recognition of clips that nobody was taught",
            conditions={
                "clips": f"{len(clips)} of {len(names)} labels",
                "tracks": tracks,
                "episodes": f"{episodes} of {queries} queries per class, seed {seed}",
            },
            tables=tables,
        ),
        report,
        "fewshot",
    )


@evaluation.command()
def iard(
    root: Annotated[Path, typer.Argument(help="Invariant Action Recognition Dataset, unpacked.")],
    model: Models = None,
    weights: Weights = None,
    builder: Builder = "traction_tiny",
    untrained: Untrained = False,
    k: Annotated[int, typer.Option(min=1, help="Neighbours that vote.")] = 20,
    tracks: Points = 512,
    seed: Annotated[int, typer.Option(help="Which random weights.")] = 0,
    cache: Cache = None,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Frozen encoders on IARD: is it the motion that is near, or the actor? TrAction, 2(a)."""
    from pointaction.datasets.iard import read_iard
    from pointaction.evaluation.embedded import embed_items, numbered
    from pointaction.evaluation.neighbours import evaluate_neighbours, table
    from pointaction.evaluation.report import Report

    items = read_iard(root).items
    encoders = _encoders(store, model, weights, builder, seed if untrained else None)
    with counting("follow") as progress:
        seen = embed_items(
            items, encoders, tracks=tracks, cache=cache, progress=progress, failed=_left_out
        )
    motion = numbered([item.label for item in seen.items])
    identity = numbered([str(item.group) for item in seen.items])
    outcomes = {
        name: evaluate_neighbours(features, motion, identity, k=k)
        for name, features in seen.features.items()
    }
    _show(
        Report(
            title="Invariant Action Recognition Dataset",
            conditions={
                "clips": f"{len(seen.items)} of {len(items)}",
                "tracks": tracks,
                "k": k,
            },
            tables={"The actor held out for the motion, the motion for the actor": table(outcomes)},
        ),
        report,
        "iard",
    )


@evaluation.command()
def cia(
    root: Annotated[Path, typer.Argument(help="Folder with cia-ssv2-train.csv and -validation.")],
    videos: Annotated[
        Path | None, typer.Option(help="Of Something-Something V2, if not beside the lists.")
    ] = None,
    model: Models = None,
    weights: Weights = None,
    builder: Builder = "traction_tiny",
    untrained: Untrained = False,
    tracks: Points = 512,
    seed: Annotated[int, typer.Option(help="Which random weights.")] = 0,
    cache: Cache = None,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Frozen encoders on Chirality in Action, SSv2: a linear probe per group. TrAction, 2(b)."""
    from pointaction.datasets.cia import read_cia_ssv2
    from pointaction.datasets.ssv2 import VIDEOS
    from pointaction.evaluation.chiral_groups import probe_groups, tables
    from pointaction.evaluation.embedded import embed_items
    from pointaction.evaluation.report import Report

    listed = read_cia_ssv2(root, videos or root / VIDEOS)
    encoders = _encoders(store, model, weights, builder, seed if untrained else None)
    with counting("follow") as progress:
        seen = embed_items(
            listed.present().items,
            encoders,
            tracks=tracks,
            cache=cache,
            progress=progress,
            failed=_left_out,
        )
    outcomes = {name: probe_groups(seen.items, found) for name, found in seen.features.items()}
    _show(
        Report(
            title="Chirality in Action, Something-Something V2",
            conditions={
                "clips": f"{len(seen.items)} of {len(listed.items)}",
                "groups": f"{len(next(iter(outcomes.values())))} of "
                f"{len({item.group for item in listed.items})}",
                "tracks": tracks,
            },
            tables=tables(outcomes),
        ),
        report,
        "cia",
    )


@evaluation.command()
def reversal(
    clips: Annotated[list[Path], typer.Argument(help="Clips, or folders of them.")],
    model: Model = "traction-tiny",
    tracks: Points = 512,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Run each clip backwards and mirror it: does the answer become its opposite?"""
    from pointaction.evaluation.report import Report
    from pointaction.evaluation.reversal import answer_views, clip_by_clip, clips_in, tally, within
    from pointaction.pipeline import Recogniser
    from pointaction.synthetic.vocabulary import VOCABULARY, mirrored, reversed_name

    paths = clips_in(clips)
    recogniser = Recogniser.load(store, model)
    with counting("turn") as progress:
        answers = answer_views(recogniser, paths, tracks=tracks, progress=progress)
    _show(
        Report(
            title="Answers to clips run backwards and mirrored",
            conditions={"model": model, "clips": len(paths), "tracks": tracks},
            tables={
                "Labels with an opposite that became it, and labels without that stayed": tally(
                    answers,
                    reversed_name=within(VOCABULARY, reversed_name),
                    mirrored=within(VOCABULARY, mirrored),
                ),
                "Clip by clip": clip_by_clip(answers),
            },
        ),
        report,
        "reversal",
    )


def _encoders(
    store: Path,
    models: list[str] | None,
    weights: list[Path] | None,
    builder: str,
    untrained: int | None,
) -> "dict[str, TrackEncoder]":
    """Those that were asked for, by name; `untrained` is the seed of random weights, or None."""
    from pointaction.evaluation.fewshot import open_encoders

    asked = models or ([] if weights or untrained is not None else ["traction-tiny"])
    return open_encoders(
        store, models=asked, weights=weights or [], builder=builder, untrained=untrained
    )


def _left_out(path: Path, error: Exception) -> None:
    typer.echo(f"{path} is left out: {error}", err=True)


def _ways(tracks: int, exact: int, pixels: int) -> "dict[str, tuple[Sight, int]]":
    """The sights by name, each with its number of clips per class; without pixels for 0 of them."""
    from pointaction.evaluation.performances import EXACT, PIXELS

    ways = {"exact tracks": (replace(EXACT, points=tracks), exact)}
    if pixels:
        ways["rendered pixels"] = (replace(PIXELS, points=tracks), pixels)
    return ways


def _see(
    name: str, recogniser: "Recogniser", programme: "Programme", sight: "Sight", processes: int
) -> "Seen":
    """Perform before the model with so many processes and a bar called `name`."""
    from pointaction.evaluation.performances import performers, see

    with performers(processes) as pool, counting(name) as progress:
        return see(recogniser, programme, sight, progress=progress, pool=pool)


def _conditions(model: str, *, tracks: int, wide: bool, seed: int) -> dict[str, str | int]:
    variety = "wider than in training" if wide else "as in training"
    return {"model": model, "tracks": tracks, "variety": variety, "seed": seed}


def _show(report: "Report", folder: Path | None, name: str) -> Path | None:
    """Print the report as Markdown, and file it where a folder is given; the path of the file."""
    typer.echo(report.markdown())
    if folder is None:
        return None
    filed = report.write(folder, name)
    typer.echo(f"filed as {filed}")
    return filed


def _draw(picture: "Image", filed: Path | None, name: str) -> None:
    """File a picture beside the report, if that was filed."""
    if filed is not None:
        from pointaction.explain.canvas import write_png

        path = filed.with_name(f"{filed.stem}-{name.replace(' ', '-')}.png")
        write_png(picture, path)
        typer.echo(f"drawn as {path}")
