"""How well is a word known after 1, 2, 5, 10 and 20 pictures?

    python train.py --task=tagger --dataset=corel5k --workdir=runs/corel5k
    python benchmarks/teaching.py --workdir=runs/corel5k

takes words out of a tagger's fit, with everything they had a part in but the metric,
and teaches each again by a few of its pictures, as a person does on the page. The
pictures that remain are ranked: average precision, and recall and precision at five
words an image. It prints the mean over words and draws, beside the full fit (the word
and all its pictures in the fit), and beside 2PKNN and logistic regression on the same
vectors. Vectors and tags are those that the run left; pictures are split anew, one in
five to be ranked.

    python benchmarks/teaching.py --made_up

does the same on made-up vectors.
"""

import numpy as np
from absl import app, flags
from scipy.optimize import minimize
from scipy.special import expit

flags.DEFINE_string("workdir", None, "A trained tagger's, of --tagger=means.")
flags.DEFINE_boolean("made_up", False, "Use made-up vectors.")
flags.DEFINE_integer("held_out", 40, "Words that are taken out and taught.")
flags.DEFINE_integer("draws", 5, "Draws of the pictures that teach.")
flags.DEFINE_multi_integer("pictures", [1, 2, 5, 10, 20], "Pictures that teach a word.")
flags.DEFINE_multi_integer("dimensions", [512], "Dimensions that are kept; the first.")
flags.DEFINE_multi_enum(
    "method", ["means", "2pknn", "logistic"], ["means", "2pknn", "logistic"], "Methods."
)
flags.DEFINE_string("picture", None, "Where the curves are drawn, an .svg file.")

FLAGS = flags.FLAGS
_TOP = 5
_LEAST = 25  # pictures of a word that is held out: 20 to teach, 5 to rank


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if FLAGS.made_up == bool(FLAGS.workdir):
        raise app.UsageError("Give either --workdir or --made_up.")
    vectors, tags, words, settings = made_up() if FLAGS.made_up else read(FLAGS.workdir)
    rng = np.random.default_rng(0)
    ranked = rng.permutation(len(vectors)) < len(vectors) // 5
    enough = (tags[~ranked].sum(axis=0) >= 20) & (tags[ranked].sum(axis=0) >= 5)
    held_out = rng.permutation(np.flatnonzero(enough))[: FLAGS.held_out]
    if not len(held_out):
        raise app.UsageError(f"No word has {_LEAST} pictures.")
    print(
        f"{len(held_out)} words of {len(words)} held out, {int((~ranked).sum())} "
        f"pictures to learn from, {int(ranked.sum())} to rank, {FLAGS.draws} draws"
    )
    print(f"{'':34}{'AP':>8}{'recall':>8}{'precision':>11}   (at {_TOP} words)")
    for dimensions in FLAGS.dimensions:
        full, curves = measure(
            vectors, tags, words, held_out, ranked, dimensions, settings
        )
    if FLAGS.picture:
        draw(FLAGS.picture, full, curves)


def measure(vectors, tags, words, held_out, ranked, dimensions, settings):
    """Prints the rows of one number of dimensions.

    Returns the average precision of the full fit, and of each method those of the
    draws, float `[numbers of pictures, draws]`.
    """
    from annotator.tagger.taught_words import TaughtWords
    from annotator.tagger.teaching_basis import TeachingBasis

    fit = dict(**settings, dimensions=dimensions)
    full = TeachingBasis.fit(words, vectors[~ranked], tags[~ranked], **fit)
    scores = linear(TaughtWords(full), full.whiten(vectors[ranked]))
    name = f"full fit, {full.dimensions} dimensions"
    best = score(scores, tags[ranked], held_out)
    show(name, [best])
    curves = {method: [] for method in FLAGS.method}
    known = np.delete(np.arange(len(words)), held_out)
    basis = full.select(known)
    z, learned = basis.whiten(vectors), np.flatnonzero(~ranked)
    for count in FLAGS.pictures:
        for method in FLAGS.method:
            rows = []
            for draw in range(FLAGS.draws):
                rng = np.random.default_rng([draw, count])
                taught = {
                    place: rng.permutation(learned[tags[learned, place]])[:count]
                    for place in held_out
                }
                scores = METHODS[method](basis, z, tags, words, known, taught, ranked)
                rows.append(score(scores, tags[ranked], held_out))
            show(f"{count} pictures, {method}", rows)
            curves[method].append([average for average, *_ in rows])
    return best[0], curves


def by_means(basis, z, tags, words, known, taught, ranked):
    """The page's own: a correction is an addition to a mean."""
    from annotator.tagger.taught_words import TaughtWords

    learner = TaughtWords(basis)
    for place, rows in taught.items():
        learner.add_word(words[place])
        learner.add(words[place], z[rows])
    scores = linear(learner, z[ranked])
    order = [learner.place(word) for word in words]
    return scores[:, order]


def by_two_pass_knn(basis, z, tags, words, known, taught, ranked):
    """2PKNN on the whitened vectors; images know the words they are said to have."""
    from annotator.tagger.exemplars.nearest_neighbors import TwoPassKNN

    said = said_tags(tags, known, taught, ranked)
    rows = np.flatnonzero(said.any(axis=1))
    layer = TwoPassKNN.fit(np.float32(z[rows]), said[rows], name="scores")
    return np.asarray(layer(np.float32(z[ranked])))


