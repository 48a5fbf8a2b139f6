"""The flags of the command `annotate`."""

from absl import flags

from annotator.config import commands
from annotator.config.limits import add_max_pixels

_FOR_RECORDS = "required, unless images are named without a flag"


def define(parser: commands.Parser) -> None:
    """Defines them.

    Args:
        parser: The parser of the command.
    """
    parser.accept_arguments("[IMAGE ...]")
    group = parser.group("input")
    group.add(
        flags.DEFINE_multi_string,
        "model",
        ["photos"],
        "photos, the model for photographs that comes with the package, or "
        "photos_fast, 2.7 times as fast for many; a run's "
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
