"""Scenes of colored shapes: what is in them, their captions, tags and pictures."""

import collections
import dataclasses
import itertools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

COLORS = {
    "red": (222, 52, 48),
    "green": (52, 168, 72),
    "blue": (48, 96, 224),
    "yellow": (246, 206, 40),
    "purple": (150, 62, 190),
    "orange": (246, 136, 32),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
BACKGROUNDS = {"white": (244, 244, 242), "grey": (160, 164, 168), "black": (36, 36, 42)}
SIZES = ("large", "small")
RELATIONS = ("beside", "above", "inside", "between")

# Every tag a scene can have.
TAGS = (*COLORS, *SHAPES, *SIZES, *RELATIONS)

_SUPERSAMPLING = 4
_ARRANGEMENTS = ("single", "beside", "above", "inside", "between")
_CHANCES = (0.25, 0.2, 0.2, 0.15, 0.2)


@dataclasses.dataclass(frozen=True)
class Item:
    """A shape in a scene.

    Args:
        color: A key of `COLORS`.
        shape: One of `SHAPES`.
        x: Center, from the left, in units of the picture's side.
        y: Center, from the top, in the same units.
        radius: Size, in the same units.
        angle: Turn, in radians.
    """

    color: str
    shape: str
    x: float
    y: float
    radius: float
    angle: float

    def __str__(self) -> str:
        return f"{self.color} {self.shape}"


@dataclasses.dataclass(frozen=True)
class Scene:
    """One to three shapes in a spatial relation, on a background.

    Args:
        items: The shapes; from left to right, from top to bottom, or the inner one
            first.
        arrangement: `single`, `beside`, `above`, `inside` or `between`.
        background: A key of `BACKGROUNDS`.
        size: `large` or `small`: of a single shape, else `""`.
        vertical: For `between`: stacked, not in a row.
    """

    items: tuple[Item, ...]
    arrangement: str
    background: str
    size: str = ""
    vertical: bool = False

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Scene":
        """Draws a scene; no two shapes in it share both color and shape.

        Args:
            rng: Source of all choices.

        Returns:
            The scene.
        """
        arrangement = str(rng.choice(_ARRANGEMENTS, p=_CHANCES))
        background = str(rng.choice(list(BACKGROUNDS)))
        size, vertical = "", bool(rng.integers(2))
        if arrangement == "single":
            size = str(rng.choice(SIZES))
            radius = rng.uniform(0.25, 0.31) if size == "large" else _small(rng)
            margin = radius + 0.05
            x, y = rng.uniform(margin, 1 - margin, 2)
            discs = [(x, y, radius)]
        elif arrangement == "inside":
            x, y = rng.uniform(0.42, 0.58, 2)
            inner_x = x + rng.uniform(-0.02, 0.02)
            inner_y = y + rng.uniform(-0.02, 0.02)
            discs = [
                (inner_x, inner_y, rng.uniform(0.13, 0.15)),
                (x, y, rng.uniform(0.35, 0.38)),
            ]
        else:
            if arrangement == "between":
                lines: tuple[float, ...] = (0.18, 0.5, 0.82)
                reach = 0.145
            else:
                lines, reach = (0.27, 0.73), 0.2
                vertical = arrangement == "above"
            across = rng.uniform(0.35, 0.65)
            discs = []
            for line in lines:
                along = line + rng.uniform(-0.02, 0.02)
                side = across + rng.uniform(-0.06, 0.06)
                x, y = (side, along) if vertical else (along, side)
                discs.append((x, y, rng.uniform(0.9, 1) * reach))
        # Different numbers below colors x shapes are different pairs.
        kinds = rng.choice(len(COLORS) * len(SHAPES), len(discs), replace=False)
        items = [
            Item(
                color=list(COLORS)[kind // len(SHAPES)],
                shape=SHAPES[kind % len(SHAPES)],
                x=float(x),
                y=float(y),
                radius=float(radius),
                angle=float(rng.uniform(-0.12, 0.12)),
            )
            for kind, (x, y, radius) in zip(kinds, discs, strict=True)
        ]
        if arrangement == "inside":
            # A star or a cross has no room for another shape in it.
            roomy = ("circle", "square")[int(rng.integers(2))]
            items[1] = dataclasses.replace(items[1], shape=roomy)
            if items[0].color == items[1].color:  # would not stand out
                others = [color for color in COLORS if color != items[1].color]
                items[0] = dataclasses.replace(items[0], color=str(rng.choice(others)))
        return cls(tuple(items), arrangement, background, size, vertical)

    def captions(self) -> tuple[str, ...]:
        """Five captions of one scene: one grammar, in different words."""
        ground = f"on a {self.background} background"
        if self.arrangement == "single":
            (item,) = self.items
            thing = f"a {self.size} {item}"
            return (
                f"{thing} {ground}",
                f"there is {thing} {ground}",
                f"the picture shows {thing} {ground}",
                f"{thing} is {ground}",
                f"a {self.background} background with {thing}",
            )
        if self.arrangement == "between":
            first, middle, last = (f"a {item}" for item in self.items)
            ends = f"{first} and {last}"
            line = "column" if self.vertical else "row"
            return (
                f"{middle} is between {ends}",
                f"there is {middle} between {ends}",
                f"the picture shows {middle} between {ends}",
                f"{middle} between {ends} {ground}",
                f"a {line} of {first} , {middle} and {last}",
            )
        relation, inverse = {
            "beside": ("to the left of", "to the right of"),
            "above": ("above", "below"),
            "inside": ("inside", "around"),
        }[self.arrangement]
        first, second = (f"a {item}" for item in self.items)
        if self.arrangement == "inside":
            first, second = (f"a small {self.items[0]}", f"a large {self.items[1]}")
        return (
            f"{first} is {relation} {second}",
            f"there is {first} {relation} {second}",
            f"the picture shows {first} {relation} {second}",
            f"{first} {relation} {second} {ground}",
            f"{second} is {inverse} {first}",
        )

    def tags(self) -> tuple[str, ...]:
        """The colors, shapes, stated sizes and relation, in the order of `TAGS`."""
        present = {self.arrangement, self.size}
        present.update(item.color for item in self.items)
        present.update(item.shape for item in self.items)
        if self.arrangement == "inside":
            present.update(SIZES)
        return tuple(tag for tag in TAGS if tag in present)

    def draw(self, side: int, rng: np.random.Generator) -> Image.Image:
        """Paints the scene as an RGB picture of `side` x `side` pixels.

        Args:
            side: Pixels of a side.
            rng: Source of the light's direction and the exact shades.

        Returns:
            The picture.
        """
        fine = side * _SUPERSAMPLING
        picture = _background(BACKGROUNDS[self.background], side, rng)
        # The outer shape first, so that the inner one lies on it.
        for item in reversed(self.items):
            mask = Image.new("L", (fine, fine))
            ImageDraw.Draw(mask).polygon(_outline(item, fine), fill=255)
            mask = mask.reduce(_SUPERSAMPLING)  # smooth edges
            shadow = mask.filter(ImageFilter.GaussianBlur(side / 50))
            shadow = shadow.point(lambda value: value * 0.35)
            offset = max(1, round(side / 56))
            picture.paste((0, 0, 0), (offset, offset), shadow)
            shade = np.clip(
                np.array(COLORS[item.color]) * rng.uniform(0.9, 1.06), 0, 255
            )
            picture.paste(tuple(int(value) for value in shade), (0, 0), mask)
        return picture


def named_items(caption: str) -> collections.Counter[tuple[str, str]]:
    """The shapes that a caption names with their colors, and how often each.

    Args:
        caption: A caption in the words of `Scene.captions`.
    """
    words = caption.split()
    return collections.Counter(
        (color, shape)
        for color, shape in itertools.pairwise(words)
        if color in COLORS and shape in SHAPES
    )


def _small(rng):
    return rng.uniform(0.13, 0.15)


def _background(color, side, rng):
    """A plain color under soft light from one side."""
    angle = rng.uniform(0, 2 * math.pi)
    ramp = np.linspace(-1, 1, side)
    light = ramp[None, :] * math.cos(angle) + ramp[:, None] * math.sin(angle)
    pixels = np.array(color) + 10 * light[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB")


def _outline(item, side):
    """The polygon's corners in pixels."""
    radius, turn = item.radius, item.angle
    if item.shape == "circle":
        corners = [(radius, 2 * math.pi * step / 72) for step in range(72)]
    elif item.shape == "square":
        corners = [(radius * 1.1, math.pi * (step / 2 + 0.25)) for step in range(4)]
    elif item.shape == "triangle":
        corners = [(radius * 1.2, math.pi * (2 * step / 3 - 0.5)) for step in range(3)]
    elif item.shape == "star":
        corners = [
            (radius * (0.5 if step % 2 else 1.2), math.pi * (step / 5 - 0.5))
            for step in range(10)
        ]
    else:
        arm, width = radius * 1.1, radius * 0.36
        points = [(width, arm), (width, width), (arm, width)]
        points += [(x, -y) for x, y in reversed(points)]
        points += [(-x, y) for x, y in reversed(points)]
        corners = [(math.hypot(x, y), math.atan2(y, x)) for x, y in points]
    return [
        (
            (item.x + length * math.cos(angle + turn)) * side,
            (item.y + length * math.sin(angle + turn)) * side,
        )
        for length, angle in corners
    ]
