"""Models that are pulled, checked, swapped and gone back to while a service answers.

    python -m benchmarks.swap [--clients 4] [--pause 6]

A whole stack on a copy of the model store is asked about ever new tracks by several clients, who
name no model. Meanwhile an operator, by the command line, checks the store, puts a second version
of the default model there (the same network with other weights), makes it the default and goes
back twice, pulls the weights of a tracker from a file, and removes what came. Every answer is then
asked for again in this process, of the version that it names: one that is half of one version and
half of another would say something else. Prints a table and files it under `results/`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.markdown import Markdown
from safetensors.torch import save_file

from benchmarks.machine import RESULTS
from pointaction.errors import PointActionError
from pointaction.evaluation.report import Report, Table
from pointaction.models.catalog import DEFAULT_STORE, find
from pointaction.models.store import load_model
from pointaction.pipeline import Recogniser, track_clip
from pointaction.remote import RemoteService
from pointaction.synthetic.sample import write_sample
from pointaction.tracking.cotracker3 import CoTracker3Offline
from pointaction.tracks import Tracks
from pointaction.training.checkpoints import export_weights
from pointaction.training.register import prepare_store, register
from pointaction.video.decode import decode
from service.demo import serving

MODEL = "traction-tiny"
TOLERANCE = 2e-4  # of a score: answers are rounded on the way, and threads add in other orders


@dataclass
class Asked:
    """What the clients were told. Lists are appended to, which threads may."""

    answers: list[tuple[Path, dict[str, object]]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--pause", type=float, default=6.0, help="seconds between two changes")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = shutil.copytree(DEFAULT_STORE, folder / "store")
        os.environ["POINTACTION_MODEL_STORE"] = str(store)
        kept = shutil.copytree(store, folder / "kept")
        asked = Asked()
        with serving(folder / "data", folder / "serve.log") as (url, _):
            done = threading.Event()
            numbers = count()
            clip = _tracks(folder)
            clients = [
                threading.Thread(target=_ask, args=(url, clip, folder, numbers, done, asked))
                for _ in range(wish.clients)
            ]
            for client in clients:
                client.start()
            said = operate(store, kept, folder, wish.pause)
            done.set()
            for client in clients:
                client.join()
        report = _report(asked, said, kept, wish)
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'swap').name}")


def operate(store: Path, kept: Path, folder: Path, pause: float) -> list[str]:
    """What the operator does, with a pause after each; the commands, with their exit status.

    `kept` gets the second version too, and keeps it.
    """
    weights = folder / "cotracker3.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(CoTracker3Offline().state_dict(), weights)
    pull = ["pull", "cotracker3", "--from", str(weights), "--accept-licence"]
    steps = [
        ["verify"],
        None,  # the second version comes
        ["verify"],
        ["default", f"{MODEL}@4"],
        pull,
        ["default", f"{MODEL}@5"],
        ["verify"],
        ["default", f"{MODEL}@4"],
        ["remove", f"{MODEL}@5"],
        ["remove", "cotracker3"],
        ["verify"],
    ]
    said = []
    for step in steps:
        time.sleep(pause)
        if step is None:
            _second(store, folder)
            _second(kept, folder)
            said.append("a second version is registered")
            continue
        command = [sys.executable, "-m", "pointaction", "models", *step]
        code = subprocess.run(command, capture_output=True, check=False).returncode
        said.append(f"{' '.join(step[:2])}: exit {code}")
    time.sleep(pause)
    return said


def _second(store: Path, folder: Path) -> None:
    """Version 5: the network of version 4 that thinks of everything a little more of its head."""
    first = find(store, MODEL)
    model = load_model(store, first)
    with torch.no_grad():
        model.head.weight *= 1.5
    weights = folder / "second.safetensors"
    version = prepare_store(store, MODEL, replace=True)
    entry = replace(
        first,
        version=version,
        sha256=export_weights(model, weights),
        file=f"{MODEL}/{version}/weights.safetensors",
        card=f"{MODEL}/{version}/README.md",
        calibration=None,
        symmetry=None,
        episodes={},
    )
    register(store, entry, weights, "# a second version")


def _tracks(folder: Path) -> Tracks:
    clip = folder / "clip.mp4"
    write_sample("moving left", clip, seed=3)
    return track_clip(decode(clip), tracks=64)


def _ask(
    url: str, clip: Tracks, folder: Path, numbers: "count[int]", done: threading.Event, asked: Asked
) -> None:
    """One client: tracks that nobody has sent before, one file after the other."""
    with closing(RemoteService(url, None)) as service:
        while not done.is_set():
            number = next(numbers)
            path = folder / f"{number}.tracks.npz"
            replace(clip, xy=clip.xy + 0.01 * number).save(path)
            start = time.perf_counter()
            try:
                answer = service.classify(path, top_k=100)
            except PointActionError as error:
                asked.failures.append(str(error))
                continue
            asked.seconds.append(time.perf_counter() - start)
            asked.answers.append((path, answer))


def _report(asked: Asked, said: list[str], kept: Path, wish: argparse.Namespace) -> Report:
    models = {}
    for version in ("4", "5"):
        entry = find(kept, f"{MODEL}@{version}")
        models[version] = Recogniser(entry, load_model(kept, entry))
    answered = dict.fromkeys(models, 0)
    mixed = 0
    for path, answer in asked.answers:
        told = answer["model"]
        assert isinstance(told, dict)
        model = models[told["version"]]
        answered[told["version"]] += 1
        scores = model.recognise(Tracks.load(path)).scores
        predictions = answer["predictions"]
        assert isinstance(predictions, list)
        away = max(abs(scores[each["label"]] - each["score"]) for each in predictions)
        mixed += told["digest"] != model.entry.digest or away > TOLERANCE
    return Report(
        title="A model swapped under load",
        conditions={
            "clients": wish.clients,
            "load average": f"{os.getloadavg()[0]:.1f}",
            "operator": "; ".join(said),
        },
        tables={
            "Requests": Table(
                corner="",
                columns=("value",),
                rows={
                    "answered": (len(asked.answers),),
                    **{f"by version {name}": (number,) for name, number in answered.items()},
                    "failed": (len(asked.failures),),
                    "of mixed versions": (mixed,),
                    "median, ms": (round(1000 * median(asked.seconds)),),
                    "slowest, ms": (round(1000 * max(asked.seconds)),),
                },
            ),
            **(
                {
                    "Failures": Table(
                        corner="", columns=("what",), rows={"first": (asked.failures[0],)}
                    )
                }
                if asked.failures
                else {}
            ),
        },
    )


if __name__ == "__main__":
    main()
