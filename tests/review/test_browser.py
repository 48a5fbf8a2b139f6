"""Looking at photographs in a real browser, wide and narrow, light and dark."""

import importlib.resources

import pytest

pytest.importorskip("selenium.webdriver", reason="needs selenium")

DESKTOP, PHONE = (1280, 860), (390, 844)


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
