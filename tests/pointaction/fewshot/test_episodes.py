import pytest
import torch
from torch import Generator

from pointaction.errors import InputError
from pointaction.fewshot.episodes import sample_episode
from pointaction.fewshot.prototypes import similarities

LABELS = torch.tensor([0] * 4 + [1] * 4 + [2] * 4 + [3] * 2)


def test_support_and_query_are_of_one_class_and_never_share_a_clip() -> None:
    episode = sample_episode(
        LABELS, ways=3, shots=2, queries=2, generator=Generator().manual_seed(0)
    )
    together = torch.cat([episode.support, episode.query], 1)  # (3, 4)
    assert len(together.unique()) == 12
    for row in together:
        assert len(LABELS[row].unique()) == 1


def test_too_few_clips_are_said_to_be_too_few() -> None:
    with pytest.raises(InputError, match="only 3 have so many"):
        sample_episode(LABELS, ways=4, shots=2, queries=2, generator=Generator())


def test_the_nearest_prototype_is_the_mean_of_its_examples() -> None:
    support = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [-1.0, 0.0]]])
    query = torch.tensor([[3.0, 3.0], [-2.0, 0.0]])
    expected = torch.tensor([[1.0, -(0.5**0.5)], [-(0.5**0.5), 1.0]])
    torch.testing.assert_close(similarities(support, query), expected)
