"""Photographs of plain colors, a model that knows colors, and a page of them.

The model stands in for a network: the vector of an image is its mean colors in a grid.
What learns from it, the library and the page are the real ones.
"""

import io
import shutil
import threading
import time

import numpy as np
import pytest
from PIL import Image

from annotator.library.library import Library
from annotator.review.indexing import Indexer
from annotator.review.photograph_encoder import Encoded
from annotator.review.session import Session
from annotator.tagger.teaching_basis import TeachingBasis

COLORS = {
    "red": (210, 40, 40),
    "green": (40, 170, 60),
    "blue": (40, 70, 210),
    "yellow": (225, 205, 50),
    "violet": (140, 60, 170),
    "gray": (128, 128, 128),
}
KNOWN = ["red", "green", "blue", "gray"]  # to the model
TOKEN = "a-token"
PORT = 8600
DESKTOP, PHONE = (1280, 860), (390, 844)


def draw(color, rng, width=96, height=72):
    pixels = np.full((height, width, 3), COLORS[color], float)
    pixels += rng.normal(0, 6, 3) + rng.normal(0, 12, (height, width, 1))
    return Image.fromarray(np.uint8(pixels.clip(0, 255)))


def vector_of(image):
    small = image.convert("RGB").resize((3, 3), Image.Resampling.BOX)
    return np.asarray(small, np.float32).reshape(-1) / 255


class ColorEncoder:
    """As `PhotographEncoder`."""

    id = "colors"
    top_k = 2
    threshold = None
    has_captions = True

    def __init__(self):
        rng = np.random.default_rng(5)
        names = [name for name in COLORS for _ in range(12)]
        vectors = np.stack([vector_of(draw(name, rng)) for name in names])
        tags = np.array([[name == word for word in KNOWN] for name in names])
        self.basis = TeachingBasis.fit(KNOWN, vectors, tags)
        self.config = {"components": 7, "flip": True, "scales": [32], "task": "all"}

    def encode(self, pairs):
        for name, content in pairs:
            try:
                if isinstance(content, Exception):
                    raise content
                vector = vector_of(Image.open(io.BytesIO(content)))
            except (OSError, SyntaxError) as error:
                yield Encoded(name, None, None, str(error))
                continue
            whitened = self.basis.whiten(vector[None])[0]
            yield Encoded(name, whitened, "A wall of one color", None)

    def attention(self, content, name):
        maps = np.zeros((2, 4, 4), np.float32)
        maps[0, 1, 2] = maps[1, 3, 3] = 1
        return ["A", "wall"], maps


@pytest.fixture(scope="session")
def encoder():
    return ColorEncoder()


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """30 photographs, five of each color, two of them in a folder, and a broken one."""
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(1)
    (folder / "trip").mkdir()
    for color in COLORS:
        for number in range(5):
            name = f"{color} {number}.jpg"
            place = folder / "trip" if number > 2 else folder
            width, height = ((96, 72), (72, 96), (150, 60))[number % 3]
            draw(color, rng, width, height).save(place / name)
    shutil.copy(folder / "red 0.jpg", folder / "red 0 again.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


@pytest.fixture
def photographs(drawn, tmp_path):
    return shutil.copytree(drawn, tmp_path / "photographs")


@pytest.fixture
def opened(photographs, encoder, tmp_path):
    """`(session, indexer)`; nothing is read yet."""
    library = Library(tmp_path / "library", photographs)
    session = Session(library, encoder.id, encoder.basis, encoder.top_k)
    yield session, Indexer(library, session, encoder)
    library.close()


@pytest.fixture
def session(opened):
    """A session whose photographs are read."""
    session, indexer = opened
    indexer.read_all()
    return session


@pytest.fixture
def app(opened, encoder):
    server = pytest.importorskip("annotator.review.server")
    session, indexer = opened
    indexer.read_all()
    hosts = [f"127.0.0.1:{PORT}", f"localhost:{PORT}"]
    return server.create_app(session, encoder, indexer, TOKEN, hosts)


@pytest.fixture
def client(app):
    testing = pytest.importorskip("starlette.testclient")
    return testing.TestClient(
        app,
        base_url=f"http://127.0.0.1:{PORT}/{TOKEN}/",
        raise_server_exceptions=False,
    )


@pytest.fixture
def page(opened, encoder):
    """The address of a served page."""
    uvicorn = pytest.importorskip("uvicorn")
    from annotator.review.command import listen
    from annotator.review.server import create_app

    session, indexer = opened
    listening = listen(0)
    port = listening.getsockname()[1]
    app = create_app(session, encoder, indexer, TOKEN, [f"127.0.0.1:{port}"])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    indexer.start()
    until = time.monotonic() + 120
    while indexer.state["phase"] != "ready" and time.monotonic() < until:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/{TOKEN}/"
    server.should_exit = True
    thread.join(20)
    listening.close()


class Browser:
    """The page, as a person sees it."""

    def __init__(self, driver, address):
        self.driver = driver
        self.address = address
        self.open()

    def open(self, size=DESKTOP, scheme="light"):
        # The window's own width has a least value; the screen's may be any.
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": size[0],
                "height": size[1],
                "deviceScaleFactor": 1,
                "mobile": size == PHONE,
            },
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [feature]}
        )
        self.driver.get(self.address)
        self.wait(lambda: self.tiles() and "photograph" in self.text("#summary"))

    def wait(self, condition, seconds=60):
        """What a condition returns once it is true; it reads a page that is redrawn."""
        from selenium.common import exceptions
        from selenium.webdriver.support.ui import WebDriverWait

        # An element that the page has just drawn anew, covers or does not show.
        redrawn = (
            exceptions.StaleElementReferenceException,
            exceptions.ElementClickInterceptedException,
            exceptions.ElementNotInteractableException,
        )
        wait = WebDriverWait(self.driver, seconds, 0.05, redrawn)
        return wait.until(lambda _: condition())

    def click(self, selector):
        """Clicks an element once it is there and nothing lies over it."""

        def clicked():
            self.one(selector).click()
            return True

        self.wait(clicked)

    def type(self, selector, *keys):
        """Types into a field, once."""
        self.wait(lambda: self.one(selector).is_displayed())
        self.one(selector).send_keys(*keys)  # a field is never drawn anew

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def text(self, selector):
        return self.one(selector).text

    def tiles(self):
        return self.all(".tile")

    def tile(self, name):
        """The tile of a photograph, once its details are there."""
        found = f'.tile:has(.open[aria-label^="{name}."])'
        return self.wait(lambda: (self.all(found) or [None])[0])

    def open_photograph(self, name):
        """Opens it large, and waits for its words."""
        self.click(f'.tile .open[aria-label^="{name}."]')
        self.wait(lambda: self.text("#viewer-name") == name and self.words("suggested"))

    def words(self, which):
        return [
            e.text.removesuffix("×").strip() for e in self.all(f"#viewer-{which} li")
        ]

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def choose_word(self, word):
        self.click(f'#words button[data-word="{word}"]')
        self.wait(lambda: word in self.text("#summary"))

    def errors(self):
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "favicon" not in entry["message"]
        ]


@pytest.fixture
def browser(chromium, page):
    chromium.get_log("browser")  # of other tests
    opened = Browser(chromium, page)
    yield opened
    errors = opened.errors()
    chromium.get("about:blank")  # before the server ends
    assert errors == []
