import json

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pointaction.models.trx import TRX, CrossTransformer, TRXConfig, as_it_is, project
from tests.goldens import SHARED, Arrays, needs_shared, recorded, reference

TINY = TRXConfig(frames=5, width=12, projection=16, dropout=0.0)


def released(theirs: Arrays) -> TRX:
    """The reference's head."""
    config = TRXConfig(frames=5, width=12, projection=16, as_released=True)
    head = TRX(config)
    state = {
        f"transformers.{number}.{name.removeprefix(f'card{count}_w_')}": torch.from_numpy(array)
        for number, count in enumerate(config.cardinalities)
        for name, array in theirs.items()
        if name.startswith(f"card{count}_w_")
    }
    head.load_state_dict(state, strict=True)
    return head.eval()


def answers_as(theirs: Arrays) -> None:
    head = released(theirs)
    support, labels, query = (
        torch.from_numpy(theirs[name]) for name in ("support", "support_labels", "queries")
    )
    with torch.no_grad():
        logits = head(support, labels, query)
    close(logits, theirs["trx_mean_logits"][0])
    right = torch.from_numpy(theirs["query_labels"])
    close(cross_entropy(logits, right, reduction="sum"), theirs["trx_loss_sum_ce"])


def close(ours: Tensor, theirs: object) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(theirs), rtol=0, atol=1e-4)


def test_as_released_it_answers_as_the_released_head() -> None:
    answers_as(recorded("trx"))


@needs_shared
def test_as_released_it_answers_as_the_released_head_on_everything() -> None:
    theirs = reference("trx")
    answers_as(theirs)
    head = released(theirs)
    support, query = (torch.from_numpy(theirs[name]) for name in ("support", "queries"))
    labels = torch.from_numpy(theirs["support_labels"])
    for each, count in zip(head.transformers, (2, 3), strict=True):
        known, asked = each.embed(support), each.embed(query)
        distance = torch.stack(
            [each.distance(asked, known.of(labels == way)) for way in range(3)], -1
        )
        close(-distance.detach(), theirs[f"card{count}_logits"])


@needs_shared
def test_official_checkpoints_fit() -> None:
    with torch.device("meta"):
        state = TRX(TRXConfig(as_released=True)).state_dict()
    official = json.loads((SHARED / "facts" / "trx_head_keys.json").read_text())
    assert {name: list(tensor.shape) for name, tensor in state.items()} == official


def test_a_layer_on_tuples_is_that_on_their_frames_together() -> None:
    each = CrossTransformer(TINY, 3)
    frames = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))
    assert each.tuples.tolist()[:3] == [[0, 1, 2], [0, 1, 3], [0, 1, 4]]
    together = each.k_linear(frames[:, each.tuples].flatten(2))
    torch.testing.assert_close(project(frames, each.k_linear, each.tuples), together)


def clips(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 5, 12, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def head() -> TRX:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TRX(TINY).eval().requires_grad_(False)


def test_a_query_is_told_by_itself_whatever_else_is_asked(head: TRX) -> None:
    support, labels, query = clips(5), torch.tensor([0, 0, 1, 2, 1]), clips(3, 1)
    alone = head(support, labels, query[1:2])
    torch.testing.assert_close(head(support, labels, query)[1:2], alone)


def test_classes_may_have_other_numbers_of_examples_in_any_order(head: TRX) -> None:
    support, labels, query = clips(5), torch.tensor([0, 0, 1, 2, 1]), clips(3, 1)
    shuffle = torch.tensor([4, 2, 0, 3, 1])
    torch.testing.assert_close(
        head(support[shuffle], labels[shuffle], query), head(support, labels, query)
    )


def test_what_happens_the_other_way_round_is_far_away(head: TRX) -> None:
    config = TRXConfig(frames=5, width=12, projection=24, cardinalities=(2,))
    clip = 3 * clips(1)
    support = torch.cat([clip, clip.flip(1)])
    logits = as_it_is(config)(support, torch.tensor([0, 1]), support)
    assert logits.argmax(-1).tolist() == [0, 1]
    assert (logits.diagonal() > logits.flip(1).diagonal() + 1).all()


def test_attention_of_a_query_tuple_sums_to_one(head: TRX) -> None:
    each = next(iter(head.transformers))
    attention = each.attention(each.embed(clips(3)), each.embed(clips(2)))
    assert attention.shape == (3, 10, 2, 10)
    torch.testing.assert_close(attention.sum((2, 3)), torch.ones(3, 10))


def test_it_learns_where_the_order_of_two_frames_is_the_class() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = TRX(TRXConfig(frames=4, width=8, projection=8, cardinalities=(2,), dropout=0.0))
    optimiser = torch.optim.Adam(head.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(30):
        clip = torch.randn(6, 4, 8, generator=generator)
        clip[::2, :2, 0] += 4  # the bump comes first
        clip[1::2, 2:, 0] += 4
        labels = torch.tensor([0, 1])
        loss = cross_entropy(head(clip[:2], labels, clip[2:]), labels.repeat(2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
