"""`annotate.py` as a user calls it: flags, exit codes, kills."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from annotator.annotation import command as annotate_command
from annotator.annotation import run as annotation

ROOT = pathlib.Path(__file__).parents[2]
COMPLETE = ("--model=m", "--images=i", "--output=o.jsonl")
SPARK = ("--engine=spark", "--master=local[1]")
LOOKED_AT = ("a.jpg", "--model=m", "b.jpg")


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def command(*arguments, modules=None, **options):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    if modules:
        environment["PYTHONPATH"] = str(modules)
    return subprocess.Popen(
        [sys.executable, ROOT / "annotate.py", *map(str, arguments)],
        env=environment,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--help"], "--captions: Captions per image, best first."),
        (["--help"], "tags and captions:"),
        (["--model=m", "--images=i", "--output=o", "--coulour=1"], "'coulour'"),
        ([*COMPLETE, "--sidecar=txt"], "Did you mean --sidecars?"),
        (["--model=m", "--images=i"], "--output must have a value"),
        (["--model=m", "--images=i", "--output=o", "--captions=0"], "--captions=0"),
        (["--model=m", "--images=i", "--output=o", "--engine=x"], "--engine"),
        (["--model=m", "--images=i", "--output=o", "i.jpg"], "Unexpected arguments"),
        ([*COMPLETE, "i.jpg"], "images='photos/*.jpg'"),
        (["--model=m", "--images=i", "--output=o.json"], "must end in .jsonl or .csv"),
        (["--model=m"], "--images must have a value"),
        (["--model=m", "--output=o"], "annotator annotate photo.jpg"),
        (["--output=o"], "--images must have a value"),
        ([*LOOKED_AT, "--output=o"], "['a.jpg', 'b.jpg'] beside --output"),
        ([*LOOKED_AT, "--images=i"], "['a.jpg', 'b.jpg'] beside --images"),
        ([*LOOKED_AT, "--sidecars=txt"], "['a.jpg', 'b.jpg'] beside --sidecars"),
        ([*LOOKED_AT, "--engine=local"], "['a.jpg', 'b.jpg'] beside --engine"),
        (["--help"], "[--FLAG=VALUE] [IMAGE ...]"),
        ([*COMPLETE, "--engine=spark"], "--engine=spark needs --master"),
        ([*COMPLETE, "--master=yarn"], "--master and --spark_conf need --engine=spark"),
        ([*COMPLETE, "--sidecar_name=photo"], "--sidecar_name needs --sidecars"),
        (
            [*COMPLETE, "--caption_language=de"],
            "--caption_language needs --sidecars or --embed",
        ),
        ([*COMPLETE, "--precision=2"], "precision"),
        ([*LOOKED_AT, "--sidecars_policy=skip"], "beside --sidecars_policy"),
        ([*COMPLETE, *SPARK, "--sidecars=txt"], "--sidecars are written by"),
        ([*COMPLETE, *SPARK, "--spark_conf=x"], "--spark_conf=x is not NAME=VALUE"),
    ],
)
def test_help_and_wrong_flags_do_not_wait_for_tensorflow(arguments, message, tmp_path):
    for name in ("tensorflow", "keras"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a slow import')\n")
    process = command(*arguments, modules=tmp_path)
    output = "".join(process.communicate(timeout=60))
    assert process.returncode == (1 if arguments == ["--help"] else 2)
    assert message in output
    assert "a slow import" not in output and "Traceback" not in output


def test_spark_that_is_not_installed(tmp_path):
    text = "import sys\nsys.modules['pyspark'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(text)
    process = command(*COMPLETE, *SPARK, modules=tmp_path)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2 and "Traceback" not in stderr
    assert 'pip install ".[spark]"' in stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        ("return 3, 0", 0, "o.jsonl: 3 images, 0 of them failed"),
        ("return 3, 1", 1, "o.jsonl: 3 images, 1 of them failed"),
        ("raise OSError('no room')", 2, "error: no room"),
        ("raise RuntimeError('a fault')", 2, "the same command goes on with o"),
        ("raise KeyboardInterrupt", 130, "interrupted: the same command goes on with"),
    ],
)
def test_exit_codes(outcome, code, message, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\n"
        "module = types.ModuleType('annotation')\n"
        "sys.modules['annotator.annotation.run'] = module\n"
        f"def annotate(*arguments, **options): {outcome}\n"
        "module.annotate = annotate\n"
    )
    process = command(*COMPLETE, modules=tmp_path)
    output = "".join(process.communicate(timeout=60))
    assert process.returncode == code and message in output
    assert ("Traceback" in output) is ("RuntimeError" in outcome)


def put_in_place_of_the_model(folder, statement):
    """Lets commands that find modules in `folder` do that to describe images."""
    (folder / "sitecustomize.py").write_text(
        "import sys, types\n"
        "startup = types.ModuleType('startup')\n"
        "startup.start_tensorflow = startup.announce = lambda *_: None\n"
        "sys.modules['annotator.terminal.startup'] = startup\n"
        "package = 'annotator.annotation.describing'\n"
        "for name in ('annotator', 'console'):\n"
        "    sys.modules[f'{package}.{name}'] = types.ModuleType(name)\n"
        "def load(models, *options, **_): return *models, *options\n"
        "def print_descriptions(describe, paths):\n"
        "    print(paths, *describe)\n"
        f"    {statement}\n"
        "sys.modules[f'{package}.annotator'].load = load\n"
        "sys.modules[f'{package}.console'].print_descriptions = print_descriptions\n"
    )


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        ("return 0", 0, "['a.jpg', 'b.jpg'] m 1 None None 32 None"),
        ("return 2", 1, ""),
        ("raise FileNotFoundError('m is no model')", 2, "error: m is no model"),
        ("raise RuntimeError('a fault')", 2, "error: see above"),
        ("raise BrokenPipeError", 2, ""),
        ("raise KeyboardInterrupt", 130, ""),
    ],
)
def test_exit_codes_on_the_console(outcome, code, message, tmp_path):
    put_in_place_of_the_model(tmp_path, outcome)
    process = command(*LOOKED_AT, modules=tmp_path)
    output = "".join(process.communicate(timeout=60))
    assert process.returncode == code and message in output
    assert ("Traceback" in output) is ("RuntimeError" in outcome)


@pytest.mark.slow
def test_images_without_a_flag_are_described(tagger_run, image_folder, tmp_path):
    """A run's workdir is a model, and an image that cannot be read no end."""
    strange = tmp_path / os.fsdecode(b"\xe9.png")  # a name that is no UTF-8
    strange.write_bytes((image_folder / "2.png").read_bytes())
    images = [image_folder / "1.png", tmp_path / "no.jpg", strange]
    process = command(f"--model={tagger_run[0]}", "--top_k=1", *images)
    stdout, stderr = process.communicate(timeout=280)
    assert process.returncode == 1, stderr
    lines = stdout.splitlines()
    assert lines[::2] == [str(images[0]), f"{tmp_path}/\\udce9.png"]
    for line in lines[1::2]:
        assert re.fullmatch(r"  tags: (red|green|blue) [01]\.\d\d", line), line
    (error,) = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert error == f"error: {images[1]}: No such file or directory"


