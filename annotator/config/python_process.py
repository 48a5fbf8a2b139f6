"""Processes of this Python that find the modules that this one finds."""

import json
import sys

_BEGIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from {} import main; main()"
)


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs `main` of a module in a process of its own.

    It needs no installed package: modules are looked for where this process does.

    Args:
        module: Its name.
        *arguments: What `main` finds behind the program's name in `sys.argv`.
    """
    path = json.dumps(sys.path)
    return [sys.executable, "-c", _BEGIN.format(module), path, *arguments]
