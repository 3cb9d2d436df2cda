"""`pointaction`: the commands of the library. Those of the service join by entry points.

Thin on purpose: what a command does lives elsewhere and is imported when the command is called,
so that `pointaction --help` is quick and needs no torch.
"""

import glob
import os
import sys
from contextlib import closing
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from pointaction.appearance.commands import extract_features
from pointaction.depth.lifters import DEFAULT_DEPTH
from pointaction.errors import InputError, PointActionError
from pointaction.evaluation.benchmark_commands import fewshot_benchmark
from pointaction.evaluation.commands import evaluation
from pointaction.evaluation.episode_commands import episodes
from pointaction.evaluation.mixed_commands import mixed
from pointaction.evaluation.stored_commands import stored
from pointaction.extraction.commands import extract
from pointaction.fewshot.commands import episode
from pointaction.methods import Running
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import models
from pointaction.progress import bars
from pointaction.reproduce.commands import reproduce
from pointaction.terminal import err, out, plain, show
from pointaction.timelines.commands import timeline
from pointaction.tracking.commands import (
    DEPTH_HELP,
    POINTS_HELP,
    TRACKER_HELP,
    Device,
    Rounding,
    track,
)
from pointaction.tracking.points import DEFAULT_POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER
from pointaction.trackstore.commands import trackstore
from pointaction.training.appearance_commands import train_appearance
from pointaction.training.commands import average, film, finetune, grow, pretrain, train
from pointaction.training.episode_commands import train_episodes
from pointaction.training.video_commands import reels, train_video
from pointaction.video.container import SUFFIXES

app = typer.Typer(
    help="Says what is being done in a short clip from how points move.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

TAKEN = (*SUFFIXES, ".npz")
STORE = Path(os.environ.get("POINTACTION_MODEL_STORE", DEFAULT_STORE))

Files = Annotated[list[str], typer.Argument(help="Clips, .tracks.npz, folders or globs.")]
Model = Annotated[str, typer.Option(help="A model of the catalogue.")]


class Service(Protocol):
    """Who answers: this process, or a server."""

    def classify(self, path: Path, *, top_k: int) -> dict[str, Any]: ...

    def draw(self, path: Path, answer: dict[str, Any], target: Path) -> None: ...

    def close(self) -> None: ...


@app.command()
def classify(
    files: Files,
    model: Model = "traction-tiny",
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Labels to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    overlay: Annotated[
        Path | None,
        typer.Option(help="Draw the tracks here: .mp4 or .png; a folder for several clips."),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="In this process, no server.")] = False,
    server: Annotated[
        str, typer.Option(envvar="POINTACTION_SERVER", help="Where the server is.")
    ] = "http://127.0.0.1:8000",
    tracks: Annotated[int, typer.Option(help="Points to follow, with --local.")] = 512,
    points: Annotated[str | None, typer.Option(help=POINTS_HELP)] = None,
    tracker: Annotated[str | None, typer.Option(help=TRACKER_HELP)] = None,
    depth: Annotated[str | None, typer.Option(help=DEPTH_HELP)] = None,
    device: Device = "cpu",
    precision: Rounding = "float32",
) -> None:
    """Say what is being done in each clip. One bad file does not stop the rest."""
    from pointaction.local import LocalService
    from pointaction.remote import RemoteService

    paths = expand(files)
    service: Service = (
        LocalService(
            STORE,
            model,
            tracks=tracks,
            points=points or DEFAULT_POINTS,
            tracker=tracker or DEFAULT_TRACKER,
            depth=depth or DEFAULT_DEPTH,
            running=Running(device=device, precision=precision),
        )
        if local
        else RemoteService(
            server,
            model,
            points=points,
            tracker=tracker,
            depth=depth,
            api_key=os.environ.get("POINTACTION_API_KEY"),
        )
    )
    failed = 0
    with closing(service), bars(quiet=as_json or len(paths) == 1) as progress:
        task = progress.add_task("classify", total=len(paths))
        for path in paths:
            try:
                answer = service.classify(path, top_k=top_k)
                if overlay:
                    target = _target(overlay, path, several=len(paths) > 1)
                    service.draw(path, answer, target)
                    answer["overlay"] = str(target)
            except PointActionError as error:
                failed += 1
                answer = {"problem": {"kind": error.kind, "detail": str(error)}}
            show(path, answer, as_json=as_json)
            progress.advance(task)
    if failed:
        err.print(f"{failed} of {len(paths)} files failed", style="red")
        raise typer.Exit(1)


app.command()(track)
app.command()(timeline)
app.command()(extract)
app.command()(train)
app.command()(pretrain)
app.command()(film)
app.command()(grow)
app.command()(average)
app.command()(finetune)
app.command()(train_episodes)
app.command()(train_appearance)
app.command()(extract_features)
app.command()(reels)
app.command()(train_video)
app.command()(reproduce)

evaluation.command()(episodes)
evaluation.command()(fewshot_benchmark)
evaluation.command()(mixed)
evaluation.add_typer(stored, name="stored")
app.add_typer(evaluation, name="evaluate")
app.add_typer(models, name="models")
app.add_typer(trackstore, name="trackstore")
app.add_typer(episode, name="episode")


@app.command()
def render(
    motion: Annotated[str, typer.Argument(help='A motion class, such as "moving left".')],
    output: Annotated[Path, typer.Option("-o", "--output", help="An .mp4 to write.")],
    seed: Annotated[int, typer.Option(help="Which performance.")] = 0,
    side: Annotated[int, typer.Option(min=64, max=1024, help="Longer side, pixels.")] = 320,
) -> None:
    """Render a procedural clip of a motion class."""
    from pointaction.synthetic.sample import write_sample

    write_sample(motion, output, seed=seed, side=side)
    out.print(f"{plain(output)}: {plain(motion)}")


def expand(patterns: list[str]) -> list[Path]:
    """Files, folders and globs as files, each once, in order."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        for name in sorted(glob.glob(pattern, recursive=True)) or [pattern]:
            path = Path(name)
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in TAKEN)
            paths |= dict.fromkeys(inside if path.is_dir() else [path])
    if not paths:
        raise InputError(f"no clips in {', '.join(patterns)}; looked for {' '.join(TAKEN)}")
    return list(paths)


def _target(overlay: Path, path: Path, *, several: bool) -> Path:
    if not several:
        return overlay
    overlay.mkdir(parents=True, exist_ok=True)
    return overlay / f"{path.stem}.overlay.mp4"


def main() -> None:
    """The console script: commands of every installed part, errors as one plain sentence."""
    for point in entry_points(group="pointaction.commands"):
        try:
            command = point.load()
        except ImportError:  # its extra is not installed: the command is not offered
            continue
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=point.name)
        else:
            app.command(point.name)(command)
    try:
        app()
    except PointActionError as error:
        err.print(f"[red]error[/]: {plain(error)}")
        sys.exit(2)
