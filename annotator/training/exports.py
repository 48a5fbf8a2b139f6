"""The exports of a run's trained models."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from annotator import files, loading
from annotator.captioner import CaptionDetails
from annotator.config import Config
from annotator.export import saved_model
from annotator.export.libraries import library_versions
from annotator.export.versions import HELD_OUT, MANIFEST, TEACHING, latest
from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.run import Run
from annotator.tagger.lift.label_lift import LabelLift
from annotator.tagger.rules.given_tags import given_tags
from annotator.tagger.teaching_basis import TeachingBasis
from annotator.tagger.top_tags import TopTags
from annotator.training.tagger.chosen import chosen_settings


def export_tagger(run: Run) -> list[pathlib.Path]:
    """Exports a run's tagger; returns the paths of `saved_model.save`."""
    tagger, words = run.tagger(), run.words()
    top = TopTags(
        words,
        run.config.top_k,
        run.config.threshold,
        run.config.rank_by,
        name="top_tags",
    )
    probabilities = run.calibration()
    head = given_tags(tagger, top, run.word_thresholds(), probabilities)
    served: tuple[str, ...] = ("tags", "scores")
    if probabilities is not None:
        served += ("probabilities",)
    return export_head(
        run, TAGGER, head, served=served, extras=_extras(run, TAGGER), words=words
    )


def export_captioner(run: Run) -> list[pathlib.Path]:
    """Exports a run's captioner; returns the paths of `saved_model.save`."""
    captioner = run.captioner()
    served: tuple[str, ...] = ("captions", "scores")
    if captioner.word_probability is not None:
        served += ("word_probabilities",)
    return export_head(
        run,
        CAPTIONER,
        captioner,
        served=served,
        detailed_head=CaptionDetails(captioner),
        words=list(captioner.vocabulary.words),
        **_captioner_facts(run),
    )


def is_current(run: Run, task: Task, manifest: dict) -> bool:
    """Whether an export is of the trained model and decodes as the settings say.

    Args:
        run: The run.
        task: The task of the model.
        manifest: The export's, see `annotator.export.saved_model`.
    """
    extras = {str(MANIFEST.with_name(name)) for name in _extras(run, task)}
    facts = _FACTS[task](run) if task in _FACTS else {}
    # What another version did not write is what it did.
    then = Config.from_json(
        {k: v for k, v in manifest["config"].items() if k in Config.settings()},
        str(MANIFEST),
    )
    return (
        manifest["trained"] == files.sha256(run.files.model(task.name))
        and (f"{task.name}.keras" in manifest["files"] or not run.config.keras_file)
        and extras <= manifest["files"].keys()
        and all(manifest.get(name) == fact for name, fact in facts.items())
        and all(
            getattr(then, name) == getattr(run.config, name)
            for name in task.settings.exported()
        )
    )


def export_head(
    run: Run,
    task: Task,
    head: Callable,
    served: tuple[str, ...],
    detailed_head: Callable | None = None,
    extras: Mapping[str, Callable[[pathlib.Path], None]] | None = None,
    **facts: Any,
) -> list[pathlib.Path]:
    """Exports a head behind the backbone and the views of its task.

    Args:
        run: The run.
        task: The task.
        head: From regions `[batch, R, channels]` to a dict of outputs, made of layers.
        served: Names of the outputs that are served.
        detailed_head: The same with more outputs, for the signature `details`.
        extras: As of `saved_model.save`.
        **facts: What the manifest says besides, JSON-ready.

    Returns:
        The paths written, as of `saved_model.save`.
    """
    views, backbone = task.views(run.config), run.backbone(task)
    model, views_model = saved_model.image_model(backbone, views, head, task.name)
    details = None
    if detailed_head is not None:
        _, details = saved_model.image_model(
            backbone, views, detailed_head, f"{task.name}_details"
        )
    manifest = {
        "config": run.config.to_json(),
        "trained": files.sha256(run.files.model(task.name)),
        **facts,
    }
    return saved_model.save(
        run.files.export,
        task.name,
        model,
        views_model,
        views,
        manifest,
        served,
        details,
        extras,
        run.config.keras_file,
    )


def _captioner_facts(run):
    fitted = run.word_probability()
    return {"word_probability": None if fitted is None else fitted.get_config()}


def _extras(run, task):
    """What an export of the task has beside the model: names of files, and writers."""
    return _EXTRAS[task](run) if task in _EXTRAS else {}


def _beside_tagger(run):
    extras = {}
    # Only a tagger with a vector an image can be taught by single images.
    if run.files.vectors.is_file():
        extras[TEACHING] = functools.partial(_write_teaching, run)
    held_out = run.held_out()
    if held_out is not None:
        extras[HELD_OUT] = held_out.save
    return extras


def _write_teaching(run: Run, path: pathlib.Path) -> None:
    basis = _fitted_basis(run)
    basis.save(path)


def teaching_basis(run: Run) -> TeachingBasis:
    """What a run's tagger hands on to be taught; it must have a vector an image.

    The newest export holds it, if it is of this tagger; without one it is fitted, which
    takes minutes where vectors are long.

    Args:
        run: The run.
    """
    found = latest(run.files.export, TAGGER.name)
    if found is not None:
        folder, manifest = found
        path = folder / MANIFEST.with_name(TEACHING)
        # What other versions fitted may be another basis.
        if (
            manifest["trained"] == files.sha256(run.files.model(TAGGER.name))
            and manifest["versions"] == library_versions()
            and path.is_file()
            and files.sha256(path)
            == manifest["files"].get(str(path.relative_to(folder)))
        ):
            return TeachingBasis.load(path)
    return _fitted_basis(run)


def _fitted_basis(run):
    stored = loading.arrays(run.files.tags)
    config = chosen_settings(run.config, run.files)
    # Of a tagger that has no such settings the basis has its own.
    settings: dict[str, Any] = {"shrinkage": config.shrinkage, "margin": config.margin}
    basis = TeachingBasis.fit(
        stored["words"].tolist(),
        loading.array(run.files.vectors, mmap_mode="r"),
        stored["tags"],
        int(stored["whitening_rows"]),
        known=stored["known"] if "known" in stored else None,
        **{name: value for name, value in settings.items() if value is not None},
    )
    lift = run.tagger().layers[-1]
    if not isinstance(lift, LabelLift):
        return basis
    lifts, sharpness = lift.get_weights()
    return dataclasses.replace(basis, lifts=lifts, sharpness=float(sharpness))


_EXTRAS: dict[Task, Callable[[Run], dict[str, Callable[[pathlib.Path], None]]]] = {
    TAGGER: _beside_tagger
}
# What else the manifest says that is exported, and may be made after a training.
_FACTS: dict[Task, Callable[[Run], dict[str, Any]]] = {CAPTIONER: _captioner_facts}
