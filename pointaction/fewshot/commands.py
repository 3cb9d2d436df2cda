"""`pointaction episode`: your own actions, by a few examples of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.table import Column, Table

from pointaction.depth.lifters import DEFAULT_DEPTH
from pointaction.errors import InputError, PointActionError
from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS
from pointaction.progress import bars
from pointaction.terminal import err, out, plain, show
from pointaction.tracking.commands import DEPTH_HELP, POINTS_HELP, TRACKER_HELP
from pointaction.tracking.points import DEFAULT_POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER
from pointaction.video.container import sniff

if TYPE_CHECKING:
    from pointaction.client import Client, EpisodeState

episode = typer.Typer(
    help="Teach it your own actions by a few examples of each.", no_args_is_help=True
)

Example = tuple[str, Path]  # label, and the clip or tracks file

_ZIP = b"PK\x03\x04"

Id = Annotated[str, typer.Argument(help="As `create` or `list` shows it.")]
Examples = Annotated[
    list[str],
    typer.Argument(help="Clips or .tracks.npz, as LABEL/FILE; folders or globs of them."),
]
Server = Annotated[str, typer.Option(envvar="POINTACTION_SERVER", help="Where the server is.")]
HERE = "http://127.0.0.1:8000"
HEAD_HELP = f"How clips are compared: {', '.join(HEADS)}."


class Ask(Protocol):
    """Who says which class a clip is of."""

    def __call__(self, path: Path, *, top_k: int) -> dict[str, Any]: ...


@episode.command()
def create(
    files: Examples,
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    head: Annotated[str, typer.Option(help=HEAD_HELP)] = DEFAULT_HEAD,
    model: Annotated[str | None, typer.Option(help="A model of the catalogue.")] = None,
    points: Annotated[str | None, typer.Option(help=POINTS_HELP)] = None,
    tracker: Annotated[str | None, typer.Option(help=TRACKER_HELP)] = None,
    depth: Annotated[str | None, typer.Option(help=DEPTH_HELP)] = None,
    server: Server = HERE,
) -> None:
    """Teach actions by examples; the folder that a file lies in is its label."""
    examples, failed = _examples(files)
    _check_classes(examples)
    with _client(server) as client, _settling(len(examples)) as progress:
        made = client.create_episode(
            _by_label(examples),
            name=name,
            head=head,
            model=model,
            points=points,
            tracker=tracker,
            depth=depth,
            progress=progress,
        )
        found = made.wait(progress=progress)
    _show_episode(found, failed)


@episode.command()
def add(id: Id, files: Examples, server: Server = HERE) -> None:
    """Add examples, of classes that are there or of new ones."""
    examples, failed = _examples(files)
    with _client(server) as client, _settling(len(examples)) as progress:
        client.episode(id).add(_by_label(examples), progress=progress)
        found = client.episode(id).wait(progress=progress)
    _show_episode(found, failed)


@episode.command("list")
def listing(server: Server = HERE) -> None:
    """List your episodes, the newest first."""
    id = Column("episode", min_width=32)  # whole, to be copied
    table = Table(id, "name", "head", "classes", "ready", box=None)
    with _client(server) as client:
        for each in client.episodes():
            ready = f"{each.state.ready} of {each.state.total}"
            table.add_row(each.id, plain(each.name), each.head, str(len(each.classes)), ready)
    out.print(table)


@episode.command()
def delete(
    ids: Annotated[list[str], typer.Argument(help="As `list` shows them.")], server: Server = HERE
) -> None:
    """Forget episodes with their examples."""
    with _client(server) as client:
        for each in ids:
            client.episode(each).delete()
            out.print(f"{plain(each)}: deleted")


@episode.command()
def classify(
    id: Annotated[
        str, typer.Argument(help="An episode; with --local a folder of examples, LABEL/FILE.")
    ],
    files: Annotated[list[str], typer.Argument(help="Clips, .tracks.npz, folders or globs.")],
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Classes to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    local: Annotated[bool, typer.Option("--local", help="In this process, no server.")] = False,
    head: Annotated[str, typer.Option(help=f"With --local. {HEAD_HELP}")] = DEFAULT_HEAD,
    model: Annotated[str, typer.Option(help="With --local.")] = "traction-tiny",
    tracks: Annotated[int, typer.Option(help="Points to follow, with --local.")] = 512,
    points: Annotated[str, typer.Option(help=f"With --local. {POINTS_HELP}")] = DEFAULT_POINTS,
    tracker: Annotated[str, typer.Option(help=f"With --local. {TRACKER_HELP}")] = DEFAULT_TRACKER,
    depth: Annotated[str, typer.Option(help=f"With --local. {DEPTH_HELP}")] = DEFAULT_DEPTH,
    server: Server = HERE,
) -> None:
    """Say which class each clip is of. One bad file does not stop the rest."""
    from pointaction.cli import expand

    paths = expand(files)
    if local:
        options = {"tracks": tracks, "points": points, "tracker": tracker, "depth": depth}
        _answer(_learnt(id, model, head, options), paths, top_k=top_k, as_json=as_json)
        return
    with _client(server) as client:

        def ask(path: Path, *, top_k: int) -> dict[str, Any]:
            return dict(client.episode(id).classify(path, top_k=top_k).document)

        _answer(ask, paths, top_k=top_k, as_json=as_json)


def _client(server: str) -> Client:
    from pointaction.client import Client

    return Client(server, os.environ.get("POINTACTION_API_KEY"))


def _examples(patterns: list[str]) -> tuple[list[Example], int]:
    """What can be sent, with the names of the folders for labels, and how many files cannot."""
    from pointaction.cli import expand

    examples, failed = [], 0
    for path in expand(patterns):
        label = path.resolve().parent.name
        if fault := _fault(path):
            err.print(f"[red]{plain(path)}[/]: {fault}")
            failed += 1
        else:
            examples.append((label, path))
    return examples, failed


def _fault(path: Path) -> str | None:
    """What the server would refuse all of a form for."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return "there is no such file"
    if not head:
        return "it is empty"
    if sniff(head) is None and not head.startswith(_ZIP):
        return "it begins neither as a video nor as a .tracks.npz"
    return None


