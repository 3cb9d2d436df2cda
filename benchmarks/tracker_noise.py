"""Does the noise model make of exact tracks what our tracker makes of pictures?

    python -m benchmarks.tracker_noise [--clips 48] [--real FOLDER]

Renders clips of the procedural world, tracks the same points that are known exactly with
Lucas-Kanade, lets the noise model spoil their exact tracks, and compares: what both do, and
what Lucas-Kanade does to real clips, where there is a folder of them. Prints a table and files
it under `results/`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Generator, Tensor

from benchmarks.machine import describe, write
from pointaction.synthetic.filming import film
from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import ExactTracks, follow
from pointaction.synthetic.score import Score
from pointaction.synthetic.stage import perform
from pointaction.synthetic.vocabulary import LABELS, build
from pointaction.tokens.resample import resample
from pointaction.tokens.units import to_units
from pointaction.tracking.lucas_kanade import LucasKanade
from pointaction.tracking.queries import random_queries
from pointaction.video.decode import decode

POINTS, FRAMES = 512, 32
OFF = 4 / 341  # four pixels of a 4:3 clip as it is tracked, in units of the longer side
SPEEDS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08)  # of the longer side per frame


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Points of one clip as a tracker saw them, and the truth where it is known."""

    xy: Tensor  # (N, T, 2) units of the longer side
    visible: Tensor  # (N, T) bool
    frame: Tensor  # (N,) where each was chosen
    truth: Tensor | None = None  # (N, T, 2)
    there: Tensor | None = None  # (N, T) bool: truly to be seen


def rendered(clips: int, *, seed: int) -> Iterator[tuple[Followed, ExactTracks]]:
    """Clips as Lucas-Kanade sees them: two thirds of named motions, one third of programs."""
    generator = Generator().manual_seed(seed)
    named = clips * 2 // 3
    label = torch.linspace(0, len(LABELS) - 1, named).long()
    score = Score.join([build(label, generator), sample_programs(clips - named, generator)])
    scenes = perform(score, frames=FRAMES, generator=generator)
    exact = follow(scenes, points=POINTS, generator=generator)
    for row in range(clips):
        clip = film(scenes, row, generator=generator)
        start = exact.frame[row]
        place = exact.xy[row, torch.arange(POINTS), start] * max(clip.size) - 0.5
        queries = torch.cat([start[:, None], place], -1).float().numpy()
        xy, visible = to_units(LucasKanade().track(clip, queries))
        one = ExactTracks(
            xy=exact.xy[row : row + 1],
            depth=exact.depth[row : row + 1],
            visible=exact.visible[row : row + 1],
            frame=exact.frame[row : row + 1],
            layer=exact.layer[row : row + 1],
        )
        yield (
            Followed(
                xy=xy[0],
                visible=visible[0],
                frame=start,
                truth=exact.xy[row],
                there=exact.visible[row],
            ),
            one,
        )


def spoiled(exact: ExactTracks, *, seed: int) -> Followed:
    """The same points as the noise model sees them."""
    noisy = track_imperfectly(exact, TrackerNoise(), generator=Generator().manual_seed(seed))
    return Followed(
        xy=noisy.xy[0],
        visible=noisy.visible[0],
        frame=exact.frame[0],
        truth=exact.xy[0],
        there=exact.visible[0],
    )


def real(path: Path) -> Followed:
    clip = decode(path)
    queries = random_queries(clip, POINTS)
    xy, visible = to_units(resample(LucasKanade().track(clip, queries), FRAMES))
    share = (FRAMES - 1) / max(1, len(clip.frames) - 1)
    frame = (torch.from_numpy(queries[:, 0]) * share).round().long()
    return Followed(xy=xy[0], visible=visible[0], frame=frame)


