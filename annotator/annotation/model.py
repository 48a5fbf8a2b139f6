"""What one or two exports say of images: captions, tags, or both."""

import pathlib

import keras
import tensorflow as tf

import annotator.layers  # noqa: F401  (registers the layers of the exports)
from annotator.backbones.sharing import join_regions
from annotator.captioner import BeamSearch, Captioner
from annotator.export import saved_model as export
from annotator.tagger.top_tags import TopTags

TASKS = ("captioner", "tagger")


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
            the export was made with.
        threshold: Lowest score of a tag; `None` as above.

    Attributes:
        resizes: `annotator.images.Resize` layers, the views that a call takes.
        tasks: The keys of `exports`.
    """

    def __init__(self, exports, captions=1, top_k=None, threshold=None):
        if captions < 1:
            raise ValueError(f"--captions must be at least 1, got {captions}.")
        if captions > 1 and "captioner" not in exports:
            raise ValueError(f"--captions={captions} needs a captioner, see --model.")
        if (top_k, threshold) != (None, None) and "tagger" not in exports:
            raise ValueError("--top_k and --threshold need a tagger, see --model.")
        self.tasks = tuple(exports)
        heads = {task: _head(task, model) for task, model in exports.items()}
        self.resizes, regions = join_regions(
            {task: (model, heads[task]) for task, model in exports.items()}
        )
        views = [
            tf.TensorSpec((None, resize.size, resize.size, 3))
            for resize in self.resizes
        ]
        self._regions = _compiled(lambda x: regions(x, training=False), views)
        self._heads = {}
        for task, head in heads.items():
            if task == "captioner":
                describe = _captions(head, captions)
            else:
                top = exports[task].get_layer("tagger_of_views").get_layer("top_tags")
                describe = _tags(head, top, top_k, threshold)
            shape = regions.output[task].shape
            spec = tf.TensorSpec(shape, regions.output[task].dtype)
            self._heads[task] = _compiled(describe, spec)

    @classmethod
    def load(cls, exports, **options):
        """Loads the exports that `find_exports` returned.

        Args:
            exports: Dict from task to `(folder, manifest)`.
            **options: As in the class.
        """
        models = {
            task: keras.saving.load_model(folder / f"{task}.keras", compile=False)
            for task, (folder, _) in exports.items()
        }
        return cls(models, **options)

    def regions(self, views):
        """Regions by task: float16 `[batch, R, channels]`.

        Args:
            views: List of float32 `[batch, size, size, 3]`, one for each of `resizes`,
                RGB, 0 to 255.
        """
        return self._regions(list(views))

    def describe(self, task, regions):
        """What a head says of its regions.

        Returns:
            A dict. Of the captioner: `captions`, string `[batch, n]`, and their
            `scores`, best first. Of the tagger: `tags`, string `[batch, k]`, empty
            where fewer reach the threshold, and their `scores`.
        """
        return self._heads[task](regions)

    def __call__(self, views):
        """What each head says of images, by task: `describe` of their `regions`."""
        regions = self.regions(views)
        return {task: self.describe(task, regions[task]) for task in self.tasks}


def find_exports(paths):
    """Finds exports and checks them.

    Args:
        paths: Folders of a version, of all versions of a model (the newest counts), or
            the `export` folder of a workdir, for all models in it.

    Returns:
        Dict from task to `(folder, manifest)`, captioner first.

    Raises:
        FileNotFoundError: If a folder is no export.
        ValueError: If a file is missing or altered, or a task is given twice.
    """
    folders = []
    for path in map(pathlib.Path, paths):
        inside = [path / task for task in TASKS if (path / task).is_dir()]
        folders += inside or [path]
    found = {}
    for folder in map(export.resolve, folders):
        manifest = export.verify(folder)
        task = manifest.get("task")
        if task not in TASKS or f"{task}.keras" not in manifest["files"]:
            raise ValueError(
                f"{folder} is no export that this version of annotator knows: its task "
                f"is {task!r}, its files are {sorted(manifest['files'])}. Export it "
                "again with train.py."
            )
        if task in found:
            raise ValueError(
                f"{found[task][0]} and {folder} are both a {task}: name one of each."
            )
        found[task] = folder, manifest
    return {task: found[task] for task in TASKS if task in found}


def _head(task, model):
    """The layer of an export that reads regions."""
    of_views = model.get_layer(f"{task}_of_views")
    if task == "tagger":
        return of_views.get_layer("tagger")
    return next(layer for layer in of_views.layers if isinstance(layer, Captioner))


def _captions(captioner, count):
    sampler = captioner.sampler
    if isinstance(sampler, BeamSearch):
        beams = max(count, sampler.beams)
        sampler = BeamSearch.from_config(
            {**sampler.get_config(), "beams": beams, "results": count}
        )
    elif count > 1:
        raise ValueError(
            f"--captions={count}: this captioner decodes by {type(sampler).__name__}, "
            "which finds one caption."
        )

    # Exports do without XLA, for servers that have none. It is there where this runs.
    captioner.set_jit_compile(True)

    def describe(regions):
        found = captioner.generate(regions, sampler=sampler)
        return {"captions": found["n_best_captions"], "scores": found["n_best_scores"]}

    return describe


def _tags(tagger, top, top_k, threshold):
    top = TopTags(
        top.words,
        top.top_k if top_k is None else top_k,
        top.threshold if threshold is None else threshold,
    )
    return lambda regions: top(tagger(regions, training=False))


def _compiled(function, signature):
    """`function` as a graph that is traced once, whatever the batch size."""
    return tf.function(function, input_signature=[signature])
