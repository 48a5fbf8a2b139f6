"""The Spark engine: the records of the local one, and none lost with a machine."""

import contextlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import types

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("pyspark", reason="needs the extra `spark`")
if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    pytest.skip("needs Java 17", allow_module_level=True)

from annotator.annotation import record_table
from annotator.annotation.run import annotate
from annotator.annotation.sources import FileSource
from annotator.annotation.spark import engine as spark_annotation
from annotator.annotation.spark.engine import annotate_on_spark
from annotator.annotation.spark.session import error_line, spark_session
from annotator.tagger.word_means import WordMeans
from annotator.training.tagger import spark_word_means

ROOT = pathlib.Path(__file__).parents[2]
CONF = {
    "spark.driver.memory": "512m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "512m",
    "spark.ui.enabled": "false",
}


@pytest.fixture
def environment(monkeypatch):
    """Lets workers import this package, wherever it is."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")


@pytest.fixture
def spark_cluster():
    """The benchmarks' module that starts clusters and kills parts of them."""
    path = ROOT / "benchmarks" / "spark_cluster.py"
    spec = importlib.util.spec_from_file_location("spark_cluster", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_list(path, image_folder, count):
    """A list of `count` images, some of them bad or called strangely."""
    bad = path.parent / 'bad é 像 "\\.png'
    bad.write_bytes(b"GIF89a")
    strange = path.parent / os.fsdecode(b"caf\xe9.png")
    shutil.copy(image_folder / "3.png", strange)
    names = [os.fspath(image_folder / f"{i % 36}.png") for i in range(count - 3)]
    # The last one is relative, and workers start in folders of their own.
    names[1:1] = [os.fspath(bad), "gone.png", strange.name]
    path.write_bytes(b"\0".join(map(os.fsencode, names)))
    return names


def assert_same(found, expected):
    """The same words for the same images in the same order, and nearly the scores."""
    assert [r["image"] for r in found] == [r["image"] for r in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            if "score" in name or "probabilit" in name:
                # A worker of one thread adds up the same sums in another order.
                np.testing.assert_allclose(one[name], other[name], rtol=1e-4)
            else:
                assert one[name] == other[name]


def annotate_command(exports, listing, output, *arguments):
    return subprocess.Popen(
        [sys.executable, ROOT / "annotate.py", "--model", ",".join(map(str, exports))]
        + ["--images", listing, "--output", output, "--batch_size=2", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class SparkHere:
    """Stands for a session of Spark: its tasks run in this process, in turn."""

    def __init__(self):
        self.sparkContext = types.SimpleNamespace(defaultParallelism=2, getConf=dict)

    def range(self, start, end, step, partitions):
        assert (start, step, partitions) == (0, 1, end)
        return types.SimpleNamespace(
            mapInPandas=lambda function, schema: types.SimpleNamespace(
                write=types.SimpleNamespace(
                    text=lambda url, compression: self.run(function, end, url)
                )
            )
        )

    def run(self, function, tasks, url):
        folder = pathlib.Path(url.removeprefix("file://"))
        folder.mkdir()
        for number in range(tasks):
            lines = [
                line for frame in function([{"id": [number]}]) for line in frame.value
            ]
            text = "".join(f"{line}\n" for line in lines)
            (folder / f"part-{number:05}-x.txt").write_text(text, "utf-8")


def test_tasks_make_the_records_of_the_local_engine(
    stand_in, brightness_model, image_folder, tmp_path, monkeypatch
):
    stand_in(brightness_model)
    session = contextlib.nullcontext(SparkHere())
    monkeypatch.setattr(spark_annotation, "spark_session", lambda *_: session)
    monkeypatch.setattr(spark_annotation, "_model", lambda *job: brightness_model)
    context = types.SimpleNamespace(cpus=lambda: 1)
    monkeypatch.setattr(spark_annotation.pyspark.TaskContext, "get", lambda: context)
    # 40 images are three pieces: one round would hold them all.
    monkeypatch.setattr(spark_annotation, "_PIECES_OF_A_ROUND", 1)
    check_records_of_both_engines(["m"], image_folder, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_same_records_as_the_local_engine(
    tagger_run, image_folder, tmp_path, environment, monkeypatch
):
    exports = [tagger_run[0] / "export"]  # a captioner starts slowly
    check_records_of_both_engines(exports, image_folder, tmp_path, monkeypatch)


def check_records_of_both_engines(exports, image_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = write_list(tmp_path / "list", image_folder, 40)
    local, spark = tmp_path / "local.jsonl", tmp_path / "spark.jsonl"
    assert annotate(exports, "list", local, batch_size=2) == (40, 2)
    # Some are done already, by the other engine.
    lines = local.read_bytes().splitlines(keepends=True)
    (tmp_path / "spark.jsonl.partial").write_bytes(b"".join(lines[:6]))
    shutil.copy(f"{local}.settings.json", f"{spark}.settings.json")
    run = {"master": "local[1]", "conf": CONF, "batch_size": 2}
    assert annotate_on_spark(exports, "list", "spark.jsonl", **run) == (40, 2)
    assert_same(read(spark), read(local))
    assert [r["image"] for r in read(spark) if "error" in r] == names[1:3]
    assert not list(tmp_path.glob("spark.jsonl.*s")) + list(tmp_path.glob("*.partial"))
    # What is finished needs no Spark.
    monkeypatch.setattr(spark_annotation, "spark_session", None)
    assert annotate_on_spark(exports, "list", "spark.jsonl", **run) == (40, 2)
    with pytest.raises(ValueError, match="a run with top_k=None"):
        annotate_on_spark(exports, "list", "spark.jsonl", top_k=1, **run)


def test_sums_and_counts_of_workers_add_up(tmp_path, environment):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5000, 6)).astype(np.float32)
    tags = rng.random((5000, 4)) < [0.5, 0.1, 0.001, 0]
    folder = tmp_path / "tagger"
    folder.mkdir()
    np.save(folder / "vectors.npy", vectors)
    np.savez(folder / "tags.npz", tags=tags)
    expected = WordMeans(range(4), 6)
    expected.add(vectors, tags)
    with spark_session("local[2]", CONF) as spark:
        for tasks in (None, 5, 99):
            found = spark_word_means.fit_word_means(spark, folder, tasks)
            np.testing.assert_array_equal(found.counts, expected.counts)
            np.testing.assert_allclose(found.means, expected.means, rtol=1e-12)


def test_a_round_that_lacks_a_file_is_not_taken_for_whole(tmp_path):
    current = spark_annotation._Round(tmp_path, (0, 10, 20))
    current.records.mkdir()
    for number in (2, 0):
        line = json.dumps({"image": f"{number}"})
        (current.records / f"part-{number:05}-x.txt").write_text(line + "\n")
    with pytest.raises(OSError, match="2 files of 3: is it on storage that all"):
        list(spark_annotation._read_round(current))
    (current.records / "part-00001-x.txt").write_text('{"image": "1"}\n')
    assert [r["image"] for r in spark_annotation._read_round(current)] == [
        "0",
        "1",
        "2",
    ]


def test_a_worker_without_the_drivers_folder_reads_full_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(spark_annotation, "_model", lambda *job: None)
    context = types.SimpleNamespace(cpus=lambda: 1)
    monkeypatch.setattr(spark_annotation.pyspark.TaskContext, "get", lambda: context)
    monkeypatch.setattr(
        spark_annotation,
        "records",
        lambda model, pairs, *rest: (
            {"image": content.decode()} for _, content in pairs
        ),
    )
    (tmp_path / "a.png").write_bytes(b"found")
    current = spark_annotation._Round(tmp_path, (0,))
    current.pieces.write_text(json.dumps([str(tmp_path / "a.png")]) + "\n")
    images = FileSource("unused")
    job = spark_annotation._Job(str(tmp_path / "no"), (), (), (), images, 2, None)
    (frame,) = spark_annotation._lines(job, current, [{"id": [0]}])
    assert frame["value"].tolist() == ['{"image": "found"}']


def test_a_worker_loads_the_model_once(tagger_run, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        spark_annotation.AnnotationModel,
        "load",
        lambda exports, **options: loaded.append(options) or object(),
    )
    for name in ("intra", "inter"):  # TensorFlow has begun in this process
        name = f"set_{name}_op_parallelism_threads"
        monkeypatch.setattr(spark_annotation.tf.config.threading, name, int)
    spark_annotation._model.cache_clear()
    folders = (str(tagger_run[0] / "export" / "tagger"),)
    checksums = spark_annotation._checksums(spark_annotation.find_exports(folders))
    options = (("captions", 1), ("top_k", None), ("threshold", None))
    models = [spark_annotation._model(folders, checksums, options, 1) for _ in range(3)]
    assert loaded == [dict(options)] and models[0] is models[1] is models[2]
    with pytest.raises(ValueError, match="a worker sees other exports there"):
        spark_annotation._model(folders, ("other",), options, 1)
    spark_annotation._model.cache_clear()


def test_errors_of_workers_are_told_in_a_line():
    calls = "Traceback (most recent call last):\n  File x\nValueError: v\n\nJVM"
    assert error_line(Exception(f"Lost:\n{calls}")) == "ValueError: v"
    assert error_line(Exception("lost\n  at org.")) == "lost"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_table_of_bytes_and_failing_jobs(exports, image_folder, tmp_path, environment):
    paths = sorted(image_folder.glob("*.png"))
    table = {
        "image": [f"image {path.name}" for path in paths],
        "content": [path.read_bytes() for path in paths],
    }
    (tmp_path / "table").mkdir()
    pq.write_table(pa.table(table), tmp_path / "table" / "a.parquet", row_group_size=20)
    run = {"batch_size": 2, "captions": 2}
    local, spark = tmp_path / "local.parquet", tmp_path / "spark.parquet"
    assert annotate(exports, tmp_path / "table", local, **run) == (36, 0)
    on_spark = {**run, "master": "local[2]", "conf": CONF}
    assert annotate_on_spark(exports, tmp_path / "table", spark, **on_spark) == (36, 0)
    found, expected = pq.read_table(spark), pq.read_table(local)
    assert found.schema == record_table.SCHEMA
    for name in ("image", "caption", "tags", "error"):
        assert found[name] == expected[name]
    assert found["image"].to_pylist() == table["image"]
    with pytest.raises(OSError, match="job failed: ValueError: --captions=2 need"):
        annotate_on_spark(
            exports[:1], tmp_path / "table", tmp_path / "o.jsonl", **on_spark
        )
    assert not (tmp_path / "o.jsonl.rounds").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("killing", [False, True])
def test_two_worker_processes(
    killing,
    exports,
    image_folder,
    tmp_path,
    environment,
    spark_cluster,
    monkeypatch,
):
    monkeypatch.chdir(tmp_path)
    names = write_list(tmp_path / "list", image_folder, 240)
    local, spark = tmp_path / "local.jsonl", tmp_path / "spark.jsonl"
    assert annotate(exports, tmp_path / "list", local, batch_size=2) == (240, 2)
    with spark_cluster.standalone_cluster(tmp_path / "cluster", 2) as (master, workers):
        process = annotate_command(
            exports,
            *(tmp_path / "list", spark, "--engine=spark", f"--master={master}"),
            *(f"--spark_conf={name}={value}" for name, value in CONF.items()),
        )
        if killing:
            spark_cluster.wait_for_task(process, spark)
            spark_cluster.kill(workers[0])
            assert not spark.exists()
        stdout, stderr = process.communicate()
        assert [worker.poll() for worker in workers] == [-9 if killing else None, None]
    assert process.returncode == 1, stderr
    assert stdout.splitlines()[-1] == f"{spark}: 240 images, 2 of them failed"
    assert ("Lost executor" in stderr) == killing
    assert [r["image"] for r in read(spark)] == names
    assert_same(read(spark), read(local))
