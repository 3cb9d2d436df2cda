"""Which depths there are. The registry is a dict; adding one is an opener and an entry here."""

from collections.abc import Callable
from pathlib import Path

from pointaction.depth.base import Lifter
from pointaction.methods import Method, Running
from pointaction.version import LOOMING_VERSION

DEFAULT_DEPTH = "looming"


def _looming(store: Path, running: Running) -> Lifter:
    from pointaction.depth.looming_lifter import Looming

    return Looming()


def _video_depth_anything(name: str) -> Callable[[Path, Running], Lifter]:
    def open(store: Path, running: Running) -> Lifter:
        import torch

        from pointaction.depth.lifter import VideoDepthAnything
        from pointaction.depth.video_depth_anything import VideoDepthNetwork
        from pointaction.models.downloads import find_download
        from pointaction.models.networks import open_network

        network = open_network(store, find_download(store, name))
        assert isinstance(network, VideoDepthNetwork)
        precision = getattr(torch, running.precision)
        return VideoDepthAnything(network, device=running.device, precision=precision)

    return open


def _depth_anything(store: Path, running: Running) -> Lifter:
    import torch

    from pointaction.depth.depth_anything import DepthAnything
    from pointaction.models.downloads import find_download
    from pointaction.models.networks import open_network

    network = open_network(store, find_download(store, "depth-anything-v2-small"))
    precision = getattr(torch, running.precision)
    return DepthAnything(network, device=running.device, precision=precision)


_ALL = (
    Method(
        name="looming",
        says="from how neighbouring points spread as a surface comes nearer",
        version=LOOMING_VERSION,
        open=_looming,
    ),
    *(
        Method(
            name=f"video-depth-anything-{size}",
            says=f"Video Depth Anything, {size}: steady over time",
            version="1",
            open=_video_depth_anything(f"video-depth-anything-{size}"),
            weights=f"video-depth-anything-{size}",
            heeds_precision=True,
        )
        for size in ("small", "base", "large")
    ),
    Method(
        name="depth-anything-v2-small",
        says="Depth Anything V2, small: every frame by itself, so it trembles",
        version="1",
        open=_depth_anything,
        weights="depth-anything-v2-small",
        heeds_precision=True,
    ),
)
LIFTERS: dict[str, Method[Lifter]] = {method.name: method for method in _ALL}
