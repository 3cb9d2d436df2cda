"""The mean clip: what all clips have in common for an encoder, and few-shot classifiers ignore."""

import torch
from torch.utils.data import Dataset

from pointaction.models.traction import TrackEncoder
from pointaction.training.batch import Batch


def settle(
    encoder: TrackEncoder, batches: Dataset[Batch], *, first: int = 0, count: int = 4
) -> None:
    """Set the encoder's `middle` to the mean of CLS over batches, see `TrackEncoder.embed`."""
    was_training, device = encoder.training, encoder.middle.device
    encoder.eval()
    with torch.inference_mode():
        found = [
            encoder(batch.geometry, batch.visible, batch.present).cls
            for batch in (batches[first + number].to(device) for number in range(count))
        ]
    encoder.middle.copy_(torch.cat(found).mean(0))
    encoder.train(was_training)
