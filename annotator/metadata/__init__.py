"""Keywords of photographs as other programs read and write them: XMP and IPTC.

```python
from annotator.metadata import Change, read_image, sidecar_path, write_sidecar

keywords = read_image("photo.jpg")  # .human, .machine, .rejected, .description
path = sidecar_path("photo.jpg")  # photo.jpg.xmp
write_sidecar(path, Change(human=["animal|dog"], rejected=["cat"]))
```

Nothing in here needs TensorFlow.
"""

from annotator.metadata.edit import Change, edit
from annotator.metadata.embedded import read_embedded, read_image
from annotator.metadata.keywords import Keywords, Mark
from annotator.metadata.sidecar import (
    SIDECAR_NAMES,
    read_sidecar,
    sidecar_path,
    write_sidecar,
)

__all__ = [
    "SIDECAR_NAMES",
    "Change",
    "Keywords",
    "Mark",
    "edit",
    "read_embedded",
    "read_image",
    "read_sidecar",
    "sidecar_path",
    "write_sidecar",
]
