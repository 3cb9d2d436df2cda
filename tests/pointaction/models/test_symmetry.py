from pathlib import Path

import pytest

from pointaction.errors import DamagedWeights
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.symmetry import UNNAMED, Symmetry, read_symmetry

VOCABULARY = DEFAULT_STORE / "vocabulary.toml"


def test_left_becomes_right_both_ways() -> None:
    symmetry = read_symmetry(VOCABULARY, ["moving left", "moving right"])
    assert symmetry == Symmetry(reverse=(1, 0), mirror=(1, 0))
    assert symmetry.both == (0, 1)


def test_what_falls_has_no_name_backwards_and_is_its_own_mirror_image() -> None:
    symmetry = read_symmetry(VOCABULARY, ["falling", "standing still"])
    assert symmetry == Symmetry(reverse=(UNNAMED, 1), mirror=(0, 1))
    assert symmetry.both == (UNNAMED, 1)


def test_a_name_that_the_model_lacks_is_none() -> None:
    symmetry = read_symmetry(VOCABULARY, ["moving left", "moving up"])
    assert symmetry.mirror == (UNNAMED, 1)


def test_labels_out_of_nowhere_are_named() -> None:
    with pytest.raises(DamagedWeights, match="does not know juggling"):
        read_symmetry(VOCABULARY, ["moving left", "juggling"])


def test_a_vocabulary_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(DamagedWeights, match="is missing or no vocabulary"):
        read_symmetry(tmp_path / "vocabulary.toml", ["moving left"])
