"""An episode in this process: no server, no queue, nothing kept."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pointaction.choices import chosen
from pointaction.fewshot.calibration import calibration_of
from pointaction.fewshot.classes import Classes
from pointaction.fewshot.features import Features
from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS, expect_comparable
from pointaction.fewshot.track_features import describe
from pointaction.local import Clock, LocalService, MadeBy
from pointaction.methods import Running
from pointaction.pipeline import Recogniser, lift
from pointaction.predictions import best


class LocalEpisode(LocalService):
    """Answers as an episode of the server does, of the same model."""

    def __init__(
        self,
        store: Path,
        model: str,
        *,
        head: str = DEFAULT_HEAD,
        running: Running | None = None,
        **options: Any,
    ) -> None:
        running = running or Running()
        super().__init__(store, model, running=running, **options)
        expect_comparable(self.recogniser.entry)
        assert isinstance(self.recogniser, Recogniser)  # of what is comparable
        self.encoder = self.recogniser.model.encoder
        method = chosen(head, HEADS)
        self.head = method.used(store, running)
        self.matcher = method.open(store, running)
        self._calibration = calibration_of(head, self.recogniser.entry.episodes)
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
            self._classes = Classes.learn(self.matcher, self._clips, self.labels, self._calibration)
        found = self._classes.liken(features)
        return {
            "model": entry.told(),
            **asdict(by),
            "head": self.head.to_json(),
            "predictions": best(found.scores, top_k),
            "none_of_these": found.none_of_these,
            "nearest": [
                {"similarity": each.similarity, **self._told(each.example)}
                for each in found.neighbours
            ],
            "matches": [
                {
                    "query": list(each.query),
                    "moments": list(each.moments),
                    "weight": each.weight,
                    **self._told(each.example),
                }
                for each in found.matches
            ],
            "notes": entry.notes(by.depth.name if by.depth else None),
            "timings_ms": clock.timings_ms(),
        }

    def _told(self, example: int) -> dict[str, str]:
        return {"label": self.labels[example], "name": self.names[example]}

    def _describe(self, path: Path, clock: Clock) -> tuple[Features, MadeBy]:
        tracks, by = self._tracks(path, self._decode(path, clock), clock)
        tracks = lift(tracks, report=clock)
        clock("classify", 0.9)
        return describe(self.encoder, tracks, {self.matcher.part}), by
