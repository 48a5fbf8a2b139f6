"""The captioner's run on a small folder: files, resuming, exports, refusals."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from annotator.captioner import CaptionDetails
from annotator.evaluation import captioning
from annotator.metrics.captions import score_captions
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.training.captioner import fit as captioner_training
from annotator.training.captioner import trainer as captioner_loop
from annotator.training.captioner.batches import CaptionBatches
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.run import train


def weights(workdir):
    model = keras.saving.load_model(workdir / "captioner" / "captioner.keras")
    return model.get_weights()


def test_writes_its_files(captioner_run):
    workdir, metrics, exports = captioner_run
    assert {"bleu_1", "bleu_4", "meteor_dialect", "cider"} <= set(metrics)
    assert metrics["captioner_images"] == 6
    captions = json.loads((workdir / "metrics/validation_captions.json").read_text())
    assert [set(entry) for entry in captions] == [{"image_id", "caption"}] * 6
    assert all(path.exists() for path in exports)
    assert list((workdir / "logs" / "captioner").iterdir())
    assert not {"<unk>", "<pad>"} & set(
        " ".join(c["caption"] for c in captions).split()
    )


def test_logs_scalars_captions_and_attention(captioner_run):
    logs = EventAccumulator(str(captioner_run[0] / "logs" / "captioner"))
    logs.Reload()

    def steps(name):
        return [event.step for event in logs.Tensors(name)]

    for name in ("loss", "learning_rate", "words_per_second"):
        assert steps(name) == [4, 8, 12]  # epochs of four steps
    for name in ("bleu_1", "bleu_4", "captions"):
        assert steps(f"validation/{name}") == [4, 8, 12]
    # The feedback joins in the second epoch; what was drawn before shows nothing.
    assert steps("validation/attention_0") == [8, 12]
    *_, png = logs.Tensors("validation/attention_3")[-1].tensor_proto.string_val
    assert tf.io.decode_png(png).shape[2] == 3


@pytest.mark.slow
def test_validation_that_tells_nothing_is_said_once(
    captioner_config, tmp_path, monkeypatch, capsys
):
    """Where nothing matches the loss decides; it is logged, and finite."""
    config = dataclasses.replace(captioner_config, rounds=0, patience=3)
    monkeypatch.setattr(captioner_loop, "generate", lambda *_: ["a"] * 6)
    trainer, scores = captioner_loop.CaptionerTrainer, []
    validate = trainer._validate

    def watched(self, epoch):
        scores.append(validate(self, epoch))
        return scores[-1]

    monkeypatch.setattr(trainer, "_validate", watched)
    captioner_training.train_captioner(Run(config, tmp_path))
    assert [score[:2] for score in scores] == [[0.0, 0.0]] * 3
    assert all(0 < -score[2] < 10 for score in scores)
    assert scores[2] > scores[0]  # it learns
    lines = capsys.readouterr().out.splitlines()
    warned = [line for line in lines if line.startswith("warning: ")]
    assert ["validation has 6 images" in line for line in warned] == [True, False]
    assert "epoch 1: no caption of 6 images shares" in warned[1]
    logs = EventAccumulator(str(tmp_path / "logs" / "captioner"))
    logs.Reload()
    assert [event.step for event in logs.Tensors("validation/loss")] == [4, 8, 12]


def test_metrics_are_those_of_the_captions_that_are_written(
    captioner_run, captioner_config
):
    workdir, metrics, _ = captioner_run
    captions = json.loads((workdir / "metrics/validation_captions.json").read_text())
    split = Run(captioner_config, workdir).split(CAPTIONER, "validation")
    assert [c["image_id"] for c in captions] == list(split.annotated.image_ids)
    scores = score_captions(
        [c["caption"] for c in captions], split.annotated.captions, meteor="none"
    )
    assert scores["bleu_1"] > 0
    for name in ("bleu_1", "bleu_4", "cider", "rouge_l", "mean_length"):
        assert metrics[name] == scores[name]


class Killed(BaseException):
    """Stands for SIGKILL: nothing may handle it."""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4, 7, 11])
def test_killed_at_any_step_ends_with_the_same_weights(
    steps, captioner_run, captioner_config, tmp_path, monkeypatch
):
    stream = CaptionBatches.stream

    def dying_stream(self, epoch, start, drafts, strategy):
        done = epoch * len(self) + start
        for batch in stream(self, epoch, start, drafts, strategy):
            if done == steps:
                raise Killed
            done += 1
            yield batch

    def other_inputs(*args):
        inputs = captioner_inputs(*args)
        keras.utils.set_random_seed(99)  # features on disk take no chance, others do
        return inputs

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(captioner_training, "captioner_inputs", other_inputs)
        patch.setattr(CaptionBatches, "stream", dying_stream)
        train(captioner_config, tmp_path)
    metrics, _, _ = train(captioner_config, tmp_path)
    assert metrics == captioner_run[1]
    for one, other in zip(weights(tmp_path), weights(captioner_run[0]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_killed_in_the_validation_of_an_epoch_ends_with_the_same_weights(
    captioner_run, captioner_config, tmp_path, monkeypatch
):
    """Then the last checkpoint is of the end of that epoch: 4 steps, one every 2."""
    trainer = captioner_loop.CaptionerTrainer
    validate = trainer._validate

    def dying(self, epoch):
        if epoch == 1:
            raise Killed
        return validate(self, epoch)

    save, saved = tf.train.CheckpointManager.save, []

    def watched(self, *args, **kwargs):
        saved.append(save(self, *args, **kwargs))
        return saved[-1]

    monkeypatch.setattr(tf.train.CheckpointManager, "save", watched)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(trainer, "_validate", dying)
        train(captioner_config, tmp_path)
    metrics, _, _ = train(captioner_config, tmp_path)
    # Written over the last one, a checkpoint might be lost to a kill.
    assert len(set(saved)) == len(saved) > 6
    assert metrics == captioner_run[1]
    for one, other in zip(weights(tmp_path), weights(captioner_run[0]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def rewarded_config(captioner_config):
    """Two epochs on references and one on rewards, of 4 steps each."""
    return dataclasses.replace(
        captioner_config,
        epochs=2,
        feedback_start=0,
        self_critical_epochs=1,
        self_critical_samples=3,
        self_critical_rate=0.01,
    )


@pytest.mark.slow
@pytest.mark.parametrize("finetune", [False, True])
def test_rewards_are_learned_from_the_best_weights_on(
    finetune, rewarded_config, tmp_path, monkeypatch
):
    """Of the two epochs before, the first one is the better here."""
    trainer = captioner_loop.CaptionerTrainer
    learn, validate, seen = trainer._learn_rewards, trainer._validate, []
    config = dataclasses.replace(
        rewarded_config,
        finetune_backbone=finetune,
        convolution_rate=1.0,
        captioner_tap="block3_conv3" if finetune else rewarded_config.captioner_tap,
    )

    def all_weights(self):
        backbone = self.inputs.backbone.get_weights() if finetune else []
        return [*self.captioner.get_weights(), *backbone]

    def watched_validate(self, epoch):
        seen.append(all_weights(self))
        return validate(self, epoch)

    def watched_learn(self, *args):
        seen.append(all_weights(self))
        return learn(self, *args)

    def score(captions, references, meteor):
        given = {"bleu_4": 0.9 - 0.1 * len(seen), "cider": None}
        given["ngram_matches"] = [4, 3, 2, 1]
        return given | {"bleu_1": 0.0, "rouge_l": 0.0, "distinct_captions": 1.0}

    monkeypatch.setattr(trainer, "_validate", watched_validate)
    monkeypatch.setattr(trainer, "_learn_rewards", watched_learn)
    monkeypatch.setattr(captioner_loop, "score_captions", score)
    captioner_training.train_captioner(Run(config, tmp_path))
    first, second, start, *_, last = seen
    assert len(seen) == 2 + 4 + 1

    def equal(one, other):
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    assert equal(start, first) and not equal(start, second) and not equal(start, last)
    for one, other in zip(first[-2:], second[-2:], strict=True):
        assert not np.array_equal(one, other)  # the backbone's too, if it learns


@pytest.mark.slow
def test_killed_while_learning_rewards_ends_with_the_same_weights(
    rewarded_config, tmp_path, monkeypatch
):
    trainer = captioner_loop.CaptionerTrainer
    learn = trainer._learn_rewards

    def dying(self, *args):
        if int(self.step.numpy()) == 11:
            raise Killed
        return learn(self, *args)

    captioner_training.train_captioner(Run(rewarded_config, tmp_path / "undisturbed"))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(trainer, "_learn_rewards", dying)
        captioner_training.train_captioner(Run(rewarded_config, tmp_path / "killed"))
    captioner_training.train_captioner(Run(rewarded_config, tmp_path / "killed"))
    killed, undisturbed = (
        weights(tmp_path / name) for name in ("killed", "undisturbed")
    )
    for one, other in zip(killed, undisturbed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_exports_equal_the_trained_model(captioner_run, captioner_config, image_folder):
    workdir, _, (saved_model, keras_file) = captioner_run
    run = Run(captioner_config, workdir)
    captioner, split = run.captioner(), run.split(CAPTIONER, "validation")
    caption = captioning.caption_function(captioner)
    expected = captioning.generate(caption, split.regions(6))
    scores = tf.function(captioner.generate, autograph=False)(
        next(iter(split.regions(6)))
    )["scores"]
    encoded = [(image_folder / i).read_bytes() for i in split.annotated.image_ids]
    served = tf.saved_model.load(saved_model).signatures["serving_default"](
        image_bytes=tf.constant(encoded)
    )
    assert [text.decode() for text in served["captions"].numpy()] == expected
    pixels = np.stack([tf.io.decode_image(image).numpy() for image in encoded])
    predicted = keras.saving.load_model(keras_file).predict(pixels, verbose=0)
    assert [text.decode() for text in predicted["captions"]] == expected
    # Some processors add up the same sums in another order.
    np.testing.assert_allclose(predicted["scores"], scores, rtol=1e-5)
    np.testing.assert_allclose(served["scores"], scores, rtol=1e-5)
    assert set(served) == {"captions", "scores"}


@pytest.mark.slow
def test_details_are_what_the_model_saw(captioner_run, captioner_config, image_folder):
    workdir, _, (saved_model, _) = captioner_run
    run = Run(captioner_config, workdir)
    captioner, split = run.captioner(), run.split(CAPTIONER, "validation")
    (regions,) = split.regions(6)
    # As a graph: run op by op, the same sums may be added up in another order.
    expected = tf.function(CaptionDetails(captioner), autograph=False)(regions)
    best = captioner.generate(regions)
    np.testing.assert_array_equal(expected["captions"], best["captions"])
    assert expected["n_best_captions"].shape == (6, captioner_config.beams)
    encoded = [(image_folder / i).read_bytes() for i in split.annotated.image_ids]
    details = tf.saved_model.load(saved_model).signatures["details"](
        image_bytes=tf.constant(encoded)
    )
    assert set(details) == set(expected)
    for name, value in expected.items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(details[name], value, rtol=1e-4, atol=1e-6)
        else:
            np.testing.assert_array_equal(details[name], value)
    weights = details["attention"].numpy()  # [B, words, layers, R]
    assert weights.shape == (6, captioner_config.max_length + 1, 1, 16)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"decoder": "nic", "rounds": 0},
        {"rounds": 0},
        {"feedback": "causal"},
        {"rounds": 2, "layers": 3},
        {"decoder": "soft"},
        {"decoder": "hard", "rounds": 0},
        {"decoder": "log_bilinear", "rounds": 0},
        {"decoder": "brnn", "rounds": 0},
        {"schedule": "paper", "attention_regularizer": 1.0},
        {"finetune_backbone": True, "schedule": "paper"},
        {"jit_compile": True, "precision": "bfloat16"},
        {"caption_flip": True, "tied": True},
    ],
)
def test_other_captioners_and_settings(
    settings, captioner_config, image_folder, tmp_path
):
    config = dataclasses.replace(
        captioner_config, epochs=1, feedback_start=0, **settings
    )
    _, _, (saved_model, _) = train(config, tmp_path)
    captions = json.loads((tmp_path / "metrics/validation_captions.json").read_text())
    assert len(captions) == 6 and all(each["caption"] for each in captions)
    assert_served(saved_model, image_folder, captions)


@pytest.mark.slow
def test_the_backbone_learns_too_if_asked(captioner_config, image_folder, tmp_path):
    config = dataclasses.replace(
        captioner_config,
        finetune_backbone=True,
        convolution_rate=0.1,
        captioner_tap="block3_conv3",
        rounds=0,
        epochs=1,
    )
    metrics, _, (saved_model, _) = train(config, tmp_path)
    frozen = dataclasses.replace(config, finetune_backbone=False)
    given = Run(frozen, tmp_path).backbone(CAPTIONER)
    learned = Run(config, tmp_path).backbone(CAPTIONER)
    moved = [
        np.abs(one - other).max()
        for one, other in zip(given.get_weights(), learned.get_weights(), strict=True)
    ]
    assert min(moved) > 0
    # What is scored and exported is the learned backbone.
    captions = json.loads((tmp_path / "metrics/validation_captions.json").read_text())
    assert_served(saved_model, image_folder, captions)


def assert_served(saved_model, image_folder, captions):
    """Asserts that an export says of images what `captions` say."""
    encoded = [(image_folder / c["image_id"]).read_bytes() for c in captions]
    served = tf.saved_model.load(saved_model).signatures["serving_default"](
        image_bytes=tf.constant(encoded)
    )["captions"]
    assert [text.decode() for text in served.numpy()] == [
        c["caption"] for c in captions
    ]


def test_vocabulary_comes_from_training_captions_alone(captioner_run, image_folder):
    words = json.loads((captioner_run[0] / "captioner/vocabulary.json").read_text())
    assert set(words["words"]) == set(
        "a wall of red green blue beside all over".split()
    )


def test_another_vocabulary_in_the_workdir_is_refused(captioner_config, tmp_path):
    folder = tmp_path / "captioner"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "vocabulary.json").write_text('{"words": ["other"]}')
    with pytest.raises(ValueError, match=f"of {folder} was trained with another voc"):
        train(captioner_config, tmp_path)


@pytest.fixture
def other_folder(image_folder, tmp_path):
    """A copy of the images, whose annotations a test may change."""
    return shutil.copytree(image_folder, tmp_path / "images")


@pytest.mark.parametrize("task", ["captioner", "all"])
def test_data_without_captions_is_refused_at_once(
    task, captioner_config, tmp_path, other_folder
):
    (other_folder / "captions.csv").unlink()
    config = dataclasses.replace(
        captioner_config, task=task, data_dir=str(other_folder), cache_dir=str(tmp_path)
    )
    with pytest.raises(ValueError, match="no captions.* --task=tagger does without"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "features").exists()


@pytest.mark.slow
def test_images_without_a_caption_are_left_out(
    captioner_config, tmp_path, other_folder, capsys
):
    """Ten of 24 training images: whole batches of 6 would have nothing to learn."""
    path = other_folder / "captions.csv"
    without = {f"{i}.png" for i in (*range(10), 24)}
    lines = [line for line in path.read_text().splitlines(keepends=True)]
    path.write_text("".join(s for s in lines if s.split(",")[0] not in without))
    config = dataclasses.replace(
        captioner_config, data_dir=str(other_folder), epochs=1, rounds=0
    )
    metrics, _, _ = train(config, tmp_path / "run")
    assert metrics["captioner_images"] == 5
    said = capsys.readouterr().out
    assert "10 images without a caption are left out of folder train" in said
    assert all(np.isfinite(value).all() for value in weights(tmp_path / "run"))


def test_a_run_without_a_reranker_gets_one(captioner_run, captioner_config, tmp_path):
    """One of an earlier version: its captioner is not trained again."""
    workdir = shutil.copytree(captioner_run[0], tmp_path / "run")
    path = workdir / "captioner" / "reranker.npz"
    fitted = dict(np.load(path))
    path.unlink()
    with pytest.warns(UserWarning, match="nothing to rank beams by"):
        assert Run(captioner_config, workdir).captioner().reranker is None
    before = (workdir / "captioner" / "captioner.keras").stat()
    captioner_training.train_captioner(Run(captioner_config, workdir))
    assert (workdir / "captioner" / "captioner.keras").stat() == before
    for name, array in np.load(path).items():
        np.testing.assert_array_equal(array, fitted[name])
    config = dataclasses.replace(captioner_config, rerank_weight=7.0)
    assert Run(config, workdir).captioner().reranker.beam_weight == 7.0
    config = dataclasses.replace(captioner_config, rerank=False)
    assert Run(config, workdir).captioner().reranker is None


@pytest.mark.slow
def test_a_finished_run_is_exported_with_other_beams(
    captioner_run, captioner_config, tmp_path
):
    workdir = shutil.copytree(captioner_run[0], tmp_path / "run")
    config = dataclasses.replace(
        captioner_config, beams=3, length_penalty=0.0, no_repeat_ngram=1
    )
    _, _, (saved_model, _) = train(config, workdir)
    assert saved_model.name == "2"
    run = Run(config, workdir)
    captioner, split = run.captioner(), run.split(CAPTIONER, "validation")
    expected = CaptionDetails(captioner)(next(iter(split.regions(6))))
    images = [next(iter(split.annotated.encoded_images()))[1]]
    details = tf.saved_model.load(saved_model).signatures["details"](
        image_bytes=tf.stack(images)
    )
    assert details["n_best_captions"].shape == (1, 3)
    np.testing.assert_array_equal(
        details["n_best_captions"][0], expected["n_best_captions"][0]
    )
    # And it is scored so.
    captions = json.loads((workdir / "metrics/validation_captions.json").read_text())
    told = [caption["caption"].encode() for caption in captions]
    assert told == expected["captions"].numpy().tolist()
    assert captioner.draft_sampler.no_repeat_ngram == 1
    for one, other in zip(weights(workdir), weights(captioner_run[0]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert train(config, workdir)[2][0] == saved_model
