"""The names that `import annotator` offers."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

import annotator


def test_importing_the_package_imports_no_tensorflow():
    program = "import annotator, sys; print('tensorflow' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "False"


@pytest.mark.parametrize("name", sorted(set(annotator.__all__) - {"__version__"}))
def test_a_name_is_that_of_its_module(name):
    module = importlib.import_module(annotator._MODULES[name])
    assert getattr(annotator, name) is getattr(module, name)
    assert name in dir(annotator)


def test_the_types_are_of_the_same_names():
    """Type checkers read the stub in place of the module."""
    stub = pathlib.Path(annotator.__file__).with_suffix(".pyi")
    imported = {
        alias.name: node.module
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(imported) == set(annotator._MODULES)
    for name, module in imported.items():
        module = importlib.import_module(module)
        assert getattr(module, name) is getattr(annotator, name)


def test_another_name_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match="no attribute 'caption'"):
        annotator.caption  # noqa: B018
