"""The page in a real browser: by mouse and by keyboard, wide and narrow."""

import importlib.resources

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
from selenium.common import exceptions  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

DESKTOP, PHONE = (1280, 860), (390, 844)
# What comes of an element that the page has just drawn anew, covers or does not show.
REDRAWN = (
    exceptions.StaleElementReferenceException,
    exceptions.ElementClickInterceptedException,
    exceptions.ElementNotInteractableException,
)


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
        wait = WebDriverWait(self.driver, seconds, 0.05, REDRAWN)
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
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

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
        chain = webdriver.ActionChains(self.driver)
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


def judgments(opened):
    library = opened[0].library
    names = {p.id: p.path.decode() for p in library.photographs()}
    return [(names[n], word, yes) for n, word, yes in library.corrections.judgments()]


@pytest.mark.slow
def test_the_gallery_fills_rows_with_whole_photographs(browser):
    boxes = browser.run(
        "return [...document.querySelectorAll('.tile')].map(t => {"
        "const b = t.getBoundingClientRect(), i = t.querySelector('img');"
        "return [b.left, b.top, b.width, b.height, i ? i.naturalWidth / i.naturalHeight"
        " : 0]})"
    )
    assert len(boxes) == 32
    rows = {}
    for box in boxes:
        rows.setdefault(round(box[1]), []).append(sorted([box])[0])
    rights = []
    for row in rows.values():
        row.sort()
        for (left, _, width, *_), (following, *_) in zip(row, row[1:], strict=False):
            assert left + width <= following + 0.5
        rights.append(row[-1][0] + row[-1][2])
    full = sorted(rights)[1:]  # the last row may be shorter
    assert max(full) - min(full) < 2
    for _, _, width, height, shape in boxes:
        if shape:  # loaded, and not the broken one
            assert width / height == pytest.approx(shape, rel=0.03)


def test_accepting_rejecting_and_undoing_by_mouse(browser, opened):
    browser.open_photograph("red 0.jpg")
    browser.wait(lambda: browser.text("#viewer-suggested .name") == "red")
    browser.click('[aria-label="Accept red"]')
    browser.wait(lambda: browser.words("accepted") == ["red"])
    browser.click('#viewer-suggested [aria-label^="Reject"]')
    browser.wait(lambda: browser.words("rejected"))
    (rejected,) = browser.wait(lambda: browser.words("rejected"))
    said = [("red 0.jpg", "red", True), ("red 0.jpg", rejected, False)]
    assert sorted(judgments(opened)) == sorted(said)
    browser.click("#viewer-rejected button")
    browser.wait(lambda: not browser.words("rejected"))
    browser.click("#viewer-close")
    browser.click("#undo")
    browser.wait(lambda: len(judgments(opened)) == 2)
    browser.click("#undo")
    browser.wait(lambda: judgments(opened) == [("red 0.jpg", "red", True)])
    browser.click("#history-button")
    browser.wait(lambda: len(browser.all(".events li")) == 5)
    first = "Accepted “red” · 1 photograph"
    browser.wait(lambda: first in browser.text(".events li:last-child"))


@pytest.mark.slow
def test_a_new_word_is_learned_at_once_and_what_changed_is_shown(browser, opened):
    browser.open_photograph("yellow 0.jpg")
    browser.type("#viewer-word", "sun", Keys.ENTER)
    note = browser.wait(lambda: browser.text(".toast"))
    assert "“sun” accepted for 1 photograph" in note and "gained it" in note
    # It goes after some seconds, but not while it has the focus.
    browser.run("document.querySelector('.toast button').focus()")
    browser.wait(lambda: browser.words("accepted") == ["sun"])
    assert browser.text(".toast button") == "Show"
    browser.click(".toast button")
    browser.wait(lambda: "gained “sun”" in browser.text("#summary"))
    browser.wait(
        lambda: "yellow" in browser.one(".tile .open").get_attribute("aria-label")
    )
    assert judgments(opened) == [("yellow 0.jpg", "sun", True)]


