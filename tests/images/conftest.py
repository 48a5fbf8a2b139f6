"""What the tests of images share."""

import pytest

from annotator.images import decode


@pytest.fixture
def set_limit(monkeypatch):
    """`set_limit(name, value)` sets a limit of the decoder, which is traced once."""

    def set_limit(name, value, module=decode):
        monkeypatch.setattr(module, name, value)
        untraced = getattr(decode._decoded, "python_function", decode._decoded)
        monkeypatch.setattr(decode, "_decoded", untraced)

    return set_limit
