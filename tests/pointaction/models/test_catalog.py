import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pointaction.errors import DamagedWeights, UnknownModel
from pointaction.models.calibration import Calibration
from pointaction.models.catalog import DEFAULT_STORE, FEWSHOT, find, read_catalog
from tests.pointaction.models.stores import LABELS, small_store

CALIBRATION = Calibration(temperature=2.0, threshold=0.5, score="sureness")


def test_an_entry_has_its_labels_and_digest(tmp_path: Path) -> None:
    entry = find(small_store(tmp_path), "small")
    assert entry.labels == LABELS
    assert entry.calibration is None
    assert entry.digest == hashlib.sha256((tmp_path / entry.file).read_bytes()).hexdigest()


def test_an_entry_has_the_calibration_of_its_file(tmp_path: Path) -> None:
    assert find(small_store(tmp_path, CALIBRATION), "small").calibration == CALIBRATION


def test_the_digest_changes_with_every_part_of_the_calibration(tmp_path: Path) -> None:
    entry = find(small_store(tmp_path), "small")
    calibrations = [
        None,
        CALIBRATION,
        replace(CALIBRATION, temperature=2.1),
        replace(CALIBRATION, threshold=0.6),
        replace(CALIBRATION, score="energy"),
    ]
    digests = {replace(entry, calibration=calibration).digest for calibration in calibrations}
    assert len(digests) == 5
    other = replace(entry, sha256="0" * 64)
    assert replace(other, calibration=CALIBRATION).digest not in digests


def test_the_digest_can_be_found_out_by_hand(tmp_path: Path) -> None:
    entry = find(small_store(tmp_path, CALIBRATION), "small")
    text = entry.sha256 + "\n" + (tmp_path / "calibration.json").read_text()
    assert entry.digest == hashlib.sha256(text.encode()).hexdigest()


def test_a_calibration_that_is_missing_or_none_is_the_stores_fault(tmp_path: Path) -> None:
    store = small_store(tmp_path, CALIBRATION)
    (store / "calibration.json").write_text("{}")
    with pytest.raises(DamagedWeights, match="is no calibration"):
        find(store, "small")
    (store / "calibration.json").unlink()
    with pytest.raises(DamagedWeights, match="is missing"):
        find(store, "small")


def test_a_calibrated_entry_is_read_without_torch(tmp_path: Path) -> None:
    small_store(tmp_path, CALIBRATION)
    program = (
        "import sys; from pathlib import Path; from pointaction.models.catalog import find\n"
        "print(find(Path(sys.argv[1]), 'small').calibration.threshold, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.5", "False"]


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    with pytest.raises(UnknownModel, match="no model 'large' in the store; it has small"):
        find(store, "large")


def test_a_head_of_episodes_is_no_model_that_names_motions() -> None:
    with pytest.raises(UnknownModel, match="strm is a head of few-shot episodes; ask for it by"):
        find(DEFAULT_STORE, "strm")
    with pytest.raises(UnknownModel, match="traction is a model that names motions"):
        find(DEFAULT_STORE, "traction", task=FEWSHOT)
    with pytest.raises(UnknownModel, match="no model 'trms' in the store; it has strm, trokens$"):
        find(DEFAULT_STORE, "trms", task=FEWSHOT)


def test_a_store_without_catalogue_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="POINTACTION_MODEL_STORE"):
        read_catalog(tmp_path)


def test_an_answer_from_another_depth_than_the_model_learned_from_says_so(tmp_path: Path) -> None:
    entry = find(small_store(tmp_path), "small")
    learned = replace(entry, inputs={"depth": "looming"})
    assert learned.notes("looming") == learned.notes(None) == entry.notes("guessed") == []
    assert learned.notes("guessed") == [
        "small was trained on looming depth; how good it is on guessed is not known"
    ]


def test_the_shipped_model_says_what_depth_it_learned_from() -> None:
    assert find(DEFAULT_STORE, "traction-tiny").inputs["depth"] == "looming"


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """A store with `small` 1 and, after another model, its version 2."""
    catalog = small_store(tmp_path) / "catalog.toml"
    first = catalog.read_text()
    second = first.replace("[models.small]", '[models."small@2"]').replace('"1"', '"2"')
    catalog.write_text(first + first.replace("[models.small]", "[models.large]") + second)
    return tmp_path


def test_a_name_means_its_last_version_and_the_others_are_kept(versions: Path) -> None:
    assert list(read_catalog(versions)) == ["small@1", "large", "small"]
    assert find(versions, "small").told()["name"] == "small"
    assert [find(versions, name).version for name in ("small", "small@1", "small@2")] == [
        *("2", "1", "2")
    ]
    with pytest.raises(UnknownModel, match="no model 'small@3' in the store; it has small@1, sma"):
        find(versions, "small@3")
    with pytest.raises(UnknownModel, match="no model 'tall@3' in the store; it has large, small$"):
        find(versions, "tall@3")


def test_an_alias_stands_for_a_name_or_for_one_version_of_it(versions: Path) -> None:
    assert find(versions, "default").pinned == "small@2"  # nobody says, so it is the first
    catalog = versions / "catalog.toml"
    text = catalog.read_text()
    for meant, pinned in (("large", "large@1"), ("small", "small@2"), ("small@1", "small@1")):
        catalog.write_text(f'[aliases]\ndefault = "{meant}"\nmine = "{meant}"\n{text}')
        assert find(versions, "default").pinned == find(versions, "mine").pinned == pinned
    catalog.write_text(f'[aliases]\ndefault = "gone@4"\n{text}')
    with pytest.raises(UnknownModel, match="'default' stands for 'gone@4'.*models default NAME"):
        find(versions, "default")


def test_one_model_that_is_broken_does_not_keep_others_from_answering(versions: Path) -> None:
    catalog = versions / "catalog.toml"
    catalog.write_text(catalog.read_text().replace("labels.txt", "gone.txt", 1))
    assert find(versions, "small").version == "2"
    with pytest.raises(DamagedWeights, match=r"gone.txt is missing"):
        find(versions, "small@1")


def test_the_shipped_default_is_the_small_one() -> None:
    assert find(DEFAULT_STORE, "default") == find(DEFAULT_STORE, "traction-tiny")


def test_a_catalogue_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text("[models.\n")
    with pytest.raises(DamagedWeights, match=r"catalog.toml cannot be read: .*line 1"):
        find(tmp_path, "small")