def _check_classes(examples: Sequence[Example]) -> None:
    labels = {label for label, _ in examples}
    if len(labels) < 2:
        raise InputError(
            f"examples of two classes or more are needed, these are of {len(labels)}; "
            "the folder that a file lies in is its label",
            kind="too-few-classes",
            limit=2,
            value=len(labels),
        )


def _by_label(examples: Sequence[Example]) -> dict[str, list[Path]]:
    taught: dict[str, list[Path]] = {}
    for label, path in examples:
        taught.setdefault(label, []).append(path)
    return taught


@contextmanager
def _settling(sent: int) -> Iterator[Callable[[EpisodeState], None]]:
    """A bar for the examples of an episode, of which `sent` are new, as they are settled."""
    with bars() as progress:
        task = progress.add_task("examples", total=sent)

        def show(found: EpisodeState) -> None:
            settled = found.state.total - found.state.pending
            progress.update(task, completed=settled, total=max(sent, found.state.total))

        yield show


def _show_episode(found: EpisodeState, failed: int) -> None:
    """The id, the classes, and what could not be read; exits with 1 if there is any of that."""
    out.print(found.id)
    for each in found.classes:
        ready = sum(example.state == "ready" for example in each.examples)
        out.print(f"  {plain(each.label)}: {ready} of {len(each.examples)}")
        for example in each.examples:
            if example.problem is not None:
                failed += 1
                file = plain(f"{each.label}/{example.name}")
                err.print(f"[red]{file}[/]: {plain(example.problem['detail'])}")
    if failed:
        err.print(f"{failed} files could not be read", style="red")
        raise typer.Exit(1)


def _learnt(folder: str, model: str, head: str, options: dict[str, Any]) -> Ask:
    """An episode in this process."""
    from pointaction.cli import STORE
    from pointaction.fewshot.local import LocalEpisode

    examples, _ = _examples([folder])
    _check_classes(examples)
    learner = LocalEpisode(STORE, model, head=head, **options)
    with bars() as progress:
        for label, path in progress.track(examples, description="examples"):
            try:
                learner.learn(label, path)
            except PointActionError as error:
                err.print(f"[red]{plain(path)}[/]: {plain(error)}")
    return learner.match


def _answer(ask: Ask, paths: list[Path], *, top_k: int, as_json: bool) -> None:
    failed = 0
    for path in paths:
        try:
            answer = ask(path, top_k=top_k)
        except PointActionError as error:
            failed += 1
            answer = {"problem": {"kind": error.kind, "detail": str(error)}}
        show(path, answer, as_json=as_json)
    if failed:
        err.print(f"{failed} of {len(paths)} files failed", style="red")
        raise typer.Exit(1)
