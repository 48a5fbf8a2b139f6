"""Serves exported models over HTTP, in the REST form of TensorFlow Serving.

POST /v1/models/tagger:predict takes {"instances": [{"b64": "..."}, ...]}, the content
of image files in base64, and answers {"predictions": [{"tags": [...], ...}, ...]}.
GET /v1/models/tagger says whether the model is there, GET /v1/models/tagger/metadata
what its signatures take and give, and GET /metrics how the server does. Paths may name
the version, as in /v1/models/tagger/versions/1:predict.
The server listens on all network interfaces; SIGTERM ends it after open requests.
"""

import os
import sys

from absl import app, flags, logging

flags.DEFINE_multi_string(
    "model",
    None,
    "Folder of an exported model or of a workdir's exports; may be given twice.",
    required=True,
)
flags.DEFINE_integer("port", 8501, "HTTP port.", lower_bound=1, upper_bound=65535)
flags.DEFINE_integer("max_batch", 32, "Images computed at a time.", lower_bound=1)
flags.DEFINE_integer("max_instances", 128, "Images in a request.", lower_bound=1)
flags.DEFINE_integer("max_request_mb", 64, "MiB of a request.", lower_bound=1)
flags.DEFINE_integer(
    "max_waiting", 1024, "Images that may wait; more get a 503.", lower_bound=1
)
flags.DEFINE_integer(
    "max_open_mb", 256, "MiB of open requests; more get a 503.", lower_bound=1
)
flags.DEFINE_float(
    "upload_seconds", 60.0, "Longest pause in a request's body.", lower_bound=0.1
)

FLAGS = flags.FLAGS


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # below it: several lines a request
    # TensorFlow is slow to import: `--help` and wrong flags are answered before.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # kserve reads the command line when it is imported; it shall not read our flags.
    sys.argv = sys.argv[:1]
    try:
        from annotator.serve.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "kserve":
            raise
        sys.exit('error: The server needs kserve: pip install ".[serve]"')
    try:
        serve(
            FLAGS.model,
            FLAGS.port,
            max_batch=FLAGS.max_batch,
            max_instances=FLAGS.max_instances,
            max_request_bytes=FLAGS.max_request_mb * 2**20,
            max_waiting=FLAGS.max_waiting,
            max_open_bytes=FLAGS.max_open_mb * 2**20,
            upload_seconds=FLAGS.upload_seconds,
        )
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
