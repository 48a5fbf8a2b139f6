"""The house: who may import whom, and how much may lie in one folder."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "annotator"
MODULES = sorted(PACKAGE.rglob("*.py"))

LOOSE_MODULES = 6
ENTRIES = 16
ROOMS = 24
LEVELS = 7
# What each folder may import beside the rooms that `ANYONE` may; all else is forbidden.
ANYONE = {"files", "keras_support", "loading"}
ALLOWED = {
    "config": set(),
    "images": {"config"},
    "metadata": {"config"},
    "metrics": set(),
    "captioner": set(),
    "tagger": set(),
    "backbones": {"config", "images"},
    "datasets": {"config", "images", "metadata"},
    "terminal": set(),
    "features": {"backbones", "datasets", "images", "terminal"},
    "pictures": {"images"},
    "layers": {"backbones", "captioner", "images", "tagger"},
    "export": {"config", "images"},
    "runs": {
        "backbones",
        "captioner",
        "config",
        "datasets",
        "export",
        "features",
        "images",
        "tagger",
        "terminal",
    },
    "evaluation": {
        "captioner",
        "config",
        "datasets",
        "layers",
        "metrics",
        "pictures",
        "runs",
        "tagger",
        "terminal",
    },
    "annotation": {
        "backbones",
        "captioner",
        "config",
        "export",
        "images",
        "layers",
        "metadata",
        "tagger",
        "terminal",
    },
    "serve": {"config", "export", "images", "terminal"},
    "library": {"config", "images"},
    "review": {
        "annotation",
        "config",
        "export",
        "images",
        "library",
        "metadata",
        "pictures",
        "tagger",
        "terminal",
    },
}


def imports(path):
    """Modules of ours that a file imports, anywhere in it: dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "annotator":
                yield from (f"annotator.{alias.name}" for alias in node.names)
            elif node.module.startswith("annotator."):
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("annotator."))


def room_of(module):
    """The folder or lone module of ours that a dotted name lies in; `None` for none."""
    name = module.split(".")[1]
    exists = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
    return name if exists else None  # `from annotator import __version__`


def room(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def arrows():
    """Room -> the rooms that it imports."""
    found = {}
    for path in MODULES:
        own = room(path)
        if own == "__init__":  # it hands names on, when they are asked for
            continue
        targets = {room_of(module) for module in imports(path)} - {own, None}
        found.setdefault(own, set()).update(targets)
    return found


ARROWS = arrows()


def test_few_modules_lie_loose_and_folders_are_not_full():
    assert len(list(PACKAGE.glob("*.py"))) <= LOOSE_MODULES
    for folder in (path for path in PACKAGE.rglob("*") if path.is_dir()):
        entries = [e for e in folder.iterdir() if e.name != "__pycache__"]
        assert len(entries) <= ENTRIES, folder


def test_there_are_few_rooms():
    assert len(ARROWS) <= ROOMS


def test_imports_run_one_way_through_few_levels():
    levels = {}

    def level(name, above=()):
        assert name not in above, f"a circle: {' -> '.join([*above, name])}"
        if name not in levels:
            below = [level(x, (*above, name)) for x in ARROWS.get(name, ())]
            levels[name] = 1 + max(below, default=0)
        return levels[name]

    assert max(map(level, ARROWS)) <= LEVELS


def test_no_two_modules_import_each_other():
    """Also within a folder, where rooms say nothing."""
    names = {
        ".".join(["annotator", *path.relative_to(PACKAGE).with_suffix("").parts]): path
        for path in MODULES
        if path.name != "__init__.py"
    }
    graph = {
        name: {module for module in imports(path) if module in names} - {name}
        for name, path in names.items()
    }
    done = set()

    def visit(name, above):
        assert name not in above, f"a circle: {' -> '.join([*above, name])}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_a_folder_imports_only_what_it_may(name):
    forbidden = ARROWS[name] - ALLOWED[name] - ANYONE
    assert not forbidden, f"{name} may not import {sorted(forbidden)}"


def test_file_names_of_a_workdir_stand_in_runs_alone():
    names = {
        "encoder.npz",
        "vectors.npy",
        "tags.npz",
        "words.json",
        "calibration.npz",
        "vocabulary.json",
        "reranker.npz",
        "word_probability.json",
        "data.json",
        "best.weights.h5",
        "backbone.keras",
        "config.json",
    }
    for path in MODULES:
        if room(path) == "runs":
            continue
        strings = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not strings & names, f"{path} names {strings & names}"


def test_no_module_asks_which_task_it_is():
    """What differs from task to task stands in `Task` and in tables of tasks."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Compare):
                continue
            if not {type(operator) for operator in node.ops} & {ast.Eq, ast.NotEq}:
                continue
            compared = [node.left, *node.comparators]
            values = {c.value for c in compared if isinstance(c, ast.Constant)}
            assert not values & {"tagger", "captioner"}, f"{path}:{node.lineno}"
