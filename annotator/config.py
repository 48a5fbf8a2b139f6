"""The settings of a run: what `train.py`'s flags say, kept as `config.json`."""

import dataclasses
import pathlib

from annotator import files

TASKS = ("tagger", "captioner", "all")
TAGGERS = ("means", "jec", "2pknn")
SIMILARITIES = ("whitened", "l2", "cosine")
_FILE = "config.json"


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides the result of a run.

    Attributes:
        task: One of `TASKS`.
        dataset: A name of `annotator.datasets`.
        data_dir: Folder of the data set; `None` for `$ANNOTATOR_DATA/<dataset>`.
        cache_dir: Folder of feature caches and drawn data sets.
        skip_bad_images: Go on without images that cannot be read.
        backbone: A network of `keras.applications`.
        backbone_weights: `"imagenet"`, `"random"` or a path.
        tap: Layer whose maps the tagger reads; `None` for the network's default.
        precision: `"float32"` or `"bfloat16"` (`"auto"` is resolved when a run starts).
        seed: Seed of everything random.
        scales: Sides in pixels to which an image is resized, one view each.
        flip: Adds the mirror image of each view.
        aspect: `"squash"` or `"center_crop"`.
        resize_method: As in `annotator.images.resize_image`.
        batch_size: Images per forward pass of the backbone.
        tagger: One of `TAGGERS`.
        components: PCA dimensions n of a descriptor.
        codebook: Visual words m.
        vlad: Normalisations of the VLAD vector, any of `"power"`, `"intra"`, `"l2"`.
        similarity: How the mean-vector tagger compares, one of `SIMILARITIES`.
        shrinkage: Share of the trace that is added to the covariance's diagonal.
        margin: Share of a word's typical similarity that is taken off its score.
        neighbours: K of JEC and 2PKNN.
        extend: Workdir of an earlier run whose tagger is given this data set's images
            and words, without fitting its projection, codebook and whitening again.
        top_k: Tags per image; 0 for all that reach `threshold`.
        threshold: Lowest score of a tag, or `None`.
    """

    task: str = "all"
    dataset: str = "shapes"
    data_dir: str | None = None
    cache_dir: str | None = None
    skip_bad_images: bool = False
    backbone: str = "vgg16"
    backbone_weights: str = "imagenet"
    tap: str | None = None
    precision: str = "auto"
    seed: int = 0
    scales: tuple[int, ...] = (224,)
    flip: bool = False
    aspect: str = "squash"
    resize_method: str = "bilinear"
    batch_size: int = 32
    tagger: str = "means"
    components: int = 256
    codebook: int = 16
    vlad: tuple[str, ...] = ("power", "l2")
    similarity: str = "whitened"
    shrinkage: float = 1e-3
    margin: float = 0.7
    neighbours: int = 5
    extend: str | None = None
    top_k: int = 5
    threshold: float | None = None

    @classmethod
    def for_dataset(cls, dataset, **settings):
        """Settings with the defaults that suit a data set.

        Args:
            dataset: Name of the data set. `shapes` is small and drawn: it takes random
                weights and its own 112 pixels, and needs nothing downloaded.
            **settings: Other settings; those that are `None` take the default.
        """
        defaults = {"backbone_weights": "random", "scales": (112,)}
        values = dict(defaults) if dataset == "shapes" else {}
        values.update({k: v for k, v in settings.items() if v is not None})
        return cls(dataset=dataset, **values)

    def __post_init__(self):
        for field, choices in (
            ("task", TASKS),
            ("tagger", TAGGERS),
            ("similarity", SIMILARITIES),
        ):
            value = getattr(self, field)
            if value not in choices:
                raise ValueError(f"--{field} must be one of {choices}, got {value!r}.")

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

        Raises:
            ValueError: If another run, with other settings, is kept there.
        """
        path = pathlib.Path(workdir) / _FILE
        if path.is_file():
            other = Config.load(workdir)
            differing = [
                f"--{field.name}={getattr(other, field.name)}"
                for field in dataclasses.fields(self)
                if getattr(self, field.name) != getattr(other, field.name)
            ]
            if differing:
                raise ValueError(
                    f"{workdir} holds a run with {' '.join(differing)}. Continue it "
                    "with the same flags, or name another --workdir."
                )
        files.write_json(path, dataclasses.asdict(self))