def test_a_reader_that_goes_away(tmp_path):
    """`annotator annotate ... | head` ends without a word."""
    lines = "for _ in range(100_000): print('a line', flush=True)"
    put_in_place_of_the_model(tmp_path, lines)
    process = command(*LOOKED_AT, modules=tmp_path)
    assert process.stdout.readline().startswith("['a.jpg', 'b.jpg'] m 1")
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(timeout=60) == 2


def test_command_counts_what_failed(tagger_run, image_folder, tmp_path):
    (tmp_path / "a,b").symlink_to(tagger_run[0] / "export")
    listing = tmp_path / os.fsdecode(b"\xe9.txt")  # a name that is no UTF-8
    Image.new("RGB", (50, 50)).save(tmp_path / "large.png")
    good = [image_folder / "1.png", image_folder / "2.png"]
    names = [good[0], tmp_path / "no.jpg", good[1], tmp_path / "large.png"]
    listing.write_text("\n".join(map(str, names)))
    output = tmp_path / os.fsdecode(b"\xe8.jsonl")
    process = command(
        *("--model", tmp_path / "a,b", "--top_k=1", "--max_pixels=2400"),
        *("--images", listing, "--output", output, "--batch_size=2"),
    )
    stdout, stderr = process.communicate(timeout=280)
    assert process.returncode == 1, stderr
    said = f"{tmp_path}/\\udce8.jsonl: 4 images, 2 of them failed"
    assert stdout.splitlines()[-1] == said
    assert re.search(r"4/4 \[\d+:\d+<00:00, +[\d.]+(image/s|s/image)\]", stderr), stderr
    assert "Traceback" not in stderr
    records = read(output)
    assert set(records[1]) == {"image", "error"}
    assert records[3]["image"].endswith("large.png")
    assert re.search("than 2400 pixels.* has 2500.*--max_pixels", records[3]["error"])
    for record in (records[0], records[2]):
        assert len(record["tags"]) == 1


