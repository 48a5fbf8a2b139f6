"""The settings of a run: what `train.py`'s flags say, kept as `config.json`."""

import dataclasses
import functools
import pathlib
from operator import le

from annotator import files

_FILE = "config.json"
CHOICES = {
    "task": ("tagger", "captioner", "all"),
    "precision": ("auto", "float32", "bfloat16"),
    "aspect": ("squash", "center_crop"),
    "resize_method": ("bilinear", "bicubic", "area", "lanczos3"),
    "tagger": ("means", "jec", "2pknn", "mbrm", "finetuned"),
    "similarity": ("whitened", "l2", "cosine"),
    "decoder": ("stacked", "soft", "hard", "nic", "log_bilinear", "brnn"),
    "feedback": ("draft", "causal"),
    "select_by": ("bleu_4", "cider"),
    "schedule": ("cosine", "paper"),
}

# Numbers out of range are found out here, not after hours.
_AT_LEAST = {
    0: (
        *("seed", "margin", "top_k", "rounds", "feedback_start"),
        *("self_critical_epochs", "dense_rate", "convolution_rate", "weight_decay"),
        "tag_convolution_rate",
        *("attention_regularizer", "length_penalty", "no_repeat_ngram"),
    ),
    1: (
        *("batch_size", "components", "codebook", "neighbours", "grid"),
        *("tag_epochs", "tag_batch"),
        *("min_count", "max_length", "layers", "units", "attention_units", "epochs"),
        *("caption_batch", "patience", "beams", "checkpoint_steps"),
    ),
    2: ("self_critical_samples",),
}
_POSITIVE = (
    *("learning_rate", "self_critical_rate", "tag_rate", "clip_norm"),
    *("shrinkage", "bandwidth", "smoothing"),
)
_INATTENTIVE = ("nic", "log_bilinear", "brnn")
_SHARES = ("dropout", "tag_dropout", "label_smoothing")

# What a finished run may be given anew: it changes what is exported and scored.
EXPORT_SETTINGS = {
    "tagger": ("top_k", "threshold"),
    "captioner": ("beams", "length_penalty", "no_repeat_ngram"),
}
# Settings that decide no result.
_FREE = (
    *("task", "data_dir", "cache_dir", "skip_bad_images"),
    *("batch_size", "checkpoint_steps", "jit_compile"),
)


@dataclasses.dataclass(frozen=True)
class _DataSettings:
    """Images and their features.

    Attributes:
        task: `"tagger"`, `"captioner"` or `"all"`.
        dataset: A name of `annotator.datasets`.
        data_dir: Folder of the data set; `None` for `$ANNOTATOR_DATA/<dataset>`.
        cache_dir: Folder of feature caches and drawn data sets.
        skip_bad_images: Go on without images that cannot be read.
        seed: Seed of everything random.
        backbone: A network of `keras.applications`, or `"alexnet"`.
        backbone_weights: `"imagenet"`, `"random"` or a path.
        precision: `"float32"` or `"bfloat16"` (`"auto"` is resolved when a run starts).
        aspect: `"squash"` or `"center_crop"`.
        resize_method: As in `annotator.images.resize_image`.
        scales: Sides in pixels to which an image is resized, one view each. The
            captioner reads the first.
        batch_size: Images per forward pass of the backbone.
    """

    task: str = "all"
    dataset: str = "shapes"
    data_dir: str | None = None
    cache_dir: str | None = None
    skip_bad_images: bool = False
    seed: int = 0
    backbone: str = "vgg16"
    backbone_weights: str = "imagenet"
    precision: str = "auto"
    aspect: str = "squash"
    resize_method: str = "bilinear"
    scales: tuple[int, ...] = (224,)
    batch_size: int = 32


