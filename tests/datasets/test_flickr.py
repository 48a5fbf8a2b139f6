import os

import pytest

from annotator import datasets


@pytest.fixture
def flickr8k(tmp_path):
    lines = [
        f"{image}.jpg#{number}\tCaption {number} of {image} ."
        for image in "abcd"
        for number in range(2)
    ]
    (tmp_path / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("b.jpg\na.jpg\n")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("c.jpg\n")
    (tmp_path / "Flickr_8k.testImages.txt").write_text("d.jpg\n")
    (tmp_path / "Flicker8k_Dataset").mkdir()
    for image in "abcd":
        (tmp_path / "Flicker8k_Dataset" / f"{image}.jpg").write_text(image)
    return tmp_path


def load(folder, split="train", name="flickr8k", **options):
    return datasets.load(name, split, data_dir=str(folder), **options)


def test_official_splits_in_list_order(flickr8k):
    train = load(flickr8k)
    assert train.image_ids == ("b.jpg", "a.jpg")
    assert train.captions[0] == ("Caption 0 of b .", "Caption 1 of b .")
    assert train.tags is None
    assert [data.numpy() for _, data in train.encoded_images()] == [b"b", b"a"]
    assert load(flickr8k, "validation").image_ids == ("c.jpg",)
    assert load(flickr8k, "test").image_ids == ("d.jpg",)
    both = load(flickr8k, "train+validation")
    assert both.image_ids == ("b.jpg", "a.jpg", "c.jpg")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results_20130124.token", "1.jpg#0\tOne .\n1.jpg#1\tTwo .\n"),
        (
            "results.csv",
            # One line without its second bar, as in the file that circulates.
            "image_name| comment_number| comment\n1.jpg| 0| One .\n1.jpg| 1   Two .\n",
        ),
    ],
)
def test_flickr30k(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (tmp_path / "val.txt").write_text("1\n")
    (tmp_path / "flickr30k-images").mkdir()
    (tmp_path / "flickr30k-images" / "1.jpg").write_text("x")
    images = load(tmp_path, "validation", "flickr30k")
    assert images.image_ids == ("1.jpg",)
    assert images.captions == (("One .", "Two ."),)


@pytest.mark.parametrize(
    "line", ["a.jpg a caption", "a.jpg#0 a caption", "a.jpg#0\t ", "#0\tcaption"]
)
def test_malformed_token_line(flickr8k, line):
    with open(flickr8k / "Flickr8k.token.txt", "a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match="Flickr8k.token.txt line 9: expected NAME"):
        load(flickr8k)


def test_malformed_csv_line(tmp_path):
    (tmp_path / "results.csv").write_text("1.jpg| 0| One .\n1.jpg, 1, Two .\n")
    with pytest.raises(ValueError, match=r"results.csv line 2: expected NAME.jpg\| 0"):
        load(tmp_path, "train", "flickr30k")


def test_listed_image_without_caption(flickr8k):
    (flickr8k / "Flickr_8k.trainImages.txt").write_text("a.jpg\nz.jpg\n")
    with pytest.raises(ValueError, match="trainImages.txt line 2: 'z.jpg' has no cap"):
        load(flickr8k)


def test_missing_image(flickr8k):
    os.remove(flickr8k / "Flicker8k_Dataset" / "a.jpg")
    with pytest.raises(FileNotFoundError, match="trainImages.txt line 2: .*'a.jpg'"):
        load(flickr8k)
    images = load(flickr8k, skip_bad_images=True)
    assert images.image_ids == ("b.jpg",)
    assert images.captions == (("Caption 0 of b .", "Caption 1 of b ."),)
    assert images.skipped == (("a.jpg", "is missing"),)


def test_flickr30k_has_no_lists_of_its_own(tmp_path):
    (tmp_path / "results.csv").write_text("1.jpg| 0| One .\n")
    with pytest.raises(FileNotFoundError, match="val.txt.*--dataset=flickr30k_karpath"):
        load(tmp_path, "validation", "flickr30k")


def test_missing_lists_are_named(flickr8k):
    os.remove(flickr8k / "Flickr_8k.testImages.txt")
    with pytest.raises(FileNotFoundError, match="No Flickr_8k.testImages.txt or"):
        load(flickr8k, "test")
    os.remove(flickr8k / "Flickr8k.token.txt")
    with pytest.raises(FileNotFoundError, match="No Flickr8k.token.txt or"):
        load(flickr8k)


@pytest.mark.skipif(
    not os.path.isdir(os.path.join(os.environ.get("ANNOTATOR_DATA", ""), "flickr8k")),
    reason="needs Flickr8k in $ANNOTATOR_DATA/flickr8k",
)
def test_published_flickr8k():
    train = datasets.load("flickr8k", "train")
    assert len(train) == 6000
    assert len(datasets.load("flickr8k", "validation")) == 1000
    assert {len(captions) for captions in train.captions} == {5}
    assert train.image_ids[0] == "2513260012_03d33305cf.jpg"
