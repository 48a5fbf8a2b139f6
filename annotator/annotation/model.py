"""The model that annotates: the captions, the tags, or both, of one or two exports."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import annotator.layers  # noqa: F401  (registers the layers of the exports)
from annotator.annotation.preset_models import (
    held_out_precision,
    preset_models,
    tagger_words,
)
from annotator.backbones.sharing import join_regions
from annotator.captioner import BeamSearch, Captioner
from annotator.config.limits import MAX_PIXELS
from annotator.export.keras_model import keras_model
from annotator.export.versions import Exports
from annotator.tagger.calibration import CalibratedProbabilities
from annotator.tagger.rules.chosen_words import ChosenWords
from annotator.tagger.rules.held_out_precision import promised
from annotator.tagger.rules.word_rules import WordRules
from annotator.tagger.rules.word_thresholds import WordThresholds
from annotator.tagger.top_tags import TopTags
from annotator.tagger.word_scores import NEVER


class AnnotationModel:
    """A captioner, a tagger, or both, loaded from exports.

    Both read the same views and the same passes of the backbone where they agree on
    them; what they say is what each of them says alone.

    Args:
        exports: Dict from task, `"captioner"` or `"tagger"`, to the Keras model of its
            export.
        captions: Captions per image, best first. A search that follows fewer beams
            than that is widened.
        top_k: Tags per image at most (0: as many as there are words); `None` for what
            the export was made with, or for all where there are `thresholds`.
        threshold: Lowest score of a tag; `None` as above.
        words: Which words are given, and under which names; `None` for all, as they
            were learned.
        thresholds: The score that each of the tagger's W words must exceed, float
            `[W]`, in place of any other threshold.
        max_pixels: How many pixels an image that is no JPEG may have.

    Attributes:
        resizes: The `Resize` layers of the views that a call takes.
        max_pixels: As given.
        tasks: The keys of `exports`.

    Raises:
        ValueError: When an option needs a model that is not among `exports`, or is out
            of range.
    """

    def __init__(
        self,
        exports: Mapping[str, keras.Model],
        captions: int = 1,
        top_k: int | None = None,
        threshold: float | None = None,
        words: WordRules | None = None,
        thresholds: np.ndarray | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if captions < 1:
            raise ValueError(f"--captions must be at least 1, got {captions}.")
        if captions > 1 and "captioner" not in exports:
            raise ValueError(f"--captions={captions} needs a captioner, see --model.")
        if (top_k, threshold) != (None, None) and "tagger" not in exports:
            raise ValueError("--top_k and --threshold need a tagger, see --model.")
        if words is not None and "tagger" not in exports:
            raise ValueError("--words needs a tagger, see --model.")
        if max_pixels < 1:
            raise ValueError(f"--max_pixels must be at least 1, got {max_pixels}.")
        self.max_pixels = max_pixels
        self.tasks = tuple(exports)
        of_views = {
            task: model.get_layer(f"{task}_of_views") for task, model in exports.items()
        }
        heads = {task: _FIND_HEAD[task](model) for task, model in of_views.items()}
        self.resizes, regions = join_regions(
            {task: (model, heads[task]) for task, model in exports.items()}
        )
        views = [
            tf.TensorSpec((None, resize.size, resize.size, 3))
            for resize in self.resizes
        ]
        self._regions = _compiled(lambda inputs: regions(inputs, training=False), views)
        self._heads: dict[str, Callable] = {}
        details: dict[str, Callable] = {}
        describe = {
            "captioner": lambda model: _captions(_captioner(model), captions),
            "tagger": lambda model: _tags(model, top_k, threshold, words, thresholds),
        }
        for task, model in of_views.items():
            output = regions.output[task]
            spec = tf.TensorSpec(output.shape, output.dtype)
            self._heads[task] = _compiled(describe[task](model), spec)
            details[task] = _compiled(_DETAILS[task](model), spec)
        self._details = details

    @classmethod
    def load(
        cls, exports: Exports, precision: float | None = None, **options: Any
    ) -> "AnnotationModel":
        """Loads a model from exports.

        Args:
            exports: Dict from task to `(folder, manifest)`, as of `find_exports`.
            precision: How many of the images that get a word are to have it; each word
                gets the threshold that promises this, see `HeldOutPrecision`.
            **options: `captions`, `top_k`, `threshold`, `words` and `max_pixels`, as in
                the class.

        Warns:
            UserWarning: When a model learned drawn scenes, which it will see in any
                image, or some words cannot be promised: it names them.

        Raises:
            ValueError: When no word can be promised, or a threshold is given, too.
        """
        for task, (folder, manifest) in exports.items():
            if manifest.get("config", {}).get("dataset") == "shapes":
                warnings.warn(
                    f"The {task} in {folder} learned drawn shapes and describes all "
                    "images by these. For photographs there is the model photos.",
                    stacklevel=2,
                )
        if precision is not None:
            options["thresholds"] = _promised(exports, precision, options)
        models = {
            task: keras_model(folder)
            for task, (folder, manifest) in exports.items()
            if "preset" not in manifest
        }
        models |= preset_models(exports)
        return cls({task: models[task] for task in exports}, **options)

    def regions(self, views: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        """The regions that the heads read.

        Args:
            views: A float32 `[batch, size, size, 3]` for each of `resizes`, RGB, 0 to
                255.

        Returns:
            Dict from task to regions, float16 `[batch, R, channels]`.
        """
        return self._regions(list(views))

    def describe(self, task: str, regions: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a head says of its regions.

        Args:
            task: One of `tasks`.
            regions: Its regions, float16 `[batch, R, channels]`.

        Returns:
            A dict. Of the captioner: `captions`, string `[batch, n]`, their `scores`,
            best first, and if it was calibrated `word_probabilities`, how probable it
            is that people use a word of each, too. Of the tagger: `tags`, string
            `[batch, k]`, empty where fewer reach the threshold, their `scores`, and if
            it was calibrated their `probabilities`.
        """
        return self._heads[task](regions)

    def vectors(self, regions: tf.Tensor) -> tf.Tensor:
        """The vectors that the tagger compares with its words.

        Args:
            regions: Its regions, float16 `[batch, R, channels]`.

        Returns:
            float32 `[batch, d]`, before the layer that scores the words.
        """
        return self._details["tagger"](regions)

    def attention(self, regions: tf.Tensor) -> dict[str, tf.Tensor]:
        """The captioner's captions with where it looked.

        Args:
            regions: Its regions, float16 `[batch, R, channels]`.

        Returns:
            What `Captioner.generate` returns with `return_attention`.
        """
        return self._details["captioner"](regions)

    def __call__(self, views: Sequence[tf.Tensor]) -> dict[str, dict[str, tf.Tensor]]:
        """What each head says of images, by task: `describe` of their `regions`."""
        regions = self.regions(views)
        return {task: self.describe(task, regions[task]) for task in self.tasks}


