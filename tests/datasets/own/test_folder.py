import hashlib

import numpy as np
import pytest

from annotator import datasets

IMAGES = ("a.jpg", "b.png", "sub/c.jpeg", "d.jpg")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "images").mkdir()
    for image in ("a.jpg", "b.png", "sub/c.jpeg", "images/d.jpg"):
        (tmp_path / image).write_bytes(image.encode())
    return tmp_path


def load(folder, split="train", **options):
    return datasets.load("folder", split, data_dir=str(folder), **options)


def write(folder, name, *lines):
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_tags_csv_with_splits(folder):
    write(
        folder,
        "tags.csv",
        "image,tags,split",
        "a.jpg,sea; sand,train",
        "b.png,,train",
        "sub/c.jpeg,sand,val",
        "d.jpg,cat,test",
    )
    train = load(folder)
    assert train.image_ids == ("a.jpg", "b.png")
    assert train.words == ("cat", "sand", "sea")
    np.testing.assert_array_equal(train.tags, [[False, True, True], [False] * 3])
    assert train.captions is None
    assert load(folder, "validation").image_ids == ("sub/c.jpeg",)
    both = load(folder, "train+validation")
    assert both.image_ids == ("a.jpg", "b.png", "sub/c.jpeg")
    test = load(folder, "test")
    assert test.words == train.words
    assert [data.numpy() for _, data in test.encoded_images()] == [b"images/d.jpg"]


def test_tags_jsonl_equals_csv(folder):
    write(folder, "tags.csv", "split,image,tags", 'train,a.jpg,"blue, sky;sea"')
    from_csv = load(folder)
    (folder / "tags.csv").unlink()
    line = '{"image": "a.jpg", "tags": ["sea", "blue, sky"], "split": "train"}'
    write(folder, "tags.jsonl", line)
    from_jsonl = load(folder)
    assert from_csv.words == from_jsonl.words == ("blue, sky", "sea")
    assert from_csv.tags.tolist() == from_jsonl.tags.tolist() == [[True, True]]


@pytest.mark.parametrize(
    "lines",
    [
        ("image,tags", 'a.jpg,"dog, man"', "b.png,sea", "d.jpg,"),
        ("image,tags", "a.jpg,dog; man;", "b.png,sea", "d.jpg,"),
        ("image,man,sea,dog", "a.jpg,1,0,true", "b.png,,1,False", "d.jpg,0,0,0"),
    ],
)
def test_tags_in_all_forms(folder, lines):
    write(folder, "tags.csv", *lines)
    images = load(folder, "train+validation+test")
    found = {
        image: {images.words[column] for column in np.flatnonzero(row)}
        for image, row in zip(images.image_ids, images.tags, strict=True)
    }
    assert found == {"a.jpg": {"dog", "man"}, "b.png": {"sea"}, "d.jpg": set()}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("image,tags", "a.jpg,x;y", 'b.png,"dog, man"'), "line 3: is 'dog, man' one"),
        (("image,man,dog", "a.jpg,dog,1"), "'man' must hold 1 or 0"),
        (("image,tag1,tag2", "a.jpg,dog,man"), "'tag1' must hold 1 or 0"),
        (("image,tags", "a.jpg,\"['dog', 'man']\""), "line 2: .* is a list: write"),
    ],
)
def test_tags_that_may_mean_two_things_are_refused(folder, lines, message):
    write(folder, "tags.csv", *lines)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_captions_txt_with_and_without_numbers(folder):
    write(folder, "captions.txt", "a.jpg#0\tOne .", "a.jpg#1\tTwo .", "b.png\tDrei ü .")
    images = everything(folder)
    assert dict(zip(images.image_ids, images.captions, strict=True)) == {
        "a.jpg": ("One .", "Two ."),
        "b.png": ("Drei ü .",),
    }
    assert images.tags is None


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("captions.csv", ("image,caption", 'a.jpg,"One, two ."', "a.jpg,Three .")),
        ("captions.txt", ("image,caption", 'a.jpg,"One, two ."', "a.jpg,Three .")),
        (
            "captions.jsonl",
            (
                '{"image": "a.jpg", "captions": ["One, two ."]}',
                '{"image": "a.jpg", "caption": "Three ."}',
            ),
        ),
    ],
)
def test_captions_csv_and_jsonl(folder, name, lines):
    write(folder, name, *lines)
    assert everything(folder).captions == (("One, two .", "Three ."),)


def test_images_in_a_folder_as_kaggle_names_it(folder):
    write(folder, "captions.txt", "image,caption", "a.jpg,One .")
    (folder / "Images").mkdir()
    (folder / "a.jpg").rename(folder / "Images" / "a.jpg")
    assert len(everything(folder)) == 1


