"""Takes `docs/report.png`: the report of a captioner on a few free photographs.

    python recipes/report/picture.py --workdir=runs/captions --output=docs/report.png

The run is one of Flickr8k, as `recipes/captions_default.sh` trains it. The photographs
come with scikit-image and scikit-learn under a free license: astronaut (NASA, public
domain); chelsea (Stefan van der Walt, CC0); coffee (Rachel Michetti, CC0); rocket
(SpaceX, CC0); camera (Lav Varshney, CC0); china (danielbuechele) and flower
(vultilion), CC BY 2.0. The references were written for this picture. Chromium takes it
(Debian's `chromium` and `chromium-driver`).
"""

import base64
import csv
import io
import pathlib
import shutil
import tempfile

import numpy as np
import skimage.data
from absl import app, flags
from PIL import Image
from selenium import webdriver
from sklearn.datasets import load_sample_image

from annotator import files
from annotator.evaluation.run import evaluate

flags.DEFINE_string("workdir", None, "The run's folder.", required=True)
flags.DEFINE_string("output", None, "The picture.", required=True)
FLAGS = flags.FLAGS
WIDTH = 1180
REFERENCES = {
    "astronaut": "A woman in an orange space suit smiles for the camera .|"
    "A smiling astronaut stands in front of a flag .|A woman in an orange suit .",
    "camera": "A man takes a picture with a camera on a tripod in a field .|"
    "A man in a black coat stands behind a camera on the grass .|"
    "A photographer looks into his camera .",
    "chelsea": "A brown cat looks at the camera .|The face of a cat with green eyes .|"
    "A close up of a brown and white cat .",
    "coffee": "A cup of coffee and a spoon stand on a wooden table .|"
    "A white cup on a saucer .|Coffee in a cup on a table .",
    "rocket": "A rocket stands on its launch pad at night .|"
    "A white rocket is lit up before its launch .|A rocket and a tower in the dark .",
    "china": "A temple with a roof of tiles behind trees .|"
    "A Chinese palace under a gray sky .|A large building with a red front .",
    "flower": "A pink flower in front of green leaves .|A close up of a dahlia .|"
    "A large flower with pointed petals .",
}


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    with tempfile.TemporaryDirectory() as folder:
        write_data_set(pathlib.Path(folder))
        place = {"dataset": "folder", "data_dir": folder, "cache_dir": folder}
        evaluate(FLAGS.workdir, "test", html=True, html_images=9, **place)
    report = pathlib.Path(FLAGS.workdir).absolute() / "reports" / "folder_test.html"
    picture = Image.open(io.BytesIO(photographed(report)))
    with files.atomic_path(FLAGS.output) as path:
        picture.quantize(192, dither=Image.Dither.NONE).save(path, "png", optimize=True)
    print(f"{FLAGS.output}: {picture.size}")


def write_data_set(folder):
    rows = []
    for name, references in REFERENCES.items():
        if name in ("china", "flower"):
            pixels = load_sample_image(f"{name}.jpg")
        else:
            pixels = getattr(skimage.data, name)()
        Image.fromarray(np.asarray(pixels)).convert("RGB").save(folder / f"{name}.png")
        rows += [(f"{name}.png", text, "test") for text in references.split("|")]
    with open(folder / "captions.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", "caption", "split"), *rows])


def photographed(report):
    """Scores, curves and the first images, while a word is pointed at: PNG."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    options.add_argument("--disable-dev-shm-usage")
    options.binary_location = shutil.which("chromium")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options, service) as driver:
        metrics = {"width": WIDTH, "height": 900, "deviceScaleFactor": 1}
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": False}
        )
        driver.get(report.as_uri())
        bottom = driver.execute_script(
            """
            for (const image of document.images) image.loading = 'eager';
            const word = document.querySelectorAll('.said button')[1];
            word.focus({preventScroll: true});
            const group = document.querySelectorAll('.cards')[0];
            return group.getBoundingClientRect().bottom + scrollY;
            """
        )
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": bottom + 16, "scale": 1}
        taken = driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
        )
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    app.run(main)
