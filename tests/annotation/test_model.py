"""The model that annotates: which options need which export."""

import pytest

from annotator.annotation.model import AnnotationModel
from annotator.export.versions import find_exports


@pytest.mark.parametrize(
    ("which", "options", "message"),
    [
        (1, {"top_k": 2}, "--top_k and --threshold need a tagger"),
        (0, {"captions": 2}, "--captions=2 needs a captioner"),
        (1, {"captions": 0}, "at least 1, got 0"),
    ],
)
def test_options_without_their_model(which, options, message, exports):
    one = find_exports([exports[which]])
    with pytest.raises(ValueError, match=message):
        AnnotationModel.load(one, **options)
