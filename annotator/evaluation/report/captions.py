"""What the report says of a captioner."""

from collections.abc import Iterator

import numpy as np

from annotator.evaluation import captioning
from annotator.evaluation.report.charts import reliability_chart
from annotator.evaluation.report.choice import choose
from annotator.evaluation.report.curves import read_curves
from annotator.evaluation.report.examples import (
    gallery,
    picture_card,
    read_images,
    spoken_caption,
)
from annotator.evaluation.report.markup import Markup, join, tag
from annotator.evaluation.report.score_table import (
    percent,
    published_table,
    score_tiles,
    sentences,
)
from annotator.evaluation.report.sections import Section
from annotator.evaluation.report.training_curves import (
    CAPTIONER_CHARTS,
    training_charts,
)
from annotator.evaluation.report.word_table import confusion_list, word_table
from annotator.evaluation.scene_check import scene_note
from annotator.evaluation.scores import Scored
from annotator.evaluation.tables import CAPTION_COLUMNS, comparable_rows
from annotator.evaluation.unknown_words import caption_words_note
from annotator.metrics import published
from annotator.metrics.caption_words import SaidWords, said_words
from annotator.metrics.cider import score_cider
from annotator.metrics.confusions import confusions
from annotator.metrics.tokenizer import tokenize
from annotator.pictures.word_maps import word_maps
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.runs.splits import Split

_PUBLISHED = {name: CAPTION_COLUMNS[name] for name in published.CAPTION_COLUMNS}


def captioner_sections(
    run: Run, name: str, scored: Scored, wanted: int
) -> Iterator[Section]:
    """The sections on a run's captioner.

    Args:
        run: The run.
        name: Name of the split.
        scored: What was measured on it.
        wanted: How many images are shown.

    Yields:
        The sections, in order.
    """
    split = run.split(CAPTIONER, name)
    captions, references = list(scored.lines), split.annotated.captions or ()
    yield Section("Scores", _scores(run, name, scored.metrics))
    charts = training_charts(
        CAPTIONER_CHARTS, read_curves(run.files.logs(CAPTIONER.name))
    )
    yield Section("Training", charts or tag("p", "The run keeps no log of it."))
    words = said_words(captions, references)
    if wanted:
        yield Section("Images", _images(run, split, captions, words, wanted))
    if scored.metrics.get("caption_reliability"):
        content = _probabilities(scored.metrics["caption_reliability"])
        yield Section("Probabilities", content)
    yield Section(
        "Words",
        word_table(
            words.table(),
            "Precision: of the captions that say the word, those of which a reference "
            "has it. Recall: of the images of which half of the references have it, "
            "those whose caption does. Support counts these images, given the captions "
            "that say it. All in percent.",
        ),
    )
    pairs = confusions(words.wrong, words.missed, words.words)
    rule = (
        "The first word was said and no reference has it; the second one stands in "
        "half of the references, or more, and was not said."
    )
    yield Section("Confused words", confusion_list(pairs, rule))


def _scores(run, name, metrics):
    titles = {**CAPTION_COLUMNS, "right_captions": "Scenes told right"}
    intervals = metrics["intervals"]
    rows = comparable_rows(metrics, published.captioner_rows(run.config.dataset))
    own = {c: 100 * metrics[c] for c in _PUBLISHED if metrics[c] is not None}
    facts = [
        f"{metrics['images']:,} images, percent, with 95 % intervals, which come from "
        "drawing the images again.",
        f"Tokens: {metrics['tokenization']}. METEOR: "
        f"{metrics['meteor_dialect'] or 'none'}.",
        f"{percent(metrics['distinct_captions'])} % of the captions are distinct, the "
        f"most common one is {percent(metrics['most_common_caption'])} % of them; "
        f"{metrics['mean_length']:.1f} words a caption.",
    ]
    if "right_captions" in metrics:
        facts.append(sentences(scene_note(metrics["right_captions"])))
    if "unknown_words" in metrics:
        facts.append(sentences(caption_words_note(metrics)))
    facts += [f"No {titles[k]}: {why}" for k, why in metrics["missing"].items()]
    return join(
        [
            score_tiles(titles, metrics, intervals),
            *(tag("p", fact, class_="rule") for fact in facts),
            published_table(_PUBLISHED, rows, own, name),
        ]
    )


def _probabilities(facts):
    counts = np.array(facts["counts"])
    note = (
        f"The {counts.sum():,} content words of the captions, in bins of the "
        "probability that people use them of the image, too; on the line as many are "
        "right as was said. The areas of the dots say how many they are. The expected "
        f"calibration error is {percent(facts['calibration_error'])} percentage "
        "points. Where the probabilities were fitted to these images, each half of "
        "them is judged by what was fitted to the other."
    )
    chart = reliability_chart(
        "Words of captions: what was said to be how probable, and how much was right",
        np.array(facts["said"]),
        np.array(facts["happened"]),
        counts,
    )
    return join([tag("p", note, class_="rule"), tag("figure", chart, class_="chart")])


def _images(
    run: Run, split: Split, captions: list[str], words: SaidWords, wanted: int
) -> Markup:
    references = split.annotated.captions or ()
    _, scores = score_cider(
        [tokenize(caption) for caption in captions],
        [[tokenize(text) for text in group] for group in references],
    )
    choice = choose(np.array(scores), wanted)
    details = _attention(run, split.select(choice.rows))
    encoded = read_images(split.annotated, choice.rows)
    column = {word: i for i, word in enumerate(words.words)}

    def unheard(row, word):
        heard = [
            token in column and words.heard[row, column[token]]
            for token in tokenize(word)
        ]
        return not all(heard)

    def card(row):
        said, maps, draft = captions[row].split(), None, None
        looked = details.get(split.annotated.image_ids[row])
        # In batches of another size a caption may come out another way.
        if looked and looked["captions"].decode("utf-8") == captions[row]:
            maps = word_maps(looked["attention"], len(said))
            drafts = [text.decode("utf-8") for text in looked.get("drafts", ())]
            if drafts and drafts[0] != captions[row]:
                draft = tag("p", "First draft: ", drafts[0], class_="draft")
        return picture_card(
            encoded[row],
            split.annotated.image_ids[row],
            f"CIDEr {percent(scores[row])}",
            spoken_caption(said, [unheard(row, w) for w in said], maps is not None),
            draft,
            tag("ul", *(tag("li", text) for text in references[row]), class_="heard"),
            maps=maps,
            cropped=run.config.aspect == "center_crop",
        )

    shown = gallery(choice, np.array(scores), "CIDEr", card)
    key = ["Underlined: a word that no reference has."]
    if details:
        key.append(
            "Point at a word, or walk through the words with the arrow keys, to see "
            "where the captioner looked as it wrote it: the mean of the layers that "
            "attend, bright where it is near its maximum."
        )
    return join([tag("p", " ".join(key), class_="rule"), shown])


def _attention(run, split):
    """What is known of the captions of some images, by image id."""
    captioner = run.captioner()
    if not captioner.decoder.attending_layers:
        return {}
    details = captioning.attention_details(captioner, split.regions(captioning.AT_ONCE))
    return dict(zip(split.annotated.image_ids, details, strict=True))