def ended(*arguments):
    """The exit code of the command in this process, which has TensorFlow already."""
    with pytest.raises(SystemExit) as caught:
        annotate_command.main(["annotate.py", *map(str, arguments)])
    return caught.value.code or 0


def test_models_and_options_are_those_that_were_asked_for(
    brightness_model, gray_images, tmp_path, monkeypatch, capsys
):
    asked = {}

    def find(paths):
        asked["paths"] = list(map(str, paths))
        return {"tagger": ("folder", {"task": "tagger", "files": {"a": "b"}})}

    def load(exports, **options):
        asked.update(options)
        return brightness_model

    monkeypatch.setattr(annotation, "find_exports", find)
    monkeypatch.setattr(annotation.AnnotationModel, "load", load)
    (tmp_path / "a,b").mkdir()
    code = ended(
        *("--model", tmp_path / "a,b", "--model", f"{tmp_path / 'c'},"),
        *("--captions=2", "--top_k=1", "--threshold=0.5"),
        *("--images", gray_images, "--output", tmp_path / "o.jsonl"),
    )
    assert code == 0
    assert asked["paths"] == [str(tmp_path / "a,b"), str(tmp_path / "c")]
    assert (asked["captions"], asked["top_k"], asked["threshold"]) == (2, 1, 0.5)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"{tmp_path}/o.jsonl: 25 images, 0 of them failed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--model": "nowhere"}, "nowhere is no exported model"),
        ({"--images": "nowhere"}, "--images=nowhere is no file or folder"),
        ({"--output": "o.xml"}, "o.xml must end in .jsonl or .csv"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    change, message, tagger_run, image_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    arguments = {
        "--model": tagger_run[0] / "export",
        "--images": image_folder,
        "--output": "o.jsonl",
        **change,
    }
    assert ended(*(part for pair in arguments.items() for part in pair)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if "Traceback" in line]
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert message in line


@pytest.mark.slow
def test_a_killed_command_goes_on(exports, image_folder, tmp_path):
    """Real kills, after ever more records."""
    listing = tmp_path / "list.txt"
    names = [str(image_folder / f"{i % 36}.png") for i in range(3000)]
    listing.write_text("\n".join(names))
    output, partial = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial"
    arguments = [f"--model={exports[0]}", f"--images={listing}", "--batch_size=4"]
    killed = 0
    for enough in (1, 400, 900):
        process = command(*arguments, f"--output={output}", start_new_session=True)
        while process.poll() is None:
            done = partial.read_bytes().count(b"\n") if partial.exists() else 0
            if done >= enough:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            time.sleep(0.02)
        process.communicate()
    assert killed == 3 and not output.exists()
    process = command(*arguments, f"--output={output}")
    stdout, stderr = process.communicate(timeout=280)
    assert process.returncode == 0, stderr
    assert [record["image"] for record in read(output)] == names


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(exports, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3))
    Image.fromarray(np.uint8(noise)).save(tmp_path / "noise.png")  # 120 KB
    peaks = []
    for count in (300, 6000):
        listing = tmp_path / f"{count}.txt"
        listing.write_text(f"{tmp_path / 'noise.png'}\n" * count)
        output = tmp_path / f"{count}.jsonl"
        arguments = (f"--model={exports[0]}", f"--images={listing}")
        with open(os.devnull, "wb") as nowhere:
            process = command(
                *(*arguments, f"--output={output}"), stdout=nowhere, stderr=nowhere
            )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0 and len(read(output)) == count
        peaks.append(usage.ru_maxrss / 1024)
    assert peaks[1] < peaks[0] + 100, peaks  # MiB; the files are 700
