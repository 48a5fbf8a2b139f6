import json

import pytest

from annotator import datasets


def write_karpathy(folder, name, **more):
    splits = ("train", "val", "test", "restval")
    images = [
        {
            "filename": f"{split}.jpg",
            "split": split,
            "sentences": [{"raw": f" The {split} one. ", "tokens": []}],
            **{key: value(number) for key, value in more.items()},
        }
        for number, split in enumerate(splits)
    ]
    (folder / name).write_text(json.dumps({"images": images, "dataset": "x"}))
    return images


def test_karpathy_flickr8k(tmp_path):
    write_karpathy(tmp_path, "dataset_flickr8k.json")
    (tmp_path / "Flicker8k_Dataset").mkdir()
    for split in ("train", "val", "test", "restval"):
        (tmp_path / "Flicker8k_Dataset" / f"{split}.jpg").write_text(split)

    def load(split, **options):
        return datasets.load(
            "flickr8k_karpathy", split, data_dir=str(tmp_path), **options
        )

    validation = load("validation")
    assert validation.image_ids == ("val.jpg",)
    assert validation.captions == (("The val one.",),)
    assert load("test").image_ids == ("test.jpg",)
    assert load("train").image_ids == ("train.jpg", "restval.jpg")
    assert load("train", restval=False).image_ids == ("train.jpg",)
    assert len(load("train+validation")) == 3
    # As Karpathy's archives name it.
    path = tmp_path / "dataset_flickr8k.json"
    content = json.loads(path.read_text())
    content["images"][1]["sentences"].append({"raw": " "})
    content["images"].append(content["images"][0])
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    path.unlink()
    assert load("validation").captions == validation.captions
    twice = r"images\[4\]: the image 'train.jpg' is already in dataset.json images\[0\]"
    with pytest.raises(ValueError, match=twice):
        load("train")


def test_karpathy_coco_has_numbers_and_folders(tmp_path):
    write_karpathy(
        tmp_path,
        "dataset_coco.json",
        cocoid=lambda number: 500 + number,
        filepath=lambda number: "train2014" if number == 0 else "val2014",
    )
    for path in ("train2014/train.jpg", "val2014/val.jpg"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(path)
    images = datasets.load(
        "coco_karpathy", "train+validation", data_dir=str(tmp_path), restval=False
    )
    assert images.image_ids == ("500", "501")
    pixels = [data.numpy() for _, data in images.encoded_images()]
    assert pixels == [b"train2014/train.jpg", b"val2014/val.jpg"]
    with pytest.raises(FileNotFoundError, match=r"dataset_coco.json images\[3\]"):
        datasets.load("coco_karpathy", "train", data_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [\n{]}', "dataset_flickr8k.json line 2 is not JSON"),
        ("[]", "must be an object with a list `images`"),
        (
            '{"images": [{"filename": "a.jpg", "split": "dev"}]}',
            r"images\[0\] must have",
        ),
        (
            '{"images": [{"filename": "a", "split": "val", "sentences": ["x"]}]}',
            r"images\[0\] must have",
        ),
    ],
)
def test_malformed_karpathy(tmp_path, text, message):
    (tmp_path / "dataset_flickr8k.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        datasets.load("flickr8k_karpathy", "train", data_dir=str(tmp_path))


@pytest.fixture
def coco(tmp_path):
    content = {
        "images": [
            {"id": 7, "file_name": "0007.jpg"},
            {"id": 3, "file_name": "0003.jpg"},
        ],
        "annotations": [
            {"image_id": 3, "id": 1, "caption": "Three.\n"},
            {"image_id": 7, "id": 2, "caption": "Seven."},
            {"image_id": 3, "id": 3, "caption": "A three."},
            {"image_id": 3, "id": 4, "caption": " \n"},
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "val2017").mkdir()
    for image in content["images"]:
        (tmp_path / "val2017" / image["file_name"]).write_text(image["file_name"])
    return tmp_path, content


def load_coco(coco, split="validation", edition=2017, **options):
    folder, content = coco
    path = folder / "annotations" / f"captions_val{edition}.json"
    path.write_text(json.dumps(content))
    return datasets.load("coco", split, data_dir=str(folder), **options)


def test_coco(coco):
    images = load_coco(coco)
    assert images.image_ids == ("7", "3")
    assert images.captions == (("Seven.",), ("Three.", "A three."))
    pixels = [data.numpy() for _, data in images.encoded_images()]
    assert pixels == [b"0007.jpg", b"0003.jpg"]


def test_coco_of_2014_is_found_by_itself(coco):
    folder, _ = coco
    (folder / "val2017").rename(folder / "val2014")
    assert load_coco(coco, edition=2014).image_ids == ("7", "3")
    # With both editions, the one whose training captions are there.
    (folder / "annotations" / "captions_val2017.json").write_text("damaged")
    (folder / "annotations" / "captions_train2014.json").write_text("{}")
    assert load_coco(coco, edition=2014).image_ids == ("7", "3")


def test_coco_other_year_and_split(coco):
    with pytest.raises(FileNotFoundError, match="No captions_val2014.json or annotat"):
        load_coco(coco, year=2014)
    with pytest.raises(ValueError, match="no split 'test'; known: train, validation"):
        load_coco(coco, "test")


def test_malformed_coco(coco):
    _, content = coco
    content["annotations"].append({"image_id": 9, "caption": "Nine."})
    with pytest.raises(ValueError, match=r"annotations\[4\] is of image 9"):
        load_coco(coco)
    content["annotations"][4] = {"image_id": 7}
    with pytest.raises(ValueError, match=r"annotations\[4\] must have"):
        load_coco(coco)
    content["images"].append({"id": 3, "file_name": "0007.jpg"})
    message = r"captions_val2017.json images\[2\] has the id 3 of an image before it"
    with pytest.raises(ValueError, match=message):
        load_coco(coco)
    content["images"][2] = {"id": "x"}
    with pytest.raises(ValueError, match=r"images\[2\] must have"):
        load_coco(coco)
    del content["images"]
    with pytest.raises(ValueError, match="lists `images` and `annotations`"):
        load_coco(coco)
