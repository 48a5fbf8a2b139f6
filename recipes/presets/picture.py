"""Draws `docs/photos.jpg`: what the preset `photos` says of some photographs.

They are all the color photographs of everyday things that come with scikit-image and
scikit-learn under a free license (`pip install scikit-image`): public domain, CC0 and
CC BY, see `annotator/presets/photos/README.md`.
"""

import pathlib
import tempfile

import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image

import annotator
from annotator.pictures.contact_sheet import write_contact_sheet

PHOTOGRAPHS = {
    "astronaut": skimage.data.astronaut,
    "chelsea": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "rocket": skimage.data.rocket,
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
}


def main() -> None:
    pictures = [load() for load in PHOTOGRAPHS.values()]
    descriptions = annotator.load(preset="photos")(pictures)
    texts = []
    for name, description in zip(PHOTOGRAPHS, descriptions, strict=True):
        tags = ", ".join(tag.word for tag in description.tags)
        texts.append([str(description.caption), tags])
        print(f"{name}\n{description}\n")
    path = pathlib.Path(__file__).parents[2] / "docs" / "photos.jpg"
    with tempfile.TemporaryDirectory() as folder:
        sheet = pathlib.Path(folder, "sheet.png")
        write_contact_sheet(pictures, texts, sheet, columns=3, side=280)
        Image.open(sheet).save(path, quality=88)


if __name__ == "__main__":
    main()