def facts(seen: Followed) -> dict[str, float]:
    """What can be said of one clip; lengths in thousandths of the longer side."""
    visible = seen.visible
    life = visible.float().sum(1)
    both = visible[:, 2:] & visible[:, 1:-1] & visible[:, :-2]
    bend = (seen.xy[:, 2:] - 2 * seen.xy[:, 1:-1] + seen.xy[:, :-2]).norm(dim=-1)[both] * 1000
    told = {
        "visible share": float(visible.float().mean()),
        "points that live at most 4 frames": float((life <= 4).float().mean()),
        "points that live throughout": float((life == FRAMES).float().mean()),
        "trembling, median": float(bend.median()) if len(bend) else float("nan"),
        "trembling, 90th percentile": float(bend.quantile(0.9)) if len(bend) else float("nan"),
    }
    if seen.truth is None or seen.there is None:
        return told
    error = (seen.xy - seen.truth).norm(dim=-1)
    on = visible & (error < OFF)
    age = (torch.arange(FRAMES) - seen.frame[:, None]).abs()
    told["truly visible share"] = float(seen.there.float().mean())
    told["alive but 4 px off"] = float((visible & (error >= OFF)).sum() / visible.sum())
    for low, high in ((1, 2), (8, 12), (20, 31)):
        old = error[on & (age >= low) & (age <= high)] * 1000
        told[f"error after {low} to {high} frames"] = float(old.median()) if len(old) else np.nan
    # Of the frames in which a point that was well followed is hidden: does the tracker notice?
    noticed = _steps(seen, on, hidden=True)
    told["stays alive when hidden"] = float(1 - noticed.float().mean())
    return told


def _steps(seen: Followed, on: Tensor, *, hidden: bool) -> Tensor:
    """Whether each step from a well followed point, away from its start, lost it."""
    lost, _ = _losses(seen, on, hidden=hidden)
    return lost


def _losses(seen: Followed, on: Tensor, *, hidden: bool) -> tuple[Tensor, Tensor]:
    """Lost or not, and the true speed, for all steps to a frame where it is hidden, or is not."""
    assert seen.truth is not None
    assert seen.there is not None
    lost, speeds = [], []
    speed = seen.truth.diff(dim=1).norm(dim=-1)
    time = torch.arange(FRAMES - 1)
    start = seen.frame[:, None]
    for here, there, ahead in (
        (slice(None, -1), slice(1, None), time >= start),
        (slice(1, None), slice(None, -1), time < start),
    ):
        truly = seen.there[:, there]
        chosen = on[:, here] & seen.there[:, here] & ahead & (~truly if hidden else truly)
        lost.append(~seen.visible[:, there][chosen])
        speeds.append(speed[chosen])
    return torch.cat(lost), torch.cat(speeds)


def hazards(clips: list[Followed]) -> list[float]:
    """Share of the steps, by true speed, that lose a point which stays in sight."""
    pairs = []
    for seen in clips:
        assert seen.truth is not None
        on = seen.visible & ((seen.xy - seen.truth).norm(dim=-1) < OFF)
        pairs.append(_losses(seen, on, hidden=False))
    lost, speed = (torch.cat(parts).float() for parts in zip(*pairs, strict=True))
    ends = (*SPEEDS[1:], float("inf"))
    return [
        float(lost[(speed >= low) & (speed < high)].mean())
        for low, high in zip(SPEEDS, ends, strict=True)
    ]


def report(columns: dict[str, list[Followed]]) -> str:
    """Quantiles over clips, and the losses by speed, as a table."""
    table = {name: [facts(clip) for clip in clips] for name, clips in columns.items() if clips}
    lines = [
        f"| 10 / 50 / 90 % of the clips | {' | '.join(table)} |",
        "|---" * (len(table) + 1) + "|",
    ]
    for fact in next(iter(table.values()))[0]:
        cells = []
        for told in table.values():
            values = np.array([clip.get(fact, np.nan) for clip in told])
            known = values[~np.isnan(values)]
            cells.append(
                " / ".join(f"{value:.3f}" for value in np.quantile(known, (0.1, 0.5, 0.9)))
                if len(known)
                else "-"
            )
        lines.append(f"| {fact} | {' | '.join(cells)} |")
    lines += [
        "",
        "| lost per frame at a speed of at least | " + " | ".join(map(str, SPEEDS)) + " |",
    ]
    lines.append("|---" * (len(SPEEDS) + 1) + "|")
    for name, clips in columns.items():
        if clips and clips[0].truth is not None:
            lines.append(f"| {name} | {' | '.join(f'{share:.3f}' for share in hazards(clips))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument(
        "--real", type=Path, help="a folder of clips, looked through with all below"
    )
    options = parser.parse_args()

    tracked, modelled = [], []
    for number, (seen, exact) in enumerate(rendered(options.clips, seed=0)):
        tracked.append(seen)
        modelled.append(spoiled(exact, seed=number))
    paths = sorted(options.real.rglob("*.mp4")) if options.real else []
    columns = {
        "rendered, Lucas-Kanade": tracked,
        "noise model": modelled,
        "real, Lucas-Kanade": [real(path) for path in paths],
    }
    text = f"# The noise model against the tracker\n\n{describe()}\n\n{report(columns)}\n"
    Console().print(Markdown(text))
    write("tracker-noise", text)


if __name__ == "__main__":
    main()
