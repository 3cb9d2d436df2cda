"""`pointaction extract-features`. Thin: the work is imported when it is asked for."""

from pathlib import Path
from typing import Annotated

import typer

from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.progress import counting
from pointaction.terminal import err, out, plain
from pointaction.tracking.commands import Device, Rounding


def extract_features(
    source: Annotated[Path, typer.Argument(help="A folder with one folder per label, or a CSV.")],
    backbone: Annotated[
        str, typer.Option(help="Of the store; `pointaction models list` has their names.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A folder for the features of every clip.")
    ] = Path("features"),
    frames: Annotated[
        int | None, typer.Option(min=1, help="Of a clip; else as many as the backbone takes.")
    ] = None,
    store: Store = DEFAULT_STORE,
    device: Device = "cpu",
    precision: Rounding = "float32",
) -> None:
    """Look at clips through a backbone and keep what it finds. Call again to go on.

    `pointaction finetune --probe` and `--fuse` take them from there with `--features`.
    """
    import torch

    from pointaction.appearance.cache import FeatureCache
    from pointaction.appearance.stored import open_stored
    from pointaction.training.clip_folder import read_clips
    from pointaction.training.looked_clips import look_at_clips

    clips = read_clips(source)
    network = open_stored(
        store, backbone, frames=frames, device=device, precision=getattr(torch, precision)
    )
    failures = 0

    def failed(path: Path, error: Exception) -> None:
        nonlocal failures
        failures += 1
        err.print(f"[red]{plain(path)}[/] is left out: {plain(error)}", soft_wrap=True)

    with counting("look") as progress:
        looked = look_at_clips(
            clips, network, FeatureCache(output), progress=progress, failed=failed
        )
    out.print(
        f"{len(looked.clips)} clips, {len(looked.time)} tokens of {looked.width} numbers each, in "
        f"{plain(output / looked.backbone)}",
        soft_wrap=True,
    )
    if failures:
        raise typer.Exit(1)
