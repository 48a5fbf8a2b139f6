"""The command `annotate`: its flags, its engines and what its exit codes say.

It is `python annotate.py` in the checkout and `annotator annotate` anywhere.
"""

import importlib.util
import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from absl import flags

from annotator.config import commands
from annotator.config.limits import add_max_pixels
from annotator.config.names import check_output
from annotator.terminal.startup import announce, start_tensorflow

_FAILURE = 2  # the run could not be begun or ended; 1: images failed
_FOR_RECORDS = "required, unless images are named without a flag"
# What has no meaning for images that are only looked at.
_SIDECAR_FLAGS = ("sidecar_name", "sidecars_policy")
_RECORD_FLAGS = (
    *("images", "output", "sidecars", *_SIDECAR_FLAGS, "embed", "caption_language"),
    "csv_formulas",
    *("engine", "master", "spark_conf"),
)


def _define(parser: commands.Parser) -> None:
    parser.accept_arguments("[IMAGE ...]")
    group = parser.group("input")
    group.add(
        flags.DEFINE_multi_string,
        "model",
        ["photos"],
        "photos, the model for photographs that comes with the package; a run's "
        "WORKDIR; or an export: WORKDIR/export/captioner, WORKDIR/export/tagger/1, or "
        "WORKDIR/export for all in it. May be given twice, or as a comma-separated "
        "list.",
        note="default: photos",
    )
    group.add(
        flags.DEFINE_string,
        "images",
        None,
        "A folder (with all below it), a pattern such as 'photos/*.jpg', a text file "
        "with a path a line, or a Parquet table with the columns `image` and "
        "`content`.",
        note=_FOR_RECORDS,
    )
    add_max_pixels(group)
    group = parser.group("output")
    group.add(
        flags.DEFINE_string,
        "output",
        None,
        "The records: a .jsonl, .csv or .parquet file.",
        note=_FOR_RECORDS,
    )
    group.add(
        flags.DEFINE_enum,
        "sidecars",
        None,
        "Also write a file beside each image: captions and tags as text, the record, "
        "or keywords and caption as photo programs read them.",
        enum_values=["txt", "json", "xmp"],
    )
    group.add(
        flags.DEFINE_enum,
        "sidecar_name",
        "photo.jpg",
        "The sidecar of photo.jpg: photo.jpg.xmp, or photo.xmp as Adobe's.",
        enum_values=["photo.jpg", "photo"],
    )
    group.add(
        flags.DEFINE_enum,
        "sidecars_policy",
        "merge",
        "Sidecars that are there: merge keeps what others wrote and replaces what an "
        "earlier run wrote; skip leaves all; replace_own leaves those that a run did "
        "not write, or that were edited since.",
        enum_values=["merge", "skip", "replace_own"],
    )
    group.add(
        flags.DEFINE_bool,
        "embed",
        False,
        "Also write keywords and caption into the image files themselves (JPEG, PNG, "
        "TIFF, WebP): pixels are proven unchanged, and `annotator undo` takes it back. "
        "Needs pyexiv2.",
    )
    group.add(
        flags.DEFINE_string,
        "caption_language",
        "en",
        "Language of the captions, as XMP names it.",
    )
    group.add(
        flags.DEFINE_bool,
        "csv_formulas",
        False,
        "Keep text of a .csv that a spreadsheet would run, such as a tag =1+1.",
    )
    group = parser.group("tags and captions")
    group.add(
        flags.DEFINE_integer,
        "top_k",
        None,
        "Tags per image; 0 for all.",
        lower_bound=0,
        note="default: as exported",
    )
    group.add(
        flags.DEFINE_float,
        "threshold",
        None,
        "Lowest score of a tag.",
        note="default: as exported",
    )
    group.add(
        flags.DEFINE_float,
        "precision",
        None,
        "Gives a word only to images so like it that on held-out images so many, such "
        "as 0.9, were right, with 95 % confidence; instead of --threshold, and all "
        "such words unless --top_k says how many. Words that cannot reach it are "
        "listed and not given.",
        lower_bound=0.01,
        upper_bound=0.999,
    )
    group.add(
        flags.DEFINE_string,
        "words",
        None,
        "A file of rules on tags: words to include, exclude, rename, imply and "
        "translate.",
    )
    group.add(
        flags.DEFINE_integer,
        "captions",
        1,
        "Captions per image, best first.",
        lower_bound=1,
    )
    _define_engine(parser.group("engine"))


def _define_engine(group):
    group.add(
        flags.DEFINE_enum,
        "engine",
        "local",
        "Where the work is done: here, or by Spark.",
        enum_values=["local", "spark"],
    )
    group.add(flags.DEFINE_integer, "batch_size", 32, "Images per pass.", lower_bound=1)
    group.add(
        flags.DEFINE_integer,
        "workers",
        None,
        "Threads that read and decode.",
        lower_bound=1,
        note="default: one a core",
    )
    group.add(
        flags.DEFINE_string,
        "master",
        None,
        "The Spark cluster: spark://HOST:7077, yarn, local[*], ...",
    )
    group.add(
        flags.DEFINE_multi_string,
        "spark_conf",
        [],
        "A Spark property, NAME=VALUE; may be given several times.",
    )


def _run(values: commands.Values) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # paths need not be UTF-8
    if values.arguments:
        return _describe(values)
    for name in ("images", "output"):
        if getattr(values, name) is None:
            raise commands.UsageError(
                f"--{name} must have a value: {values[name].help} (Without records: "
                "annotator annotate photo.jpg)"
            )
    return _write_records(values)


