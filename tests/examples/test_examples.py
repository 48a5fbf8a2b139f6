"""The examples run, are short, and stand in the documentation as they are."""

import json
import pathlib
import re

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.fixture
def folder(tmp_path, tmp_path_factory, monkeypatch):
    """Where examples write: files here, drawn scenes in a cache of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNOTATOR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    return tmp_path


def run(source, name):
    """Executes Python; its variables."""
    variables = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), variables)
    return variables


def test_the_documentation_shows_the_scripts_as_they_are():
    assert len(SCRIPTS) == 2
    page = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
    shown = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines()[1:] if line]
        assert len(lines) <= 20, f"{script.name} has {len(lines)} lines"
        assert text in shown, script.name


@pytest.mark.slow
def test_the_tagger_is_fitted(folder):
    variables = run((ROOT / "examples" / "fit_tagger.py").read_text(), "fit_tagger.py")
    scenes, tagger, data = (variables[name] for name in ("scenes", "tagger", "data"))
    right = [
        tags[scenes.words.index(words[0])]
        for tags, words in zip(scenes.tags, tagger.tags(data), strict=True)
    ]
    assert sum(right) > 0.8 * len(right)
    copy = keras.saving.load_model(folder / "tagger.keras")
    assert copy.tags(data) == tagger.tags(data)


@pytest.mark.slow
def test_the_captioner_is_fitted(folder):
    source = (ROOT / "examples" / "fit_captioner.py").read_text()
    variables = run(source, "fit_captioner.py")
    history = variables["captioner"].history.history["loss"]
    assert history[-1] < 0.5 * history[0]
    copy = keras.saving.load_model(folder / "captioner.keras")
    data = variables["data"].take(1)
    want = variables["captioner"].predict(data, verbose=0)["captions"]
    assert copy.predict(data, verbose=0)["captions"].tolist() == want.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_from_top_to_bottom(notebook, folder):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    assert len(code) > 5
    run("\n".join(code), notebook.name)
    assert len(list(folder.glob("*.keras"))) == 2
