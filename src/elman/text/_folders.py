"""What in a folder is a text: the classes of a folder of folders, and files that systems leave everywhere."""

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import DataError, LabelError, listing
from ._formats import TABLES, Row, kind_of
from ._open import decoded_lines, is_wide, open_bytes

_notes = logging.getLogger("elman.text")

_LEFTOVERS = ("thumbs.db", "desktop.ini", "__macosx")
_TRAINING = ("train", "training")
_PARTS = (*_TRAINING, "test", "testing", "valid", "validation", "val", "dev", "eval")
_UNLABELLED = ("unsup", "unsupervised", "unlabelled", "unlabeled")
_START = 2**13


class Tree(NamedTuple):
    """The files of class folders, by class in sorted order, and what is passed over by reason, relative to the root."""

    classes: dict[str, list[Path]]
    passed_over: dict[str, list[str]]


def is_leftover(place: Path) -> bool:
    """Whether a file, by its path below a folder of data, is hidden or left there by a system."""
    return any(part.startswith(".") or part.lower() in _LEFTOVERS for part in place.parts)


def class_folders(folder: Path, encoding_of: Callable[[Path], str]) -> Iterator[Row]:
    """A row per file, at any depth below a folder per class; class by class, files in the order of their paths.

    Passed over, and said so: hidden files and what systems leave behind, files beside the class folders, tables and
    binary files, links to folders, and folders whose name says that they have no labels.

    Raises:
        DataError: no class folder, or the parts of a data set in the place of classes.
        LabelError: a name that cannot be a label.
    """
    tree = _tree(folder)
    for label, files in tree.classes.items():
        for path in files:
            text = _text(path, encoding_of)
            if text is None:
                tree.passed_over["binary files"].append(str(path.relative_to(folder)))
            else:
                yield Row(text, label, 1)
    for reason, names in tree.passed_over.items():
        _notes.warning("%s: passed over %s %s: %s", folder, f"{len(names):,}", reason, listing(names))


def _tree(folder: Path) -> Tree:
    tree = Tree({}, defaultdict(list))
    inside = sorted(folder.iterdir())
    folders = [path for path in inside if path.is_dir() and not is_leftover(Path(path.name))]
    _check_no_parts(folder, folders)
    for path in inside:
        if path not in folders:
            reason = "hidden files or leftovers" if is_leftover(Path(path.name)) else "files beside the class folders"
            tree.passed_over[reason].append(path.name)
        elif path.name.lower() in _UNLABELLED:
            tree.passed_over["folders of texts without labels, which --unlabelled reads"].append(path.name)
        else:
            tree.classes[_label(path)] = sorted(_files(path, folder, tree))
    if not tree.classes:
        raise DataError(f"{folder}: expected one sub-folder per class, found none")
    empty = [label for label, files in tree.classes.items() if not files]
    if empty:
        tree.passed_over["class folders without a text"] += empty
    return tree


def _files(class_folder: Path, root: Path, tree: Tree) -> Iterator[Path]:
    """Those that may be texts; the others go into `passed_over`."""
    for parent, folders, names in os.walk(class_folder):
        place = Path(parent).relative_to(root)
        for name in sorted(folders):
            if is_leftover(Path(name)):
                tree.passed_over["hidden files or leftovers"].append(str(place / name))
                folders.remove(name)
            elif (Path(parent) / name).is_symlink():
                tree.passed_over["links to folders"].append(str(place / name))
        for name in sorted(names):
            path = Path(parent) / name
            if is_leftover(Path(name)):
                tree.passed_over["hidden files or leftovers"].append(str(place / name))
            elif kind_of(path) in TABLES:
                tree.passed_over["tables"].append(str(place / name))
            elif path.is_file():
                yield path
            else:
                tree.passed_over["broken links or no files"].append(str(place / name))


def _text(path: Path, encoding_of: Callable[[Path], str]) -> str | None:
    """What is in a file; None if by its first 8 kB it is no text."""
    if path.stat().st_size == 0:
        return ""
    with open_bytes(path) as file:
        start, encoding = file.read(_START), encoding_of(path)
        if start.startswith(b"%PDF-") or (b"\0" in start and not is_wide(encoding)):
            return None
        file.seek(0)
        return "".join(decoded_lines(file, str(path), encoding))


def _check_no_parts(folder: Path, folders: list[Path]) -> None:
    """Raises DataError for a folder such as aclImdb, whose sub-folders are its parts and hold the classes."""
    parts = [path for path in folders if path.name.lower() in _PARTS]
    if (len(parts) < len(folders) and not any(map(_has_folders, parts))) or not parts:
        return
    example = next((path for path in parts if path.name.lower() in _TRAINING), parts[0])
    raise DataError(
        f"{folder}: expected a folder per class, got the parts of a data set, {listing(path.name for path in parts)}; "
        f"give the one that has a folder per class, such as {example}, and another with --validation or --test"
    )


def _has_folders(folder: Path) -> bool:
    return any(path.is_dir() and not is_leftover(Path(path.name)) for path in folder.iterdir())


def _label(class_folder: Path) -> str:
    name = class_folder.name
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise LabelError(f"{class_folder.parent}: the name of a class folder must be UTF-8, got {name!r}") from None
    return name
