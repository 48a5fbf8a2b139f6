"""What the tests of captioners' runs share."""

import keras
import pytest


@pytest.fixture
def weights():
    """Function from a run's folder to the weights of its captioner."""

    def weights(workdir):
        path = workdir / "captioner" / "captioner.keras"
        return keras.saving.load_model(path).get_weights()

    return weights
