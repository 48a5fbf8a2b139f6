"""The layers that `import annotator.layers` registers, under the names in files."""

import json
import subprocess
import sys

# Never remove or rename one: users' .keras files name them.
NAMES = {
    "AdditiveAttention",
    "BagOfWords",
    "BeamSearch",
    "CalibratedProbabilities",
    "BrnnDecoder",
    "CaptionDetails",
    "Captioner",
    "CausalTextFeedback",
    "ConsensusReranker",
    "GreedySampler",
    "GridMeans",
    "HalfPrecision",
    "HardDecoder",
    "JEC",
    "LSTM",
    "LogBilinearDecoder",
    "MBRM",
    "NicDecoder",
    "PixelNormalization",
    "RandomSampler",
    "Resize",
    "ScalarScore",
    "SoftDecoder",
    "StackedDecoder",
    "Tagger",
    "TextFeedback",
    "TopTags",
    "TwoPassKNN",
    "VLAD",
    "Vocabulary",
    "WordProbabilities",
    "WordScores",
}
PROGRAM = """
import json
from annotator.terminal.startup import start_tensorflow
start_tensorflow()  # without what takes long to import and registers nothing
import keras, annotator.layers
registered = keras.saving.get_custom_objects()
print(json.dumps({name: layer.__name__ for name, layer in registered.items()}))
"""


def test_all_layers_of_files_are_registered():
    """In a process of its own: the tests import more than a script would."""
    output = subprocess.check_output([sys.executable, "-c", PROGRAM], text=True)
    registered = json.loads(output)
    assert {f"annotator>{name}" for name in NAMES} <= set(registered)
    for name in NAMES:
        assert registered[f"annotator>{name}"] == name
