"""The model card of a model that was fine-tuned: what is known of it; the rest is its maker's."""

from collections import Counter
from collections.abc import Sequence

from pointaction.evaluation.metrics import Accuracy
from pointaction.models.catalog import Entry
from pointaction.training.clip_folder import FollowedClip
from pointaction.training.loop import Run

TEMPLATE = """# {name} {version}

{source}.

**Licence.** {licence}, taken over from the weights it began with. Whether the clips allow it is for
whoever has them to say.

## Data

| label | clips trained on | clips kept for validation |
|---|---|---|
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


def model_card(
    entry: Entry, run: Run, followed: Sequence[FollowedClip], last: Accuracy | None
) -> str:
    """The card as Markdown."""
    recipe = run.recipe
    taught = Counter(each.clip.label for each in followed if not each.clip.validation)
    kept = Counter(each.clip.label for each in followed if each.clip.validation)
    rows = [f"| {label} | {taught[label]} | {kept[label]} |" for label in entry.labels]
    figure = (
        f"Top-1 on the clips kept for validation, with the 95 % interval: {last}. These are the "
        "weights of the last step, which were not chosen by that figure."
        if last
        else "Not measured: no clips were kept for validation."
    )
    return TEMPLATE.format(
        name=entry.name,
        version=entry.version,
        source=entry.source,
        licence=entry.licence,
        rows="\n".join(rows),
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