def by_regression(basis, z, tags, words, known, taught, ranked):
    """Logistic regression of each held-out word; the others keep their means."""
    from annotator.tagger.taught_words import TaughtWords

    scores = np.full((int(ranked.sum()), len(words)), -1e30)
    scores[:, known] = linear(TaughtWords(basis), z[ranked])
    said = said_tags(tags, known, taught, ranked)
    places = list(taught)
    kernel, bias = regress(np.float32(z[~ranked]), said[~ranked][:, places])
    scores[:, places] = np.float32(z[ranked]) @ kernel + bias
    return scores


def regress(vectors, tags):
    """scikit-learn's `LogisticRegression(class_weight="balanced")`, all words at once.

    The sum of their losses has its least where each has its own, and a product of all
    vectors with all kernels takes a tenth of the time of one word after the other.
    """
    count, dimensions = len(vectors), vectors.shape[1]
    own = tags.sum(axis=0)
    weights = np.where(tags, count / (2 * own), count / (2 * (count - own)))
    weights, signs = np.float32(weights), np.float32(np.where(tags, 1, -1))

    def loss(values):
        kernel, bias = split(values)
        margins = signs * (vectors @ kernel + bias)
        slope = -weights * signs * expit(-margins)
        gradient = np.concatenate([vectors.T @ slope + kernel, [slope.sum(axis=0)]])
        value = np.sum(weights * np.logaddexp(0, -margins)) + np.sum(kernel**2) / 2
        return float(value), gradient.ravel().astype(np.float64)

    def split(values):
        values = np.float32(values).reshape(dimensions + 1, -1)
        return values[:-1], values[-1]

    start = np.zeros((dimensions + 1) * tags.shape[1])
    options = {"maxiter": 200, "maxcor": 20}
    return split(minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)


METHODS = {"means": by_means, "2pknn": by_two_pass_knn, "logistic": by_regression}


def said_tags(tags, known, taught, ranked):
    """What is said of the pictures to learn from: known words, and what is taught."""
    said = np.zeros_like(tags)
    said[:, known] = tags[:, known]
    for place, rows in taught.items():
        said[rows, place] = True
    said[ranked] = False
    return said


def linear(learner, z):
    kernel, bias = learner.linear()
    return np.float32(z) @ kernel + bias


def score(scores, tags, held_out):
    """Mean over held-out words of AP, recall and precision at `_TOP` words."""
    top = np.argpartition(-scores, _TOP - 1, axis=1)[:, :_TOP]
    given = np.zeros_like(tags)
    np.put_along_axis(given, top, True, axis=1)
    rows = []
    for place in held_out:
        true, said = tags[:, place], given[:, place]
        right = (true & said).sum()
        order = np.argsort(-scores[:, place], kind="stable")
        hits = true[order]
        precision_at = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        average = precision_at[hits].mean()
        rows.append((average, right / true.sum(), right / max(said.sum(), 1)))
    return np.mean(rows, axis=0)


def show(name, rows):
    average, recall, precision = 100 * np.mean(rows, axis=0)
    print(f"{name:34}{average:8.1f}{recall:8.1f}{precision:11.1f}", flush=True)


def draw(path, full, curves):
    """Average precision over the number of pictures, with the spread of the draws."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "teaching"  # the same file of the same data
    from matplotlib import pyplot

    names = {"means": "this page", "2pknn": "2PKNN", "logistic": "logistic regression"}
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    for color, (method, draws) in zip(("C0", "C1", "C2"), curves.items(), strict=False):
        draws = 100 * np.array(draws)
        axes.plot(
            FLAGS.pictures, draws.mean(axis=1), "o-", label=names[method], color=color
        )
        axes.fill_between(
            FLAGS.pictures, draws.min(axis=1), draws.max(axis=1), alpha=0.15, lw=0
        )
    for share, text in ((1, "all pictures in the fit"), (0.5, "half of that")):
        axes.axhline(100 * share * full, color="0.4", lw=1, ls="--")
        axes.text(20, 100 * share * full + 0.8, text, ha="right", color="0.35")
    axes.set_xscale("log")
    axes.set_xticks(FLAGS.pictures, map(str, FLAGS.pictures))
    axes.minorticks_off()
    axes.set_ylim(0, 100 * full + 8)
    axes.set_xlabel("pictures that teach a word")
    axes.set_ylabel("average precision, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})


def read(workdir):
    """What a run left of its tagger."""
    from annotator.runs import settings_file
    from annotator.runs.workdir import Workdir
    from annotator.training.tagger.chosen import chosen_settings

    files = Workdir(workdir)
    config = chosen_settings(settings_file.load(workdir), files)
    vectors = np.load(files.vectors, mmap_mode="r", allow_pickle=False)
    with np.load(files.tags, allow_pickle=False) as arrays:
        words, tags = arrays["words"].tolist(), arrays["tags"]
    settings = {"shrinkage": config.shrinkage, "margin": config.margin}
    return np.asarray(vectors), tags, words, settings


def made_up(images=2000, words=60, dimensions=256):
    """Vectors that lean to the directions of the few words that an image has."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(words, dimensions))
    share = 0.3 / (1 + np.arange(words)) ** 0.5 + 0.02
    tags = rng.random((images, words)) < share
    vectors = tags @ directions + 2 * rng.normal(size=(images, dimensions))
    return vectors.astype(np.float32), tags, [f"w{n}" for n in range(words)], {}


if __name__ == "__main__":
    app.run(main)
