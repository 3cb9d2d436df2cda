"""`pointaction evaluate mixed`: thin, and the work is imported when asked for."""

from pathlib import Path
from typing import Annotated

import typer

from pointaction.evaluation.commands import Model, Processes, ReportFolder, Seed
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.progress import counting


def mixed(
    appearance: Annotated[
        Path, typer.Argument(help="Weights that `pointaction train-appearance` wrote.")
    ],
    model: Model = "traction-tiny",
    identities: Annotated[int, typer.Option(min=2, help="Bodies, each with its room.")] = 5,
    taught: Annotated[
        int, typer.Option(min=1, help="Clips of each label that both branches learn from.")
    ] = 8,
    fused: Annotated[
        int, typer.Option(min=1, help="And that the layer above them learns from.")
    ] = 8,
    tested: Annotated[int, typer.Option(min=1, help="And that all are tested on.")] = 4,
    tracks: Annotated[int, typer.Option(min=2, help="Points per clip.")] = 256,
    seed: Seed = 0,
    processes: Processes = 2,
    cache: Annotated[Path, typer.Option(help="Clips are kept here, drawn and followed.")] = Path(
        "runs/mixed"
    ),
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Labels that are a motion by an identity: motion alone, appearance alone, both fused."""
    from torch import Generator

    from pointaction.appearance.dinov2 import own_backbone
    from pointaction.evaluation.mixed import PICTURES, Mixed, watch_mixed
    from pointaction.evaluation.mixed_fusion import measure_gain
    from pointaction.evaluation.performances import performers
    from pointaction.evaluation.report import Report
    from pointaction.models.catalog import find
    from pointaction.models.store import load_model

    entry = find(store, model)
    encoder = load_model(store, entry).encoder
    backbone = own_backbone(appearance, frames=PICTURES)
    shown = Mixed(
        identities=identities,
        taught=taught,
        fused=fused,
        tested=tested,
        points=tracks,
        seed=seed,
    )
    with performers(processes) as pool, counting("draw and follow") as progress:
        watched = watch_mixed(shown, cache, progress=progress, pool=pool)
    chance = Generator().manual_seed(seed)
    _, gain = measure_gain(shown, watched, encoder, backbone, generator=chance)
    made = Report(
        title="Motion by looks: what late fusion brings",
        conditions={
            "model": f"{model} {entry.version}",
            "appearance": f"{appearance.name} {backbone.sha256[:12]}",
            "labels": f"{len(shown.motions)} motions by {identities} identities",
            "clips of each label": f"{taught} for both branches, {fused} for the layer above "
            f"them, {tested} tested",
            "seen as": f"rendered pixels, {tracks} tracks and {PICTURES} pictures",
            "seed": seed,
        },
        tables={"Share of the tested clips": gain.table()},
    )
    typer.echo(made.markdown())
    if report is not None:
        typer.echo(f"filed as {made.write(report, f'mixed-{model}')}")
