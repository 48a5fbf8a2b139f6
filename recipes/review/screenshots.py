"""Takes the pictures of the page in `docs/review.md`, of the real command and model.

    python recipes/review/screenshots.py --output=runs/screenshots/taken

runs `annotator review` on photographs that come with scikit-image and scikit-learn
under a free license, teaches a word as a person does, and looks at it in chromium
(Debian's `chromium` and `chromium-driver`), which takes a minute or two;
`docs/review.md` shows four of them. The licenses: astronaut, hubble and moon
(NASA, public domain); chelsea (Stefan van der Walt, CC0); coffee (Rachel Michetti,
CC0); rocket (SpaceX, CC0); camera (Lav Varshney, CC0); brick, grass and gravel (CC0
Textures); china (danielbuechele) and flower (vultilion), CC BY 2.0. Some are shown in
parts, too.
"""

import io
import pathlib
import re
import shutil
import subprocess
import sys

import skimage.data
from absl import app, flags
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from sklearn.datasets import load_sample_image

from annotator import files

flags.DEFINE_string("workdir", "runs/screenshots", "Where photographs and library go.")
flags.DEFINE_string("output", None, "Folder of the pictures.", required=True)

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).parents[2]
NAMES = ("astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel")
NAMES += ("hubble_deep_field", "moon", "rocket")
DESKTOP, PHONE = (1280, 800, False), (390, 780, True)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    workdir, output = pathlib.Path(FLAGS.workdir), pathlib.Path(FLAGS.output)
    photographs = workdir / "holidays"
    write_photographs(photographs)
    output.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(workdir / "library", ignore_errors=True)  # nothing is taught yet
    library = f"--library={workdir / 'library'}"
    command = [sys.executable, "-m", "annotator", "review", photographs, library]
    server = subprocess.Popen(
        [*map(str, command), "--port=0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        found = None
        while found is None:
            line = server.stdout.readline()
            if not line:
                raise SystemExit("annotator review ended before its page was there.")
            print(line, end="", flush=True)
            found = re.search(r"http://\S+", line)
        take(found[0], output)
    finally:
        server.terminate()
        server.wait(60)


def write_photographs(folder):
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {n: Image.fromarray(getattr(skimage.data, n)()) for n in NAMES}
    for name in ("china", "flower"):
        picture = Image.fromarray(load_sample_image(f"{name}.jpg"))
        pictures[name] = picture
        width, height = picture.size
        pictures[f"{name} left"] = picture.crop((0, 0, height * 3 // 4, height))
        pictures[f"{name} wide"] = picture.crop((0, height // 3, width, height))
    for name, picture in pictures.items():
        path = folder / f"{name}.jpg"
        if not path.exists():
            picture.convert("RGB").save(path, quality=92)


def take(address, output):
    """Drives the page, and takes its pictures."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium")
    driver = webdriver.Chrome(
        options, webdriver.ChromeService(shutil.which("chromedriver"))
    )

    def wait(condition):
        return WebDriverWait(driver, 900, 0.2).until(lambda _: condition())

    def there(selector):
        wait(lambda: driver.find_elements(By.CSS_SELECTOR, selector))

    def run(script):
        return driver.execute_script(script)

    def show(size, scheme):
        width, height, mobile = size
        metrics = {"width": width, "height": height, "mobile": mobile}
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "deviceScaleFactor": 1}
        )
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        driver.get(address)
        ready = "return document.querySelector('#progress').hidden"
        images = "[...document.querySelectorAll('.tile img')]"
        loaded = f"{images}.every(i => i.complete && i.naturalWidth)"
        said = "document.querySelectorAll('.tile .said').length > 5"
        wait(lambda: run(f"{ready} && {loaded} && {said}"))

    def picture(name):
        moving = "document.getAnimations().some(a => a.playState === 'running')"
        wait(lambda: run(f"return !({moving})"))
        taken = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
        with files.atomic_path(output / f"review_{name}.jpg") as path:
            taken.save(path, "jpeg", quality=84, optimize=True)

    def large(name):
        run(f"document.querySelector('.tile .open[aria-label^=\"{name}.\"]').click()")
        there("#viewer-suggested .name")
        wait(lambda: run("return document.querySelector('#viewer-image').naturalWidth"))

    try:
        show(DESKTOP, "light")
        large("flower.jpg")
        field = driver.find_element(By.CSS_SELECTOR, "#viewer-word")
        field.send_keys("blossom", Keys.ENTER)
        there(".toast")
        picture("taught")
        for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
            for scheme in ("light", "dark"):
                show(size, scheme)
                picture(f"gallery_{name}_{scheme}")
                large("china.jpg")
                run("document.querySelector('#look').click()")
                there("#looked button")
                picture(f"large_{name}_{scheme}")
        show(DESKTOP, "light")
        run("document.querySelector('#words button[data-word=blossom]').click()")
        there(".tile .verdicts")
        picture("word_desktop_light")
        run("document.querySelector('#history-button').click()")
        there(".events li")
        picture("history_desktop_light")
    finally:
        driver.quit()


if __name__ == "__main__":
    app.run(main)
