from pathlib import Path

import pytest
import torch

from pointaction.errors import InputError
from pointaction.models.digests import digest
from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining
from pointaction.models.traction import traction, traction_tiny
from pointaction.training.checkpoints import export_weights, load_encoder, load_head


def test_a_training_may_start_with_a_pretrained_encoder(tmp_path: Path) -> None:
    torch.manual_seed(5)
    pretrained = MaskedPretraining(traction_tiny(3).encoder, MaskedConfig())
    export_weights(pretrained, tmp_path / "start.safetensors")
    encoder = traction_tiny(33).encoder
    load_encoder(encoder, tmp_path / "start.safetensors")
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(
            value, pretrained.encoder.state_dict()[name], rtol=1e-3, atol=1e-4
        )  # it was stored in half precision


def test_an_encoder_of_another_size_is_refused(tmp_path: Path) -> None:
    export_weights(traction_tiny(3), tmp_path / "start.safetensors")
    with pytest.raises(InputError, match="another encoder"):
        load_encoder(traction(3).encoder, tmp_path / "start.safetensors")


def test_a_head_is_taken_over_where_it_has_as_many_labels(tmp_path: Path) -> None:
    model = traction_tiny(3)
    export_weights(model, tmp_path / "start.safetensors")
    fitting, other = traction_tiny(3).head, traction_tiny(4).head
    load_head(fitting, tmp_path / "start.safetensors")
    torch.testing.assert_close(fitting.weight, model.head.weight, rtol=1e-3, atol=1e-4)
    before = other.weight.clone()
    load_head(other, tmp_path / "start.safetensors")
    assert torch.equal(other.weight, before)


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    """The well-known SHA-256 of nothing."""
    (tmp_path / "empty").touch()
    assert digest(tmp_path / "empty").startswith("e3b0c44298fc1c14")