@pytest.mark.slow
def test_everything_by_keyboard(browser, opened):
    browser.press(Keys.ARROW_DOWN)  # to the first photograph
    focused = "return document.activeElement.closest('.tile')?.dataset.id"
    first = browser.wait(lambda: browser.run(focused))
    browser.press(Keys.ARROW_RIGHT)
    second = browser.wait(
        lambda: browser.run(focused) != first and browser.run(focused)
    )
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.HOME, Keys.ARROW_RIGHT)
    browser.wait(lambda: browser.run(focused) == second)
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.words("suggested") and browser.text("#viewer-name"))
    word = browser.wait(lambda: browser.text("#viewer-suggested .name"))
    name = browser.text("#viewer-name")
    browser.press("1")
    browser.wait(lambda: (name, word, True) in judgments(opened))
    browser.press("z")
    browser.wait(lambda: judgments(opened) == [])
    browser.press("n", "leaf", Keys.ENTER)
    browser.wait(lambda: (name, "leaf", True) in judgments(opened))
    browser.press(Keys.ESCAPE, Keys.ESCAPE)
    browser.wait(lambda: not browser.one("#viewer").is_displayed())
    assert browser.run(focused) == second
    browser.press("x", Keys.ARROW_RIGHT, "x", "w", "pair", Keys.ENTER)
    browser.wait(lambda: sum(word == "pair" for _, word, _ in judgments(opened)) == 2)
    browser.wait(lambda: not browser.one("#selection").is_displayed())
    browser.press("?")
    browser.wait(lambda: browser.text("#sheet-title") == "Keyboard")
    browser.press(Keys.ESCAPE)
    browser.press("/", "gre")
    browser.wait(lambda: "for gre" in browser.text("#summary"))


@pytest.mark.slow
def test_a_word_is_gone_through_with_two_keys(browser, opened):
    browser.choose_word("red")
    browser.wait(lambda: len(browser.all(".verdicts")) > 5)
    browser.press(Keys.ARROW_DOWN)
    browser.press("a")
    browser.wait(lambda: len(judgments(opened)) == 1)
    browser.press("r")
    browser.wait(lambda: len(judgments(opened)) == 2)
    assert [yes for *_, yes in judgments(opened)].count(True) == 1
    browser.wait(lambda: browser.all(".tile.rejected"))
    browser.type("#by", "Rejected")
    browser.wait(lambda: browser.text("#summary").startswith("1 photograph "))


@pytest.mark.slow
def test_many_at_once(browser, opened):
    browser.run("document.querySelectorAll('.tile .mark')[1].click()")
    browser.wait(lambda: browser.text("#selection-count") == "1 selected")
    mark = browser.wait(lambda: browser.all(".tile .mark")[5])
    webdriver.ActionChains(browser.driver).key_down(Keys.SHIFT).move_to_element(
        mark
    ).click().key_up(Keys.SHIFT).perform()
    browser.wait(lambda: browser.text("#selection-count") == "5 selected")
    browser.type("#selection-word", "holiday")
    browser.click("#selection .no")
    browser.wait(lambda: len(judgments(opened)) == 5)
    assert {(word, yes) for _, word, yes in judgments(opened)} == {("holiday", False)}
    browser.wait(lambda: not browser.one("#selection").is_displayed())


@pytest.mark.slow
def test_captions_and_where_the_captioner_looked(browser, opened):
    browser.open_photograph("blue 0.jpg")
    browser.wait(
        lambda: (
            browser.one("#viewer-caption").get_property("value")
            == "A wall of one color"
        )
    )
    browser.click("#look")
    looked = browser.wait(lambda: [b.text for b in browser.all("#looked button")])
    assert looked == ["A", "wall"]
    alpha = (
        "const c = document.getElementById('viewer-heat');"
        "const at = (x, y) => c.getContext('2d').getImageData("
        "c.width * x, c.height * y, 1, 1).data[3];"
        "return [at(0.62, 0.38), at(0.1, 0.9)]"
    )
    bright, dark = browser.run(alpha)
    assert bright < 60 < 150 < dark
    browser.type("#viewer-caption", " <b>at</b> sea")
    browser.click("#caption-save")
    say = opened[0].library.corrections
    browser.wait(lambda: say.history())
    assert say.history()[0].changes[0].after[0].endswith("color <b>at</b> sea")
    browser.wait(lambda: browser.text("#caption-by") == "by you")


@pytest.mark.slow
def test_hostile_words_are_text(browser):
    word = "<img src=x onerror=document.title='hacked'><script>1</script>\"'"
    browser.open_photograph("red 1.jpg")
    browser.type("#viewer-word", word, Keys.ENTER)
    browser.wait(lambda: browser.words("accepted") == [word])
    browser.click("#viewer-close")
    browser.wait(lambda: word in [e.text for e in browser.all("#words .name")])
    assert browser.driver.title != "hacked"
    assert not browser.all("#words img, #toasts img, .said img")
    browser.click("#history-button")
    browser.wait(lambda: word in browser.text(".events"))


@pytest.mark.slow
def test_likeness_and_duplicates(browser):
    browser.open_photograph("violet 0.jpg")
    browser.click("#like")
    browser.wait(lambda: "most like violet 0.jpg" in browser.text("#summary"))
    browser.wait(
        lambda: all(
            "violet" in e.get_attribute("aria-label")
            for e in browser.all(".tile .open")[:5]
        )
    )
    browser.click("#more-button")
    browser.click("#sheet .actions button")
    browser.wait(lambda: "near duplicates" in browser.text("#summary"))
    browser.click("#clear")
    browser.wait(lambda: browser.text("#summary") == "32 photographs")


