"""The tools that check the code, and that all that is public carries type hints."""

import ast
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "annotator"
SPELLED = ("annotator", "benchmarks", "docs", "examples", "recipes", "tests")


def check(*command):
    """Runs a tool of this Python in the project's folder; its output is the error."""
    result = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert not result.returncode, f"\n{result.stdout}{result.stderr}"


def test_ruff_finds_nothing():
    check("ruff", "check", "--no-cache", ".")


def test_the_code_is_formatted():
    check("ruff", "format", "--check", "--no-cache", ".")


def test_codespell_finds_nothing():
    folders = [folder for folder in SPELLED if (ROOT / folder).is_dir()]
    texts = [*ROOT.glob("*.py"), *ROOT.glob("*.md"), *ROOT.glob("*.toml")]
    assert folders and texts
    check("codespell_lib", *folders, *texts)


def test_mypy_finds_nothing(tmp_path):
    check("mypy", "--cache-dir", tmp_path)


def public_functions(body, owner=""):
    """Each `(name, function)` of a module or class that others may call."""
    for node in body:
        if isinstance(node, ast.If | ast.Try):  # a part defined one way or another
            yield from public_functions(node.body, owner)
            yield from public_functions(node.orelse, owner)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{owner}{node.name}.")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            called = owner and node.name in ("__init__", "__call__")
            if called or not node.name.startswith("_"):
                yield owner + node.name, node


def missing_hints(function, method):
    """What a function's signature leaves open: names of arguments, and `return`."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    decorators = [getattr(node, "id", "") for node in function.decorator_list]
    if method and "staticmethod" not in decorators:
        named = named[1:]  # self, cls
    named += [*arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    missing = [arg.arg for arg in named if arg is not None and arg.annotation is None]
    return missing + ([] if function.returns else ["return"])


def test_all_that_is_public_has_type_hints():
    lines = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for name, function in public_functions(ast.parse(path.read_bytes()).body):
            missing = missing_hints(function, method="." in name)
            if missing:
                place = f"{path.relative_to(ROOT)}:{function.lineno}"
                lines.append(f"{place}: {name}: {', '.join(missing)}")
    assert not lines, "without hints:\n" + "\n".join(lines)


SAMPLE = """
def whole(a: int, *, b: str = "") -> None: ...
def _private(a): ...
def open_(a, *b, c=1, **d): ...
class Public:
    def __init__(self, a) -> None: ...
    def __eq__(self, other): ...
    @staticmethod
    def fixed(a) -> int: ...
    @classmethod
    def made(cls, a: int): ...
class _Private:
    def method(self, a): ...
"""


def test_missing_hints_are_found():
    missing = {
        name: missing_hints(function, "." in name)
        for name, function in public_functions(ast.parse(SAMPLE).body)
    }
    assert missing == {
        "whole": [],
        "open_": ["a", "c", "b", "d", "return"],
        "Public.__init__": ["a"],
        "Public.fixed": ["a"],
        "Public.made": ["return"],
    }


def graphs(path):
    """`(line, keywords)` of each `tf.function(...)` and partial of it in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            bare = [d for d in node.decorator_list if ast.unparse(d) == "tf.function"]
            yield from ((each.lineno, {}) for each in bare)
        elif isinstance(node, ast.Call):
            names = map(ast.unparse, [node.func, *node.args[:1]])
            if "tf.function" in names:
                yield node.lineno, {k.arg: ast.unparse(k.value) for k in node.keywords}


def test_no_graph_waits_for_autograph():
    # It rewrites every function that is called, a third of the time of a first call;
    # here loops and branches on tensors are written as TensorFlow's own.
    found = [
        (f"{path.relative_to(ROOT)}:{line}", keywords.get("autograph"))
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, keywords in graphs(path)
    ]
    assert len(found) > 10
    assert not [place for place, autograph in found if autograph != "False"]
