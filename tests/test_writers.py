"""Every file is written by one helper: `annotator/files/` alone opens any."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "annotator"
HELPER = PACKAGE / "files"
# What makes or changes a file by its name, whatever the mode.
OPENERS = {"touch", "write_bytes", "write_text", "mkfifo", "mkstemp", "mkdtemp"}
OPENERS |= {"NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory"}
MOVERS = {"link", "link_to", "rename", "renames", "replace", "symlink", "symlink_to"}
# What of libraries writes a file, and which argument names it.
WRITERS = {"save": 0, "savez": 0, "savez_compressed": 0, "savetxt": 0, "to_csv": 0}
WRITERS |= {"save_weights": 0, "save_file": 1, "open_memmap": 0, "to_json": 0}
WRITERS |= {"TFRecordWriter": 0, "ParquetWriter": 0, "write_png": 0}
COPIERS = {"copy", "copyfile", "copy2", "copytree", "move"}
# Where else something is written, each by its line's text, and why it may be.
EXCEPTIONS = {
    # A new folder of a name that nobody knows, renamed when it is whole.
    "export/saved_model.py": {
        'model.save(temporary / f"{name}.keras")',
        "os.replace(temporary, saved_model)",
        "tf.saved_model.save(exported, str(path), signatures, options)",
    },
    "tagger/teaching_basis.py": {"np.savez(path, **vars(self))"},
    "tagger/rules/held_out_precision.py": {"np.savez(path, **self.compact())"},
    "training/exports.py": {
        "_fitted_basis(run).save(path)",
        "return saved_model.save(",
    },
    # To nowhere.
    "config/commands.py": {
        "os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())"
    },
    # To memory.
    "images/encode.py": {
        'pixels.save(content, "BMP")  # twenty times as fast',
        'pixels.save(content, "PNG", compress_level=0)',
    },
    "pictures/drawing.py": {
        'image.save(content, "jpeg", quality=82, optimize=True, progressive=True)'
    },
    "datasets/shapes/reader.py": {'scene.draw(config.side, rng).save(image, "png")'},
    "library/thumbnails.py": {
        'picture.save(encoded, "JPEG", quality=_QUALITY, progressive=True, **kept)'
    },
    # Rows that are written in place, and a folder that names the photographs.
    "library/vector_file.py": {
        "file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)"
    },
    "library/exports.py": {"link.symlink_to(root, target_is_directory=True)"},
    # TensorFlow's own, which numbers and renames its checkpoints.
    "training/loop.py": {"self.manager.save()"},
    # To a path that its caller has of `atomic_path`.
    "training/captioner/ensemble.py": {
        "captioner.vocabulary.save(run.files.vocabulary)"
    },
    "training/captioner/fit.py": {"vocabulary.save(path)"},
    # All records of the file are ours by its lock; it becomes the output by its name.
    "annotation/record_file.py": {"os.replace(self._partial, self.path)"},
    # Spark's own folder, which no other process may use.
    "annotation/spark/engine.py": {'current.pieces.write_bytes(b"".join(lines))'},
}


def called(node):
    """The name of what a call calls, and what it is called on."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr, getattr(function.value, "id", "")
    return getattr(function, "id", ""), ""


def mode_of(node):
    """The mode of a call of `open`, its default if there is none."""
    named = [word.value for word in node.keywords if word.arg == "mode"]
    is_method = isinstance(node.func, ast.Attribute) and called(node)[1] != "io"
    mode = [*named, *node.args[0 if is_method else 1 :]][:1]
    return mode[0].value if mode and isinstance(mode[0], ast.Constant) else "r"


def temporary_names(tree):
    """Names that are bound by `with files.atomic_path(...) as NAME`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
            if called(node.context_expr)[0] == "atomic_path":
                yield node.optional_vars.id


def writers(text):
    """The numbers of lines that write a file without the helper."""
    tree = ast.parse(text)
    temporary = set(temporary_names(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, owner = called(node)
        is_open = name == "open" and set(str(mode_of(node))) & set("wax+")
        is_move = name in MOVERS and (owner in ("os", "shutil") or "link" in name)
        is_descriptor = name == "open" and owner == "os" and "WR" in ast.dump(node)
        is_copy = name in COPIERS and owner == "shutil"
        is_opener = name in OPENERS and owner not in {"files", *temporary}
        if is_open or is_move or is_descriptor or is_copy or is_opener:
            yield node.lineno
        elif name in WRITERS and isinstance(node.func, ast.Attribute):
            at = WRITERS[name]
            target = node.args[at] if len(node.args) > at else None
            is_ours = {n.id for n in ast.walk(target or node) if hasattr(n, "id")}
            if node.args and not is_ours & temporary:
                yield node.lineno
            elif not node.args and name == "save":
                yield node.lineno


def test_modules_write_by_the_helper_alone():
    found = {}
    for path in sorted(set(PACKAGE.rglob("*.py")) - set(HELPER.glob("*.py"))):
        text = path.read_text(encoding="utf-8")
        lines = [line.strip() for line in text.splitlines()]
        if here := {lines[number - 1] for number in writers(text)}:
            found[path.relative_to(PACKAGE).as_posix()] = here
    assert found == EXCEPTIONS


@pytest.mark.parametrize(
    ("line", "writes"),
    [
        ("open(p)", False),
        ("open(p, 'rb')", False),
        ("open(p, 'w')", True),
        ("open(p, mode='ab')", True),
        ("p.open('r+b')", True),
        ("p.open()", False),
        ("io.open(p, 'x')", True),
        ("os.open(p, os.O_WRONLY)", True),
        ("os.open(p, os.O_RDONLY)", False),
        ("p.write_text('a')", True),
        ("files.write_text(p, 'a')", False),
        ("os.replace(a, b)", True),
        ("text.replace('a', 'b')", False),
        ("a.symlink_to(b)", True),
        ("np.save(p, array)", True),
        ("with files.atomic_path(p) as t: np.save(t, array)", False),
        ("with files.atomic_path(p) as t: np.save(p, array)", True),
        ("with files.atomic_path(p) as t: model.save_weights(t)", False),
        ("tempfile.mkstemp()", True),
        ("shutil.copy(a, b)", True),
        ("array.copy()", False),
    ],
)
def test_writers_are_found(line, writes):
    assert list(writers(line)) == ([1] if writes else [])