@pytest.mark.slow
def test_a_dropped_image_is_described(browser):
    browser.run(
        """
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 40;
        const context = canvas.getContext('2d');
        context.fillStyle = 'rgb(210 40 40)';
        context.fillRect(0, 0, 40, 40);
        canvas.toBlob((blob) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
          const options = {dataTransfer: transfer, bubbles: true, cancelable: true};
          dispatchEvent(new DragEvent('dragover', options));
          dispatchEvent(new DragEvent('drop', options));
        });
        """
    )
    browser.wait(lambda: browser.text("#sheet-title") == "dropped.png")
    words = browser.wait(lambda: [e.text for e in browser.all("#sheet .chip")])
    assert words[0] == "red"
    browser.wait(lambda: len(browser.all(".strip button")) == 12)
    browser.click(".strip button")
    browser.wait(lambda: "red" in browser.text("#viewer-name"))


@pytest.mark.slow
def test_another_pages_corrections_appear(browser, opened):
    session = opened[0]
    number = session.library.photographs()[0].id
    session.library.corrections.judge([number], "elsewhere", True)
    browser.wait(lambda: "elsewhere" in [e.text for e in browser.all("#words .name")])


@pytest.mark.slow
def test_100000_photographs_scroll(browser):
    """The list is made up; only what is near the screen is asked for and shown."""
    script = browser.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {
            "source": """
            const real = fetch;
            window.asked = 0;
            window.fetch = async (address, options) => {
              if (String(address).startsWith('api/photographs')) {
                const ids = Array.from({length: 100000}, (_, i) => i + 1);
                const shapes = ids.map((i) => [1.5, 0.67, 1, 1.78][i % 4]);
                const states = ids.map(() => '1');
                return Response.json({ids, shapes, states, values: null});
              }
              if (String(address).startsWith('api/details')) {
                window.asked += JSON.parse(options.body).length;
                return Response.json([]);
              }
              return real(address, options);
            };
            """
        },
    )
    try:
        browser.driver.get(browser.address)
        browser.wait(lambda: browser.text("#summary") == "100,000 photographs")
        assert len(browser.tiles()) < 150
        for share in (0.5, 1.0):
            browser.run("scrollTo(0, document.body.scrollHeight * arguments[0])", share)
            browser.wait(
                lambda share=share: (
                    browser.run(
                        "return Math.max(...[...document.querySelectorAll('.tile')]"
                        ".map((t) => +t.dataset.id))"
                    )
                    > 99_000 * share
                )
            )
            assert len(browser.tiles()) < 250
        assert browser.run("return window.asked") < 5_000
    finally:
        # The made-up photographs have no thumbnails.
        browser.driver.get("about:blank")
        browser.driver.get_log("browser")
        browser.driver.execute_cdp_cmd(
            "Page.removeScriptToEvaluateOnNewDocument", script
        )


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(browser, size, scheme):
    axe = importlib.resources.files(
        pytest.importorskip("axe_core_python", reason="needs axe-core-python")
    )
    source = (axe / "axe.min.js").read_text(encoding="utf-8")

    def check(where):
        width = browser.run("return document.documentElement.scrollWidth")
        assert width <= size[0], f"{where} is {width} wide"
        # Until nothing moves: colors are compared.
        browser.wait(
            lambda: browser.run(
                "return document.getAnimations().every(a => a.playState !== 'running')"
            )
        )
        browser.run(source)
        violations = browser.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document).then(r => done(r.violations))"
        )
        lines = [
            f"{v['id']}: {v['help']} {[n['target'] for n in v['nodes'][:3]]}"
            for v in violations
        ]
        assert not lines, f"{where}:\n" + "\n".join(lines)

    browser.open(size, scheme)
    browser.tile("blue 0.jpg")
    check("the gallery")
    browser.open_photograph("blue 0.jpg")
    browser.click('[aria-label="Accept blue"]')
    browser.wait(lambda: browser.words("accepted") == ["blue"])
    browser.click('#viewer-suggested [aria-label^="Reject"]')
    browser.wait(lambda: browser.words("rejected"))
    check("a photograph")
    browser.click("#viewer-close")
    browser.run("document.querySelector('.tile .mark').click()")
    browser.wait(lambda: browser.one("#selection").is_displayed())
    check("a selection")
    browser.click("#history-button")
    browser.wait(lambda: browser.all(".events li"))
    check("the history")
    browser.click("#sheet-close")
    browser.click("#more-button")
    browser.wait(lambda: browser.all("#sheet .actions"))
    check("more")
