"""What is looked for in a long video, and how: all that its scores depend on."""

from dataclasses import dataclass, replace
from typing import Any

from pointaction.methods import Used
from pointaction.models.catalog import TORCH, Entry
from pointaction.timelines.scorer import expect_tracks_alone
from workers.blobs import timeline_name
from workers.episodes import Episode, EpisodeStore
from workers.examples import episode_of, head_of
from workers.jobs import TimelineParams
from workers.making import Making
from workers.results import described_by, timeline_key
from workers.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    params: TimelineParams
    entry: Entry
    making: Making
    episode: Episode | None  # None: the labels of the model are looked for
    head: Used | None  # of the episode

    @classmethod
    def of(
        cls, params: TimelineParams, entry: Entry, settings: Settings, episodes: EpisodeStore
    ) -> "Question":
        """InputError for a model that looks at pixels, and for an episode that is gone;
        UnknownModel where weights are missing.
        """
        expect_tracks_alone(entry)
        making = Making.of(
            settings, "clip", points=params.points, tracker=params.tracker, depth=params.depth
        )
        if not params.episode:
            return cls(params=params, entry=entry, making=making, episode=None, head=None)
        episode = episode_of(episodes, params.episode)
        head = head_of(settings, episode.head)
        # Whatever else answers, torch describes: examples are compared for long.
        entry = replace(entry, backend=TORCH)
        return cls(params=params, entry=entry, making=making, episode=episode, head=head)

    def blob(self, cached_as: str) -> str:
        """Where the scores of all windows of a video are kept."""
        by = described_by(self.entry.digest) if self.episode else self.entry.answers
        key = timeline_key(cached_as, self.making, self.params, answered_by=by, head=self.head)
        return timeline_name(cached_as, key)

    def made(self) -> dict[str, Any]:
        """As answers name what made them."""
        making = self.making
        assert making.points
        assert making.tracker
        assert making.depth
        return {
            "model": self.entry.told(),
            "points": making.points.to_json(),
            "tracker": making.tracker.to_json(),
            "depth": making.depth.to_json(),
            "episode": self.episode.id if self.episode else None,
            "head": self.head.to_json() if self.head else None,
            "tracks": self.params.tracks,
            "notes": self.entry.notes(making.depth.name),
        }
