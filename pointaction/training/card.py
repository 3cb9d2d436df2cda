"""The model card of a model that was fine-tuned: what is known of it; the rest is its maker's."""

from collections import Counter
from collections.abc import Sequence

from pointaction.evaluation.metrics import Accuracy
from pointaction.models.catalog import Entry
from pointaction.training.clip_folder import LabelledClip
from pointaction.training.loop import Run

_TAUGHT = "| label | clips trained on | clips kept for validation |\n|---|---|---|"
_NOT_MEASURED = "Not measured: no clips were kept for validation."

LOOKS = """# {name} {version}

{source}.

**Licence.** {licence}, of the backbone and the weights it began with. Whether the clips allow it is
for whoever has them to say.

## Data

{rows}

## Recipe

TrAction's late fusion (appendix D): the branches are trained each by itself and then stay as they
are. The backbone, {backbone} ({sha256}), looks at {frames} frames and is never trained. Seed
{seed}.

## How good it is

{figure}

## What it cannot do

It answers with one of its {labels} labels, whatever is shown, and it needs the clip: tracks alone
are refused.
"""

TEMPLATE = """# {name} {version}

{source}.

**Licence.** {licence}, taken over from the weights it began with. Whether the clips allow it is for
whoever has them to say.

## Data

{rows}

## Recipe

{steps} steps of {batch} clips, AdamW, learning rate {rate:g}, weight decay {decay:g}, warm-up and
cosine, seed {seed}; {what} trained. Random subsets of {fewest} to {most} tracks and the five
augmentations of TrAction's appendix B in training, all tracks in validation.

## How good it is

{figure}

## What it cannot do

It answers with one of its {labels} labels, whatever is shown.
"""


def model_card(entry: Entry, run: Run, clips: Sequence[LabelledClip], last: Accuracy | None) -> str:
    """The card as Markdown."""
    recipe = run.recipe
    figure = (
        f"Top-1 on the clips kept for validation, with the 95 % interval: {last}. These are the "
        "weights of the last step, which were not chosen by that figure."
        if last
        else _NOT_MEASURED
    )
    return TEMPLATE.format(
        name=entry.name,
        version=entry.version,
        source=entry.source,
        licence=entry.licence,
        rows=_table(entry, clips),
        steps=recipe.steps,
        batch=recipe.batch,
        rate=recipe.learning_rate,
        decay=recipe.weight_decay,
        seed=run.seed,
        what="only the head" if recipe.freeze else "all weights",
        fewest=min(recipe.tracks),
        most=max(recipe.tracks),
        figure=figure,
        labels=len(entry.labels),
    )


def looks_card(
    entry: Entry, clips: Sequence[LabelledClip], accuracy: Accuracy | None, *, seed: int
) -> str:
    """The card of a model that looks at pixels through a backbone, as Markdown."""
    assert entry.backbone  # it does
    return LOOKS.format(
        name=entry.name,
        version=entry.version,
        source=entry.source,
        licence=entry.licence,
        rows=_table(entry, clips),
        backbone=entry.backbone.name,
        sha256=entry.backbone.sha256[:12],
        frames=entry.backbone.frames,
        seed=seed,
        figure=f"Top-1 on the clips kept for validation, with the 95 % interval: {accuracy}."
        if accuracy
        else _NOT_MEASURED,
        labels=len(entry.labels),
    )


def _table(entry: Entry, clips: Sequence[LabelledClip]) -> str:
    taught = Counter(clip.label for clip in clips if not clip.validation)
    kept = Counter(clip.label for clip in clips if clip.validation)
    rows = [f"| {label} | {taught[label]} | {kept[label]} |" for label in entry.labels]
    return "\n".join([_TAUGHT, *rows])
