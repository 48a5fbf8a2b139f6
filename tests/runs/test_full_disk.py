"""A full disk has one error, whoever writes."""

import errno
import pathlib

import pytest
import tensorflow as tf

from annotator.config import Config
from annotator.runs.full_disk import full_disk
from annotator.runs.run import Run

FULL = pathlib.Path("/dev/full")  # takes no byte


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_what_tensorflow_cannot_write_names_the_folder(tmp_path):
    with pytest.raises(OSError, match="No space left") as raised, full_disk(tmp_path):
        tf.io.write_file(str(FULL), "some bytes")
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(tmp_path)


def test_a_run_names_its_flag(tmp_path):
    run = Run(Config(task="tagger"), tmp_path / "run")
    full = tf.errors.ResourceExhaustedError(None, None, "a/b; No space left on device")
    with pytest.raises(OSError, match="run cannot be written: No space.*--workdir"):
        with run.locked():
            raise full


def test_memory_is_no_disk(tmp_path):
    exhausted = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
    with pytest.raises(tf.errors.ResourceExhaustedError), full_disk(tmp_path):
        raise exhausted