@dataclasses.dataclass(frozen=True)
class _TaggerSettings:
    """The tagger.

    Attributes:
        tap: Layer whose maps the tagger reads; `None` for the network's default.
        flip: Adds the mirror image of each view.
        tagger: `"means"`, `"jec"`, `"2pknn"`, `"mbrm"`, or `"finetuned"`: the backbone
            itself, trained to the end on augmented images.
        components: PCA dimensions n of a descriptor.
        codebook: Visual words m.
        vlad: Normalizations of the VLAD vector, any of `"power"`, `"intra"`, `"l2"`.
        similarity: How mean vectors are compared: `"whitened"`, `"l2"` or `"cosine"`.
        shrinkage: Share of the trace that is added to the covariance's diagonal.
        margin: Share of a word's typical similarity that is taken off its score.
        neighbours: K of JEC and 2PKNN.
        grid: Cells along each side of an image, whose mean descriptors MBRM compares.
        bandwidth: Variance of MBRM's kernel, as share of that of the cells.
        smoothing: Images that one image counts for in MBRM, against all.
        tag_epochs: Passes over the training images in which `"finetuned"` learns.
        tag_batch: Images per step of it.
        tag_rate: Its peak learning rate.
        tag_convolution_rate: What the rate is multiplied by for convolutions.
        tag_dropout: Rate of dropout before its last layer.
        extend: Workdir of an earlier run whose tagger is given this data set's images
            and words, without fitting its projection, codebook and whitening again.
        top_k: Tags per image; 0 for all that reach `threshold`.
        threshold: Lowest score of a tag, or `None`.
    """

    tap: str | None = None
    flip: bool = False
    tagger: str = "means"
    components: int = 256
    codebook: int = 16
    vlad: tuple[str, ...] = ("power", "l2")
    similarity: str = "whitened"
    shrinkage: float = 1e-3
    margin: float = 0.7
    neighbours: int = 5
    grid: int = 3
    bandwidth: float = 0.03
    smoothing: float = 1e5
    tag_epochs: int = 10
    tag_batch: int = 32
    tag_rate: float = 1e-3
    tag_convolution_rate: float = 0.1
    tag_dropout: float = 0.5
    extend: str | None = None
    top_k: int = 5
    threshold: float | None = None


@dataclasses.dataclass(frozen=True)
class _CaptionerSettings:
    """The captioner.

    Attributes:
        captioner_tap: Layer whose maps it reads; `None` for the network's default.
        min_count: Training occurrences that put a word into the vocabulary.
        max_length: Words per caption, in training and decoding.
        decoder: `"stacked"` (the published one), `"soft"`, `"hard"`, `"nic"`,
            `"log_bilinear"` or `"brnn"`.
        layers: Layers k of the stacked decoder, 1 to 6.
        feedback: Where the feedback's text comes from: `"draft"` or `"causal"`.
        rounds: Rounds of feedback; 0 for none.
        feedback_start: Epochs trained before the feedback joins.
        units: Width of states and word vectors.
        attention_units: Width of the additive attention.
        tied: Whether the word vectors are also the weights of the output.
        dropout: Rate of dropout.
        epochs: Passes over the training captions.
        self_critical_epochs: Passes over the training images after these, from the
            best weights on, in which the captioner learns from the CIDEr-D of captions
            it draws itself (Rennie et al., CVPR 2017).
        self_critical_rate: Learning rate of these epochs, decayed to 0 by a cosine.
        self_critical_samples: Captions drawn for each image.
        caption_batch: Images per training step, each with all its captions.
        caption_flip: Whether training sees every other epoch an image's mirror image;
            where the backbone is trained too, whether augmentation mirrors images.
        schedule: `"cosine"` (AdamW, warm-up, cosine decay) or `"paper"` (SGD with
            Nesterov momentum 0.9, a tenth of the rate every 10 epochs).
        learning_rate: Peak learning rate.
        dense_rate: What the rate is multiplied by for weights of dense layers.
        convolution_rate: The same for convolutions, where the backbone is trained.
        finetune_backbone: Trains the backbone too, on augmented images.
        weight_decay: Of AdamW.
        clip_norm: Largest global norm of a gradient.
        label_smoothing: Share of the target spread over all words.
        attention_regularizer: Weight of the doubly stochastic attention penalty.
        select_by: Validation score that picks the weights: `"bleu_4"` or `"cider"`.
        patience: Epochs without a better score before training stops.
        beams: Beams of the search.
        length_penalty: Power of the length a caption's log probability is divided by.
        no_repeat_ngram: Length of n-grams that a caption may not repeat; 0 for none.
        checkpoint_steps: Steps between checkpoints.
        jit_compile: Whether XLA compiles the attention: much faster to run, slower to
            start.
    """

    captioner_tap: str | None = None
    min_count: int = 5
    max_length: int = 20
    decoder: str = "stacked"
    layers: int = 2
    feedback: str = "draft"
    rounds: int = 0
    feedback_start: int = 1
    units: int = 512
    attention_units: int = 256
    tied: bool = False
    dropout: float = 0.4
    epochs: int = 12
    self_critical_epochs: int = 0
    self_critical_rate: float = 1e-4
    self_critical_samples: int = 5
    caption_batch: int = 16
    caption_flip: bool = True
    schedule: str = "cosine"
    learning_rate: float = 1e-3
    dense_rate: float = 1.0
    convolution_rate: float = 0.01
    finetune_backbone: bool = False
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    label_smoothing: float = 0.1
    attention_regularizer: float = 0.0
    select_by: str = "bleu_4"
    patience: int = 4
    beams: int = 5
    length_penalty: float = 0.7
    no_repeat_ngram: int = 0
    checkpoint_steps: int = 100
    jit_compile: bool = True


