"""The command `annotate`: its engines and what its exit codes say.

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

from annotator.annotation.command.flags import define
from annotator.config import commands
from annotator.config.names import check_output, model_paths
from annotator.terminal.startup import announce, start_tensorflow

_FAILURE = 2  # the run could not be begun or ended; 1: images failed
# What has no meaning for images that are only looked at.
_SIDECAR_FLAGS = ("sidecar_name", "sidecars_policy")
_RECORD_FLAGS = (
    *("images", "output", "sidecars", *_SIDECAR_FLAGS, "embed", "caption_language"),
    "csv_formulas",
    *("engine", "master", "spark_conf"),
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

    try:
        describe = load(
            model_paths(values.model),
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
        if folders := list(filter(os.path.isdir, values.arguments)):
            from annotator.annotation.listing import tell_passed_over

            for folder in folders:
                tell_passed_over(folder)
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
            model_paths(values.model),
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
    define,
    _run,
    failure=_FAILURE,
)
main = COMMAND.main
