"""Test-time augmentation against numpy's flips and turns, and means of probabilities by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.tasks.conftest import task
from tlx.columns.input_spec import ImageSpec
from tlx.config.augmentation import TEST_VIEWS
from tlx.config.errors import ConfigError
from tlx.tasks.views import VIEWS, averaged, mean_of_classes, mean_of_labels, mean_of_numbers

NUMPY: dict[str, Any] = {
    "horizontal_flip": lambda x: np.flip(x, -1),
    "vertical_flip": lambda x: np.flip(x, -2),
    "rotate_90": lambda x: np.rot90(x, 1, (-2, -1)),
    "rotate_180": lambda x: np.rot90(x, 2, (-2, -1)),
    "rotate_270": lambda x: np.rot90(x, 3, (-2, -1)),
    "transpose": lambda x: np.swapaxes(x, -2, -1),
    "transverse": lambda x: np.flip(np.swapaxes(x, -2, -1), (-2, -1)),
}
OUTPUTS = st.builds(
    lambda seed, views, scale: torch.from_numpy(np.random.default_rng(seed).normal(0, scale, (views, 4, 3))),
    st.integers(0, 99),
    st.integers(1, 8),
    st.sampled_from([0.1, 3.0, 30.0]),
)


def test_views_are_the_symmetries_of_a_square() -> None:
    assert set(VIEWS) == set(TEST_VIEWS) == set(NUMPY)
    images = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).view(2, 3, 4, 4)
    seen = {name: view(images).numpy() for name, view in VIEWS.items()}
    for name, values in seen.items():
        np.testing.assert_array_equal(values, NUMPY[name](images.numpy()))
    assert len({values.tobytes() for values in seen.values()} | {images.numpy().tobytes()}) == 8


@given(OUTPUTS)
def test_the_probabilities_are_the_mean_of_those_of_each_view(outputs: torch.Tensor) -> None:
    torch.testing.assert_close(mean_of_classes(outputs).softmax(-1), outputs.softmax(-1).mean(0))
    torch.testing.assert_close(mean_of_labels(outputs).sigmoid(), outputs.sigmoid().mean(0))
    torch.testing.assert_close(mean_of_numbers(outputs), outputs.mean(0))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_sure_predictions_stay_finite(kind: torch.dtype) -> None:
    outputs = torch.tensor([[[900.0, -900.0, 0.0]], [[800.0, -700.0, 3.0]]], dtype=kind)
    for mean in (mean_of_classes, mean_of_labels, mean_of_numbers):
        assert mean(outputs).isfinite().all()
        assert mean(outputs).dtype == torch.float32


class Tiny(nn.Module):
    """A convolution that sees left and right, as a task's network; the second column is no image."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.specs = {"photo": ImageSpec(3, 6, width, (0.5,) * 3, (0.5,) * 3), "age": None}
        self.layer = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4 * 4 * (width - 2) + 1, 4)

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        found = self.layer(inputs["photo"]).relu().flatten(1)
        return torch.as_tensor(self.head(torch.cat([found, inputs["age"][:, None]], 1)))


class Opaque:
    """A task that does not."""


def test_a_network_predicts_the_mean_over_its_views() -> None:
    torch.manual_seed(0)
    network, photo, age = Tiny(), torch.randn(7, 3, 6, 6), torch.randn(7)
    found = averaged(network, task(), ["horizontal_flip", "rotate_90"])({"photo": photo, "age": age})
    seen = [photo, photo.flip(-1), torch.rot90(photo, 1, (2, 3))]
    expected = sum(network({"photo": one, "age": age}).softmax(-1) for one in seen) / 3
    torch.testing.assert_close(found.softmax(-1), expected)
    assert averaged(network, task(), []) is network


@pytest.mark.parametrize(
    ("network", "kind", "view", "message"),
    [
        (Tiny(7), task(), "rotate_90", "makes 7 x 6 of the 6 x 7 that the backbone reads"),
        (Tiny(), Opaque(), "horizontal_flip", "Opaque does not say what the mean"),
    ],
)
def test_what_has_no_mean_is_refused(network: nn.Module, kind: Any, view: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        averaged(network, kind, [view])
    averaged(Tiny(7), task(), ["vertical_flip", "rotate_180"])


def test_a_network_without_images_is_refused() -> None:
    network = Tiny()
    network.specs = {"age": None}
    with pytest.raises(ConfigError, match="this backbone reads none"):
        averaged(network, task(), ["horizontal_flip"])
