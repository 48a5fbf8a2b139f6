"""Two worker processes end with the weights of one, also when one of them is killed."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import annotator.layers  # noqa: F401  (what .keras files are made of)
from annotator import files
from annotator.training import workers

WORKER = """
import json, os, sys
import tensorflow as tf
from annotator.config import Config
from annotator.training.run import train
if json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index"):
    def save(*arguments): raise AssertionError("not the chief, but writes checkpoints")
    tf.train.CheckpointManager.save = save
settings = json.load(open(sys.argv[1]))
settings = {k: tuple(v) if type(v) is list else v for k, v in settings.items()}
metrics, _, _ = train(Config(**settings), sys.argv[2])
print(json.dumps(metrics.get("bleu_1")))
"""


@pytest.mark.parametrize(
    ("tasks", "own", "expected"),
    [
        (["worker", "worker"], ("worker", 0), True),
        (["worker", "worker"], ("worker", 1), False),
        (["chief", "worker"], ("chief", 0), True),
        (["chief", "worker"], ("worker", 0), False),
        ([], (None, None), True),
    ],
)
def test_one_process_is_the_chief(tasks, own, expected, monkeypatch):
    cluster = {name: ["localhost:1"] * tasks.count(name) for name in tasks}
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=own[0], task_id=own[1]
    )
    strategy = types.SimpleNamespace(cluster_resolver=resolver)
    monkeypatch.setattr(workers, "strategy", lambda: strategy)
    assert workers.is_chief() is expected


def test_several_numbers_are_shared_to_the_bit(monkeypatch):
    """Here by one worker, whose strategy adds over a replica; see below for two."""
    numbers = [1 / 3, -1e-300, 0.0, 12345.678]
    assert workers.from_chief(numbers) == numbers and workers.from_chief() == []
    monkeypatch.setenv("TF_CONFIG", "{}")
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    monkeypatch.setattr(workers, "strategy", lambda: strategy)
    assert workers.from_chief(numbers) == numbers
    assert workers.from_chief([0.25]) == [0.25] and workers.from_chief() == []


@pytest.fixture(scope="module")
def config(captioner_config):
    """Without chance in the training: replicas draw otherwise than one process.

    Momentum, unlike Adam, tells whether gradients are added up once.
    """
    return dataclasses.replace(
        captioner_config,
        dropout=0.0,
        rounds=0,
        epochs=2,
        caption_batch=7,
        schedule="paper",
        learning_rate=0.05,
    )


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(config, workdir, number):
    """Processes of `number` workers that train together."""
    files.write_json(workdir.with_suffix(".json"), dataclasses.asdict(config))
    hosts = [f"localhost:{port}" for port in free_ports(number)]
    processes = []
    for index in range(number):
        task = {"type": "worker", "index": index}
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        if number > 1:
            cluster = {"cluster": {"worker": hosts}, "task": task}
            environment["TF_CONFIG"] = json.dumps(cluster)
        with open(f"{workdir}-{index}.log", "a") as log:
            command = [sys.executable, "-c", WORKER]
            command += [workdir.with_suffix(".json"), workdir]
            processes.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            )
    return processes


def finish(processes, workdir):
    for index, process in enumerate(processes):
        try:
            assert process.wait(240) == 0, open(f"{workdir}-{index}.log").read()[-3000:]
        finally:
            for one in processes:
                one.kill()


def weights(workdir):
    model = keras.saving.load_model(workdir / "captioner" / "captioner.keras")
    return [np.asarray(w) for w in model.get_weights()]


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("alone") / "run"
    finish(start(config, workdir, 1), workdir)
    return weights(workdir)


def assert_same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


@pytest.mark.slow
def test_two_workers_train_the_backbone_as_one(config, tmp_path):
    """They see the same crops, flips and colors as one."""
    config = dataclasses.replace(
        config,
        schedule="cosine",
        learning_rate=1e-3,
        epochs=1,
        finetune_backbone=True,
        convolution_rate=0.1,
        captioner_tap="block3_conv3",
    )
    for number in (1, 2):
        workdir = tmp_path / f"of_{number}"
        finish(start(config, workdir, number), workdir)
    assert_same(weights(tmp_path / "of_2"), weights(tmp_path / "of_1"))
    one, two = (
        keras.saving.load_model(
            tmp_path / f"of_{number}" / "captioner" / "backbone.keras"
        ).get_weights()
        for number in (1, 2)
    )
    assert_same(one, two)


@pytest.mark.slow
def test_two_workers_train_a_tagger_as_one(config, tmp_path):
    config = dataclasses.replace(
        config,
        task="tagger",
        tagger="finetuned",
        tap="block3_conv3",
        flip=False,
        tag_epochs=1,
        tag_batch=7,
        tag_dropout=0.0,
    )
    for number in (1, 2):
        workdir = tmp_path / f"of_{number}"
        finish(start(config, workdir, number), workdir)
    for name in ("tagger.keras", "backbone.keras"):
        one, two = (
            keras.saving.load_model(tmp_path / f"of_{n}" / "tagger" / name)
            for n in (1, 2)
        )
        assert_same(two.get_weights(), one.get_weights())


@pytest.mark.slow
def test_two_workers_train_as_one(config, alone, tmp_path):
    finish(start(config, tmp_path / "run", 2), tmp_path / "run")
    assert_same(weights(tmp_path / "run"), alone)
    # Nothing is scored or printed twice; `WORKER` sees to it that nothing is saved so.
    assert "bleu" not in (tmp_path / "run-1.log").read_text().lower()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_costs_no_step(victim, config, alone, tmp_path):
    workdir = tmp_path / "run"
    processes = start(config, workdir, 2)
    index = workdir / "captioner" / "checkpoints" / "ckpt-1.index"
    while not index.is_file():
        assert processes[victim].poll() is None
        time.sleep(0.1)
    processes[victim].send_signal(signal.SIGKILL)
    # The other cannot go on without it: it fails or waits, but finishes nothing.
    with contextlib.suppress(subprocess.TimeoutExpired):
        assert processes[1 - victim].wait(60) != 0
    assert not (workdir / "captioner" / "captioner.keras").exists()
    for process in processes:  # whoever runs them starts both again
        process.kill()
        process.wait()
    finish(start(config, workdir, 2), workdir)
    assert_same(weights(workdir), alone)
    log = (tmp_path / "run-0.log").read_text()
    (step,) = re.findall(r"continuing at step (\d+)", log)
    assert 2 <= int(step) < 8  # of 4 an epoch: there was something left to learn