def _describe(values: commands.Values) -> int:
    """Prints descriptions of the images that are named without a flag."""
    for name in _RECORD_FLAGS:
        if values[name].present:
            raise commands.UsageError(
                f"Unexpected arguments: {values.arguments} beside --{name}. Images "
                "named without a flag are described on the console. For records give "
                "--images and --output alone, and a pattern in quotes: "
                "--images='photos/*.jpg'."
            )
    start_tensorflow()
    announce()
    from annotator.annotation.describing.annotator import load
    from annotator.annotation.describing.console import print_descriptions
    from annotator.annotation.listing import tell_passed_over

    try:
        describe = load(
            _models(values),
            values.captions,
            values.top_k,
            values.threshold,
            values.batch_size,
            values.workers,
            words=_word_rules(values),
            precision=values.precision,
            max_pixels=values.max_pixels,
        )
        failed = print_descriptions(describe, values.arguments)
        for path in filter(os.path.isdir, values.arguments):
            tell_passed_over(path)
        return int(bool(failed))
    except BrokenPipeError:  # `annotate ... | head`
        commands.discard_stdout()
        return _FAILURE
    except (ValueError, OSError):
        raise
    except Exception:
        traceback.print_exc()
        commands.end(_FAILURE, "error: see above")


def _write_records(values: commands.Values) -> int:
    engine_options = _engine_options(values)
    check_output(values.output)
    _check_sidecar_flags(values)
    start_tensorflow()
    announce()
    annotate = _engine(values.engine)
    goes_on = f"the same command goes on with {values.output}"
    try:
        records, failed = annotate(
            _models(values),
            values.images,
            values.output,
            captions=values.captions,
            top_k=values.top_k,
            threshold=values.threshold,
            words=_word_rules(values),
            precision=values.precision,
            sidecars=values.sidecars,
            embed=values.embed,
            csv_formulas=values.csv_formulas,
            max_pixels=values.max_pixels,
            sidecar_options=_sidecar_options(values),
            batch_size=values.batch_size,
            workers=values.workers,
            **engine_options,
        )
    except (ValueError, OSError):
        raise
    except Exception:
        traceback.print_exc()
        commands.end(_FAILURE, f"error: see above; {goes_on}")
    except KeyboardInterrupt:
        commands.end(commands.INTERRUPTED, f"\ninterrupted: {goes_on}")
    from annotator.annotation.listing import tell_passed_over
    from annotator.annotation.table_source import is_table

    print(f"{values.output}: {records} images, {failed} of them failed")
    if not is_table(values.images):
        tell_passed_over(values.images)
    if values.sidecars or values.embed:
        from annotator.annotation.record_file import run_of

        run = run_of(values.output)
        print(f"annotator undo --run={run} takes back what was written beside images")
    return int(bool(failed))


def _check_sidecar_flags(values):
    """Refuses flags of sidecars without any, before TensorFlow is imported."""
    if not values.sidecars:
        for name in _SIDECAR_FLAGS:
            if values[name].present:
                raise commands.UsageError(f"--{name} needs --sidecars.")
        if values["caption_language"].present and not values.embed:
            raise commands.UsageError("--caption_language needs --sidecars or --embed.")
    if values.embed and importlib.util.find_spec("pyexiv2") is None:
        raise commands.UsageError('--embed needs pyexiv2: pip install ".[metadata]"')


def _sidecar_options(values):
    from annotator.annotation.sidecars import SidecarOptions

    if not (values.sidecars or values.embed):
        return None
    return SidecarOptions(
        values.sidecar_name, values.sidecars_policy, values.caption_language
    )


def _word_rules(values):
    from annotator.tagger.rules.word_rules import read_word_rules

    return None if values.words is None else read_word_rules(values.words)


def _models(values):
    return [path for paths in values.model for path in _split_paths(paths)]


def _split_paths(paths):
    """The paths of a comma-separated list; a path may have a comma, too."""
    return [paths] if os.path.exists(paths) else filter(None, paths.split(","))


def _engine(name: str) -> Callable[..., tuple[int, int]]:
    if name == "spark":
        from annotator.annotation.spark.engine import annotate_on_spark

        return annotate_on_spark
    from annotator.annotation.run import annotate

    return annotate


def _engine_options(values: flags.FlagValues) -> dict[str, Any]:
    """The options of the engine, if its flags go together and it is installed."""
    if values.engine == "local":
        if values.master or values.spark_conf:
            raise commands.UsageError("--master and --spark_conf need --engine=spark.")
        return {}
    if not values.master:
        raise commands.UsageError("--engine=spark needs --master.")
    if values.sidecars or values.embed:
        flag = "--sidecars are" if values.sidecars else "--embed is"
        raise commands.UsageError(f"{flag} written by --engine=local alone.")
    wrong = [each for each in values.spark_conf if "=" not in each]
    if wrong:
        raise commands.UsageError(f"--spark_conf={wrong[0]} is not NAME=VALUE.")
    if importlib.util.find_spec("pyspark") is None:
        raise commands.UsageError(
            '--engine=spark needs PySpark: pip install ".[spark]"'
        )
    conf = dict(each.split("=", 1) for each in values.spark_conf)
    return {"master": values.master, "conf": conf}


COMMAND = commands.Command(
    """Writes captions and tags for any number of images.

    annotator annotate photo.jpg holidays

describes on the console the images that are named, and those in and below folders that
are named.

    annotator annotate --images=photos --output=photos.jsonl

writes records of any number of images to a file; no image is then named without a flag.
An interrupted run goes on where it stopped when the same command is given again.

An image that cannot be read becomes a line of stderr, or a record with an `error`, and
the exit code is 1; it is 2 if the run could not be begun or ended, and 130 after
Ctrl-C.""",
    _define,
    _run,
    failure=_FAILURE,
)
main = COMMAND.main
