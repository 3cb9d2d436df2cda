import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from pointaction.appearance.backbones import open_backbone
from pointaction.errors import DamagedWeights, InputError, MissingExtra
from tests.pointaction.appearance.checkpoints import (
    IMAGES,
    KNOWN,
    MEDIUM,
    asked_directly,
)

transformers = pytest.importorskip("transformers")


def clip(frames: int = 7, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(256, size=(frames, 48, 64, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A SigLIP, the smallest of them."""
    KNOWN["siglip"].save(tmp_path / "siglip")
    return tmp_path / "siglip"


def rewrite(path: Path, **settings: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@pytest.mark.parametrize("name", KNOWN)
def test_features_are_those_that_transformers_gives(name: str, tmp_path: Path) -> None:
    small = KNOWN[name]
    network = small.save(tmp_path)
    backbone = open_backbone(tmp_path, frames=small.frames, together=2)
    assert backbone.name == name
    found = backbone.features(clip())
    # 7 frames, evenly: 3 of them are 0, 3 and 6; 4 are 0, 2, 4 and 6.
    chosen = clip()[:: 3 if small.frames == 3 else 2]
    expected = asked_directly(name, network, backbone.native.pictures(torch.from_numpy(chosen)))
    torch.testing.assert_close(found.tokens, expected, rtol=1e-5, atol=1e-5)
    assert found.tokens.shape == (1, small.steps * small.tokens, 16)
    assert found.time.tolist() == [step for step in range(small.steps) for _ in range(small.tokens)]


@pytest.mark.parametrize("name", ["siglip", "videomae"])
def test_clips_of_a_batch_do_not_see_each_other(name: str, tmp_path: Path) -> None:
    KNOWN[name].save(tmp_path)
    backbone = open_backbone(tmp_path, frames=4)
    other = clip(frames=9, seed=1)[:, :40]  # longer, and of another size
    together = backbone.features([clip(), other]).tokens
    alone = torch.cat([backbone.features(each).tokens for each in (clip(), other)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    as_array = backbone.features(np.stack([clip(), clip()])).tokens
    torch.testing.assert_close(as_array[1], alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_model_sees_each_frame_by_itself(name: str, tmp_path: Path) -> None:
    """So where nothing changes, all steps are alike, and one frame is enough to fill them."""
    KNOWN[name].save(tmp_path)
    found = open_backbone(tmp_path, frames=3).features(clip(frames=1)).tokens
    steps = found.unflatten(1, (3, -1))
    torch.testing.assert_close(steps[:, 0], steps[:, 2], rtol=1e-5, atol=1e-5)


def test_a_clip_has_16_frames_where_the_model_does_not_say(folder: Path, tmp_path: Path) -> None:
    assert open_backbone(folder).frames == 16
    KNOWN["videomae"].save(tmp_path / "videomae")
    assert open_backbone(tmp_path / "videomae").frames == 4
    with pytest.raises(InputError, match="made for 4 frames; it cannot take 8"):
        open_backbone(tmp_path / "videomae", frames=8)
    KNOWN["vjepa2"].save(tmp_path / "vjepa2")
    with pytest.raises(InputError, match="steps of 2; give a multiple"):
        open_backbone(tmp_path / "vjepa2", frames=5)


def test_bfloat16_is_near_and_still_float32(folder: Path) -> None:
    exact = open_backbone(folder, frames=2)
    rough = open_backbone(folder, frames=2, precision=torch.bfloat16)
    found, expected = rough.features(clip()).tokens, exact.features(clip()).tokens
    assert found.dtype == torch.float32
    assert not found.equal(expected)
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)
    assert rough.digest != exact.digest


def test_a_probe_can_be_trained_on_features(folder: Path) -> None:
    tokens = open_backbone(folder, frames=2).features(clip()).tokens
    layer = torch.nn.Linear(16, 1)
    layer(tokens).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_the_digest_is_that_of_the_files_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    first = open_backbone(folder).digest
    moved = folder.rename(tmp_path / "elsewhere")
    (moved / "model.safetensors").rename(moved / "weights.safetensors")
    assert open_backbone(moved).digest == first
    assert open_backbone(moved / "weights.safetensors").digest == first
    assert open_backbone(moved, frames=8).digest != first
    weights = load_file(moved / "weights.safetensors")
    weights["embeddings.patch_embedding.bias"][0] += 1
    save_file(weights, moved / "weights.safetensors")
    assert open_backbone(moved).digest != first


def test_a_processor_s_file_goes_before_our_defaults(folder: Path) -> None:
    assert open_backbone(folder).native.resample == "bilinear"
    transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    assert open_backbone(folder).native.resample == "bicubic"
    rewrite(folder / "preprocessor_config.json", resample=1)  # Lanczos
    with pytest.raises(InputError, match="processor's file asks for"):
        open_backbone(folder)


def test_the_part_that_sees_is_taken_out_of_a_model_that_also_reads(tmp_path: Path) -> None:
    text = MEDIUM | {"vocab_size": 8, "max_position_embeddings": 4}
    config = transformers.SiglipConfig(
        vision_config=KNOWN["siglip"].settings,
        text_config=text | {"pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3},
    )
    whole = transformers.SiglipModel(config).eval().requires_grad_(False)
    whole.save_pretrained(tmp_path)
    backbone = open_backbone(tmp_path, frames=2)
    pictures = backbone.native.pictures(torch.from_numpy(clip()[[0, 6]]))
    expected = asked_directly("siglip", whole.vision_model, pictures)
    torch.testing.assert_close(backbone.features(clip()).tokens, expected, rtol=1e-5, atol=1e-5)


def test_what_a_model_was_trained_with_or_for_is_left(tmp_path: Path) -> None:
    config = transformers.VideoMAEConfig(**KNOWN["videomae"].settings, decoder_hidden_size=8)
    config.decoder_num_attention_heads, config.decoder_num_hidden_layers = 2, 1
    config.decoder_intermediate_size = 8
    whole = transformers.VideoMAEForPreTraining(config).eval().requires_grad_(False)
    whole.save_pretrained(tmp_path)
    backbone = open_backbone(tmp_path)
    pictures = backbone.native.pictures(torch.from_numpy(clip()[::2]))
    expected = asked_directly("videomae", whole.videomae, pictures)
    torch.testing.assert_close(backbone.features(clip()).tokens, expected, rtol=1e-5, atol=1e-5)


def test_weights_in_several_files_belong_together(folder: Path) -> None:
    expected = open_backbone(folder, frames=2).features(clip()).tokens
    network = transformers.SiglipVisionModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="8KB")
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 1
    assert open_backbone(folder, frames=2).features(clip()).tokens.equal(expected)
    shards[0].unlink()
    with pytest.raises(InputError, match=f"names {shards[0].name}, which is not there"):
        open_backbone(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere is not there; give a folder with config\.json"):
        open_backbone(tmp_path / "nowhere")


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "config.json").rename(folder / "away")
    with pytest.raises(InputError, match=r"config\.json is missing"):
        open_backbone(folder)
    (folder / "away").rename(folder / "config.json")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no weights; put model\.safetensors there"):
        open_backbone(folder)


def test_pickles_are_refused(folder: Path) -> None:
    """Beside safetensors they are not looked at."""
    pickled = folder / "pytorch_model.bin"
    torch.save(load_file(folder / "model.safetensors"), pickled)
    open_backbone(folder)
    for path in (pickled, folder):
        (folder / "model.safetensors").unlink(missing_ok=True)
        with pytest.raises(InputError, match=r"pytorch_model\.bin is not opened: only safetensors"):
            open_backbone(path)
    pickled.rename(folder / "model.safetensors")  # another name does not help
    with pytest.raises(DamagedWeights, match="is no safetensors file"):
        open_backbone(folder)


def test_another_architecture_is_refused(folder: Path) -> None:
    rewrite(folder / "config.json", model_type="bert")
    with pytest.raises(InputError, match="architecture 'bert'; backbones are dinov2, ") as raised:
        open_backbone(folder)
    assert raised.value.value == "bert"


def test_weights_of_another_architecture_are_refused(folder: Path, tmp_path: Path) -> None:
    KNOWN["videomae"].save(tmp_path / "videomae")
    (tmp_path / "videomae" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(DamagedWeights, match=r"not those of the siglip .* missing embeddings"):
        open_backbone(folder)


def test_missing_surplus_and_misshapen_weights_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    bias = weights.pop("post_layernorm.bias")
    save_file(weights, path)
    with pytest.raises(DamagedWeights, match=r"missing post_layernorm\.bias\. Fetch"):
        open_backbone(folder)
    save_file(weights | {"post_layernorm.bias": bias[:3].clone()}, path)
    with pytest.raises(DamagedWeights, match=r"mismatched post_layernorm\.bias\."):
        open_backbone(folder)
    save_file(weights | {"post_layernorm.bias": bias}, path)
    rewrite(folder / "config.json", num_hidden_layers=1)
    with pytest.raises(DamagedWeights, match=r"unexpected encoder\.layers\.1\..* and 11 more"):
        open_backbone(folder)


@pytest.mark.parametrize(
    "settings", [{"hidden_size": "wide"}, {"hidden_size": 15}, {"image_size": [32, 48]}]
)
def test_settings_that_make_no_model_are_refused(folder: Path, settings: dict[str, Any]) -> None:
    rewrite(folder / "config.json", **settings)
    with pytest.raises(InputError, match=r"settings in config\.json .* make no siglip"):
        open_backbone(folder)


def test_settings_cannot_choose_code(folder: Path) -> None:
    """A kernel would be fetched from a hub."""
    expected = open_backbone(folder, frames=2).features(clip()).tokens
    rewrite(
        folder / "config.json",
        _attn_implementation="someone/kernels",
        auto_map={"AutoModel": "code.Model"},
        quantization_config={"quant_method": "gptq"},
    )
    assert open_backbone(folder, frames=2).features(clip()).tokens.equal(expected)


def test_without_the_library_the_command_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pointaction\[appearance\]'"):
        open_backbone(folder)


def test_what_is_no_clip_is_refused(folder: Path, tmp_path: Path) -> None:
    backbone = open_backbone(folder)
    wrongs: list[NDArray[Any]] = [clip()[:0], clip().astype(np.float32), clip()[..., :2]]
    for wrong in wrongs:
        with pytest.raises(InputError, match=r"must be uint8 \(T, H, W, 3\)"):
            backbone.features(wrong)
    with pytest.raises(InputError, match="there are no clips"):
        backbone.features([])
    KNOWN["siglip2-naflex"].save(tmp_path / "naflex")
    with pytest.raises(InputError, match="keeps proportions, and these clips differ"):
        open_backbone(tmp_path / "naflex").features([clip(), clip()[:, :16]])