def everything(folder):
    """All images, whatever their split."""
    for split in ("train+validation", "test"):
        try:
            images = load(folder, split)
        except ValueError:
            continue
        break
    return images


def test_tags_and_captions_together(folder):
    write(folder, "tags.csv", "image,tags,split", "a.jpg,sea,train", "b.png,cat,train")
    write(
        folder,
        "captions.csv",
        "image,caption,split",
        "b.png,A cat .,train",
        "d.jpg,A dog .,train",
    )
    images = load(folder)
    assert images.image_ids == ("a.jpg", "b.png", "d.jpg")
    assert images.captions == ((), ("A cat .",), ("A dog .",))
    assert images.tags.tolist() == [[False, True], [True, False], [False, False]]


def test_hashed_split_is_as_documented_and_covers(folder):
    names = [f"{number}.jpg" for number in range(100)]
    for name in names:
        (folder / name).write_bytes(b"x")
    write(folder, "captions.txt", *(f"{name}\tA picture ." for name in names))
    splits = {s: load(folder, s).image_ids for s in ("train", "validation", "test")}
    assert sorted(sum(splits.values(), ())) == sorted(names)
    for split, members in splits.items():
        for name in members:
            digest = hashlib.sha256(name.encode()).digest()
            number = digest[0] << 24 | digest[1] << 16 | digest[2] << 8 | digest[3]
            expected = ["train"] * 8 + ["validation", "test"]
            assert split == expected[number % 10]
    # A further image moves no other.
    (folder / "new.jpg").write_bytes(b"x")
    write(folder, "captions.txt", *(f"{n}\tA picture ." for n in ["new.jpg", *names]))
    again = load(folder, "validation").image_ids
    assert set(splits["validation"]) == set(again) - {"new.jpg"}


@pytest.mark.parametrize("count", [3, 4, 6, 12, 30])
def test_hashed_split_leaves_none_empty(folder, count):
    """Of fewer than about 40 names, a tenth often has none."""
    moved = 0
    for trial in range(8):
        names = [f"{trial}_{number}.jpg" for number in range(count)]
        for name in names:
            (folder / name).write_bytes(b"x")
        write(folder, "captions.txt", *(f"{name}\tA picture ." for name in names))
        split_of = {}
        for split in ("train", "validation", "test"):
            split_of |= dict.fromkeys(load(folder, split).image_ids, split)
        assert sorted(split_of) == sorted(names)
        # The first of all by hash goes to the first split that is empty, and so on.
        hashes = {name: hashlib.sha256(name.encode()).digest() for name in names}
        expected = {}
        for name, digest in hashes.items():
            bucket = int.from_bytes(digest[:4], "big") % 10
            expected[name] = (["train"] * 8 + ["validation", "test"])[bucket]
        for split in ("train", "validation", "test"):
            members = list(expected.values())
            if split not in members:
                spare = [n for n in names if members.count(expected[n]) > 1]
                expected[sorted(spare, key=hashes.get)[0]] = split
                moved += 1
        assert split_of == expected
        # The order of the lines decides nothing but the order of the images.
        write(folder, "captions.txt", *(f"{n}\tA picture ." for n in names[::-1]))
        for split in ("train", "validation", "test"):
            for name in load(folder, split).image_ids:
                assert split_of[name] == split
    assert moved or count > 12


def test_two_images_are_not_split_further(folder):
    """`0.jpg` and `2.jpg` are both for training by their hashes."""
    for name in ("0.jpg", "2.jpg"):
        (folder / name).write_bytes(b"x")
    write(folder, "captions.txt", "0.jpg\tA .", "2.jpg\tB .")
    assert load(folder).image_ids == ("0.jpg", "2.jpg")
    message = "'validation'.*`split` to captions.csv or tags.csv.*3 suffice"
    with pytest.raises(ValueError, match=message):
        load(folder, "validation")


def test_a_word_twice_in_words_txt(folder):
    write(folder, "words.txt", "sea", "cat", "", "sea")
    write(folder, "tags.csv", "image,tags,split", "a.jpg,cat,train")
    message = "words.txt line 4: the word 'sea' is already on words.txt line 1"
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_words_txt_fixes_the_columns_and_refuses_others(folder):
    write(folder, "words.txt", "sea", "cat", "unused")
    write(folder, "tags.csv", "image,tags,split", "a.jpg,cat,train")
    assert load(folder).words == ("sea", "cat", "unused")
    assert load(folder).tags.tolist() == [[False, True, False]]
    write(folder, "tags.csv", "image,tags,split", "a.jpg,cat,train", "b.png,cow,train")
    with pytest.raises(ValueError, match="tags.csv line 3: unknown word 'cow'"):
        load(folder)


