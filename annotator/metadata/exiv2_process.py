"""The process that calls Exiv2: it answers requests, a line of JSON each.

Exiv2 is not made for threads, and a damaged file may end it: nothing else is lost then.
"""

import json
import sys


def main() -> None:
    """Answers requests until there are none.

    A request has a `path`, as Latin-1 text that stands for its bytes, and to write also
    a `packet`, a text that may be empty. The answer has the `packet` of the file, or an
    `error`.
    """
    import pyexiv2

    pyexiv2.set_log_level(4)  # none: what it cannot do, it raises
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            answer = {"packet": _handle(pyexiv2, request)}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


def _handle(pyexiv2, request):
    with pyexiv2.Image(request["path"], encoding="latin-1") as image:
        if request.get("packet"):
            image.modify_raw_xmp(request["packet"])
        elif "packet" in request:
            image.clear_xmp()
        return image.read_raw_xmp()
