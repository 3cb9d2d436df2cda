"""What the page draws is what the overlay shows: colours, places, and the moment of the video."""

import base64
import io
from typing import Any

import av
import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.explain.canvas import display_weights
from pointaction.explain.colours import heat
from pointaction.tracks import Tracks
from service.demo import BUNDLED
from tests.browser.driver import Page, expect
from tests.conftest import Stack
from tests.videos import MakeVideo

Picture = NDArray[np.uint8]  # (A, B, 3) RGB

# A player for a job, alone on the page, as wide as it is told.
SHOW = """async ([job, width, frames]) => {
  const { player } = await import("/web/player.js");
  const { clipUrl, getJson } = await import("/web/api.js");
  const attention = await getJson(`/jobs/${job}/attention`);
  const videoUrl = frames ? await clipUrl(job) : null;
  const { weights, size, times } = attention;
  window.shown = player({ videoUrl, tracks: attention, weights, size, times, frames });
  const place = document.createElement("div");
  place.style.width = `${width}px`;
  place.append(window.shown.element);
  document.getElementById("view").replaceChildren(place);
  return times;
}"""
READ = """() => {
  const canvas = document.querySelector(".stage canvas");
  return [canvas.width, canvas.height, canvas.toDataURL().split(",")[1]];
}"""
# The video's picture, small, once it is there.
FRAME = """([width, height]) => {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(document.querySelector(".stage video"), 0, 0, width, height);
  return [...context.getImageData(0, 0, width, height).data];
}"""


@pytest.fixture
def client(stack: Stack) -> httpx.Client:
    return stack.client


