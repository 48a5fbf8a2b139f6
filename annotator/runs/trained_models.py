"""What the trainings of a run left: its models, and what is known of them."""

import warnings
from typing import Any

import keras

from annotator import files, loading
from annotator.captioner import (
    BeamSearch,
    Captioner,
    ConsensusReranker,
    WordProbability,
)
from annotator.config import Config
from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.workdir import Workdir
from annotator.tagger.calibration import CalibratedProbabilities
from annotator.tagger.rules.given_tags import asked_thresholds
from annotator.tagger.rules.held_out_precision import HeldOutPrecision
from annotator.tagger.rules.word_thresholds import WordThresholds


class TrainedModels:
    """Base class of a run: the trained models, each loaded once.

    Args:
        workdir: The paths of the run's folder.

    Attributes:
        config: `Config`, which the subclass sets.
        files: As given.
        said: What evaluations keep of what the captioner said, by split.
    """

    config: Config

    def __init__(self, workdir: Workdir) -> None:
        self.files = workdir
        self.said: dict[str, Any] = {}
        self._models: dict[Task, keras.Model] = {}

    def captioner(self) -> Captioner:
        """The trained captioner, which decodes as the settings say.

        It is calibrated if it was for these settings.

        Warns:
            UserWarning: If its beams are to be ranked, and an earlier version that
                could not do so has trained it.
        """
        if CAPTIONER not in self._models:
            captioner = loading.model(self.files.model(CAPTIONER.name))
            captioner.decode_by(self.sampler())
            if self.config.rerank:
                captioner = self._with_reranker(captioner)
            captioner.calibrate(self.word_probability())
            self._models[CAPTIONER] = captioner
        return self._models[CAPTIONER]

    def sampler(self) -> BeamSearch:
        """The search that the settings ask for."""
        return BeamSearch(
            self.config.beams,
            self.config.length_penalty,
            max_length=self.config.max_length,
            no_repeat_ngram=self.config.no_repeat_ngram,
        )

    def word_probability(self) -> WordProbability | None:
        """How probable the words of captions are, if the settings are those of then."""
        path = self.files.word_probability
        if not path.is_file():
            return None
        stored = files.read_json(path)
        if stored["decoding"] != self._decoding():
            return None
        return WordProbability(stored["slope"], stored["offset"])

    def keep_word_probability(self, fitted: WordProbability) -> None:
        """Writes how probable the words of captions are; the captioner then says it.

        Args:
            fitted: Fitted to captions that are decoded as the settings say.
        """
        facts = {**fitted.get_config(), "decoding": self._decoding()}
        files.write_json(self.files.word_probability, facts)
        self.captioner().calibrate(fitted)

    def tagger(self) -> keras.Model:
        """The trained tagger, from regions to a score for each of `words`."""
        if TAGGER not in self._models:
            path = self.files.model(TAGGER.name)
            self._models[TAGGER] = loading.model(path)
        return self._models[TAGGER]

    def calibration(self) -> CalibratedProbabilities | None:
        """From the tagger's scores to probabilities, if it was calibrated."""
        if not self.files.calibration.is_file():
            return None
        arrays = loading.arrays(self.files.calibration)
        return CalibratedProbabilities.from_fit(
            arrays["slope"], arrays["offsets"], name="probabilities"
        )

    def held_out(self) -> HeldOutPrecision | None:
        """How often the tagger's words were right on held-out images, if there were."""
        path = self.files.held_out
        return HeldOutPrecision.load(path) if path.is_file() else None

    def word_thresholds(self) -> WordThresholds | None:
        """The thresholds that `tag_precision` or `tag_probability` asks for, if any.

        Raises:
            ValueError: When there were no images to tell them by, or no word can reach
                the precision.
        """
        return asked_thresholds(
            self.config.tag_precision,
            self.config.tag_probability,
            self.held_out,
            self.calibration,
            self.files.folder,
        )

    def words(self) -> list[str]:
        """The words of the trained tagger, in the order of its scores."""
        return files.read_json(self.files.words)

    def _decoding(self):
        """The settings that other captions follow from, JSON-ready."""
        return {
            name: getattr(self.config, name) for name in CAPTIONER.settings.exported()
        }

    def _with_reranker(self, captioner):
        path = self.files.reranker
        if not path.is_file():
            warnings.warn(
                f"{self.files.folder} has nothing to rank beams by, so captions are "
                "the search's first: the command of its training, given again, makes "
                "it in a minute. (--norerank does without.)",
                stacklevel=3,
            )
            return captioner
        arrays, weight = loading.arrays(path), self.config.rerank_weight
        words = int(arrays["vocabulary_size"])
        return captioner.with_reranker(
            ConsensusReranker.from_arrays(words, arrays, beam_weight=weight)
        )
