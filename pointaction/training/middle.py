"""The mean clip: what all clips have in common for an encoder, and few-shot classifiers ignore."""

from collections.abc import Iterable

import torch

from pointaction.models.traction import TrackEncoder
from pointaction.training.batch import Batch


def settle(encoder: TrackEncoder, batches: Iterable[Batch]) -> None:
    """Set the encoder's `middle` to the mean of CLS over some batches, see `TrackEncoder.embed`."""
    was_training, device = encoder.training, encoder.middle.device
    encoder.eval()
    with torch.inference_mode():
        found = [
            encoder(batch.geometry, batch.visible, batch.present).cls
            for batch in (batch.to(device) for batch in batches)
        ]
    encoder.middle.copy_(torch.cat(found).mean(0))
    encoder.train(was_training)
