"""`pointaction episode`: your own actions, by a few examples of each."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
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
    from pointaction.remote import Example, RemoteService

episode = typer.Typer(
    help="Teach it your own actions by a few examples of each.", no_args_is_help=True
)

_ASK_AGAIN_S = 0.5
_FILES_AT_ONCE = 100
_BYTES_AT_ONCE = 64 * 1024 * 1024  # well below what a server takes
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
    with closing(_service(server, model, points=points, tracker=tracker, depth=depth)) as service:
        first = _of_two_classes(examples)
        made = service.create_episode(first, name=name, head=head)
        try:
            _add(service, made["id"], [each for each in examples if each not in first])
        except PointActionError:
            service.delete_episode(made["id"])  # half of what was asked for is nothing
            raise
        _show_episode(_described(service, made["id"]), failed)


@episode.command()
def add(id: Id, files: Examples, server: Server = HERE) -> None:
    """Add examples, of classes that are there or of new ones."""
    examples, failed = _examples(files)
    with closing(_service(server)) as service:
        _add(service, id, examples)
        _show_episode(_described(service, id), failed)


@episode.command("list")
def listing(server: Server = HERE) -> None:
    """List your episodes, the newest first."""
    id = Column("episode", min_width=32)  # whole, to be copied
    table = Table(id, "name", "head", "classes", "ready", box=None)
    with closing(_service(server)) as service:
        for each in service.episodes():
            ready, total = each["state"]["ready"], sum(each["state"].values())
            classes = str(len(each["classes"]))
            name = plain(each["name"])
            table.add_row(each["id"], name, each["head"], classes, f"{ready} of {total}")
    out.print(table)


@episode.command()
def delete(
    ids: Annotated[list[str], typer.Argument(help="As `list` shows them.")], server: Server = HERE
) -> None:
    """Forget episodes with their examples."""
    with closing(_service(server)) as service:
        for each in ids:
            service.delete_episode(each)
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
    with closing(_service(server)) as service:

        def ask(path: Path, *, top_k: int) -> dict[str, Any]:
            return service.match(id, path, top_k=top_k)

        _answer(ask, paths, top_k=top_k, as_json=as_json)


def _service(server: str, model: str | None = None, **of_clips: str | None) -> RemoteService:
    from pointaction.remote import RemoteService

    api_key = os.environ.get("POINTACTION_API_KEY")
    return RemoteService(server, model, api_key=api_key, **of_clips)


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


def _of_two_classes(examples: Sequence[Example]) -> list[Example]:
    """The first example of each of two classes: what an episode begins with."""
    first: dict[str, Example] = {}
    for label, path in examples:
        first.setdefault(label, (label, path))
    return list(first.values())[:2]


def _add(service: RemoteService, id: str, examples: Sequence[Example]) -> None:
    """Send them in portions that are not too large."""
    with bars() as progress:
        task = progress.add_task("sending", total=len(examples))
        for portion in _portions(examples):
            service.add_examples(id, portion)
            progress.advance(task, len(portion))


def _portions(examples: Sequence[Example]) -> list[list[Example]]:
    portions: list[list[Example]] = []
    size = 0
    for label, path in examples:
        size += path.stat().st_size
        if not portions or size > _BYTES_AT_ONCE or len(portions[-1]) == _FILES_AT_ONCE:
            portions.append([])
            size = path.stat().st_size
        portions[-1].append((label, path))
    return portions


def _described(service: RemoteService, id: str) -> dict[str, Any]:
    """The episode, once nothing of it is pending."""
    with bars() as progress:
        task = progress.add_task("examples", total=None)
        while True:
            found = service.episode(id)
            total, pending = sum(found["state"].values()), found["state"]["pending"]
            progress.update(task, completed=total - pending, total=total)
            if not pending:
                return found
            time.sleep(_ASK_AGAIN_S)


def _show_episode(found: dict[str, Any], failed: int) -> None:
    """The id, the classes, and what could not be read; exits with 1 if there is any of that."""
    out.print(found["id"])
    for each in found["classes"]:
        ready = sum(example["state"] == "ready" for example in each["examples"])
        out.print(f"  {plain(each['label'])}: {ready} of {len(each['examples'])}")
        for example in each["examples"]:
            if example["state"] == "failed":
                failed += 1
                file = plain(f"{each['label']}/{example['name']}")
                err.print(f"[red]{file}[/]: {plain(example['problem']['detail'])}")
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
