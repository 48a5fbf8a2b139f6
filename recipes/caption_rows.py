"""Tables of captioners: systems, kinds of feedback, the published training."""

from recipes.row import Row, Table

_CAPTIONS = (
    "--dataset=flickr8k --backbone=vgg16 --backbone_weights=imagenet "
    "--scales=224 --aspect=squash --min_count=5 "
    "--max_length=20 --units=512 --attention_units=256 --notied --dropout=0.4 "
    "--select_by=cider --beams=5 --length_penalty=0.7 --no_repeat_ngram=0 "
    "--norerank --seed=0"
)
_EQUAL = (
    f"{_CAPTIONS} --region_power=0.5 --nocaption_flip --epochs=3 --patience=3 "
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
    return Row(f"feedback_{name}", label, flags, minutes=55)


SYSTEMS = Table(
    "systems",
    "captioner",
    _EQUAL,
    (
        _compared("nic", "NIC", "nic", "Google NIC", 15),
        _compared("bilinear", "log-bilinear", "log_bilinear", "Log-bilinear", 15),
        _compared("brnn", "the generator of BRNN", "brnn", "", 15),
        _compared("soft", "soft attention", "soft", "Soft attention", 30),
        _compared("hard", "hard attention", "hard", "Hard attention", 35),
        _layers(2, 0, 30),
        _layers(4, 0, 60),
        _layers(2, 1, 55),
        _layers(3, 1, 80),
        _layers(4, 1, 105),
        _layers(5, 1, 130),
        _layers(6, 1, 155),
    ),
    epochs="epochs",
)

FEEDBACK = Table(
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
)

PUBLISHED_TRAINING = Table(
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
)

_LONGER = _EQUAL.replace("--epochs=3 --patience=3", "--epochs=6 --patience=4")
_TWO_LAYERS = "--decoder=stacked --layers=2 --rounds=0"

RESNET50_CAPTIONS = Table(
    "resnet50_captions",
    "captioner",
    _LONGER.replace("--backbone=vgg16 ", ""),
    (
        Row(
            "resnet50_captions_k2",
            "ResNet-50, 2 layers, no feedback",
            f"--backbone=resnet50 {_TWO_LAYERS}",
            minutes=60,
        ),
        Row(
            "vgg16_captions_k2",
            "VGG16, as well",
            f"--backbone=vgg16 {_TWO_LAYERS}",
            minutes=60,
        ),
    ),
    epochs="epochs",
)

_FURTHER = f"{_TWO_LAYERS} --weight_decay=0.1 --caption_flip"
_ONE = "--ensemble=@{} --rerank --rerank_weight=0.03"
_REWARDED = (
    "--init_from=@captions_twelve --epochs=0 --self_critical_epochs=8 "
    "--self_critical_rate=0.00005 --self_critical_temperature=0.5 --patience=8 "
    "--feedback_start=0 --rerank --rerank_weight=0.03"
)

BEYOND = Table(
    "beyond",
    "captioner",
    _LONGER,
    (
        Row(
            "captions_twelve",
            "six more passes at a smaller rate, mirror images, weight decay",
            f"--init_from=@vgg16_captions_k2 {_FURTHER} --learning_rate=0.0006",
            minutes=75,
        ),
        Row(
            "captions_reranked",
            "the same, its beams re-ranked",
            _ONE.format("captions_twelve"),
            minutes=10,
        ),
        Row(
            "captions_beams",
            "the same of 10 beams",
            f"{_ONE.format('captions_twelve')} --beams=10",
            minutes=15,
        ),
        Row(
            "captions_rewarded",
            "eight passes with rewards on top of the twelve, re-ranked",
            f"{_REWARDED} {_FURTHER}",
            minutes=100,
        ),
        Row(
            "captions_rewarded_plain",
            "the same in the search's own order",
            "--ensemble=@captions_rewarded --norerank",
            minutes=5,
        ),
        Row(
            "captions_rewarded_beams",
            "the same of 10 beams, re-ranked",
            f"{_ONE.format('captions_rewarded')} --beams=10",
            minutes=15,
        ),
    ),
)
