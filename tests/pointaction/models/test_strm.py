import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pointaction.models.strm import STRM, Logits, STRMConfig, patches_of, strm_tiny
from tests.goldens import SHARED, Arrays, needs_shared, recorded, reference

TINY = STRMConfig(frames=5, width=12, projection=16, bottleneck=6, query_class_width=6, dropout=0.0)
RELEASED = replace(TINY, cardinalities=(2, 3), dropout=0.1, as_released=True)


def filled(config: STRMConfig) -> STRM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return STRM(config).eval().requires_grad_(False)


def released(theirs: Arrays) -> STRM:
    """The reference's model, the dropout of its query-class heads switched off by hand."""
    model = filled(RELEASED)
    model.load_state_dict(
        {
            name.removeprefix("w_"): torch.from_numpy(array)
            for name, array in theirs.items()
            if name.startswith("w_")
        },
        strict=True,
    )
    for head, count in zip(model.query_class, RELEASED.cardinalities, strict=True):
        prefix = f"qc{count}_w_"
        head.load_state_dict(
            {
                name.removeprefix(prefix): torch.from_numpy(array)
                for name, array in theirs.items()
                if name.startswith(prefix)
            }
        )
        head.eval()
    return model


def answers_as(theirs: Arrays, support: Tensor, query: Tensor) -> None:
    model = released(theirs)
    logits = model(support, torch.from_numpy(theirs["support_labels"]), query)
    close(logits.tuples, theirs["logits"][0])
    close(logits.query_class, theirs["logits_post_pat"][0])
    close(logits.together(), theirs["logits_total"][0])
    close(model.enrich(support).frames, theirs["fle_out_support"])
    close(model.enrich(query).frames, theirs["fle_out_query"])


def close(ours: Tensor, theirs: Any) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(theirs), rtol=0, atol=1e-4)


def test_as_released_it_answers_as_the_released_model() -> None:
    theirs = recorded("strm")
    clips = [torch.from_numpy(theirs[f"{who}_patches"]) for who in ("support", "query")]
    answers_as(theirs, *(clip.unflatten(0, (-1, 5)) for clip in clips))


@needs_shared
def test_as_released_it_answers_as_the_released_model_on_whole_maps() -> None:
    theirs = reference("strm")
    maps = [torch.from_numpy(theirs[f"{who}_fmaps"]) for who in ("support", "query")]
    support, query = (patches_of(each.unflatten(0, (-1, 5))) for each in maps)
    answers_as(theirs, support, query)
    enrich = released(theirs).attn_pat
    close(enrich(support.flatten(0, 1)), theirs["ple_out_support"])
    close(enrich(query.flatten(0, 1)), theirs["ple_out_query"])


@needs_shared
def test_official_checkpoints_fit() -> None:
    with torch.device("meta"):
        state = STRM(STRMConfig(as_released=True)).state_dict()
    official = json.loads((SHARED / "facts" / "strm_head_keys.json").read_text())
    assert {name: list(tensor.shape) for name, tensor in state.items()} == official


def clips(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 5, 16, 12, generator=torch.Generator().manual_seed(seed))


def test_the_query_class_heads_are_trained_saved_and_quiet_unless_as_released() -> None:
    ours, theirs = (
        STRM(replace(TINY, dropout=0.5, as_released=as_released)).eval()
        for as_released in (False, True)
    )
    heads = [name for name, _ in ours.named_parameters() if name.startswith("query_class")]
    assert heads == ["query_class.0.clsW.weight", "query_class.0.clsW.bias"]
    assert not any(name.startswith("query_class") for name in theirs.state_dict())
    asked = clips(2), torch.tensor([0, 1]), clips(1, 1)
    with torch.random.fork_rng():
        assert ours(*asked).query_class.equal(ours(*asked).query_class)
        assert not theirs(*asked).query_class.equal(theirs(*asked).query_class)


def test_a_switched_off_classifier_says_nothing() -> None:
    asked = clips(4), torch.tensor([0, 1, 2, 1]), clips(3, 1)
    without = filled(replace(TINY, query_class=False))(*asked)
    assert not without.query_class.any()
    assert without.together().equal(without.tuples)
    assert not filled(replace(TINY, trm=False))(*asked).tuples.any()


def test_without_enrichment_a_frame_is_the_mean_of_its_patches() -> None:
    plain = filled(replace(TINY, ple=False, fle=False)).enrich(clips(2))
    assert plain.frames.equal(clips(2).mean(2))
    assert plain.patches.equal(plain.frames)


def test_patches_see_their_frame_only_and_frames_their_clip() -> None:
    before = clips(2)
    after = before.clone()
    after[0, 3, 7] += 1
    changed = [
        (one - other).abs().amax(-1) > 1e-6
        for one, other in zip(filled(TINY).enrich(before), filled(TINY).enrich(after), strict=True)
    ]
    assert changed[0].nonzero().tolist() == [[0, 3]]
    assert changed[1].any(1).tolist() == [True, False]


def test_a_query_that_is_among_the_examples_is_as_similar_as_can_be() -> None:
    support = clips(3)
    logits = filled(TINY)(support, torch.tensor([0, 1, 2]), support)
    assert logits.query_class.argmax(-1).tolist() == [0, 1, 2]
    torch.testing.assert_close(logits.query_class.diagonal(), torch.zeros(3), rtol=0, atol=1e-2)


def test_the_loss_counts_the_second_classifier_a_tenth() -> None:
    labels = torch.tensor([0, 1])
    logits = Logits(torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([[0.0, 3], [0, 1]]))
    expected = cross_entropy(logits.tuples, labels) + 0.1 * cross_entropy(
        logits.query_class, labels
    )
    assert logits.loss(labels).item() == pytest.approx(expected.item())


def test_patches_of_few_values_are_brought_to_the_width() -> None:
    model = strm_tiny(5)
    few = torch.randn(2, 8, 16, 5, generator=torch.Generator().manual_seed(0))
    assert model.enrich(few).frames.shape == (2, 8, 128)
    assert sum(each.numel() for each in model.parameters()) < 350_000


def test_maps_are_pooled_row_by_row() -> None:
    maps = torch.arange(64.0).view(1, 1, 1, 8, 8)
    assert patches_of(maps)[0, 0, :5, 0].tolist() == [9, 11, 13, 15, 25]


@pytest.mark.parametrize("part", ["ple", "fle", "trm", "query_class"])
def test_every_part_can_be_left_out_and_the_rest_learns(part: str) -> None:
    off: dict[str, Any] = {part: False}
    model = STRM(replace(TINY, **off))
    logits = model(clips(4), torch.tensor([0, 1, 0, 1]), clips(2, 1))
    logits.loss(torch.tensor([0, 1])).backward()
    idle = {name.split(".")[0] for name, each in model.named_parameters() if each.grad is None}
    assert idle == ({"fr_enrich"} if part == "trm" else set())  # it works for the tuples alone
