"""The page in a browser: how large it is, how soon it is there, how fast it draws.

    python -m benchmarks.page [--looks 20]

Starts a stack of its own and opens the page that many times over loopback in headless Chromium
without a graphics card, each time with an empty cache. Then draws 2,500 tracks of 32 frames that
all move: picture by picture, each read back so that none is put off, and as they play, on black and
over a video of 60 pictures a second. Prints a table and files it under `results/`.
"""

import argparse
import base64
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.machine import RESULTS
from pointaction.errors import PointActionError
from pointaction.evaluation.report import Report, Table
from pointaction.video.encode import encode_mp4
from service.demo import serving

WEB = Path(__file__).resolve().parents[1] / "service" / "web"
TRACKS, FRAMES, SECONDS = 2500, 32, 3.0
SIZE = 540, 960  # of the clip and of its canvas
PICTURES = 120  # drawn one by one
PLAY_MS = 4000
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")

# Of an answer of a few bytes, beside which the page's is to be seen.
PLAIN_PAINT = "() => performance.getEntriesByType('paint')[0]?.startTime"
FIRST_PAINT = """() => {
  const entries = Object.fromEntries(
    performance.getEntriesByType("paint").map((entry) => [entry.name, entry.startTime]));
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.responseEnd);
  return [entries["first-paint"], entries["first-contentful-paint"], Math.max(...loaded)];
}"""
# Points on circles of their own, all of different weights, some of them hidden now and then.
MAKE = """async ([count, frames, seconds, height, width, film]) => {
  const { player } = await import("/web/player.js");
  const random = ((state) => () => (state = (state * 16807) % 2147483647) / 2147483647)(7);
  const xy = [], visible = [], weights = [];
  for (let n = 0; n < count; n++) {
    const [x, y] = [random() * width, random() * height];
    const [radius, phase] = [10 + 50 * random(), 6 * random()];
    const turn = (t) => phase + (4 * t) / frames;
    const steps = [...Array(frames).keys()];
    xy.push(steps.map((t) => [x + radius * Math.cos(turn(t)), y + radius * Math.sin(turn(t))]));
    visible.push(steps.map(() => random() < 0.95));
    weights.push(random() ** 3);
  }
  const times = [...Array(frames).keys()].map((t) => (seconds * t) / (frames - 1));
  const bytes = film && Uint8Array.from(atob(film), (sign) => sign.charCodeAt(0));
  const videoUrl = film ? URL.createObjectURL(new Blob([bytes], { type: "video/mp4" })) : null;
  window.shown?.destroy();
  const tracks = { xy, visible };
  const size = [height, width];
  const shown = player({ videoUrl, tracks, weights: [weights], size, times });
  const place = document.createElement("div");
  place.style.width = `${width}px`;
  place.append(shown.element);
  document.body.replaceChildren(place);
  await new Promise((resolve) => setTimeout(resolve, 500));
  window.shown = shown;
  const canvas = place.querySelector("canvas");
  return [canvas.width, canvas.height];
}"""
DRAW = """async (pictures) => {
  const context = document.querySelector(".stage canvas").getContext("2d");
  const spent = [];
  for (let i = 0; i < pictures; i++) {
    const start = performance.now();
    window.shown.seek((window.shown.duration * i) / pictures);
    context.getImageData(0, 0, 1, 1);
    spent.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return spent;
}"""
PLAY = """async (ms) => {
  let pictures = 0;
  await window.shown.play();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const start = performance.now();
  const stop = window.shown.onTime(() => pictures++);
  await new Promise((resolve) => setTimeout(resolve, ms));
  stop();
  window.shown.pause();
  return (1000 * pictures) / (performance.now() - start);
}"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--looks", type=int, default=20)
    looks = parser.parse_args().looks
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "data", Path(folder) / "serve.log") as (url, _),
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=_chromium(), args=list(FLAGS))
        paints = [_look(browser, url) for _ in range(looks + 1)][1:]  # the first warms the server
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        drawn = _draw(page)
        version = browser.version
        browser.close()
    report = Report(
        title="The page",
        conditions={
            "browser": f"Chromium {version}, headless, no graphics card",
            "load average": f"{os.getloadavg()[0]:.1f}",
            "looks": looks,
            "drawing": f"{TRACKS} tracks x {FRAMES} frames, all moving, on {SIZE[1]} x {SIZE[0]}",
        },
        tables={
            "Bytes, uncompressed": _sizes(),
            "From the address to what is seen, ms": _paint_table(paints),
            "Drawing": drawn,
        },
    )
    Console().print(Markdown(report.markdown()))
    Console().print(f"written to {report.write(RESULTS, 'page').name}")


def _chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        raise PointActionError("there is no chromium; apt-get install chromium")
    return found


def _look(browser: Browser, url: str) -> list[float]:
    """First paint, first contentful paint, the end of the last file, and the first paint of a plain
    answer, in ms.
    """
    page = browser.new_page()
    page.goto(url)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_function("() => performance.getEntriesByType('paint').length === 2")
    times: list[float] = page.evaluate(FIRST_PAINT)
    page.close()
    plain = browser.new_page()
    plain.goto(f"{url}/health/live")
    times.append(plain.wait_for_function(PLAIN_PAINT).json_value())
    plain.close()
    return times


def _draw(page: Page) -> Table:
    rows: dict[str, tuple[Any, ...]] = {}
    for name, film in (("on black", None), ("over a video of 60 a second", _film())):
        page.evaluate(MAKE, [TRACKS, FRAMES, SECONDS, *SIZE, film])
        if film is None:
            for trail in (0, 8, 24):
                page.evaluate("(trail) => window.shown.setTrail(trail)", trail)
                spent = page.evaluate(DRAW, PICTURES)
                rows[f"one by one, trail {trail}"] = _told(spent)
            page.evaluate("window.shown.setTrail(8)")
        rows[f"playing {name}, trail 8"] = (None, None, page.evaluate(PLAY, PLAY_MS))
    columns = ("median ms", "90 % ms", "pictures a second")
    return Table(corner="what", columns=columns, rows=rows)


def _told(spent: list[float]) -> tuple[float, float, float]:
    median = statistics.median(spent)
    return median, statistics.quantiles(spent, n=10)[-1], 1000 / median


def _film() -> str:
    """A video of a moving gradient as base64, 60 pictures a second."""
    across = np.arange(SIZE[1])[None, :, None] + np.zeros((SIZE[0], 1, 3))
    frames = (((across + 3 * t) % 256).astype(np.uint8) for t in range(int(60 * SECONDS)))
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        encode_mp4(frames, fps=60, path=Path(file.name))
        return base64.b64encode(Path(file.name).read_bytes()).decode()


def _sizes() -> Table:
    kinds = {"modules": "*.js", "styles": "*.css", "frame": "*.html"}
    sizes = {
        name: sum(path.stat().st_size for path in WEB.glob(pattern))
        for name, pattern in kinds.items()
    }
    rows = {name: (size,) for name, size in (sizes | {"all": sum(sizes.values())}).items()}
    return Table(corner="what", columns=("bytes",), rows=rows)


def _paint_table(paints: list[list[float]]) -> Table:
    names = (
        "first paint",
        "first contentful paint",
        "last file of the view",
        "first paint of an answer of 20 bytes",
    )
    rows = {
        name: (statistics.median(spent), max(spent))
        for name, spent in zip(names, zip(*paints, strict=True), strict=True)
    }
    return Table(corner="what", columns=("median", "longest"), rows=rows)


if __name__ == "__main__":
    main()
