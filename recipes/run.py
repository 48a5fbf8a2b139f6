"""Runs rows of the results page, one after the other.

    python -m recipes.run captions_soft                # a row
    python -m recipes.run systems feedback --epochs=3  # two tables, at a small budget
    python -m recipes.run all --list                   # the commands, and no run
    python -m recipes.run tags_means --seed=1 -- --cache_dir=/features

What follows `--` reaches every `train.py` and wins over what the row says. A row whose
scores are there is skipped and one that was cut off goes on, so the same command is
given again after a break. A row that fails is reported, and the next one begins. What
`train.py` prints goes to `RUNS/NAME.log`.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

from recipes.row import Row, Table
from recipes.rows import SPLIT, TABLES, find

ROOT = pathlib.Path(__file__).parents[1]
RUNS = "runs/recipes"
_INTERRUPTED = 130  # what `train.py` ends with after Ctrl-C


@dataclasses.dataclass(frozen=True)
class Job:
    """A row to run.

    Attributes:
        name: Name of its run, the row's, behind which a seed other than 0 stands.
        folder: Folder of its run.
        arguments: The arguments of `train.py`.
        minutes: About how long it takes.
        lacks: The variable of the environment that it names and that is not set.
    """

    name: str
    folder: pathlib.Path
    arguments: list[str]
    minutes: float
    lacks: str = ""

    @property
    def finished(self) -> bool:
        """Whether its scores are there."""
        return (self.folder / "metrics" / f"{SPLIT}.json").is_file()

    @property
    def command(self) -> str:
        """The command as it is typed."""
        python = os.environ.get("PYTHON", "python")
        return shlex.join([python, "train.py", *self.arguments])


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code: 0 if all rows are finished, 1 if any failed.

    Args:
        argv: Its arguments, by default those of the process.
    """
    options = _parse(sys.argv[1:] if argv is None else argv)
    runs = pathlib.Path(options.runs).absolute()
    jobs = [
        job_of(table, row, runs, options.epochs, options.seed, options.extra)
        for table, row in options.rows
    ]
    if options.list:
        print(*(job.command for job in jobs), sep="\n")
        return 0
    return run(jobs)


def job_of(
    table: Table,
    row: Row,
    runs: pathlib.Path,
    epochs: int | None = None,
    seed: int = 0,
    extra: tuple[str, ...] | list[str] = (),
) -> Job:
    """What runs a row.

    Args:
        table: The row's table.
        row: The row.
        runs: Folder of all runs.
        epochs: Another number of epochs, where there are any.
        seed: The seed.
        extra: Further arguments of `train.py`.
    """
    name = f"{row.name}_seed{seed}" if seed else row.name
    named = [
        re.sub("(?<=[=,])@", lambda _: f"{runs}{os.sep}", argument)
        for argument in table.arguments(row)
    ]
    arguments = [os.path.expandvars(argument) for argument in named]
    lacks = "".join(argument.partition("$")[2] for argument in arguments)
    minutes = row.minutes
    if seed:
        arguments.append(f"--seed={seed}")
    if epochs and table.epochs:
        planned = _value(arguments, table.epochs)
        minutes *= epochs / int(planned)
        arguments.append(f"--{table.epochs}={epochs}")
    places = [f"--eval_split={SPLIT}", f"--workdir={runs / name}"]
    return Job(name, runs / name, [*arguments, *places, *extra], minutes, lacks)


def run(jobs: list[Job]) -> int:
    """Runs jobs that are not finished; returns 1 if any of them failed.

    Args:
        jobs: The jobs, in order.
    """
    waiting = [job for job in jobs if not job.finished]
    print(f"{len(jobs)} rows, of which {len(jobs) - len(waiting)} are finished")
    failed, planned, taken = [], 0.0, 0.0
    for number, job in enumerate(waiting):
        # By how much those before were slower than planned.
        pace = taken / planned if planned else 1.0
        left = pace * sum(each.minutes for each in waiting[number:])
        print(
            f"{number + 1} of {len(waiting)}: {job.name}, about "
            f"{_duration(pace * job.minutes)}; {_duration(left)} left in all",
            flush=True,
        )
        if job.lacks:
            failed.append(job)
            print(f"  failed: set ${job.lacks} to a file of weights", flush=True)
            continue
        start = time.monotonic()
        code = _train(job)
        minutes = (time.monotonic() - start) / 60
        if code == _INTERRUPTED:
            print("interrupted: the same command goes on")
            return _INTERRUPTED
        if code or not job.finished:
            failed.append(job)
            print(f"  failed: {_last_line(job)} (see {_log(job)})", flush=True)
            continue
        planned, taken = planned + job.minutes, taken + minutes
        print(f"  done in {_duration(minutes)}", flush=True)
    if failed:
        names = " ".join(job.name for job in failed)
        print(f"{len(failed)} failed, and go on with the same command: {names}")
    return 1 if failed else 0


def _train(job):
    """Runs `train.py` in the project's folder; its exit code."""
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    command = [
        os.environ.get("PYTHON", sys.executable),
        "train.py",
        *job.arguments,
    ]
    with open(_log(job), "a", encoding="utf-8") as log:
        print(f"$ {job.command}", file=log, flush=True)
        try:
            return subprocess.run(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            ).returncode
        except KeyboardInterrupt:
            return _INTERRUPTED


def _log(job):
    return job.folder.with_name(f"{job.name}.log")


def _last_line(job):
    """The error that a log ends with."""
    lines = _log(job).read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if re.search("error", line, re.IGNORECASE)]
    return (errors or lines)[-1].strip()


def _duration(minutes):
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _value(arguments, flag):
    (value,) = [a.partition("=")[2] for a in arguments if a.startswith(f"--{flag}=")]
    return value


def _parse(argv):
    tables = ", ".join(table.name for table in TABLES)
    parser = argparse.ArgumentParser(
        prog="python -m recipes.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "rows", nargs="+", help=f"rows, or tables ({tables}), or all of them (all)"
    )
    parser.add_argument(
        "--runs", default=RUNS, help=f"folder of runs (default: {RUNS})"
    )
    parser.add_argument("--epochs", type=int, help="another number of epochs, for all")
    parser.add_argument("--seed", type=int, default=0, help="the seed (default: 0)")
    parser.add_argument("--list", action="store_true", help="print commands, run none")
    extra = argv[argv.index("--") + 1 :] if "--" in argv else []
    options = parser.parse_args(argv[: argv.index("--")] if "--" in argv else argv)
    options.extra = extra
    if options.epochs is not None and options.epochs < 1:
        parser.error(f"--epochs must be 1 or more, got {options.epochs}")
    try:
        options.rows = find(options.rows)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(main())