def test_missing_image(folder):
    write(folder, "tags.csv", "image,tags,split", "a.jpg,x,train", "no.jpg,x,train")
    with pytest.raises(FileNotFoundError, match="tags.csv line 3: image 'no.jpg'"):
        load(folder)
    images = load(folder, skip_bad_images=True)
    assert images.image_ids == ("a.jpg",)
    assert images.skipped == (("no.jpg", "is missing"),)


def test_no_annotations(folder):
    with pytest.raises(FileNotFoundError, match=r"No tags.csv.*--data_dir"):
        load(folder)


def test_empty_split(folder):
    write(folder, "tags.csv", "image,tags,split", "a.jpg,x,train")
    message = r"none of its 1 images is in .*'test'.*tags.csv.*\)\.$"
    with pytest.raises(ValueError, match=message):
        load(folder, "test")


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("tags.csv", ("file,tags", "a.jpg,x"), "tags.csv line 1: the header"),
        ("tags.csv", ("image,tags", "a.jpg,x,y,z"), "tags.csv line 2 does not have"),
        ("tags.csv", ("image,tags", "a.jpg"), "tags.csv line 2 does not have"),
        ("tags.csv", ("image,tags,split", "a.jpg,x,tset"), "unknown split 'tset'"),
        (
            "tags.csv",
            ("image,tags,split", "a.jpg,x,train", "b.png,x,"),
            "line 3: 'b.png' has no split",
        ),
        (
            "tags.csv",
            ("image,tags,split", "a.jpg,x,train", "a.jpg,y,test"),
            "line 3 puts 'a.jpg' in 'test', but tags.csv line 2 in 'train'",
        ),
        ("tags.jsonl", ('{"image": "a.jpg", "tags": [1]}',), "line 1: `tags` must"),
        ("tags.jsonl", ('{"image": "a.jpg", "tags": ["sea", " "]}',), "none empty"),
        ("tags.jsonl", ('{"image": 3, "tags": []}',), "line 1: `image` must"),
        ("tags.jsonl", ("", '{"image": "a.jpg"}'), "tags.jsonl line 2 must be"),
        (
            "tags.jsonl",
            ('{"file_name": "a.jpg", "tags": []}',),
            "object with `image` a",
        ),
        (
            "tags.jsonl",
            ('{"image": "a.jpg", "tags": [], "split": ["train"]}',),
            r"line 1: unknown split \['train'\]",
        ),
        ("tags.jsonl", ("{",), "tags.jsonl line 1 is not JSON"),
        ("captions.txt", ("a.jpg\tA .", "b.png,B ."), "captions.txt line 2: expected"),
        ("captions.txt", ("a.jpg\t ",), "line 1: expected"),
        ("captions.csv", ("image,caption", "a.jpg,"), "line 2: a caption must"),
        ("captions.jsonl", ('{"image": "a.jpg", "captions": 3}',), "line 1: a caption"),
    ],
)
def test_malformed_lines_are_named(folder, name, lines, message):
    write(folder, name, *lines)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_text_that_is_not_utf8(folder):
    (folder / "captions.txt").write_bytes(b"a.jpg\tA .\nb.png\tcaf\xe9\n")
    with pytest.raises(ValueError, match="captions.txt line 2 is not UTF-8"):
        load(folder)
    (folder / "tags.csv").write_bytes(b"image,tags\na.jpg,caf\xe9\n")
    with pytest.raises(ValueError, match="tags.csv line 2 is not UTF-8"):
        load(folder)


def test_a_quote_that_is_not_closed(folder):
    """It would swallow the lines behind it, and their captions with them."""
    write(
        folder, "captions.csv", "image,caption", "a.jpg,ok", 'b.png,"A dog', "d.jpg,B"
    )
    with pytest.raises(ValueError, match="captions.csv line 3 is not CSV"):
        load(folder)
    lines = ["a.jpg,Some words."] * 10_000  # past the limit of a field
    write(folder, "captions.csv", "image,caption", 'b.png,"A dog', *lines)
    with pytest.raises(ValueError, match="captions.csv line 2 is not CSV"):
        load(folder)


def test_a_caption_of_two_lines(folder):
    lines = ["image,caption,split", 'a.jpg,"One,', 'and two.",train', "b.png,c,tr"]
    write(folder, "captions.csv", *lines)
    with pytest.raises(ValueError, match="captions.csv line 4: unknown split 'tr'"):
        load(folder)
    write(folder, "captions.csv", *lines[:3])
    assert load(folder).captions == (("One,\nand two.",),)
