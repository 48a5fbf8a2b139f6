"""Rules on words: which are given, under which names, and which others they imply.

One file holds them all, UTF-8, a rule a line:

```
[include]
dog                   # if there are any, only these are given, and what they imply
[exclude]
person                # never given
[rename]
automobile = car      # given under another name; words of the same name are one
[imply]
poodle = dog, pet     # what gets the left gets the right, too, and what that implies
[translate]
dog = Hund            # at the very end, word for word; of a path, each of its words
```

They are applied in the order rename, include and exclude, imply, translate; what is
excluded is not implied. Each names words as the rules before leave them. A word that
the model does not know is no error: one file serves several models.
"""

import configparser
import dataclasses
import os
from collections.abc import Mapping, Sequence

Pairs = tuple[tuple[str, str], ...]
_SECTIONS = ("include", "exclude", "rename", "imply", "translate")
_LISTS = ("include", "exclude")


@dataclasses.dataclass(frozen=True)
class WordRules:
    """What is made of a model's words; see the module for each.

    Attributes:
        include: Words that are given; empty for all.
        exclude: Words that are not.
        rename: Pairs of an old and a new name.
        imply: Pairs of a word and one that comes with it.
        translate: Pairs of a word and what stands for it in the end.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: Pairs = ()
    imply: Pairs = ()
    translate: Pairs = ()

    def apply(self, words: Sequence[str]) -> dict[str, list[int]]:
        """What becomes of a model's words.

        Args:
            words: The W words of the model.

        Returns:
            Dict from each word that is given to the indices of those that it is made
            of; its score is the highest of theirs.

        Raises:
            ValueError: When no word is left.
        """
        names, implied = dict(self.rename), _closure(self.imply)
        table = dict(self.translate)
        given: dict[str, list[int]] = {}
        for index, word in enumerate(words):
            word = names.get(word, word)
            if word in self.exclude or (self.include and word not in self.include):
                continue
            for each in (word, *implied.get(word, ())):
                if each not in self.exclude:
                    given.setdefault(_translated(each, table), []).append(index)
        if not given:
            raise ValueError(
                f"The rules of --words leave none of the model's {len(words)} words, "
                f"such as {', '.join(words[:5])}."
            )
        return given


def read_word_rules(path: str | os.PathLike[str]) -> WordRules:
    """Reads a file of rules.

    Args:
        path: The file, in the form that the module shows.

    Returns:
        The rules.

    Raises:
        ValueError: When a line is malformed or a section unknown; the message names it.
        FileNotFoundError: When there is no such file.
    """
    parser = configparser.ConfigParser(
        delimiters=("=",),
        comment_prefixes=("#",),
        inline_comment_prefixes=("#",),
        allow_no_value=True,
        default_section="",
        interpolation=None,
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        with open(path, encoding="utf-8-sig") as file:
            parser.read_file(file, os.fspath(path))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ValueError(f"--words={path}: {' '.join(str(error).split())}") from error
    rules: dict[str, tuple] = {}
    for section in parser.sections():
        if section not in _SECTIONS:
            raise ValueError(
                f"--words={path}: unknown section [{section}]; there are "
                f"{', '.join(_SECTIONS)}."
            )
        items = parser.items(section)
        for word, value in items:
            _check(path, section, word, value)
        if section in _LISTS:
            rules[section] = tuple(word for word, _ in items)
        elif section == "imply":
            rules[section] = tuple(
                (word, each.strip())
                for word, value in items
                for each in value.split(",")
                if each.strip()
            )
        else:
            rules[section] = tuple((word, value.strip()) for word, value in items)
    return WordRules(**rules)


def _check(path, section, word, value):
    if section in _LISTS and value is not None:
        raise ValueError(
            f"--words={path}: [{section}] takes a word a line; got {word} = {value}."
        )
    if section not in _LISTS and not (value or "").strip():
        raise ValueError(
            f"--words={path}: [{section}] takes lines such as old = new; got {word!r}."
        )


def _closure(pairs: Pairs) -> dict[str, list[str]]:
    """What each word implies, directly or by what it implies."""
    direct: dict[str, list[str]] = {}
    for word, implied in pairs:
        direct.setdefault(word, []).append(implied)
    closure = {}
    for word in direct:
        found, waiting = [word], list(direct[word])
        while waiting:
            each = waiting.pop(0)
            if each not in found:
                found.append(each)
                waiting += direct.get(each, ())
        closure[word] = found[1:]
    return closure


def _translated(word: str, table: Mapping[str, str]) -> str:
    if word in table:
        return table[word]
    return "|".join(table.get(part, part) for part in word.split("|"))
