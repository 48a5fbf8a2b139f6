"""Contact sheets: every image and word is on the sheet, and the file is whole."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageFont

from annotator.pictures.contact_sheet import write_contact_sheet
from annotator.pictures.drawing import RIGHT, WRONG

BLUE = (0, 0, 255)


def plain(height, width, color=BLUE):
    return np.full((height, width, 3), color, np.uint8)


def draw(path, images, texts, **options):
    write_contact_sheet(images, texts, path, **options)
    with Image.open(path) as sheet:
        assert (sheet.format, sheet.mode) == ("PNG", "RGB")
        return np.asarray(sheet)


def box_of(sheet, color):
    """Height and width of what has exactly this color."""
    rows, columns = np.nonzero((sheet == np.array(color)).all(axis=-1))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((100, 100), (100, 100)),
        ((400, 200), (100, 50)),
        ((30, 60), (50, 100)),
        ((900, 1), (100, 1)),
        ((16, 8), (96, 48)),  # a small image: a whole factor
    ],
)
def test_images_keep_their_aspect(shape, expected, tmp_path):
    sheet = draw(tmp_path / "a.png", [plain(*shape)], [[]], side=100)
    assert box_of(sheet, BLUE) == expected


def test_small_images_stay_sharp(tmp_path):
    pixels = np.uint8([[BLUE, (255, 0, 0)], [(255, 0, 0), BLUE]])
    sheet = draw(tmp_path / "a.png", [pixels], [[]], side=100)
    left = top = 100 // 12
    assert np.array_equal(
        sheet[top : top + 100, left : left + 100],
        pixels.repeat(50, axis=0).repeat(50, axis=1),
    )


def test_encoded_images_and_arrays_give_the_same_sheet(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "png")
    one = draw(tmp_path / "a.png", [pixels], [["text"]])
    other = draw(tmp_path / "b.png", [encoded.getvalue()], [["text"]])
    np.testing.assert_array_equal(one, other)


def test_rows_and_columns(tmp_path):
    images, texts = [plain(50, 50)] * 5, [["a"]] * 5
    widths = [
        draw(tmp_path / "a.png", images, texts, columns=n, side=50).shape[1]
        for n in (1, 2, 5, 9)
    ]
    assert widths == [58, 112, 274, 274]  # 4 pixels between images of 50
    three_rows = draw(tmp_path / "a.png", images, texts, columns=2, side=50)
    one_row = draw(tmp_path / "a.png", images, texts, columns=5, side=50)
    assert three_rows.shape[0] == 3 * one_row.shape[0] - 2 * 4


@pytest.mark.parametrize(("correct", "color"), [(True, RIGHT), (False, WRONG)])
def test_right_and_wrong_words_differ_in_color(correct, color, tmp_path):
    sheet = draw(tmp_path / "a.png", [plain(9, 9)], [[[("mm", correct), ("mm", None)]]])
    colors = set(map(tuple, sheet.reshape(-1, 3).tolist()))
    other = {RIGHT: WRONG, WRONG: RIGHT}[color]
    assert ImageColor.getrgb(color) in colors
    assert ImageColor.getrgb(other) not in colors


@pytest.mark.parametrize("text", ["word " * 60, "x" * 300, "犬が走る" * 40])
def test_long_lines_wrap_inside_their_column(text, tmp_path):
    images = [plain(50, 50)] * 2
    sheet = draw(tmp_path / "a.png", images, [[text], []], side=120)
    short = draw(tmp_path / "b.png", images, [["x"], []], side=120)
    assert sheet.shape[0] > short.shape[0] + 50
    below = sheet[10 + 120 + 2 :]  # right of the first column is nothing
    assert (below[:, 10 + 120 + 1 :] == 255).all()
    assert (below[:, : 10 + 120] < 255).any()


def test_pillows_own_font_gets_letters_that_it_has(tmp_path, monkeypatch):
    truetype = ImageFont.truetype

    def no_named_font(font, *args, **kwargs):
        if isinstance(font, str):
            raise OSError("cannot open resource")
        return truetype(font, *args, **kwargs)

    monkeypatch.setattr(ImageFont, "truetype", no_named_font)
    images = [plain(50, 50)]
    accented = draw(tmp_path / "a.png", images, [["naïve größe 犬"]])
    replaced = draw(tmp_path / "b.png", images, [["naive gro?e ?"]])
    np.testing.assert_array_equal(accented, replaced)


def test_errors_leave_no_file(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(ValueError, match="2 images and 1 lists"):
        write_contact_sheet([plain(9, 9)] * 2, [[]], path)
    with pytest.raises(ValueError, match="0 images"):
        write_contact_sheet([], [], path)
    assert not list(tmp_path.iterdir())
