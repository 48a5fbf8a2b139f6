"""The configuration of a run: all its settings, and what must hold between them."""

import dataclasses
from typing import Any

from annotator.config.captioner import CaptionerSettings
from annotator.config.data import DataSettings
from annotator.config.names import suggestion
from annotator.config.presets import PAPER, SHAPES
from annotator.config.setting import Settings
from annotator.config.tagger import TaggerSettings

# The settings of each head.
HEADS: dict[str, type[Settings]] = {
    "tagger": TaggerSettings,
    "captioner": CaptionerSettings,
}


@dataclasses.dataclass(frozen=True)
class Config(CaptionerSettings, TaggerSettings, DataSettings):
    """Everything that decides the result of a run; the fields are those of its bases.

    Raises:
        ValueError: If a setting is out of its bounds, or does not go with another.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, settings in HEADS.items():
            if self.task in (name, "all"):
                settings.check_together(self)
        # Of the scheme's views the data's settings tell.
        if self.scheme.one_view and (len(self.scales) > 1 or self.flip):
            raise ValueError(
                f"--tagger={self.tagger} reads one view of an image: give one of "
                "--scales and no --flip."
            )

        if (
            self.task in ("tagger", "all")
            and "+" in self.dataset.partition(":")[0]
            and not self.scheme.learns_partly
        ):
            raise ValueError(
                f"--tagger={self.tagger} takes a word that an image lacks for one that "
                f"does not suit it, but in --dataset={self.dataset} each data set has "
                "words of its own: take --tagger=means."
            )

    def check_request(self) -> None:
        """Refuses what a training must not be asked for, though a run may hold it.

        A folder keeps the settings of a tagger that extended another, also when a
        captioner is trained beside it: not the settings are wrong, but to ask for both.

        Raises:
            ValueError: If `extend` is given together with a head that cannot be
                extended.
        """
        if not self.extend:
            return
        for name, settings in HEADS.items():
            if self.task in (name, "all") and "extend" not in settings.settings():
                raise ValueError(
                    f"--extend adds images and words to a tagger. The {name} of "
                    f"--task={self.task} would know nothing of {self.extend}: it would "
                    "be trained from the start, on this data set's images alone. Say "
                    f"--task=tagger with --extend, and --task={name} without it, on a "
                    "data set that holds all the images, or with --init_from, so that "
                    "it starts from the earlier run's."
                )

    @classmethod
    def for_dataset(cls, dataset: str, **settings: Any) -> "Config":
        """Settings with the defaults that suit a data set and a schedule.

        Args:
            dataset: Name of the data set. `shapes` is small and drawn: it takes its own
                80 pixels, a small decoder, and a layer in the middle of VGG; of other
                networks their default layers and, but for VGG16, whose weights come
                with the package, random weights, so that nothing is downloaded.
            **settings: Other settings; those that are `None` take the default. The
                schedule `"paper"` takes the published rates, number of epochs, layers
                and feedback; decoders other than `"stacked"` come without feedback, as
                published. An explicit `feedback` comes with a round.

        Raises:
            ValueError: If a setting is wrong.
        """
        values = dict(SHAPES) if dataset == "shapes" else {}
        backbone = settings.get("backbone") or "vgg16"
        if backbone not in ("vgg16", "vgg19"):
            for name in ("tap", "captioner_tap"):
                values.pop(name, None)
        if dataset == "shapes" and backbone != "vgg16":
            values["backbone_weights"] = "random"
        if any(
            settings.get(name) is not None for name in ("threshold", "tag_precision")
        ):
            values.pop("tag_probability", None)  # another limit in its place
        if settings.get("schedule") == "paper":
            values.update(PAPER)
        if settings.get("decoder", "stacked") not in (None, "stacked"):
            values["rounds"] = 0
        values.update({k: v for k, v in settings.items() if v is not None})
        if settings.get("feedback") and settings.get("rounds") is None:
            values["rounds"] = 1  # who says which wants one
        if values.get("epochs") in (0, 1):  # no time for the decoder alone
            values.setdefault("feedback_start", 0)
        return cls(dataset=dataset, **values)

    @classmethod
    def from_json(cls, values: Any, where: str) -> "Config":
        """The settings that a JSON file holds.

        Args:
            values: The content of the file, a flat object. What another version of the
                package did not write takes its default.
            where: The file, for messages.

        Raises:
            ValueError: If it holds a setting that there is not, or a wrong value; the
                message names both the file and the setting.
        """
        if not isinstance(values, dict):
            raise ValueError(f"{where} holds no settings.")
        known = cls.settings()
        for name in values:
            if name not in known:
                raise ValueError(
                    f"{where} has a setting {name!r}, unknown to this version of "
                    f"annotator.{suggestion(name, known)}"
                )
        try:
            before = {k: s.before for k, s in known.items() if s.before is not None}
            given = {k: known[k].from_json(v) for k, v in values.items()}
            return cls(**{**before, **given})
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """The settings as a flat object; `from_json` takes it."""
        return dataclasses.asdict(self)

    def different_encoding(self, other: "Config") -> str | None:
        """Finds out whether image vectors of two runs can be compared.

        Args:
            other: Settings of another run.

        Returns:
            Name of the first setting that makes vectors of different kinds, or `None`
            if they can be compared.
        """
        if self.pooling != other.pooling:
            return "tagger"
        for name in self.pooling_settings + self.encoding():
            if getattr(self, name) != getattr(other, name):
                return name
        return None
