"""The rows of the results page: each is a name and the flags of `train.py`.

Flags are written out also where they are the defaults, so that a row means the same
when a default changes.
"""

import dataclasses

SPLIT = "validation"


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: What the commands call it; the folder of its run.
        label: What the page calls it.
        flags: Those of `train.py` that it has besides the table's. `$NAME` stands for a
            variable of the environment.
        published: The system of `annotator.metrics.published` whose row stands below.
        minutes: About how long it takes on two slow cores, its features at hand.
    """

    name: str
    label: str
    flags: str
    published: str = ""
    minutes: float = 1.0


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the results page.

    Attributes:
        name: What the commands and the page's marks call it.
        task: The task of its runs.
        flags: Those that all its rows have.
        rows: Its rows.
        epochs: The flag that says how many epochs a row is trained; empty if none does.
    """

    name: str
    task: str
    flags: str
    rows: tuple[Row, ...]
    epochs: str = ""

    def arguments(self, row: Row) -> list[str]:
        """The arguments of `train.py` for a row, without those of places."""
        return [f"--task={self.task}", *self.flags.split(), *row.flags.split()]


_TAGS = (
    "--dataset=corel5k --backbone=vgg16 --backbone_weights=imagenet --tap=block5_conv2 "
    "--scales=224 --aspect=squash --noflip --top_k=5 --rank_by=score --seed=0"
)
_VLAD = "--components=256 --codebook=16 --vlad=power,l2 --covariance=0"
_JOINED = _VLAD.replace("--covariance=0", "--covariance=96")
_WHITENED = f"{_VLAD} --similarity=whitened --shrinkage=0.001"

_CAPTIONS = (
    "--dataset=flickr8k --backbone=vgg16 --backbone_weights=imagenet "
    "--captioner_tap=block5_conv3 --scales=224 --aspect=squash --min_count=5 "
    "--max_length=20 --units=512 --attention_units=256 --notied --dropout=0.4 "
    "--select_by=cider --beams=5 --length_penalty=0.7 --no_repeat_ngram=0 "
    "--norerank --seed=0"
)
_EQUAL = (
    f"{_CAPTIONS} --region_power=0.5 --nocaption_flip --epochs=6 --patience=4 "
    "--caption_batch=16 --schedule=cosine --learning_rate=0.001 --weight_decay=0.01 "
    "--label_smoothing=0.1 --self_critical_epochs=0"
)
_DRAFT = (
    "--rounds=1 --feedback=draft --feedback_score=additive --feedback_on=regions "
    "--feedback_start=1"
)


def _layers(k, rounds, minutes):
    feedback = _DRAFT if rounds else "--rounds=0"
    return Row(
        f"captions_k{k}" if rounds else f"captions_k{k}_alone",
        f"{k} layers, feedback" if rounds else f"{k} layers, no feedback",
        f"--decoder=stacked --layers={k} {feedback}",
        f"{k} layers, feedback (the paper)" if rounds else "",
        minutes,
    )


def _compared(name, label, decoder, published, minutes):
    flags = f"--decoder={decoder} --rounds=0"
    return Row(f"captions_{name}", label, flags, published, minutes)


def _feedback(name, label, flags):
    flags = f"--decoder=stacked --layers=2 --rounds=1 --feedback_start=1 {flags}"
    return Row(f"feedback_{name}", label, flags, minutes=110)


