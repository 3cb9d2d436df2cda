import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pointaction.errors import MissingExtra
from pointaction.models.backends import AUTO, BACKENDS, Choice, computed
from pointaction.models.catalog import Entry
from pointaction.models.onnx import kept
from pointaction.models.onnx.export import Part
from pointaction.models.onnx.graph import Graph
from tests.pointaction.models.onnx.models import ENTRY, small_model


def choice(backend: str) -> Choice:
    return Choice(backend=backend, model=ENTRY.pinned, circumstances={}, figures={})


def test_what_is_wished_answers(tmp_path: Path) -> None:
    assert computed(ENTRY, "onnx", tmp_path).backend == "onnx"


def test_torch_answers_until_somebody_has_measured(tmp_path: Path) -> None:
    assert computed(ENTRY, AUTO, tmp_path).backend == "torch"
    choice("onnx").save(tmp_path, ENTRY)
    assert computed(ENTRY, AUTO, tmp_path).backend == "onnx"
    assert computed(ENTRY, "torch", tmp_path).backend == "torch"


def test_what_was_measured_of_other_weights_does_not_count(tmp_path: Path) -> None:
    choice("onnx").save(tmp_path, ENTRY)
    assert computed(replace(ENTRY, sha256="b" * 64), AUTO, tmp_path).backend == "torch"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"backend": "abacus"}'])
def test_a_choice_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    choice("onnx").save(tmp_path, ENTRY).write_text(content)
    assert computed(ENTRY, AUTO, tmp_path).backend == "torch"


def test_models_that_look_at_pixels_have_no_choice(tmp_path: Path) -> None:
    looking = replace(ENTRY, inputs={"pixels": "any", "tracks": 512})
    assert computed(looking, "onnx", tmp_path).backend == "torch"


def test_backends_tell_their_answers_apart() -> None:
    told = {replace(ENTRY, backend=backend).answers for backend in BACKENDS}
    assert len(told) == len(BACKENDS)
    assert ENTRY.answers == ENTRY.digest  # as before there was a choice
    assert replace(ENTRY, backend="onnx").digest == ENTRY.digest


def test_bfloat16_is_near_and_not_the_same(tmp_path: Path) -> None:
    model = small_model()
    given = torch.rand(2, 9, 8, 3), torch.ones(2, 9, 8).bool()
    with torch.inference_mode():
        exact = model.answer(*given)
        rounded = BACKENDS["torch-bf16"].open(model, ENTRY, tmp_path).answer(*given)
    assert rounded.logits.dtype == torch.float32
    assert not torch.equal(rounded.logits, exact.logits)
    torch.testing.assert_close(rounded.logits, exact.logits, rtol=0, atol=0.05)


def test_a_graph_is_made_once_for_weights_and_arithmetic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def export(part: Part, entry: Entry, path: Path) -> None:
        made.append(path)
        path.touch()

    def quantise(graph: Path, path: Path) -> None:
        assert graph.exists()
        made.append(path)
        path.touch()

    monkeypatch.setattr(kept, "write_graph", export)
    monkeypatch.setattr(kept, "write_int8_graph", quantise)
    monkeypatch.setattr(Graph, "open", lambda path, sha256: (path, sha256))
    model = small_model()
    first: object = kept.kept_graph(model, ENTRY, tmp_path)
    assert kept.kept_graph(model, ENTRY, tmp_path) == first == (made[0], ENTRY.sha256)
    kept.kept_graph(model, ENTRY, tmp_path, int8=True)
    kept.kept_graph(model, replace(ENTRY, sha256="b" * 64), tmp_path)
    assert len(made) == len(set(made)) == 3
    assert ENTRY.sha256[:16] in made[0].name


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match="pip install"):
        BACKENDS["onnx"].open(small_model(), ENTRY, tmp_path)
    assert not list((tmp_path / "graphs").iterdir())
