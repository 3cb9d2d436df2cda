"""`pointaction finetune --probe` and `--fuse`: a user's clips, looked at through a backbone.

Shapes:  n clips   S tokens   C, D widths of appearance and motion
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from pointaction.appearance.backbone import Backbone
from pointaction.appearance.cache import FeatureCache
from pointaction.appearance.stored import open_stored
from pointaction.errors import InputError
from pointaction.evaluation.metrics import Accuracy
from pointaction.fused import FusedRecogniser, ProbeRecogniser
from pointaction.models.catalog import Entry, Looks
from pointaction.models.files import Configured, save_network
from pointaction.models.fusion import LateFusion
from pointaction.models.probe import AttentiveProbe
from pointaction.models.traction import TrackEncoder
from pointaction.pipeline import inputs
from pointaction.recognition import AnyRecogniser
from pointaction.tracks import Tracks
from pointaction.training.card import looks_card
from pointaction.training.clip_folder import FollowedClip, LabelledClip, expect_lessons
from pointaction.training.finetune import (
    Finetuned,
    Lessons,
    Start,
    Watcher,
    Wish,
    find_start,
    follow_lessons,
    labelled_clips,
    motion_inputs,
    train_motion,
    unfinished,
)
from pointaction.training.looked_clips import LookedClips, decode_whole, look_at_clips
from pointaction.training.looks_entry import looks_entry
from pointaction.training.probing import (
    LINEAR,
    Schedule,
    embed_clips,
    train_fusion,
    train_probe,
)
from pointaction.training.register import prepare_store, register

_ABOVE = 3  # of so many clips of a label, one teaches the layer above the branches
_ROUNDS, _BATCH, _LEAST = 20, 16, 200  # of the probe: over the clips, clips, steps


def finetune_probe(wish: Wish, backbone: str, watcher: Watcher) -> Finetuned:
    """Train a probe on the backbone's features of the clips, validate and register it."""
    version = prepare_store(wish.store, wish.name, replace=wish.replace)
    looks = _open(wish, backbone)
    clips, absent = labelled_clips(wish)
    labels = sorted({clip.label for clip in clips})
    looked = _look(wish, clips, looks, watcher)
    taught = [clip for clip in looked.clips if not clip.validation]
    expect_lessons(wish.source, set(labels), taught)
    probe = _train_probe(wish, looked, taught, labels, looks)
    entry = _entry(wish, version, labels, probe, backbone, looks, None)
    kept = [(clip, None) for clip in looked.clips if clip.validation]
    accuracy = _ask(ProbeRecogniser(entry, probe, looks), kept)
    steps = _probing(len(taught)).steps
    done = Finetuned(steps=steps, planned=steps, absent=absent)
    return _registered(wish, entry, probe, looked.clips, accuracy, done)


def finetune_fusion(wish: Wish, backbone: str, watcher: Watcher) -> Finetuned:
    """Fine-tune the motion branch, train a probe, then the layer above both; register all three.

    Call again to go on after an interruption.
    """
    version = prepare_store(wish.store, wish.name, replace=wish.replace)
    start, looks = find_start(wish.store, wish.start), _open(wish, backbone)
    lessons = follow_lessons(wish, watcher)
    own, above = apart(lessons.taught)
    motion = train_motion(wish, start, version, replace(lessons, taught=own), watcher)
    done = unfinished(motion, lessons)
    if not motion.done:
        return done
    looked = _look(wish, [each.clip for each in lessons.clips], looks, watcher)
    _expect_all(lessons, looked)
    labels = lessons.labels
    probe = _train_probe(wish, looked, [each.clip for each in own], labels, looks)
    rows = _rows(looked, [each.clip for each in above])
    model = train_fusion(
        motion.model,
        probe,
        _moved(motion.model.encoder, [each.tracks for each in above]),
        embed_clips(probe, looked.tokens, looked.time, rows),
        _numbers(labels, [each.clip for each in above]),
        generator=Generator().manual_seed(wish.seed),
        schedule=replace(LINEAR, batch=min(LINEAR.batch, len(above))),
    )
    entry = _entry(wish, version, labels, model, backbone, looks, start)
    kept = [(each.clip, each.tracks) for each in lessons.kept]
    accuracy = _ask(FusedRecogniser(entry, model, looks), kept)
    return _registered(wish, entry, model, looked.clips, accuracy, done)


