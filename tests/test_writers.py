"""Every file is written by `annotator/files/`: nothing else opens or moves any."""

import ast
import pathlib

import pytest

from annotator import files

HELPER = pathlib.Path(files.__file__).parent
PACKAGE = HELPER.parent
# What makes or changes a file by its name, whatever the mode.
OPENERS = {"touch", "write_bytes", "write_text", "mkfifo", "mkstemp", "mkdtemp"}
OPENERS |= {"NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory"}
MOVERS = {"link", "link_to", "rename", "renames", "replace", "symlink", "symlink_to"}
# What of libraries writes a file, and which argument names it.
WRITERS = {"save": 0, "savez": 0, "savez_compressed": 0, "savetxt": 0, "to_csv": 0}
WRITERS |= {"save_weights": 0, "save_file": 1, "open_memmap": 0, "to_json": 0}
WRITERS |= {"TFRecordWriter": 0, "ParquetWriter": 0, "write_png": 0}
COPIERS = {"copy", "copyfile", "copy2", "copytree", "move"}
# What names a place that nobody else knows or that is no file.
OWN_PLACES = {"atomic_path", "temporary_folder", "BytesIO"}
# Where else something is written, by the call, and why it may be.
EXCEPTIONS = {
    # Rows that are written in place, and a folder that names the photographs.
    "library/vector_file.py": {"os.open"},
    "library/exports.py": {"link.symlink_to"},
    # TensorFlow's own, which numbers and renames its checkpoints.
    "training/loop.py": {"self.manager.save"},
    # All records of the file are ours by its lock; it becomes the output by its name.
    "annotation/record_file.py": {"os.replace"},
    # Spark's own folder, which no other process may use.
    "annotation/spark/engine.py": {"current.pieces.write_bytes"},
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


def names_in(node):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def bindings(tree):
    """`(name, value)` of assignments to a name, and of `with value as name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            yield node.optional_vars.id, node.context_expr
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def own_names(tree):
    """Names of places of `OWN_PLACES`, and parameters that are given nothing else."""
    bound = {
        name: isinstance(value, ast.Call) and called(value)[0] in OWN_PLACES
        for name, value in bindings(tree)
    }
    own = {name for name, is_own in bound.items() if is_own}
    if not own:
        return own
    nodes = list(ast.walk(tree))
    calls = [(called(node)[0], node.args) for node in nodes if type(node) is ast.Call]
    for function in nodes:
        # Private functions are called in their module alone.
        if not isinstance(function, ast.FunctionDef) or function.name[0] != "_":
            continue
        arguments = [args for name, args in calls if name == function.name]
        for number, parameter in enumerate(function.args.args):
            given = [args[number] for args in arguments if number < len(args)]
            if given and all(names_in(each) & own for each in given):
                own.add(parameter.arg)
    return own


def our_savers(trees):
    """Names of our classes with a method `save`, which is looked at where it stands."""
    return {
        node.name.lower()
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and "save" in {each.name for each in node.body if hasattr(each, "name")}
    }


def our_modules(tree):
    """Names of our modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "")[:9] == "annotator":
            yield from (alias.asname or alias.name for alias in node.names)


def is_ours(node, modules, savers):
    """Whether `x.save(...)` calls our own function or a method of our own class."""
    owner = node.func.value
    name = getattr(owner, "attr", getattr(owner, "id", ""))
    if isinstance(owner, ast.Call):  # Class.fit(...).save(...), _made_class().save(...)
        name = ast.unparse(owner.func).partition(".")[0]
    name = name.replace("_", "").lower()
    return getattr(owner, "id", "") in modules or any(
        saver.endswith(name) or name.endswith(saver) for saver in savers if name
    )


def writers(text, savers=()):
    """Calls that write a file without the helper, each as it is written."""
    tree = ast.parse(text)
    own, modules = own_names(tree), set(our_modules(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, owner = called(node)
        is_open = name == "open" and set(str(mode_of(node))) & set("wax+")
        is_move = name in MOVERS and (owner in ("os", "shutil") or "link" in name)
        is_move = is_move and not (node.args and names_in(node.args[0]) & own)
        is_descriptor = name == "open" and owner == "os" and "WR" in ast.dump(node)
        is_descriptor = is_descriptor and "os.devnull" not in ast.unparse(node)
        is_copy = name in COPIERS and owner == "shutil"
        is_opener = name in OPENERS and owner not in {"files", *own}
        if is_open or is_move or is_descriptor or is_copy or is_opener:
            yield ast.unparse(node.func)
        elif name in WRITERS and isinstance(node.func, ast.Attribute):
            is_model = ast.unparse(node.func) == "tf.saved_model.save"
            at = 1 if is_model else WRITERS[name]
            places = {n for each in node.args[at : at + 1] for n in names_in(each)}
            if places & own or (name == "save" and is_ours(node, modules, savers)):
                continue
            if node.args or name == "save":
                yield ast.unparse(node.func)


def test_modules_write_by_the_helper_alone():
    paths = sorted(set(PACKAGE.rglob("*.py")) - set(HELPER.rglob("*.py")))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    savers = our_savers(map(ast.parse, texts.values()))
    found = {}
    for path, text in texts.items():
        if here := set(writers(text, savers)):
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
        ("content = io.BytesIO()\nimage.save(content, 'PNG')", False),
        ("image.save(path, 'PNG')", True),
        ("os.open(os.devnull, os.O_WRONLY)", False),
        ("t = files.temporary_folder(p)\nos.replace(t, p)", False),
        (
            "t = files.temporary_folder(p)\n_write(t)\ndef _write(q): np.save(q, a)",
            False,
        ),
        (
            "t = files.temporary_folder(p)\n_write(p)\ndef _write(q): np.save(q, a)",
            True,
        ),
        ("t = files.temporary_folder(p)\nwrite(t)\ndef write(q): np.save(q, a)", True),
        ("run.vocabulary.save(p)", False),
        ("Vocabulary.fit(words).save(p)", False),
        ("from annotator.export import saved_model\nsaved_model.save(p)", False),
        ("model.save(p)", True),
        ("manager.save()", True),
    ],
)
def test_writers_are_found(line, writes):
    assert len(list(writers(line, {"vocabulary"}))) == writes
