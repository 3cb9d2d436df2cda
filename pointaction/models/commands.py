"""`pointaction models`: what is installed, what could be, and under which licence."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pointaction.models.catalog import DEFAULT_STORE, own_store, read_catalog
from pointaction.models.downloads import find_download, read_downloads, read_receipt

models = typer.Typer(help="What is installed, what could be, and under which licence.")

out = Console()
err = Console(stderr=True)

Store = Annotated[Path, typer.Option(envvar="POINTACTION_MODEL_STORE", help="Model store.")]


@models.callback(invoke_without_command=True)
def listing(context: typer.Context, store: Store = DEFAULT_STORE) -> None:
    """List what is in the model store, and what could be."""
    if context.invoked_subcommand:
        return
    table = Table("model", "version", "says", "parameters", "licence", "digest", box=None)
    for entry in read_catalog(store).values():
        table.add_row(
            entry.name,
            entry.version,
            f"{len(entry.labels)} labels" if entry.labels else "your labels",
            f"{entry.parameters / 1e6:.1f} M",
            entry.licence,
            entry.digest[:12],
        )
    out.print(table)
    others = Table("of others", "parameters", "licence", "commercial", "installed", box=None)
    for download in read_downloads(store).values():
        receipt = read_receipt(store, download)
        others.add_row(
            download.name,
            f"{download.parameters / 1e6:.1f} M",
            download.licence,
            "yes" if download.commercial_use else "no",
            receipt.pulled if receipt else "no",
        )
    out.print("\nTo be had with `pointaction models pull NAME`:")
    out.print(others)


@models.command()
def pull(
    name: Annotated[str, typer.Argument(help="As `pointaction models` lists it.")],
    file: Annotated[
        Path | None, typer.Option("--from", help="The official file, where there is no network.")
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
