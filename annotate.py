"""Writes captions and tags for a folder of images, or any number of them.

    python annotate.py --model=runs/shapes/export --images=photos --output=photos.jsonl

An interrupted run goes on where it stopped when the same command is given again. An
image that cannot be read becomes a record with an `error`, and the exit code is 1; it
is 2 if the run could not be begun or ended, and 130 after Ctrl-C.
"""

import importlib.util
import os
import sys
import traceback

from absl import app, flags, logging

flags.DEFINE_multi_string(
    "model",
    None,
    "An export: WORKDIR/export/captioner, WORKDIR/export/tagger/1, or WORKDIR/export "
    "for all in it. May be given twice, or as a comma-separated list.",
    required=True,
)
flags.DEFINE_string(
    "images",
    None,
    "A folder (with all below it), a pattern such as 'photos/*.jpg', a text file with "
    "a path a line, or a Parquet table with the columns `image` and `content`.",
    required=True,
)
flags.DEFINE_string(
    "output", None, "The records: a .jsonl, .csv or .parquet file.", required=True
)
flags.DEFINE_enum(
    "sidecars", None, ["txt", "json"], "Also write IMAGE.txt or IMAGE.json beside it."
)
flags.DEFINE_integer("captions", 1, "Captions per image, best first.", lower_bound=1)
flags.DEFINE_integer(
    "top_k", None, "Tags per image (as exported; 0: all).", lower_bound=0
)
flags.DEFINE_float("threshold", None, "Lowest score of a tag (as exported).")
flags.DEFINE_integer("batch_size", 32, "Images per pass.", lower_bound=1)
flags.DEFINE_integer(
    "workers", None, "Threads that read and decode (one a core).", lower_bound=1
)
flags.DEFINE_enum(
    "engine", "local", ["local", "spark"], "Where the work is done: here, or by Spark."
)
flags.DEFINE_string(
    "master", None, "The Spark cluster: spark://HOST:7077, yarn, local[*], ..."
)
flags.DEFINE_multi_string(
    "spark_conf", [], "A Spark property, NAME=VALUE; may be given several times."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}", exitcode=2)
    engine_options = check_engine()
    sys.stdout.reconfigure(errors="backslashreplace")  # paths need not be UTF-8
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    # TensorFlow is slow to import: `--help` and wrong flags are answered before.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if engine_options:
        from annotator.annotation.spark import annotate_on_spark as annotate
    else:
        from annotator.annotation.run import annotate

    values = flags.FLAGS
    try:
        records, failed = annotate(
            [path for paths in values.model for path in split_paths(paths)],
            values.images,
            values.output,
            captions=values.captions,
            top_k=values.top_k,
            threshold=values.threshold,
            sidecars=values.sidecars,
            batch_size=values.batch_size,
            workers=values.workers,
            **engine_options,
        )
    except (ValueError, OSError) as error:
        logging.debug("", exc_info=True)
        end(2, f"error: {error}\n(with --verbosity=1: where it came from)")
    except Exception:
        traceback.print_exc()
        end(2, f"error: see above; the same command goes on with {values.output}")
    except KeyboardInterrupt:
        end(130, f"\ninterrupted: the same command goes on with {values.output}")
    print(f"{values.output}: {records} images, {failed} of them failed")
    sys.exit(bool(failed))


def split_paths(paths):
    """The paths of a comma-separated list; a path may have a comma, too."""
    return [paths] if os.path.exists(paths) else filter(None, paths.split(","))


def parse_flags(argv):
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        end(2, f"error: {error}\nPass --helpshort to see the flags.")


def end(code, message):
    """Ends with an exit code that tells a wrong command from images that failed."""
    print(message, file=sys.stderr)
    sys.exit(code)


def check_engine():
    """The options of the engine, if its flags go together and it is installed."""
    values = flags.FLAGS
    if values.engine == "local":
        if values.master or values.spark_conf:
            raise app.UsageError("--master and --spark_conf need --engine=spark.", 2)
        return {}
    if not values.master:
        raise app.UsageError("--engine=spark needs --master.", 2)
    if values.sidecars:
        raise app.UsageError("--sidecars are written by --engine=local alone.", 2)
    wrong = [each for each in values.spark_conf if "=" not in each]
    if wrong:
        raise app.UsageError(f"--spark_conf={wrong[0]} is not NAME=VALUE.", 2)
    if importlib.util.find_spec("pyspark") is None:
        end(2, 'error: --engine=spark needs PySpark: pip install ".[spark]"')
    conf = dict(each.split("=", 1) for each in values.spark_conf)
    return {"master": values.master, "conf": conf}


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