@dataclasses.dataclass(frozen=True)
class Config(_CaptionerSettings, _TaggerSettings, _DataSettings):
    """Everything that decides the result of a run; the fields are those of its bases.

    Raises:
        ValueError: If a setting is not one of its choices.
    """

    @classmethod
    def for_dataset(cls, dataset, **settings):
        """Settings with the defaults that suit a data set and a schedule.

        Args:
            dataset: Name of the data set. `shapes` is small and drawn: it takes random
                weights, which keep shapes and colors best in the middle of the
                network (of other networks than VGG their default layers), its own 112
                pixels, and a small decoder.
            **settings: Other settings; those that are `None` take the default. The
                schedule `"paper"` takes the published rates, number of epochs, layers
                and feedback; decoders other than `"stacked"` come without feedback, as
                published. An explicit `feedback` comes with a round.
        """
        values = dict(SHAPES) if dataset == "shapes" else {}
        if settings.get("backbone") not in (None, "vgg16", "vgg19"):
            for name in ("tap", "captioner_tap"):
                values.pop(name, None)
        if settings.get("schedule") == "paper":
            values.update(PAPER)
        if settings.get("decoder", "stacked") not in (None, "stacked"):
            values["rounds"] = 0
        values.update({k: v for k, v in settings.items() if v is not None})
        if settings.get("feedback") and settings.get("rounds") is None:
            values["rounds"] = 1  # who says which wants one
        if values.get("epochs") == 1:  # no time for the decoder alone
            values.setdefault("feedback_start", 0)
        return cls(dataset=dataset, **values)

    def __post_init__(self):
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"--{name} must be one of {choices}, got {value!r}.")
        unknown = set(self.vlad) - {"power", "intra", "l2"}
        if unknown:
            raise ValueError(
                "--vlad takes any of power, intra and l2, or none alone; got "
                f"{','.join(self.vlad)}."
            )
        for least, names in _AT_LEAST.items():
            self._require(names, f"{least} or more", functools.partial(le, least))
        self._require(_POSITIVE, "above 0", lambda value: value > 0)
        self._require(_SHARES, "from 0 to below 1", lambda value: 0 <= value < 1)
        if 256 % self.batch_size:  # as many images as a file of the cache holds
            raise ValueError(f"--batch_size must divide 256, got {self.batch_size}.")
        if not self.scales or min(self.scales) < 1:
            raise ValueError(f"--scales needs sides in pixels, got {self.scales}.")
        if self.tagger in ("mbrm", "finetuned") and (len(self.scales) > 1 or self.flip):
            raise ValueError(
                f"--tagger={self.tagger} reads one view of an image: give one of "
                "--scales and no --flip."
            )
        if self.tagger == "finetuned" and self.extend:
            raise ValueError(
                "--tagger=finetuned has no means that --extend could add to: train it "
                "anew, on all the images."
            )
        if self.task != "tagger":
            self._check_decoder()

    def _check_decoder(self):
        if self.rounds and self.feedback_start >= self.epochs:
            raise ValueError(
                f"--feedback_start={self.feedback_start} leaves none of "
                f"--epochs={self.epochs} to learn the feedback: lower it, or say "
                "--rounds=0."
            )
        if self.layers > 6:
            raise ValueError(f"--layers must be 1 to 6, got {self.layers}.")
        if self.rounds and self.feedback == "causal" and self.decoder in _INATTENTIVE:
            raise ValueError(
                f"--decoder={self.decoder} has no attention that --feedback=causal "
                "could steer: say --feedback=draft, or --rounds=0."
            )

    def _require(self, names, limit, holds):
        for name in names:
            value = getattr(self, name)
            if not holds(value):
                raise ValueError(f"--{name} must be {limit}, got {value}.")

    @classmethod
    def load(cls, workdir):
        """Reads the settings of a run.

        Raises:
            FileNotFoundError: If `workdir` holds no run.
            ValueError: If the file is damaged or of another version of the package.
        """
        path = pathlib.Path(workdir) / _FILE
        if not path.is_file():
            raise FileNotFoundError(f"{workdir} holds no run: there is no {path}.")
        values = files.read_json(path)
        known = {field.name for field in dataclasses.fields(cls)}
        if set(values) != known:
            raise ValueError(
                f"{path} has other settings than this version of annotator: "
                f"{sorted(set(values) ^ known)}. Train again in a new --workdir."
            )
        return cls(**{k: tuple(v) if type(v) is list else v for k, v in values.items()})

    def claim(self, workdir):
        """Makes `workdir` this run's, or finds that it is already.

        A task that has not begun takes any settings of its own, and one that is
        finished other `EXPORT_SETTINGS`: its model is then exported anew. A task that
        is not asked for now keeps those it has.

        Raises:
            ValueError: If another run, with other settings, is kept there.
        """
        path = pathlib.Path(workdir) / _FILE
        own = {"tagger": _TaggerSettings, "captioner": _CaptionerSettings}
        already = [task for task in own if begun(path.parent / task)]
        values = dataclasses.asdict(self)
        if already and path.is_file():
            other = Config.load(workdir)
            free = set(_FREE)
            for task, settings in own.items():
                names = [field.name for field in dataclasses.fields(settings)]
                if task not in already:
                    free.update(names)
                elif self.task not in (task, "all"):
                    free.update(names)
                    values.update({name: getattr(other, name) for name in names})
                elif (path.parent / task / f"{task}.keras").is_file():
                    free.update(EXPORT_SETTINGS[task])
            differing = [
                f"--{field.name}={getattr(other, field.name)}"
                for field in dataclasses.fields(self)
                if getattr(self, field.name) != getattr(other, field.name)
                and field.name not in free
            ]
            if differing:
                raise ValueError(
                    f"{workdir} holds a run with {' '.join(differing)}. Continue it "
                    "with the same flags, or name another --workdir."
                )
        files.write_json(path, values)


def begun(folder):
    """Whether something was made that other settings would have made otherwise.

    Settings that led nowhere, such as a wrong path, bind nobody.

    Args:
        folder: Folder of a task in a workdir.
    """
    first = ("vocabulary.json", "data.json")
    return any(path.name not in first for path in folder.glob("[!.]*"))


# The captioner and its training as they were published.
PAPER = {
    "layers": 4,
    "rounds": 1,
    "learning_rate": 0.1,
    "dense_rate": 0.2,
    "convolution_rate": 0.1,
    "epochs": 100,
    "patience": 100,
    "label_smoothing": 0.0,
}

# Defaults for the scenes drawn on the spot.
SHAPES = {
    "backbone_weights": "random",
    "scales": (112,),
    "tap": "block4_conv3",
    "captioner_tap": "block4_conv3",
    "min_count": 1,
    "rounds": 1,  # the method whole
    "units": 192,
    "attention_units": 96,
    "dropout": 0.2,
    "epochs": 8,
    "caption_batch": 16,
    "label_smoothing": 0.0,
    "caption_flip": False,  # left would be right
    "learning_rate": 2e-3,
    "beams": 3,
}
