"""Sessions of nox: `nox -s lint`, `nox -s tests-3.12`, `nox -s docs`."""

import nox

EXTRAS = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]

nox.options.sessions = ["lint", "tests"]
nox.options.default_venv_backend = "venv"


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The tests; what follows `--` goes to pytest, such as `-m slow`."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, codespell and mypy, without the libraries of the package."""
    tools = ("codespell", "mypy", "ruff")
    session.install(*(tool for tool in EXTRAS["test"] if tool.startswith(tools)))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The pages and the API reference, in build/site; the package is not imported."""
    session.install(*EXTRAS["docs"])
    session.run("mkdocs", "build", "--strict")
