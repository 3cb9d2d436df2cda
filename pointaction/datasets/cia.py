"""Chirality in Action on Something-Something V2: pairs of actions that are each other reversed.

P. Bagad, A. Zisserman, "Chirality in Action" (2025); lists at bpiyush/chirality-in-action:

cia-ssv2-train.csv, cia-ssv2-validation.csv    id,chiral_triplet_id,chiral_label,...

`id` is that of the SSv2 clip. In each group (chiral_triplet_id) two labels are to be told apart.
"""

from pathlib import Path

from pointaction.datasets.annotations import TRAIN, VALIDATION, Annotations, Item, rows

_COLUMNS = ("id", "chiral_triplet_id", "chiral_label")


def read_cia_ssv2(annotations: Path, videos: Path) -> Annotations:
    """The clips of both splits. Labels carry their group's name, because they repeat in others."""
    items = tuple(
        Item(
            path=videos / f"{row['id']}.webm",
            label=f"{row['chiral_triplet_id']}: {row['chiral_label']}",
            split=split,
            group=row["chiral_triplet_id"],
        )
        for split in (TRAIN, VALIDATION)
        for row in rows(annotations / f"cia-ssv2-{split}.csv", _COLUMNS)
    )
    return Annotations(items=items, labels=tuple(sorted({item.label for item in items})))
