"""An episode in this process: no server, no queue, nothing kept."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pointaction.fewshot.calibration import calibration_of
from pointaction.fewshot.classes import Classes
from pointaction.fewshot.features import Features
from pointaction.fewshot.heads import DEFAULT_HEAD
from pointaction.fewshot.matchers import open_matcher
from pointaction.fewshot.track_features import describe
from pointaction.local import Clock, LocalService, MadeBy
from pointaction.pipeline import lift


class LocalEpisode(LocalService):
    """Answers as an episode of the server does, of the same model."""

    def __init__(
        self, store: Path, model: str, *, head: str = DEFAULT_HEAD, **options: Any
    ) -> None:
        super().__init__(store, model, **options)
        self.head = head
        self.matcher = open_matcher(head)
        self.labels: list[str] = []
        self.names: list[str] = []
        self._clips: list[Features] = []
        self._classes: Classes | None = None  # of the examples so far

    def learn(self, label: str, path: Path) -> None:
        """From one example more; raises PointActionError where it cannot be read."""
        self._clips.append(self._describe(path, Clock())[0])
        self.labels.append(label)
        self.names.append(path.name)
        self._classes = None

    def match(self, path: Path, *, top_k: int) -> dict[str, Any]:
        """The answer for a clip or a `.tracks.npz`; InputError before there are two classes."""
        clock = Clock()
        features, by = self._describe(path, clock)
        entry = self.recogniser.entry
        if self._classes is None:
            calibration = calibration_of(self.head, entry.episodes)
            self._classes = Classes.learn(self.matcher, self._clips, self.labels, calibration)
        found = self._classes.liken(features)
        return {
            "model": entry.told(),
            **asdict(by),
            "head": self.head,
            "predictions": [
                {"label": label, "score": score}
                for label, score in list(found.scores.items())[:top_k]
            ],
            "none_of_these": found.none_of_these,
            "nearest": [
                {
                    "label": self.labels[each.example],
                    "name": self.names[each.example],
                    "similarity": each.similarity,
                }
                for each in found.neighbours
            ],
            "notes": entry.notes(by.depth.name if by.depth else None),
            "timings_ms": clock.timings_ms(),
        }

    def _describe(self, path: Path, clock: Clock) -> tuple[Features, MadeBy]:
        tracks, by = self._tracks(path, clock)
        tracks = lift(tracks, report=clock)
        clock("classify", 0.9)
        encoder = self.recogniser.model.encoder
        return describe(encoder, tracks, {self.matcher.part}), by
