import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from annotator import datasets
from annotator.datasets.tfds.reader import read_builder


def pixels(row):
    return np.full((4, 5, 3), row, np.uint8)


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Six training examples and two each of others; subclasses say of what."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = {"train": 6, "validation": 2, "test": 2}

    def _info(self):
        features = tfds.features.FeaturesDict(self.features())
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {
            split: self._generate_examples(count)
            for split, count in self.SPLITS.items()
        }

    def _generate_examples(self, count):
        for row in range(count):
            yield row, self.example(row)


class SingleLabel(_Builder):
    """One label an image, no id; registered, so that it has a name."""

    def features(self):
        return {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        }

    def example(self, row):
        return {"image": pixels(row), "label": row % 2}


class CocoLike(_Builder, skip_registration=True):
    """Objects and captions below sequences, an id whose name has a slash."""

    def features(self):
        return {
            "image": tfds.features.Image(),
            "image/id": np.int64,
            "objects": tfds.features.Sequence(
                {"label": tfds.features.ClassLabel(names=["a", "b", "c"])}
            ),
            "captions": tfds.features.Sequence({"text": tfds.features.Text()}),
        }

    def example(self, row):
        return {
            "image": pixels(row),
            "image/id": 100 + row,
            "objects": [{"label": label} for label in ("a", "c", "a")[: row % 4]],
            "captions": [{"text": f"Text {row} ü"}] * (row % 3),
        }


class CocoCaptions(CocoLike, skip_registration=True):
    """The splits of `coco_captions`."""

    SPLITS = {"train": 6, "val": 3, "test": 2, "restval": 4}


class TrainAndTest(CocoLike, skip_registration=True):
    """Nothing to validate with, as in many of the data sets of TFDS."""

    SPLITS = {"train": 20, "test": 2}


class NoTraining(CocoLike, skip_registration=True):
    SPLITS = {"test": 2}


class Voc(_Builder, skip_registration=True):
    """Labels as a sequence of classes, the file's name as id, a repeated id."""

    def features(self):
        return {
            "photo": tfds.features.Image(),
            "filename": tfds.features.Text(),
            "id": np.int64,
            "labels": tfds.features.Sequence(
                tfds.features.ClassLabel(names=["a", "b"])
            ),
            "note": tfds.features.Text(),
        }

    def example(self, row):
        return {
            "photo": pixels(row),
            "filename": f"{row}.jpg",
            "id": 1,
            "labels": ["b"] if row else [],
            "note": f"note {row}",
        }


def rows_of_pixels(images):
    """The value that each image was painted with."""
    return [
        int(tf.io.decode_image(data)[0, 0, 0]) for _, data in images.encoded_images()
    ]


def test_by_name(tmp_path):
    images = datasets.load("tfds:single_label", "train", data_dir=str(tmp_path))
    assert images.name == "tfds:single_label"
    assert images.words == ("cat", "dog")
    assert images.captions is None
    assert images.image_ids[:2] == ("train-000000", "train-000001")
    # The records are shuffled, but labels and pixels stay together.
    expected = [[row % 2 == 0, row % 2 == 1] for row in rows_of_pixels(images)]
    assert images.tags.tolist() == expected
    part = datasets.load("tfds:single_label", "train[50%:]", data_dir=str(tmp_path))
    assert rows_of_pixels(part) == rows_of_pixels(images)[3:]
    both = datasets.load("tfds:single_label", "train+test", data_dir=str(tmp_path))
    assert len(both) == 8
    assert len(rows_of_pixels(both)) == 8


def test_objects_and_captions(tmp_path):
    images = read_builder(CocoLike(data_dir=tmp_path), "coco", "train")
    rows = rows_of_pixels(images)
    assert images.image_ids == tuple(str(100 + row) for row in rows)
    for row, tags, captions in zip(rows, images.tags, images.captions, strict=True):
        assert tags.tolist() == [row % 4 > 0, False, row % 4 > 1]
        assert captions == (f"Text {row} ü",) * (row % 3)


