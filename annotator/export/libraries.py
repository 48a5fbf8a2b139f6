"""The libraries that made a model."""

import importlib.metadata

from annotator.config.version import VERSION

_LIBRARIES = ("keras-annotator", "tensorflow", "keras", "numpy", "scikit-learn")


def library_versions() -> dict[str, str]:
    """Versions of the libraries that made a model, by name."""
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = "not installed"
    if versions["keras-annotator"] == "not installed":  # it runs from a checkout
        versions["keras-annotator"] = VERSION
    return versions
