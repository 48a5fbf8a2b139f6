"""A stub for tools that look for it; everything stands in pyproject.toml."""

import setuptools

setuptools.setup()