def _promised(exports, precision, options):
    """The thresholds of the tagger's words; those without are named."""
    if "tagger" not in exports:
        raise ValueError("--precision needs a tagger, see --model.")
    if options.get("threshold") is not None:
        raise ValueError("Give either --threshold or --precision.")
    folder, manifest = exports["tagger"]
    thresholds = promised(
        held_out_precision(folder, manifest), precision, "--precision", folder
    )
    words = tagger_words(manifest)
    unreached = [words[n] for n in np.flatnonzero(~np.isfinite(thresholds))]
    if unreached:
        warnings.warn(
            f"--precision={precision}: {len(words) - len(unreached)} of the tagger's "
            f"{len(words)} words are given. Too few held-out images say so much of the "
            f"others: {', '.join(unreached)}",
            stacklevel=3,
        )
    return thresholds


def _captioner(of_views):
    return _layer(of_views, Captioner)


def _tagger(of_views):
    return of_views.get_layer("tagger")


# The layer of an export that reads regions, found in its model of views.
_FIND_HEAD = {"captioner": _captioner, "tagger": _tagger}


def _vectors(of_views):
    layers = _tagger(of_views).layers
    names = [layer.name for layer in layers]
    # What neighbors are compared by is part of their scores.
    ends = [
        names.index(name) for name in ("unit", "whitening", "scores") if name in names
    ]
    layers = layers[: min(ends)]

    def vectors(regions):
        for layer in layers:
            regions = layer(regions)
        return regions

    return vectors


def _attention(of_views):
    captioner = _captioner(of_views)
    return lambda regions: captioner.generate(regions, return_attention=True)


# What else is asked of a task's head; its graph is traced when it first is.
_DETAILS = {"captioner": _attention, "tagger": _vectors}


def _captions(captioner, count):
    sampler = captioner.sampler
    if isinstance(sampler, BeamSearch):
        beams = max(count, sampler.beams)
        config = {**sampler.get_config(), "beams": beams, "results": count}
        sampler = BeamSearch.from_config(config)
    elif count > 1:
        raise ValueError(
            f"--captions={count}: this captioner decodes by {type(sampler).__name__}, "
            "which finds one caption."
        )
    # Exports do without XLA, for servers that have none. It is there where this runs.
    captioner.set_jit_compile(True)

    def describe(regions):
        results = captioner.generate(regions, sampler=sampler)
        names = ("captions", "scores", "word_probabilities")
        # An export that was not calibrated, of an earlier version, has scores alone.
        return {
            name: results[f"n_best_{name}"]
            for name in names
            if f"n_best_{name}" in results
        }

    return describe


def _tags(of_views, top_k, threshold, rules, thresholds):
    tagger, top = _tagger(of_views), of_views.get_layer("top_tags")
    above = None if thresholds is None else WordThresholds.of(thresholds)
    if above is not None:
        top_k, threshold = 0 if top_k is None else top_k, NEVER
    elif threshold is None:
        above = _layer(of_views, WordThresholds)
    chosen = ChosenWords(rules.apply(top.words)) if rules else None
    top = TopTags(
        chosen.words if chosen else top.words,
        top.top_k if top_k is None else top_k,
        top.threshold if threshold is None else threshold,
        top.rank_by,
    )
    # An export without it, of an earlier version, has scores alone.
    probabilities = _layer(of_views, CalibratedProbabilities)

    def describe(regions):
        scores = tagger(regions, training=False)
        results = [scores if above is None else above(scores)]
        if probabilities is not None:
            results.append(probabilities(scores))
        return top(*(results if chosen is None else map(chosen, results)))

    return describe


def _layer(of_views, kind):
    return next((layer for layer in of_views.layers if isinstance(layer, kind)), None)


def _compiled(function, signature):
    """`function` as a graph that is traced once, whatever the batch size."""
    return tf.function(function, input_signature=[signature], autograph=False)
