"""A PointAction server from Python: `Client`, and `AsyncClient` which is awaited.

    from pointaction.client import Client

    with Client("http://127.0.0.1:8000", key="...") as client:
        answer = client.classify("my.mp4", progress=lambda job: print(job.stage, job.progress))
        print(answer.best.label, answer.best.score, answer.model.licence)
        answer.job.save_overlay("overlay.mp4")

        episode = client.create_episode({"wave": ["w1.mp4", "w2.mp4"], "nod": ["n1.mp4"]})
        print(episode.classify("who.mp4").best.label)

        for found in client.timeline("long.mp4").job.segments(0.4).segments:
            print(found.start_s, found.end_s, found.label)

A clip is a path, bytes, or `Tracks`, of which no picture is sent. It needs httpx and
numpy, not torch. Every error is a `PointActionError`: see `pointaction.client.problems`.
"""

from pointaction.client.asynchronous import AsyncClient, AsyncEpisode, AsyncJob
from pointaction.client.problems import OutOfPatience, Problem, Unreachable
from pointaction.client.records import (
    Attention,
    AttentionShape,
    CatalogueEntry,
    Classification,
    ClipFacts,
    EpisodeClass,
    EpisodeClassification,
    EpisodeState,
    Example,
    Health,
    JobState,
    MapsShape,
    Match,
    ModelUsed,
    Near,
    Prediction,
    Segment,
    Segments,
    Settled,
    TimelineFound,
    Used,
)
from pointaction.client.synchronous import Client, Episode, Job

__all__ = [
    "AsyncClient",
    "AsyncEpisode",
    "AsyncJob",
    "Attention",
    "AttentionShape",
    "CatalogueEntry",
    "Classification",
    "Client",
    "ClipFacts",
    "Episode",
    "EpisodeClass",
    "EpisodeClassification",
    "EpisodeState",
    "Example",
    "Health",
    "Job",
    "JobState",
    "MapsShape",
    "Match",
    "ModelUsed",
    "Near",
    "OutOfPatience",
    "Prediction",
    "Problem",
    "Segment",
    "Segments",
    "Settled",
    "TimelineFound",
    "Unreachable",
    "Used",
]