TABLES = (
    Table(
        "systems",
        "captioner",
        _EQUAL,
        (
            _compared("nic", "NIC", "nic", "Google NIC", 30),
            _compared("bilinear", "log-bilinear", "log_bilinear", "Log-bilinear", 30),
            _compared("brnn", "the generator of BRNN", "brnn", "", 30),
            _compared("soft", "soft attention", "soft", "Soft attention", 60),
            _compared("hard", "hard attention", "hard", "Hard attention", 70),
            _layers(2, 0, 60),
            _layers(4, 0, 120),
            _layers(2, 1, 110),
            _layers(3, 1, 160),
            _layers(4, 1, 210),
            _layers(5, 1, 260),
            _layers(6, 1, 310),
        ),
        epochs="epochs",
    ),
    Table(
        "feedback",
        "captioner",
        _EQUAL,
        (
            _feedback(
                "printed",
                "as printed: `tanh(W_v v + W_s s)` a scalar, regions scaled",
                "--feedback=draft --feedback_score=scalar --feedback_on=regions",
            ),
            _feedback(
                "log",
                "`w^T tanh(...)`, `log beta` added to the attention's scores",
                "--feedback=draft --feedback_score=additive --feedback_on=attention",
            ),
            _feedback(
                "printed_log",
                "as printed, `log beta` added to the attention's scores",
                "--feedback=draft --feedback_score=scalar --feedback_on=attention",
            ),
            _feedback(
                "causal",
                "`w^T tanh(...)` of the words so far, regions scaled",
                "--feedback=causal --feedback_score=additive --feedback_on=regions",
            ),
        ),
        epochs="epochs",
    ),
    Table(
        "published_training",
        "captioner",
        f"{_CAPTIONS} --region_power=1 --decoder=stacked --layers=4 {_DRAFT}",
        (
            Row(
                "captions_published",
                "the published schedule, augmented images, VGG16 trained too; 4 of its "
                "100 epochs",
                "--schedule=paper --learning_rate=0.1 --dense_rate=0.2 "
                "--convolution_rate=0.1 --label_smoothing=0 --finetune_backbone "
                "--caption_flip --epochs=4 --patience=4 --caption_batch=16",
                "4 layers, feedback (the paper)",
                600,
            ),
        ),
        epochs="epochs",
    ),
    Table(
        "paper_tags",
        "tagger",
        f"{_TAGS} --tagger=means --covariance=0",
        (
            Row(
                "tags_bow",
                "histogram of 64 visual words, L2",
                "--components=64 --codebook=64 --vlad=bow --similarity=l2",
            ),
            Row(
                "tags_paper_64",
                "VLAD as it is, n = m = 64, L2",
                "--components=64 --codebook=64 --vlad=none --similarity=l2",
                "VLAD and mean vectors (the paper)",
            ),
            Row(
                "tags_paper_64_unit",
                "the same at unit length",
                "--components=64 --codebook=64 --vlad=l2 --similarity=l2",
            ),
            Row(
                "tags_paper_64_power",
                "the same, signed square roots at unit length",
                "--components=64 --codebook=64 --vlad=power,l2 --similarity=l2",
            ),
        ),
    ),
    Table(
        "taggers",
        "tagger",
        _TAGS,
        (
            Row(
                "tags_means_l2",
                "mean vectors, L2",
                f"--tagger=means {_VLAD} --similarity=l2",
                "VLAD and mean vectors (the paper)",
            ),
            Row(
                "tags_means",
                "mean vectors, whitened, margins",
                f"--tagger=means {_WHITENED} --margin=0.7 --lift=0",
            ),
            Row(
                "tags_default",
                "the default: a covariance joins the vector, strengths and the lift by "
                "other words are chosen by leave-one-out",
                f"--tagger=means {_JOINED} --similarity=whitened",
                minutes=2,
            ),
            Row(
                "tags_jec_l2",
                "JEC, L2",
                f"--tagger=jec --neighbours=5 {_VLAD} --similarity=l2",
                "JEC, VGG16 features",
            ),
            Row(
                "tags_jec",
                "JEC, whitened",
                f"--tagger=jec --neighbours=5 {_WHITENED}",
            ),
            Row(
                "tags_2pknn_l2",
                "2PKNN, L2",
                f"--tagger=2pknn --neighbours=5 {_VLAD} --similarity=l2",
                "2PKNN, VGG16 features",
                3,
            ),
            Row(
                "tags_2pknn",
                "2PKNN, whitened",
                f"--tagger=2pknn --neighbours=5 {_WHITENED}",
                minutes=3,
            ),
            Row(
                "tags_2pknn_default",
                "2PKNN on the default's vectors, whitened",
                f"--tagger=2pknn --neighbours=5 {_JOINED} --similarity=whitened "
                "--shrinkage=0.001",
                minutes=5,
            ),
            Row(
                "tags_mbrm_cells",
                "MBRM, the mean descriptors of 3 x 3 cells, L2",
                "--tagger=mbrm --grid=3 --components=128 --bandwidth=0.03 "
                "--smoothing=100000",
                "MBRM, hand features",
                5,
            ),
            Row(
                "tags_mbrm",
                "MBRM, the image whole, whitened",
                f"--tagger=mbrm --grid=0 {_WHITENED} --bandwidth=0.03 "
                "--smoothing=100000",
                minutes=3,
            ),
        ),
    ),
    Table(
        "finetuned",
        "tagger",
        "--dataset=corel5k --tagger=finetuned --scales=224 --aspect=squash --top_k=5 "
        "--rank_by=score --tag_batch=32 --tag_dropout=0.5 --seed=0",
        (
            Row(
                "tags_alexnet_random",
                "AlexNet from random weights",
                "--backbone=alexnet --backbone_weights=random --tag_epochs=20 "
                "--tag_rate=0.001 --tag_convolution_rate=1",
                "AlexNet, trained on the data set",
                90,
            ),
            Row(
                "tags_vgg16_random",
                "VGG16 from random weights",
                "--backbone=vgg16 --backbone_weights=random --tag_epochs=4 "
                "--tag_rate=0.001 --tag_convolution_rate=1",
                "VGG16, trained on the data set",
                300,
            ),
            Row(
                "tags_alexnet",
                "AlexNet from ImageNet's weights (torchvision's, `$ALEXNET_WEIGHTS`)",
                "--backbone=alexnet --backbone_weights=$ALEXNET_WEIGHTS "
                "--tag_epochs=10 --tag_rate=0.001 --tag_convolution_rate=0.1",
                minutes=45,
            ),
            Row(
                "tags_vgg16",
                "VGG16 from ImageNet's weights",
                "--backbone=vgg16 --backbone_weights=imagenet --tag_epochs=4 "
                "--tag_rate=0.001 --tag_convolution_rate=0.1",
                minutes=300,
            ),
        ),
        epochs="tag_epochs",
    ),
    Table(
        "resnet50_captions",
        "captioner",
        _EQUAL.replace("vgg16", "resnet50").replace("block5_conv3", "conv4_block6_out"),
        (
            Row(
                "resnet50_captions_k2",
                "2 layers, no feedback",
                "--decoder=stacked --layers=2 --rounds=0",
                minutes=60,
            ),
        ),
        epochs="epochs",
    ),
    Table(
        "resnet50_tags",
        "tagger",
        _TAGS.replace("vgg16", "resnet50").replace("block5_conv2", "conv4_block6_out"),
        (
            Row(
                "resnet50_tags_means",
                "mean vectors, whitened, margins",
                f"--tagger=means {_WHITENED} --margin=0.7 --lift=0",
                minutes=2,
            ),
            Row(
                "resnet50_tags_2pknn",
                "2PKNN, whitened",
                f"--tagger=2pknn --neighbours=5 {_WHITENED}",
                minutes=5,
            ),
        ),
    ),
)


def table_of(name: str) -> Table:
    """The table that a row stands in.

    Args:
        name: Name of a row.

    Raises:
        ValueError: When there is no such row.
    """
    for table in TABLES:
        if name in [row.name for row in table.rows]:
            return table
    known = ", ".join(row.name for table in TABLES for row in table.rows)
    raise ValueError(f"There is no row {name!r}. There are: {known}.")


def find(names: list[str]) -> list[tuple[Table, Row]]:
    """Rows by their names, or those of their tables.

    Args:
        names: Names of rows or tables, or `"all"`.

    Returns:
        Each row once, with its table, in the order in which they are named.

    Raises:
        ValueError: When there is no such row or table.
    """
    found = {}
    for name in names:
        tables = [table for table in TABLES if name in (table.name, "all")]
        for table in tables or [table_of(name)]:
            for row in table.rows:
                if tables or row.name == name:
                    found[row.name] = (table, row)
    return list(found.values())
