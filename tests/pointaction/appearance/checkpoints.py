"""Small networks with weights at random, saved by transformers itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
MEDIUM = SMALL | {"intermediate_size": 32}


@dataclass(frozen=True)
class Small:
    """What to build, and what is then to be expected."""

    model: str
    config: str
    settings: dict[str, Any]
    frames: int
    steps: int  # in time
    tokens: int  # of a step, for a clip of 48 x 64 pixels

    def build(self) -> Any:
        import transformers

        network = getattr(transformers, self.model)(
            getattr(transformers, self.config)(**self.settings)
        )
        chance = Generator().manual_seed(0)
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.2, generator=chance)
        return network.eval().requires_grad_(False)

    def save(self, folder: Path) -> Any:
        network = self.build()
        network.save_pretrained(folder)
        return network


KNOWN = {
    "dinov2": Small("Dinov2Model", "Dinov2Config", SMALL | {"image_size": 70}, 3, 3, 1 + 16 * 16),
    "dinov2-registers": Small(
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersConfig",
        SMALL | {"image_size": 70, "patch_size": 14, "num_register_tokens": 4},
        3,
        3,
        1 + 16 * 16,
    ),
    "vjepa2": Small(
        "VJEPA2Model",
        "VJEPA2Config",
        SMALL
        | {"crop_size": 32, "frames_per_clip": 4}
        | {"pred_hidden_size": 8, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1},
        4,
        2,
        2 * 2,
    ),
    "siglip": Small(
        "SiglipVisionModel",
        "SiglipVisionConfig",
        MEDIUM | {"image_size": 32, "patch_size": 16},
        3,
        3,
        2 * 2,
    ),
    # 16 patches of 8 pixels in the proportions of 3 to 4: 3 rows of 4, the most that fit.
    "siglip2-naflex": Small(
        "Siglip2VisionModel",
        "Siglip2VisionConfig",
        MEDIUM | {"num_patches": 16, "patch_size": 8},
        3,
        3,
        3 * 4,
    ),
    "videomae": Small(
        "VideoMAEModel",
        "VideoMAEConfig",
        MEDIUM | {"image_size": 32, "num_frames": 4},
        4,
        2,
        2 * 2,
    ),
    "videoprism": Small(
        "VideoPrismVisionModel",
        "VideoPrismVisionConfig",
        {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
        | {"num_spatial_layers": 2, "num_temporal_layers": 1, "image_size": 36, "num_frames": 4},
        4,
        4,
        2 * 2,
    ),
}
IMAGES = ("dinov2", "dinov2-registers", "siglip", "siglip2-naflex")


def asked_directly(name: str, network: Any, pictures: Tensor) -> Tensor:
    """Tokens (1, S, C) of a clip's pictures (T, 3, h, w), in the words of transformers."""
    if name == "vjepa2":
        return network.get_vision_features(pictures[None])
    if name == "videomae":
        return network(pixel_values=pictures[None]).last_hidden_state
    if name == "videoprism":
        return network(pixel_values_videos=pictures[None]).last_hidden_state
    if name == "siglip2-naflex":
        return _naflex(network, pictures)
    seen = [network(pixel_values=picture[None]).last_hidden_state[0] for picture in pictures]
    if name == "dinov2-registers":  # between CLS and the patches
        seen = [torch.cat([each[:1], each[5:]]) for each in seen]
    return torch.cat(seen)[None]


def _naflex(network: Any, pictures: Tensor) -> Tensor:
    """With the padding to 16 patches that the reference processor gives."""
    from transformers.models.siglip2.image_processing_pil_siglip2 import (
        convert_image_to_patches,
        pad_along_first_dim,
    )

    seen = []
    for picture in pictures:
        patches, mask = pad_along_first_dim(convert_image_to_patches(picture.numpy(), 8), 16)
        found = network(
            pixel_values=torch.from_numpy(patches)[None],
            pixel_attention_mask=torch.from_numpy(mask)[None],
            spatial_shapes=torch.tensor([[picture.shape[1] // 8, picture.shape[2] // 8]]),
        )
        seen.append(found.last_hidden_state[0, : mask.sum()])
    return torch.cat(seen)[None]
