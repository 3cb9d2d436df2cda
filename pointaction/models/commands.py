"""`pointaction models`: what is installed, what could be, and what answers by default."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pointaction.errors import InputError
from pointaction.models import inventory
from pointaction.models.catalog import (
    DEFAULT,
    DEFAULT_STORE,
    Entry,
    aliases,
    find,
    own_store,
    read_catalog,
    read_tables,
)
from pointaction.models.downloads import Download, find_download, read_downloads, read_receipt
from pointaction.terminal import err, out, plain

models = typer.Typer(help="What is installed, what could be, and what answers by default.")

Store = Annotated[Path, typer.Option(envvar="POINTACTION_MODEL_STORE", help="Model store.")]
Name = Annotated[str, typer.Argument(help="NAME, NAME@VERSION or an alias, as `models` lists it.")]


@models.callback(invoke_without_command=True)
def listing(context: typer.Context, store: Store = DEFAULT_STORE) -> None:
    """List what is in the model store, and what could be."""
    if not context.invoked_subcommand:
        list_models(store)


@models.command("list")
def list_models(store: Store = DEFAULT_STORE) -> None:
    """List what is in the model store, and what could be."""
    default = inventory.pinned(store, DEFAULT)
    table = Table("model", "version", "says", "parameters", "licence", "digest", box=None)
    for name, entry in read_catalog(store).items():
        table.add_row(
            name,
            f"{entry.version} (default)" if entry.pinned == default else entry.version,
            f"{len(entry.labels)} labels" if entry.labels else "your labels",
            _millions(entry.parameters),
            entry.licence,
            entry.digest[:12],
        )
    out.print(table)
    others = Table("of others", "parameters", "licence", "commercial", "installed", box=None)
    for download in read_downloads(store).values():
        receipt = read_receipt(store, download)
        others.add_row(
            download.name,
            _millions(download.parameters),
            download.licence,
            "yes" if download.commercial_use else "no",
            receipt.pulled if receipt else "no",
        )
    out.print("\nTo be had with `pointaction models pull NAME`:")
    out.print(others)


@models.command()
def show(name: Name, store: Store = DEFAULT_STORE) -> None:
    """Everything about one of them."""
    item = inventory.lookup(store, name)
    facts = _of_entry(store, item) if isinstance(item, Entry) else _of_download(store, item)
    facts["size on disk"] = f"{inventory.size(store, item) / 1e6:.1f} MB"
    for fact, value in facts.items():
        out.print(f"{fact + ':':<17} {plain(value)}", soft_wrap=True)


@models.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="All that is installed if none.")
    ] = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Compare every installed file with its digest; exit 1 if one is another."""
    items = [inventory.lookup(store, name) for name in names or []]
    files = [file for item in items for file in inventory.held(store, item)]
    failed = 0
    for file in files if names else inventory.everything(store):
        fault = file.fault
        failed += fault is not None
        out.print(f"{plain(file.of)}: {plain(file.path)} {fault or 'ok'}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@models.command()
def remove(
    name: Name,
    default: Annotated[
        str | None, typer.Option(envvar="POINTACTION_DEFAULT_MODEL", hidden=True)
    ] = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Delete a model of your own, or installed weights of others."""
    own_store(store)
    inventory.remove(store, name, also_default=default)
    out.print(f"{plain(name)} is removed from {plain(store)}")


@models.command("default")
def default_model(
    name: Annotated[
        str | None, typer.Argument(help="NAME follows its latest version, NAME@VERSION stays.")
    ] = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Say, or choose, which model answers a request that names none; at once, without a restart."""
    if name:
        own_store(store)
        inventory.set_default(store, name)
    entry = find(store, DEFAULT)
    meant = aliases(read_tables(store))[DEFAULT]
    out.print(f"{DEFAULT}: {plain(meant)} (version {plain(entry.version)}, {entry.digest[:12]})")


@models.command()
def pull(
    name: Annotated[str, typer.Argument(help="As `pointaction models` lists it.")],
    file: Annotated[
        Path | None,
        typer.Option("--from", help="The official file, or folder, where there is no network."),
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="For those that forbid commercial use.")
    ] = False,
    store: Store = DEFAULT_STORE,
) -> None:
    """Fetch weights of others, check them and keep them in the store."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from pointaction.models.pull import pull as fetch

    own_store(store)
    download = find_download(store, name)
    err.print(f"{download.says}\nlicence: {download.licence}\nfrom: {file or download.url}")
    with Progress(
        BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=err, transient=True
    ) as bars:
        bar = bars.add_task(name, total=None)
        receipt = fetch(
            store,
            download,
            file=file,
            accept_licence=accept_licence,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    out.print(f"{store / download.weights}\nsha256: {receipt.source_sha256} (what was fetched)")


@models.command()
def export(
    name: Name,
    to: Annotated[Path, typer.Option(help="Folder for NAME.onnx and NAME-encoder.onnx.")],
    store: Store = DEFAULT_STORE,
) -> None:
    """Write a model that names motions, and its encoder, as ONNX graphs; each is checked."""
    from pointaction.models.onnx.export import Classifier, Encoder, Part, write_graph
    from pointaction.models.store import load_model

    entry = find(store, name)
    if entry.looks:
        raise InputError(f"{name} looks at pixels; only models of tracks alone can be exported")
    model = load_model(store, entry)
    to.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Part] = {
        entry.name: Classifier(model),
        f"{entry.name}-encoder": Encoder(model.encoder),
    }
    for file, part in parts.items():
        path = to / f"{file}.onnx"
        for difference in write_graph(part, entry, path):
            out.print(f"largest difference to torch, {difference}", soft_wrap=True)
        out.print(plain(path), soft_wrap=True)


@models.command()
def tune(
    name: Name = DEFAULT,
    tracks: Annotated[int, typer.Option(envvar="POINTACTION_TRACKS", min=1)] = 512,
    per_class: Annotated[
        int, typer.Option(min=1, help="Clips of each motion to compare accuracy on.")
    ] = 2,
    seed: int = 0,
    data: Annotated[
        Path, typer.Option(envvar="POINTACTION_DATA_DIR", help="Data folder of the service.")
    ] = Path("data"),
    store: Store = DEFAULT_STORE,
) -> None:
    """Measure what computes a model's answers fastest here; `POINTACTION_BACKEND=auto` takes it."""
    from pointaction.evaluation.backends import choose
    from pointaction.models.store import load_model
    from pointaction.progress import counting

    entry = find(store, name)
    if entry.looks:
        raise InputError(f"{name} looks at pixels; torch alone computes it")
    with counting("clips") as progress:
        choice = choose(
            load_model(store, entry),
            entry,
            data,
            tracks=tracks,
            per_class=per_class,
            seed=seed,
            progress=progress,
        )
    table = Table("backend", "ms a clip", "points of accuracy gained", box=None)
    for backend, figures in choice.figures.items():
        ms, points = figures["ms"], figures["points"]
        table.add_row(backend, f"{ms:.1f}", "" if points is None else f"{points:+.2f}")
    out.print(table)
    out.print(f"{plain(choice.backend)} answers for {plain(choice.model)} from now on")
    out.print(plain(choice.save(data, entry)), soft_wrap=True)


def _of_entry(store: Path, entry: Entry) -> dict[str, object]:
    words = [entry.name, *aliases(read_tables(store)), entry.pinned]
    return {
        "name": entry.name,
        "version": entry.version,
        "asked by": ", ".join(w for w in words if inventory.pinned(store, w) == entry.pinned),
        "task": entry.task,
        "labels": f"{len(entry.labels)}, the first is {entry.labels[0]!r}"
        if entry.labels
        else "those of your episode",
        "calibrated": "yes" if entry.calibration or entry.episodes else "no",
        "inputs": ", ".join(f"{name} {value}" for name, value in entry.inputs.items()),
        "parameters": f"{entry.parameters:,}",
        "licence": _licence(entry),
        "source": entry.source,
        "digest": entry.digest,
        "weights": f"{store / entry.file}{'' if (store / entry.file).exists() else ' (missing)'}",
        "sha256": entry.sha256,
        "card": store / entry.card,
    }


def _of_download(store: Path, download: Download) -> dict[str, object]:
    receipt = read_receipt(store, download)
    facts: dict[str, object] = {
        "name": download.name,
        "task": download.task,
        "says": download.says,
        "parameters": f"{download.parameters:,}",
        "licence": _licence(download),
        "source": download.url,
        "files": ", ".join(download.files) or "one",
        "installed": receipt.pulled if receipt else f"no; run: {download.command}",
    }
    if receipt:
        facts |= {"fetched from": receipt.source, "digest": receipt.sha256}
        facts |= {"weights": store / download.weights}
    return facts


def _licence(item: Entry | Download) -> str:
    allowed = "commercial use allowed" if item.commercial_use else "no commercial use"
    return f"{item.licence}: {allowed}"


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M"
