"""A model whose large products are rounded."""

import torch
from torch import Tensor

from pointaction.models.traction import Answer, TrAction


class Rounded:
    """Asked as the model, in bfloat16 where torch thinks that it may be."""

    def __init__(self, model: TrAction) -> None:
        self.model = model

    def answer(self, geometry: Tensor, visible: Tensor) -> Answer:
        """As `TrAction.answer`, in float32."""
        with torch.autocast(geometry.device.type, torch.bfloat16):
            told = self.model.answer(geometry, visible)
        return Answer(*(part.float() for part in told))
