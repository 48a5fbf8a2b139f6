"""How long does a correction take on the page, and the rest of what it asks for?

    python benchmarks/review.py --photographs=10000 --photographs=100000

prints a row for each part, in milliseconds: the median and the worst of some rounds.
`accept` is all that the server does from a judgment to what changed: the transaction,
the word's new mean, the scores of all photographs, and who gained and lost the word.
The photographs and their vectors are made up; the arithmetic is the same for any.
"""

import pathlib
import statistics
import tempfile
import time

import numpy as np
from absl import app, flags

flags.DEFINE_multi_integer("photographs", [10_000, 100_000], "Photographs.")
flags.DEFINE_integer("words", 260, "Words of the tagger.")
flags.DEFINE_integer("dimensions", 512, "Length of a vector.")
flags.DEFINE_integer("rounds", 15, "Corrections of each kind.")

FLAGS = flags.FLAGS


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    from common import cpu

    print(cpu())
    for count in FLAGS.photographs:
        with tempfile.TemporaryDirectory() as folder:
            measure(pathlib.Path(folder), count)


def measure(folder, count):
    from annotator.library.library import Library
    from annotator.review.session import Session

    rng = np.random.default_rng(0)
    (folder / "photographs").mkdir()
    library = Library(folder / "library", folder / "photographs")
    library.update({b"%06d.jpg" % number: (1, 1) for number in range(count)})
    rows = np.array([photograph.id for photograph in library.photographs()])
    basis, centers = make_basis(rng)
    vectors = library.vectors("made-up", basis.dimensions)
    for part in np.array_split(rows, -(-len(rows) // 5000)):
        topics = rng.integers(0, len(centers), len(part))
        noise = rng.normal(size=(len(part), basis.dimensions))
        vectors.write(part, (centers[topics] + noise).astype(np.float16))
    library.note_encoded("made-up", dict.fromkeys(rows.tolist(), (3, 2)), {}, {})
    start = time.perf_counter()
    session = Session(library, "made-up", basis)
    dimensions = basis.dimensions
    print(f"\n{count:,} photographs, {FLAGS.words} words, {dimensions} dimensions")
    print(f"  {'':28}{'median, ms':>12}{'worst, ms':>12}")
    show("open the library", [time.perf_counter() - start])
    say = session.library.corrections
    words = basis.words

    def photograph():
        return int(rng.choice(rows))

    def word():
        return str(rng.choice(words))

    chosen = rows[:200].tolist()
    parts = {
        "accept": lambda: session.learned(say.judge([photograph()], word(), True)),
        "reject": lambda: session.learned(say.judge([photograph()], word(), False)),
        "undo": lambda: session.learned(say.undo()),
        "a new word": lambda: session.learned(
            say.judge([photograph()], f"new {rng.random()}", True)
        ),
        "200 photographs at once": lambda: session.learned(
            say.judge(chosen, f"many {rng.random()}", True)
        ),
        "list all": lambda: session.select(),
        "list a word": lambda: session.select(word=word(), sort="score"),
        "teaches most first": lambda: session.select(sort="uncertain"),
        "more like this": lambda: session.select(like=photograph()),
        "words with counts": session.words,
        "details of 100": lambda: session.details(rows[:100].tolist()),
    }
    for name, part in parts.items():
        seconds = []
        for _ in range(FLAGS.rounds):
            start = time.perf_counter()
            part()
            seconds.append(time.perf_counter() - start)
        show(name, seconds)
    library.close()


def make_basis(rng):
    """A basis of made-up words, and the middles of their images."""
    from annotator.tagger.teaching_basis import TeachingBasis

    size = (FLAGS.words, FLAGS.dimensions)
    centers = rng.normal(0, 0.25, size)
    images = 30
    sums = images * centers + rng.normal(0, images**0.5, size)
    squares = np.full(FLAGS.words, images * FLAGS.dimensions)
    basis = TeachingBasis(
        words=[f"word {number}" for number in range(FLAGS.words)],
        mean=np.zeros(FLAGS.dimensions, np.float32),
        projection=np.eye(FLAGS.dimensions, dtype=np.float32),
        counts=np.full(FLAGS.words, images),
        sums=sums.astype(np.float32),
        similarity_sums=sums.astype(np.float32),
        squares=squares.astype(np.float32),
        centers=np.zeros((1, FLAGS.dimensions), np.float32),
        averages=np.full(1, 3.0, np.float32),
        groups=np.zeros(FLAGS.words, int),
        margin=0.7,
    )
    return basis, centers


def show(name, seconds):
    median, worst = 1000 * statistics.median(seconds), 1000 * max(seconds)
    print(f"  {name:28}{median:12.1f}{worst:12.1f}", flush=True)


if __name__ == "__main__":
    app.run(main)
