"""Commands that `pointaction` gets from the service: `serve`, `demo` and `doctor`."""

import json
import signal
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from pointaction.terminal import err, out, plain
from service.settings import ServiceSettings

_COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}


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


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Where clips and queue live.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> None:
    """Look at the deployment that POINTACTION_* describe; exit 1 where something is wrong."""
    from service.doctor import look

    findings = list(look(data_dir))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            colour = _COLOURS[finding.level]
            told = f"[{colour}]{finding.level:<8}[/]{finding.about:<10} {plain(finding.says)}"
            out.print(told, soft_wrap=True)
            if finding.remedy:
                out.print(f"{'':<19}{plain(finding.remedy)}", style="dim", soft_wrap=True)
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(1)


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
