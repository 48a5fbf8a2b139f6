"""Maps of attention: bright where the weights are, a map for every word and layer."""

import numpy as np
import pytest
from PIL import Image

from annotator.evaluation import run as evaluation
from annotator.pictures import attention
from annotator.pictures.attention import attention_picture

WHITE = np.full((40, 60, 3), 255, np.uint8)


def details(layers=2, words=3):
    """Layer l attends, at word t, to region (t + l) of a 3 x 3 grid alone."""
    attention = np.zeros([words + 3, layers, 9], np.float32)
    for t in range(words + 3):
        for layer in range(layers):
            attention[t, layer, (t + layer) % 9] = 1
    return {"captions": b"a red ball", "attention": attention}


def patches(picture, side, columns, rows, left, top, gap):
    pixels = np.asarray(picture.convert("L"), np.float32)
    return {
        (t, layer): pixels[
            top + layer * (side + gap) :, left + t * (side + gap) :
        ][:side, :side]
        for t in range(columns)
        for layer in range(rows)
    }  # fmt: skip


def brightest_region(patch):
    third = patch.shape[0] // 3
    means = [
        patch[y : y + third, x : x + third].mean()
        for y in (0, third, 2 * third)
        for x in (0, third, 2 * third)
    ]
    return int(np.argmax(means))


def map_corner(picture, side):
    """Left and top of the first map: the first dark pixel of a dark column."""
    pixels = np.asarray(picture.convert("L"))
    dark = pixels[side + 24 :] < 60
    top = int(np.argmax(dark.sum(axis=1) > side)) + side + 24
    left = int(np.argmax((pixels[top : top + side] < 60).sum(axis=0) > side // 2))
    return left, top


def test_every_map_is_bright_where_its_weights_are():
    side = 90
    # Region 0 of the first map would hide its corner; begin at the third.
    given = details()
    given["attention"] = np.roll(given["attention"], 4, axis=2)
    picture = attention_picture(WHITE, given, side=side)
    left, top = map_corner(picture, side)
    maps = patches(picture, side, 3, 2, left, top, side // 16)
    for (t, layer), patch in maps.items():
        assert brightest_region(patch) == (t + layer + 4) % 9


def test_drafts_come_with_their_words_and_regions(monkeypatch):
    blocks, draw = [], attention._draw_block

    def keep(image, block):
        blocks.append((block, draw(image, block)))
        return blocks[-1][1]

    monkeypatch.setattr(attention, "_draw_block", keep)
    given = details()
    given |= {
        "drafts": np.array([b"a ball"]),
        "draft_attention": given["attention"][None],
        "word_weights": np.array([[0.25, 0.75, 0, 0, 0, 0]]),
        "region_weights": np.eye(9, dtype=np.float32)[[5]],
    }
    picture = attention_picture(WHITE, given, side=90)
    (draft, _), (_, feedback), (caption, _) = blocks
    assert (draft.title, draft.text) == ("draft 1", "a ball")
    assert draft.notes[:2] == ["25 %", "75 %"]
    assert (caption.title, caption.text) == ("caption", "a red ball")
    assert caption.notes is None
    pixels = np.asarray(feedback.convert("L"))
    top = int(np.argmax((pixels < 60).sum(axis=1) > 45))
    left = int(np.argmax((pixels[top:] < 60).sum(axis=0) > 45))
    assert brightest_region(pixels[top:, left:][:90, :90]) == 5
    assert picture.height > sum(drawn.height for _, drawn in blocks)


def test_causal_feedback_comes_with_the_caption_before_it(monkeypatch):
    """The words' shares are those at `<end>`: of all words, and not of padding."""
    notes, draw = [], attention._draw_block
    monkeypatch.setattr(
        attention,
        "_draw_block",
        lambda image, block: notes.append(block.notes) or draw(image, block),
    )
    given = details(layers=1)
    plain = attention_picture(WHITE, given)
    shares = np.full([6, 6], 0.2)
    shares[3] = [0.5, 0.3, 0.2, 0, 0, 0]  # "a", "red", "ball"
    given |= {
        "plain_attention": np.roll(given["attention"], 4, axis=2),
        "word_weights": shares,
        "region_weights": np.ones([6, 9], np.float32),
    }
    picture = attention_picture(WHITE, given, side=90)
    assert notes[1][:3] == ["50 %", "30 %", "20 %"] and notes[2] is None
    left, top = map_corner(picture, 90)
    for (t, layer), patch in patches(picture, 90, 3, 1, left, top, 90 // 16).items():
        assert brightest_region(patch) == (t + layer + 4) % 9
    assert attention_picture(WHITE, given).height > 2 * plain.height


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="no attention"):
        attention_picture(WHITE, details(layers=0))
    given = details()
    given["attention"] = given["attention"][..., :8]
    with pytest.raises(ValueError, match="8 regions are no square"):
        attention_picture(WHITE, given)


@pytest.mark.slow
def test_evaluation_writes_a_file_an_image(captioner_run, tagger_run):
    workdir = captioner_run[0]
    evaluation.evaluate(workdir, "test", attention=2)
    files = sorted((workdir / "pictures" / "test_attention").iterdir())
    assert [file.name for file in files] == ["30.png", "35.png"]
    with Image.open(files[0]) as picture:
        assert picture.format == "PNG" and picture.width > 112
    with pytest.raises(ValueError, match="no captioner"):
        evaluation.evaluate(tagger_run[0], "test", attention=2)
