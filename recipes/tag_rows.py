"""Tables of taggers: those of the paper, others, and fine-tuned networks."""

from recipes.row import Row, Table

_TAGS = (
    "--dataset=corel5k --backbone=vgg16 --backbone_weights=imagenet "
    "--scales=224 --aspect=squash --noflip --top_k=5 --rank_by=score --seed=0 "
    "--descriptor_power=1"
)
_VLAD = "--components=256 --codebook=16 --vlad=power,l2 --covariance=0"
_JOINED = _VLAD.replace("--covariance=0", "--covariance=96")
_DEFAULT = f"--descriptor_power=0.5 {_JOINED}"
_WHITENED = f"{_VLAD} --similarity=whitened --shrinkage=0.001"

PAPER_TAGS = Table(
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
)

TAGGERS = Table(
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
            "tags_covariance",
            "a covariance joins the vector, strengths and the lift by other words are "
            "chosen by leave-one-out",
            f"--tagger=means {_JOINED} --similarity=whitened",
            minutes=2,
        ),
        Row(
            "tags_default",
            "the default: the same of square roots of the regions",
            f"--tagger=means {_DEFAULT} --similarity=whitened",
            minutes=2,
        ),
        Row(
            "tags_scales",
            "the same at two scales, 224 and 288",
            f"--tagger=means {_DEFAULT} --similarity=whitened --scales=224,288",
            minutes=4,
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
            f"--tagger=2pknn --neighbours=5 {_DEFAULT} --similarity=whitened "
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
            f"--tagger=mbrm --grid=0 {_WHITENED} --bandwidth=0.03 --smoothing=100000",
            minutes=3,
        ),
    ),
)

FINETUNED = Table(
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
)

RESNET50_TAGS = Table(
    "resnet50_tags",
    "tagger",
    _TAGS.replace("vgg16", "resnet50"),
    (
        Row(
            "resnet50_tags_means",
            "mean vectors, whitened, margins",
            f"--tagger=means {_WHITENED} --margin=0.7 --lift=0",
            minutes=2,
        ),
        Row(
            "resnet50_tags_covariance",
            "a covariance joins the vector, strengths and lift by leave-one-out",
            f"--tagger=means {_JOINED} --similarity=whitened",
            minutes=3,
        ),
        Row(
            "resnet50_tags_default",
            "the default: the same of square roots of the regions",
            f"--tagger=means {_DEFAULT} --similarity=whitened",
            minutes=3,
        ),
        Row(
            "resnet50_tags_scales",
            "the same at two scales, 224 and 288",
            f"--tagger=means {_DEFAULT} --similarity=whitened --scales=224,288",
            minutes=5,
        ),
        Row(
            "resnet50_tags_2pknn",
            "2PKNN, whitened",
            f"--tagger=2pknn --neighbours=5 {_WHITENED}",
            minutes=5,
        ),
    ),
)
