"""The names that `import annotator` offers."""

import importlib
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


def test_another_name_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match="no attribute 'caption'"):
        annotator.caption  # noqa: B018
