"""The report in a real browser: words, maps and tables, by mouse and by keyboard."""

import importlib.resources

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def show(chromium, report):
    """Opens the report; at the end the browser must have nothing to complain of."""

    def open_page(width=1280, scheme="light"):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1}
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": width < 600}
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        chromium.get(report.as_uri())
        return chromium

    yield open_page
    errors = [e["message"] for e in chromium.get_log("browser")]
    assert not errors


def test_words_show_where_the_captioner_looked(show, hostile):
    driver = show()
    card = driver.find_element(By.CSS_SELECTOR, "[data-maps]")
    canvas = card.find_element(By.TAG_NAME, "canvas")
    words = card.find_elements(By.CSS_SELECTOR, ".said button")
    assert len(words) > 2 and not canvas.is_displayed()
    darkest = (
        "const c = arguments[0].getContext('2d').getImageData(0, 0, 3, 3).data;"
        "return [...Array(9).keys()].map(i => c[4 * i + 3])"
    )

    def lit():
        shades = driver.execute_script(darkest, canvas)
        assert min(shades) == 0 and sorted(shades)[1] > 190
        return shades.index(0)

    webdriver.ActionChains(driver).move_to_element(words[1]).perform()
    assert canvas.is_displayed() and lit() == 1
    webdriver.ActionChains(driver).move_to_element(
        card.find_element(By.TAG_NAME, "li")
    ).perform()
    assert not canvas.is_displayed()
    # One stop of the tabulator; arrow keys do the rest.
    driver.execute_script("arguments[0].focus()", words[0])
    keys = webdriver.ActionChains(driver)
    keys.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT).perform()
    assert driver.switch_to.active_element == words[1] and lit() == 1
    webdriver.ActionChains(driver).send_keys(Keys.END).perform()
    assert lit() == len(words) - 1
    webdriver.ActionChains(driver).send_keys(Keys.TAB).perform()
    assert driver.switch_to.active_element not in words
    assert not canvas.is_displayed()
    assert "hacked" not in driver.title


def test_the_table_of_words_sorts_and_finds(show, hostile):
    driver = show()
    box = driver.find_elements(By.CSS_SELECTOR, ".sortable")[-1]  # of the tags

    def column(number):
        rows = box.find_elements(By.CSS_SELECTOR, "tbody tr:not([hidden])")
        return [
            row.find_elements(By.CSS_SELECTOR, "th, td")[number].text for row in rows
        ]

    heads = box.find_elements(By.CSS_SELECTOR, "thead button")
    support = [int(text) for text in column(5)]
    assert support == sorted(support, reverse=True) and len(support) == 25
    more = box.find_element(By.CSS_SELECTOR, ".more")
    assert more.text == "Show all 34 words"
    driver.execute_script("arguments[0].click()", more)
    for number in (1, 2, 3, 4, 6):
        for descending in (True, False):
            driver.execute_script("arguments[0].click()", heads[number])
            values = [float(text) for text in column(number) if text != "–"]
            assert values == sorted(values, reverse=descending)
            assert len(column(number)) == 34
            ends = column(number)[len(values) :]
            assert set(ends) <= {"–"}  # what is unknown stands last
    driver.execute_script("arguments[0].click()", heads[0])
    assert column(0) == sorted(column(0), key=str.lower)
    assert heads[0].find_element(By.XPATH, "..").get_attribute("aria-sort")
    box.find_element(By.CSS_SELECTOR, ".find input").send_keys("ONERROR")
    assert column(0) == [hostile]


@pytest.mark.parametrize("width", [1280, 360], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(show, width, scheme):
    axe = importlib.resources.files(
        pytest.importorskip("axe_core_python", reason="needs axe-core-python")
    )
    driver = show(width, scheme)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    # The page's policy lets no script of others in; the driver's own it does.
    driver.execute_script((axe / "axe.min.js").read_text(encoding="utf-8"))
    violations = driver.execute_async_script(
        "const done = arguments[0]; axe.run(document).then(r => done(r.violations))"
    )
    lines = [
        f"{v['id']}: {v['help']} {[n['target'] for n in v['nodes'][:3]]}"
        for v in violations
    ]
    assert not lines, "\n".join(lines)


def test_it_prints_on_paper(show):
    driver = show()
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 10_000