def test_validation_may_be_called_val(tmp_path):
    builder = CocoCaptions(data_dir=tmp_path)
    images = read_builder(builder, "coco", "validation")
    assert images.split == "validation"
    assert sorted(rows_of_pixels(images)) == [0, 1, 2]
    train = read_builder(builder, "coco", "train")
    assert sorted(rows_of_pixels(train)) == list(range(6))
    both = read_builder(CocoCaptions(data_dir=tmp_path), "c", "train+val")
    assert len(both) == 9


def test_validation_is_carved_where_there_is_none(tmp_path):
    def read(split):
        images = read_builder(TrainAndTest(data_dir=tmp_path), "coco", split)
        rows = rows_of_pixels(images)
        # Ids, captions and pixels are of the same records.
        assert images.image_ids == tuple(str(100 + row) for row in rows)
        assert [len(texts) for texts in images.captions] == [row % 3 for row in rows]
        return rows

    train, validation = read("train"), read("validation")
    assert (len(train), len(validation)) == (18, 2)
    assert sorted(train + validation) == list(range(20))
    assert train == read("train[:90%]") and validation == read("validation")
    assert read("train+validation") == train + validation == read("train[:100%]")
    assert len(read("test")) == 2
    fingerprints = {
        read_builder(TrainAndTest(data_dir=tmp_path), "c", s).fingerprint()
        for s in ("train", "validation", "train[:100%]")
    }
    assert len(fingerprints) == 3


def test_nothing_to_carve_from(tmp_path):
    with pytest.raises(ValueError, match="no split 'validation'; known: test"):
        read_builder(NoTraining(data_dir=tmp_path), "c", "validation")


def test_what_no_name_is_known_for_says_what_can_be_done(tmp_path):
    class Nameless(_Builder, skip_registration=True):
        def features(self):
            return {"image": tfds.features.Image(), "note": tfds.features.Text()}

        def example(self, row):
            return {"image": pixels(row), "note": "x"}

    message = "neither tags .* features image, note.*captions.csv.*--dataset=folder"
    with pytest.raises(ValueError, match=message):
        read_builder(Nameless(data_dir=tmp_path), "n", "train")


def test_labels_and_an_image_of_another_name(tmp_path):
    images = read_builder(Voc(data_dir=tmp_path), "voc", "test")
    rows = rows_of_pixels(images)
    assert images.image_ids == ("test-000000", "test-000001")
    assert images.tags.tolist() == [[False, row > 0] for row in rows]


def test_features_by_option(tmp_path):
    images = read_builder(
        Voc(data_dir=tmp_path), "voc", "test", captions_feature="note"
    )
    rows = rows_of_pixels(images)
    assert images.captions == tuple((f"note {row}",) for row in rows)
    with pytest.raises(ValueError, match="no feature 'tag'; it has .*labels"):
        read_builder(Voc(data_dir=tmp_path), "voc", "test", tags_feature="tag")
    with pytest.raises(ValueError, match="'note' must hold class labels"):
        read_builder(Voc(data_dir=tmp_path), "voc", "test", tags_feature="note")


def test_unknown_split(tmp_path):
    with pytest.raises(
        ValueError, match="no split 'dev'; known: test, train, validation"
    ):
        datasets.load("tfds:single_label", "dev", data_dir=str(tmp_path))


def test_unknown_data_set(tmp_path):
    with pytest.raises(ValueError, match="'tfds:no_such_thing'.*--data_dir"):
        datasets.load("tfds:no_such_thing", "train", data_dir=str(tmp_path))


def test_array_record_files_are_refused(tmp_path):
    builder = CocoLike(data_dir=tmp_path)
    builder.download_and_prepare(file_format="array_record")
    with pytest.raises(ValueError, match="stored as array_record.*tfrecord"):
        read_builder(builder, "coco", "train")
