"""Correcting in a real browser: by mouse and by keyboard, one photograph or many."""

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
from selenium.webdriver.common.keys import Keys  # noqa: E402


def judgments(opened):
    library = opened[0].library
    names = {p.id: p.path.decode() for p in library.photographs()}
    return [(names[n], word, yes) for n, word, yes in library.corrections.judgments()]


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
