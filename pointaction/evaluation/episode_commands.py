"""`pointaction evaluate episodes`: thin, and the work is imported when asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pointaction.evaluation.commands import Cache, Model, ReportFolder, Seed
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.progress import counting


def episodes(
    model: Model = "traction-tiny",
    programs: Annotated[int, typer.Option(min=21, help="Classes to fit to, and to test on.")] = 48,
    performances: Annotated[int, typer.Option(min=11, help="Clips of each.")] = 12,
    count: Annotated[int, typer.Option("--episodes", min=2, help="Of each kind.")] = 100,
    tracks: Annotated[int, typer.Option(min=2, help="Points per performance.")] = 256,
    clips: Annotated[
        Path | None, typer.Option(help="Also test on these: a folder per label; never fitted to.")
    ] = None,
    cache: Cache = None,
    seed: Seed = 0,
    save: Annotated[Path | None, typer.Option(help="Write the calibrations here, as JSON.")] = None,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Few-shot episodes where every other query is none of these: who notices?"""
    from pointaction.evaluation.followed import follow_folder
    from pointaction.evaluation.open_episodes import OpenTrial, ask, calibrate, compare
    from pointaction.evaluation.performances import TRACKED
    from pointaction.evaluation.report import Report
    from pointaction.evaluation.unseen import Repertoire, describe_followed, describe_repertoire
    from pointaction.fewshot.calibration import save_episode_calibrations
    from pointaction.fewshot.heads import HEADS
    from pointaction.methods import Running
    from pointaction.models.catalog import find
    from pointaction.models.store import load_model

    entry = find(store, model)
    encoder = load_model(store, entry).encoder
    matchers = {name: head.open(store, Running()) for name, head in HEADS.items()}
    parts = {matcher.part for matcher in matchers.values()}
    seen, sight = {}, replace(TRACKED, points=tracks)
    for name, its_seed in (("fit", seed + 1), ("test", seed)):
        acts = Repertoire(programs=programs, performances=performances, seed=its_seed)
        with counting(name) as progress:
            seen[name] = describe_repertoire(encoder, acts, sight, parts=parts, progress=progress)
    mixed = OpenTrial(episodes=count, seed=seed)
    calibrations = {
        name: calibrate(ask(matcher, seen["fit"], mixed)) for name, matcher in matchers.items()
    }
    if save is not None:
        save_episode_calibrations(save, calibrations)
    tables = {
        f"Programs, {trial}": compare(matchers, calibrations, seen["test"], trial)
        for trial in (mixed, mixed.of(5, 1), mixed.of(5, 5))
    }
    if clips is not None:
        with counting("follow") as progress:
            followed = follow_folder(clips, tracks=512, cache=cache, progress=progress)
        with counting("describe") as progress:
            real = describe_followed(encoder, followed, parts=parts, progress=progress)
        labels = len(real.labels.unique())
        few = max(2, min(5, labels * 3 // 5))  # the others are what belongs nowhere
        for trial in (mixed.of(few, 1), mixed.of(few, 5)):
            tables[f"{len(followed)} clips of {labels} labels, {trial}"] = compare(
                matchers, calibrations, real, trial
            )
    made = Report(
        title="None of these, in episodes",
        conditions={
            "model": f"{model} {entry.version}",
            "fitted to": f"{programs} motion programs of {performances} performances",
            "tested on": "as many others, and on clips where it says so",
            "tracks": tracks,
            "episodes": f"{count} of each kind, seed {seed}; every other query is of no class",
        },
        tables=tables,
    )
    typer.echo(made.markdown())
    if report is not None:
        typer.echo(f"filed as {made.write(report, f'episodes-{model}')}")
