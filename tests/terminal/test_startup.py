"""The start of TensorFlow: its own lines stay away, and nothing else does."""

import importlib
import os
import pathlib
import subprocess
import sys

import pytest

from annotator.terminal import startup

ROOT = pathlib.Path(__file__).parents[2]
NO_GPU = b"E0000 00:00:1.2 7 cuda_platform.cc:52] failed call to cuInit: INTERNAL\n"


def stderr_of(program, **variables):
    environment = {**os.environ, **variables}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    environment.update(variables)
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return result.stderr, result.returncode


@pytest.mark.parametrize(
    "line",
    [
        b"WARNING: All log messages before absl::InitializeLog() is called are ...\n",
        b"I0000 00:00:1795784832.492333    8552 port.cc:153] oneDNN custom ...\n",
        b"2025-01-01 12:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN\n",
        b"E0000 00:00:1.2 7 cuda_dnn.cc:85] Unable to register cuDNN factory: ...\n",
        b"W0000 00:00:1.2 7 c.cc:17] computation placer already registered. ...\n",
    ],
)
def test_what_tensorflow_always_says_is_left_out(line):
    assert startup.is_start_up_line(line)


@pytest.mark.parametrize(
    "line",
    [
        b"ImportError: libcudart.so.12: cannot open shared object file\n",
        b"F0000 00:00:1.2 7 cpu_feature_guard.cc:42] compiled to use AVX ...\n",
        b"E0000 00:00:1.2 7 gpu_device.cc:9] out of memory\n",
        b"W0000 00:00:1.2 7 gpu_device.cc:22] Cannot dlopen some GPU libraries.\n",
        b"2025-01-01 12:00:00.123456: E tensorflow/core/x.cc:1] it broke\n",
    ],
)
def test_what_is_worth_knowing_stays(line):
    assert not startup.is_start_up_line(line)


@pytest.mark.parametrize("has_gpu", [False, True])
def test_why_there_is_no_gpu_is_told_where_there_is_one(has_gpu, monkeypatch):
    monkeypatch.setattr(startup, "_has_gpu", lambda: has_gpu)
    assert startup.is_start_up_line(NO_GPU) == (not has_gpu)


def test_stderr_is_filtered_for_a_while_below_python():
    stderr, code = stderr_of(
        "import os, sys\n"
        "from annotator.terminal.startup import filtered_stderr\n"
        "with filtered_stderr(lambda line: b'noise' in line):\n"
        "    os.write(2, b'noise one\\nkept one\\n')\n"
        "    os.system('echo noise two >&2; echo kept two >&2')\n"
        # It holds the pipe, and nobody waits for it.
        "    os.system('sleep 5 >/dev/null &')\n"
        "    print('kept three', file=sys.stderr)\n"
        "    os.write(2, b'kept four, without an end')\n"
        "os.write(2, b'\\nnoise behind it\\n')\n"
    )
    assert code == 0
    assert stderr.splitlines() == [
        *("kept one", "kept two", "kept three", "kept four, without an end"),
        "noise behind it",
    ]


@pytest.mark.parametrize("end", ["os.abort()", "raise ImportError('no such library')"])
def test_what_a_program_says_before_it_ends_is_passed_on(end):
    stderr, code = stderr_of(
        "import os\n"
        "from annotator.terminal.startup import filtered_stderr\n"
        "with filtered_stderr(lambda line: b'noise' in line):\n"
        "    os.write(2, b'noise\\nthe reason\\n')\n"
        f"    {end}\n"
    )
    assert code != 0 and stderr.startswith("the reason\n") and "noise" not in stderr
    assert ("no such library" in stderr) == ("Import" in end)


@pytest.mark.parametrize("level", [None, "0"])
def test_the_users_own_level_wins(level):
    stderr, code = stderr_of(
        "import os\n"
        "from annotator.terminal import startup\n"
        "startup._start = lambda: os.write(2, b'I0000 00:00:1.2 7 x.cc:1] hello\\n')\n"
        "startup.start_tensorflow()\n"
        "os.write(2, os.environ['TF_CPP_MIN_LOG_LEVEL'].encode())\n",
        **({} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}),
    )
    assert code == 0 and ("hello" in stderr) == (level is not None)
    assert stderr.endswith(level or "2")


@pytest.mark.parametrize("own", [None, "0"])
def test_it_computes_by_onednn_unless_the_user_says_otherwise(own, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if own is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", own)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    seen = []
    variable = "TF_ENABLE_ONEDNN_OPTS"
    monkeypatch.setattr(startup, "_start", lambda: seen.append(os.environ[variable]))
    startup.start_tensorflow()
    assert seen == [own or "1"]


def test_modules_are_out_of_reach_for_a_while(tmp_path, monkeypatch):
    (tmp_path / "wanted_in_vain.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with startup.out_of_reach("wanted_in_vain", "pytest"):
        with pytest.raises(ImportError, match="wanted_in_vain"):
            importlib.import_module("wanted_in_vain")
        assert importlib.import_module("pytest") is pytest  # what is there, stays
    assert importlib.import_module("wanted_in_vain").value == 1
    del sys.modules["wanted_in_vain"]
