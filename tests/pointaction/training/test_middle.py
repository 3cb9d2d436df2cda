import torch
from torch import Generator
from torch.utils.data import Dataset

from pointaction.models.traction import TrackEncoder, TrActionConfig
from pointaction.training.batch import Batch
from pointaction.training.middle import settle


class Once(Dataset[Batch]):
    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __getitem__(self, number: int) -> Batch:
        return self.batch


def test_embedded_clips_have_no_mean() -> None:
    torch.manual_seed(0)
    encoder = TrackEncoder(TrActionConfig(frames=8, width=24, layers=1, heads=2)).train()
    clips = Batch(
        geometry=torch.rand(6, 5, 8, 3, generator=Generator().manual_seed(0)),
        visible=torch.ones(6, 5, 8).bool(),
        present=torch.ones(6, 5).bool(),
        label=torch.zeros(6).long(),
    )
    settle(encoder, Once(clips), count=1)
    assert encoder.training
    embedded = encoder.eval().embed(clips.geometry, clips.visible, clips.present)
    assert embedded.abs().max() > 0.01
    torch.testing.assert_close(embedded.mean(0), torch.zeros(24), rtol=0, atol=1e-5)