def apart(taught: Sequence[FollowedClip]) -> tuple[list[FollowedClip], list[FollowedClip]]:
    """The clips that the branches learn from, and those that the layer above them learns from.

    The latter are every third of a label; where some label has fewer than three, both learn from
    all.
    """
    if min(Counter(each.clip.label for each in taught).values()) < _ABOVE:
        return list(taught), list(taught)
    turn: Counter[str] = Counter()
    own: list[FollowedClip] = []
    above: list[FollowedClip] = []
    for each in taught:
        turn[each.clip.label] += 1
        (own if turn[each.clip.label] % _ABOVE else above).append(each)
    return own, above


def _open(wish: Wish, backbone: str) -> Backbone:
    return open_stored(wish.store, backbone, device=str(wish.device))


def _look(
    wish: Wish, clips: Sequence[LabelledClip], backbone: Backbone, watcher: Watcher
) -> LookedClips:
    return look_at_clips(
        clips,
        backbone,
        FeatureCache(wish.features or wish.folder / "features"),
        progress=watcher.looking,
        failed=watcher.failed,
    )


def _expect_all(lessons: Lessons, looked: LookedClips) -> None:
    missing = len(lessons.clips) - len(looked.clips)
    if missing:
        raise InputError(
            f"{missing} clips have tracks and no pixels; both branches need every clip, so leave "
            "those out, or give them as videos"
        )


def _probing(clips: int) -> Schedule:
    steps = max(_LEAST, math.ceil(_ROUNDS * clips / _BATCH))
    return Schedule(steps=steps, learning_rate=1e-3, weight_decay=0.05, batch=_BATCH)


def _train_probe(
    wish: Wish,
    looked: LookedClips,
    taught: Sequence[LabelledClip],
    labels: list[str],
    backbone: Backbone,
) -> AttentiveProbe:
    rows = _rows(looked, taught)
    return train_probe(
        lambda few: looked.tokens(rows[few]),
        looked.time,
        _numbers(labels, taught),
        width=looked.width,
        classes=len(labels),
        told_time=backbone.timeless,
        generator=Generator().manual_seed(wish.seed),
        schedule=_probing(len(taught)),
    )


def _rows(looked: LookedClips, clips: Sequence[LabelledClip]) -> Tensor:
    place = {clip: row for row, clip in enumerate(looked.clips)}
    return torch.tensor([place[clip] for clip in clips])


def _numbers(labels: list[str], clips: Sequence[LabelledClip]) -> Tensor:
    return torch.tensor([labels.index(clip.label) for clip in clips])


def _moved(encoder: TrackEncoder, tracks: Sequence[Tracks]) -> Tensor:
    """CLS of clips, (n, D)."""
    with torch.no_grad():
        each = [encoder(*inputs(few, encoder.config.frames)).cls for few in tracks]
    return torch.cat(each)


def _ask(
    recogniser: AnyRecogniser, kept: Sequence[tuple[LabelledClip, Tracks | None]]
) -> Accuracy | None:
    """How many of the clips that were kept it names rightly, asked as when it is served."""
    if not kept:
        return None
    right = 0
    for clip, tracks in kept:
        seen = recogniser.recognise(tracks, decode_whole(clip.path, clip.cut))
        right += next(iter(seen.scores)) == clip.label
    return Accuracy(right=right, total=len(kept))


def _entry(
    wish: Wish,
    version: str,
    labels: list[str],
    network: AttentiveProbe | LateFusion,
    backbone: str,
    looks: Backbone,
    start: Start | None,
) -> Entry:
    """What the catalogue will say, but for the digest; `start` is that of the motion branch."""
    moves = {}
    if isinstance(network, LateFusion):
        moves = motion_inputs(wish.tracks, network.config.motion.frames)
    return looks_entry(
        wish.store,
        wish.name,
        version,
        network,
        Looks(name=backbone, sha256=looks.sha256, frames=looks.frames),
        labels=labels,
        motion=replace(start, name=f"{start.name} fine-tuned") if start else None,
        moves=moves,
    )


def _registered(
    wish: Wish,
    entry: Entry,
    network: Configured,
    clips: Sequence[LabelledClip],
    accuracy: Accuracy | None,
    done: Finetuned,
) -> Finetuned:
    weights = wish.folder / "weights.safetensors"
    entry = replace(entry, sha256=save_network(network, weights))
    register(wish.store, entry, weights, looks_card(entry, clips, accuracy, seed=wish.seed))
    best = (done.steps, accuracy) if accuracy else None
    return replace(done, entry=entry, last=accuracy, best=best)
