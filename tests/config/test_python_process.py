"""Processes of this Python find what it finds, in whatever folder they run."""

import subprocess

from annotator.config.python_process import python_command


def test_a_process_finds_modules_where_this_one_does(tmp_path, monkeypatch):
    (tmp_path / "probe.py").write_text(
        "import sys\ndef main():\n    print(*sys.argv[1:])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    command = python_command("probe", "a", "--b=c d")
    output = subprocess.run(command, cwd="/", capture_output=True, text=True)
    assert output.stdout == "a --b=c d\n", output.stderr
