"""Timelines in this process: no server, no queue, nothing kept."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pointaction.choices import chosen
from pointaction.count import Count, uncounted
from pointaction.depth.lifters import DEFAULT_DEPTH, LIFTERS
from pointaction.fewshot.calibration import calibration_of
from pointaction.fewshot.classes import Classes
from pointaction.fewshot.features import Features, Part
from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS, expect_comparable
from pointaction.fewshot.track_features import describe
from pointaction.local import MadeBy
from pointaction.methods import Running
from pointaction.pipeline import Recogniser, lift, track_clip
from pointaction.recognisers import open_recogniser
from pointaction.timelines.episode_scorer import EpisodeScorer
from pointaction.timelines.model_scorer import ModelScorer
from pointaction.timelines.plan import Plan
from pointaction.timelines.timeline import Timeline
from pointaction.timelines.viewer import TRACKS, Viewer
from pointaction.tracking.points import DEFAULT_POINTS, POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER, TRACKERS
from pointaction.tracks import Tracks
from pointaction.video.decode import decode

_OF_AN_EXAMPLE = 512  # tracks, as of every clip


@dataclass(frozen=True, kw_only=True)
class LocalTimelines:
    """A model and methods by name, opened once, for any number of videos."""

    recogniser: Recogniser
    viewer: Viewer
    made: dict[str, Any]  # as answers name what made them
    store: Path
    running: Running

    @classmethod
    def open(
        cls,
        store: Path,
        model: str,
        *,
        tracks: int = TRACKS,
        points: str = DEFAULT_POINTS,
        tracker: str = DEFAULT_TRACKER,
        depth: str = DEFAULT_DEPTH,
        running: Running | None = None,
    ) -> "LocalTimelines":
        """Raises UnknownModel, NotInstalled and DamagedWeights; InputError for other names, and for
        a model that looks at pixels.
        """
        running = running or Running()
        scorer = ModelScorer.of(open_recogniser(store, model, device=running.device))
        entry = scorer.recogniser.entry
        method = chosen(tracker, TRACKERS)
        by = MadeBy(
            points=chosen(points, POINTS).used(store, running),
            tracker=method.used(store, running),
            depth=chosen(depth, LIFTERS).used(store, running),
        )
        # Looming is made of each window by itself, as models have learnt it.
        lifter = None if depth == DEFAULT_DEPTH else LIFTERS[depth].open(store, running)
        return cls(
            recogniser=scorer.recogniser,
            viewer=Viewer(
                scorer=scorer,
                tracks=tracks,
                choose=POINTS[points].open(store, running),
                tracker=method.open(store, running),
                lifter=lifter,
                short_side=method.short_side,
                enlarge=method.enlarge,
            ),
            made={"model": entry.told(), **asdict(by), "notes": entry.notes(depth)},
            store=store,
            running=running,
        )

    def taught(
        self,
        examples: Sequence[tuple[str, Path]],
        *,
        head: str = DEFAULT_HEAD,
        count: Count = uncounted,
    ) -> "LocalTimelines":
        """The same with classes of one's own: label, and a clip or `.tracks.npz`, of each example.

        Raises what `decode` does, and InputError for fewer than two classes.
        """
        expect_comparable(self.recogniser.entry)
        method = chosen(head, HEADS)
        matcher = method.open(self.store, self.running)
        features = []
        for number, (_, path) in enumerate(examples, start=1):
            features.append(self._describe(path, matcher.part))
            count(number, len(examples))
        classes = Classes.learn(
            matcher,
            features,
            [label for label, _ in examples],
            calibration_of(head, self.recogniser.entry.episodes),
        )
        scorer = EpisodeScorer(self.recogniser.model.encoder, classes, matcher.part)
        made = self.made | {"head": method.used(self.store, self.running).to_json()}
        return replace(self, viewer=replace(self.viewer, scorer=scorer), made=made)

    def timeline(self, plan: Plan, *, count: Count = uncounted) -> Timeline:
        """All of it at once; `Viewer.view` gives it part by part, and raises the same."""
        with closing(self.viewer.view(plan, count=count)) as parts:
            return Timeline.of(
                parts,
                self.viewer.scorer.labels,
                plan.windows,
                duration_s=plan.source.duration_s,
                made={"video": plan.path.name, "sha256": plan.sha256} | self.made,
            )

    def _describe(self, path: Path, part: Part) -> Features:
        viewer = self.viewer
        if path.suffix == ".npz":
            tracks = Tracks.load(path)
        else:
            clip = decode(path, short_side=viewer.short_side, enlarge=viewer.enlarge)
            tracks = track_clip(
                clip,
                tracks=_OF_AN_EXAMPLE,
                choose=viewer.choose,
                tracker=viewer.tracker,
                lifter=viewer.lifter,
            )
        return describe(self.recogniser.model.encoder, lift(tracks), {part})
