"""Commands that `pointaction` gets from the service: `serve` and `demo`."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from service.settings import ServiceSettings

err = Console(stderr=True)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where clips and queue live.")] = None,
    open: Annotated[
        bool | None, typer.Option("--open", help="Let in who has no key, from everywhere.")
    ] = None,
) -> None:
    """Run the whole service: the API and, where no URLs are set, Redis and a worker too."""
    from service import launch
    from service.stack import embedded
    from workers.logs import configure

    settings = ServiceSettings.given(host=host, port=port, data_dir=data_dir, open=open)
    configure(settings)
    # uvicorn passes SIGTERM on when it is done with it: as an exception, so that the stack stops.
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with embedded(settings) as complete:
            launch.check_exposure(complete)
            url = f"http://{complete.host}:{complete.port}"
            err.print(f"page     {url}/\nAPI docs {url}/docs\nready    {url}/health/ready")
            err.print("Ctrl-C stops everything.", style="dim")
            launch.run(complete)
    except KeyboardInterrupt:
        pass


def demo(
    clip: Annotated[Path | None, typer.Argument(help="A clip; without, a bundled one.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path(
        "demo-output"
    ),
) -> None:
    """Start the stack, classify one clip over HTTP, show the answer, stop the stack."""
    from service.demo import run

    run(clip, output)


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