def classified(client: httpx.Client, name: str, data: bytes) -> str:
    """The id of the job that looked at this file."""
    answer = client.post("/classify", files={name: ("x", data)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job"])


def overlay(client: httpx.Client, job: str) -> list[Picture]:
    answer = client.get(f"/jobs/{job}/overlay")
    assert answer.status_code == 200, answer.text
    with av.open(io.BytesIO(answer.content), "r") as file:
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return [np.asarray(picture, np.uint8) for picture in pictures]


def show(page: Page, job: str, *, width: int, frames: int = 0) -> list[float]:
    """Put a player of the job on an empty page; the times of its tracks. A clip has `frames`."""
    page.goto("/#/nowhere")
    times: list[float] = page.evaluate(SHOW, [job, width, frames])
    return times


def drawn(page: Page, time: float) -> Picture:
    """What the canvas shows at this time, on black."""
    page.evaluate("(time) => { window.shown.pause(); window.shown.seek(time); }", time)
    page.wait_for_function("(time) => Math.abs(window.shown.time - time) < 0.005", arg=time)
    width, height, data = page.evaluate(READ)
    coloured = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
    assert coloured is not None
    assert coloured.shape == (height, width, 4)
    opacity = coloured[..., 3:] / 255
    return np.asarray((coloured[..., 2::-1] * opacity).round(), np.uint8)


def blinking_dots() -> Tracks:
    """Twelve points that go round, seen in every other frame only, so that they leave no trail."""
    t = np.arange(16)
    phase = 2 * np.pi * (t[None] / 8 + np.arange(12)[:, None] / 5)
    middle = np.array([[40 + 80 * (n % 4), 40 + 80 * (n // 4)] for n in range(12)])
    xy = middle[:, None] + 24 * np.stack([np.cos(phase), np.sin(phase)], -1)
    return Tracks(
        xy=xy.astype(np.float32),
        visible=np.broadcast_to(t % 2 == 0, (12, 16)).copy(),
        confidence=np.ones((12, 16), np.float32),
        query=np.concatenate([np.zeros((12, 1)), xy[:, 0]], 1).astype(np.float32),
        size=(240, 320),
        times=t / 8,
    )


def centres(picture: Picture) -> NDArray[np.float64]:
    """(K, 2) x and y of what is lit, in the order of rows of 160 pixels."""
    light = picture.max(axis=-1).astype(np.float64)
    count, parts = cv2.connectedComponents((light > 36).astype(np.uint8))
    down, across = np.indices(light.shape)
    found = [
        [np.average(axis[parts == part], weights=light[parts == part]) for axis in (across, down)]
        for part in range(1, count)
    ]
    return np.array(sorted(found, key=lambda at: (at[1] // 160, at[0])))


def test_points_lie_where_the_overlay_has_them(page: Page, client: httpx.Client) -> None:
    tracks = blinking_dots()
    job = classified(client, "tracks", tracks.to_bytes())
    times = show(page, job, width=640)
    frames = overlay(client, job)
    for moment in (2, 6, 12):
        mine, theirs = centres(drawn(page, times[moment])), centres(frames[moment])
        assert mine.shape == theirs.shape == (12, 2)
        assert np.abs(mine - theirs).max() < 1  # half a pixel of the clip
        expected = 2 * (tracks.xy[:, moment] + 0.5) - 0.5
        assert np.abs(mine - expected).max() < 1


def test_points_and_picture_are_of_the_same_moment_as_the_overlay(
    page: Page, client: httpx.Client
) -> None:
    job = classified(client, "clip", BUNDLED.read_bytes())
    times = show(page, job, width=854, frames=48)
    page.wait_for_function("() => document.querySelector('.stage video')?.readyState >= 2")
    frames = overlay(client, job)
    attention = client.get(f"/jobs/{job}/attention").json()
    with av.open(str(BUNDLED)) as file:
        film = [
            (frame.time or 0.0, frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)
        ]
    for moment in (8, 15, 24):
        nearest = min((time for time, _ in film), key=lambda time: abs(time - times[moment]))
        mine = drawn(page, nearest)
        at = heaviest(attention, moment, frames[moment].shape[:2])
        assert far(mine, frames[moment], at) <= 1
        assert far(mine, frames[moment - 3], at) > 1  # or the comparison could not tell
        seen = np.array(page.evaluate(FRAME, [64, 36])).reshape(36, 64, 4)[..., :3]
        unlike = [
            np.abs(cv2.resize(each, (64, 36)) - seen.astype(float)).mean() for _, each in film
        ]
        assert film[int(np.argmin(unlike))][0] == nearest


def far(mine: Picture, theirs: Picture, at: NDArray[np.float64]) -> float:
    """How far in `theirs`, at most, something is that looks most like the surroundings in `mine` of
    a point `at` (K, 2), pixels of the picture of either; in pixels of a clip 256 pixels high.
    """
    mine = cv2.resize(mine, theirs.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
    shifts = []
    for x, y in at.round().astype(int):
        patch = mine[y - 9 : y + 10, x - 9 : x + 10]
        around = theirs[y - 25 : y + 26, x - 25 : x + 26]
        *_, (across, down) = cv2.minMaxLoc(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED))
        shifts.append(max(abs(across - 16), abs(down - 16)))
    return max(shifts) * 256 / theirs.shape[0]


def heaviest(attention: dict[str, Any], moment: int, canvas: tuple[int, int]) -> Any:
    """(8, 2) where on the canvas (height, width) the heaviest points are that are well inside."""
    xy = np.array(attention["xy"])[:, moment]
    scale = np.array(canvas[::-1]) / np.array(attention["size"][::-1])
    at = (xy + 0.5) * scale - 0.5
    inside = ((at > 30) & (at < np.array(canvas[::-1]) - 30)).all(axis=1)
    weight = np.mean(attention["weights"], axis=0)
    weight[~(inside & np.array(attention["visible"])[:, moment])] = -1
    return at[np.argsort(weight)[-8:]]


def test_between_two_times_points_are_on_the_straight_way(page: Page) -> None:
    page.goto("/")
    places = page.evaluate(
        """async () => {
          const { Points } = await import("/web/points.js");
          const xy = [[[0, 0], [10, 20], [10, 0]], [[4, 4], [4, 4], [4, 4]]];
          const visible = [[true, true, true], [true, true, false]];
          const points = new Points({ xy, visible, size: [50, 100], times: [0, 1, 3] });
          return [0, 0.25, 1, 2.5, 9].map((time) => {
            points.locate(time, 2, 2);
            return [points.nowX[0], points.nowY[0], points.shown[1]];
          });
        }"""
    )
    # (x + 0.5) * 2: the middle of pixel 0 lies half a pixel into a picture twice as large.
    assert places == [[1, 1, 1], [6, 11, 1], [21, 41, 1], [21, 11, 0], [21, 1, 0]]


def test_colours_and_their_spread_are_those_of_the_overlay(page: Page) -> None:
    page.goto("/")
    weights = np.random.default_rng(0).dirichlet(np.ones(500)).tolist()
    scale, spread, even = page.evaluate(
        """async (weights) => {
          const { HEAT, displayWeights } = await import("/web/colours.js");
          return [[...HEAT], [...displayWeights(weights)], [...displayWeights([1, 1, 1])]];
        }""",
        weights,
    )
    expected = heat(np.linspace(0, 1, 256))
    assert np.abs(np.reshape(scale, (256, 3)) - expected.astype(int)).max() <= 1
    np.testing.assert_allclose(spread, display_weights(np.array(weights)), atol=1e-5)
    assert even == [0, 0, 0]


def test_maps_are_drawn_where_they_are_warm(page: Page) -> None:
    page.goto("/")
    sides: list[Any] = page.evaluate(
        """async () => {
          const { player } = await import("/web/player.js");
          const cold = [[0, 0], [0, 0]];
          const weights = [[[[0, 1], [0, 1]], cold], [cold, [[1, 0], [1, 0]]]];
          const shown = player({ tracks: null, weights, size: [100, 200], times: [0, 1] });
          const place = document.createElement("div");
          place.style.width = "200px";
          place.append(shown.element);
          document.getElementById("view").replaceChildren(place);
          await new Promise((resolve) => setTimeout(resolve, 100)); // until it has its size
          const canvas = place.querySelector("canvas");
          const at = (x) => canvas.getContext("2d").getImageData(x, 50, 1, 1).data[3];
          const both = () => [at(20), at(180)];
          const sides = [];
          for (const [head, time] of [[0, 0], [0, 1], [1, 1]]) {
            shown.setHead(head);
            shown.seek(time);
            sides.push(both());
          }
          return sides;
        }"""
    )
    warm = round(255 * 0.7)
    for (left, right), (is_left, is_right) in zip(sides, [(0, 1), (0, 0), (1, 0)], strict=True):
        assert abs(left - is_left * warm) <= 2
        assert abs(right - is_right * warm) <= 2


def test_what_the_browser_cannot_play_is_drawn_on_black(page: Page, make_video: MakeVideo) -> None:
    page.goto("/#/classify")
    page.set_input_files("input[type=file]", str(make_video("old.avi", codec="mpeg4", frames=12)))
    expect(page.locator(".stage-note")).to_contain_text("cannot play the file")
    page.wait_for_function("() => Number(document.querySelector('.controls input')?.value) > 0.2")
