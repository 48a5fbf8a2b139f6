"""AlexNet against a recomputation of torchvision's, from a file of its weights."""

import numpy as np
import pytest
import safetensors.numpy

from annotator.backbones.backbone import build_backbone
from annotator.backbones.networks import default_tap
from annotator.backbones.weights import BackboneWeightsError

SHAPES = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 256 * 6 * 6),
    "classifier.4": (4096, 4096),
    "classifier.6": (1000, 4096),
}


@pytest.fixture(scope="module")
def arrays():
    """A `state_dict` as torchvision's: kernels `[out, in, height, width]`."""
    rng = np.random.default_rng(0)
    state = {}
    for name, shape in SHAPES.items():
        scale = np.float32((2 / np.prod(shape[1:])) ** 0.5)
        state[f"{name}.weight"] = scale * rng.standard_normal(shape, np.float32)
        state[f"{name}.bias"] = 0.1 * rng.standard_normal(shape[0], np.float32)
    return state


@pytest.fixture(scope="module")
def weights(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.safetensors"
    safetensors.numpy.save_file(arrays, path)
    return str(path)


def recomputed(arrays, pixels):
    """Maps by name as PyTorch lays them out, `[batch, channels, height, width]`."""
    x = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = np.float32(x).transpose(0, 3, 1, 2)

    def convolution(x, name, padding, stride=1):
        kernel, bias = (arrays[f"{name}.{part}"] for part in ("weight", "bias"))
        x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (2, 3))
        windows = windows[:, :, ::stride, ::stride]
        result = np.tensordot(windows, kernel, [(1, 4, 5), (1, 2, 3)]) + bias
        return np.maximum(result, 0).transpose(0, 3, 1, 2)

    def pool(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
        return windows[:, :, ::2, ::2].max((-2, -1))

    x = pool(convolution(x, "features.0", 2, stride=4))
    x = pool(convolution(x, "features.3", 2))
    x = convolution(convolution(x, "features.6", 1), "features.8", 1)
    maps = {"conv5": convolution(x, "features.10", 1)}
    maps["pool5"] = pool(maps["conv5"])
    x = maps["pool5"].reshape(len(x), -1)  # its adaptive pooling has nothing to do
    for name, layer in (("classifier.1", "fc6"), ("classifier.4", "fc7")):
        x = np.maximum(x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"], 0)
        maps[layer] = x[:, :, None, None]
    return maps


def test_it_is_torchvisions(arrays, weights):
    pixels = np.random.default_rng(1).uniform(0, 255, (2, 224, 224, 3))
    taps = ("conv5", "pool5", "fc6", "fc7")
    backbone = build_backbone("AlexNet", taps, weights, "float32", trainable=True)
    maps = backbone(pixels.astype(np.float32))
    for tap, expected in recomputed(arrays, pixels).items():
        expected = expected.transpose(0, 2, 3, 1)
        assert np.abs(expected).max() > 1
        np.testing.assert_allclose(maps[tap], expected, rtol=1e-3, atol=1e-3)


def test_larger_images_have_a_window_more(weights):
    """A map of 256 x 256 pixels holds that of a corner of 224 x 224."""
    backbone = build_backbone("alexnet", "fc7", weights, "float32", trainable=True)
    pixels = np.zeros((1, 256, 256, 3), np.float32)
    assert backbone(pixels)["fc7"].shape == (1, 2, 2, 4096)
    assert backbone(pixels[:, :224, :224])["fc7"].shape == (1, 1, 1, 4096)


def test_files_that_do_not_fit(arrays, weights, tmp_path):
    small = {k: v for k, v in arrays.items() if "classifier" not in k}
    lacking = {k: v for k, v in small.items() if not k.startswith("features.8.")}
    path = str(tmp_path / "lacking.safetensors")
    safetensors.numpy.save_file(lacking, path)
    with pytest.raises(BackboneWeightsError, match=r"lacks 1 of the 5 .*: conv4\."):
        build_backbone("alexnet", "conv5", path)
    build_backbone("alexnet", "conv3", path)  # the tap does not need it
    with pytest.raises(BackboneWeightsError, match="only alexnet takes"):
        build_backbone("vgg16", None, weights)
    (tmp_path / "page.safetensors").write_text("<html>404</html>")
    with pytest.raises(BackboneWeightsError, match="page.safetensors cannot be read"):
        build_backbone("alexnet", None, str(tmp_path / "page.safetensors"))
    wrong = dict(small)
    wrong["features.0.weight"] = wrong["features.0.weight"][:, :, :7, :7].copy()
    safetensors.numpy.save_file(wrong, path)
    with pytest.raises(BackboneWeightsError, match=r"conv1 has .*\(7, 7, 3, 64\)"):
        build_backbone("alexnet", "conv5", path)


def test_there_is_nothing_to_download():
    with pytest.raises(BackboneWeightsError, match=r"safetensors.*--backbone_weights"):
        build_backbone("alexnet")


def test_each_tagger_has_its_layer():
    assert default_tap("AlexNet", "tagger") == "conv5"
    assert default_tap("AlexNet", "finetuned") == "fc7"
    assert default_tap("vgg16", "finetuned") == default_tap("vgg16", "tagger")
