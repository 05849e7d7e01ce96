"""Finished work on disk: what was computed once under a configuration is read the next time."""

import ast
import hashlib
import inspect
import io
import json
import os
import platform
import tempfile
import textwrap
import tokenize
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex

import joblib
import numpy as np

from alkit import ROOT, __version__

NUMBERS = ("augmentation", "network", "training")  # modules of which every line may change a number
SCALARS = (int, float, str, bytes)
DATA = (*SCALARS, tuple, list, dict, np.ndarray)
LAYOUT = {tokenize.NEWLINE: "\n", tokenize.INDENT: "{", tokenize.DEDENT: "}", tokenize.ENDMARKER: ""}


def folder() -> Path:
    """Where records are kept: the environment variable ALKIT_RECORDS, or `records`, seen from the project's folder."""
    return ROOT / (os.environ.get("ALKIT_RECORDS") or "records")


def once(config: dict, compute: Callable[[], dict], shipped: str = "") -> dict:
    """What `compute` gives for this configuration, a dict of arrays and what JSON holds: read if there, otherwise kept.

    Looked up in the folder `shipped`, seen from the project's, which is never written, then in `folder()`. Raises
    OSError where nothing can be kept, before anything is computed.
    """
    name = key(config)
    kept = (read(name, place) or {} for place in [ROOT / shipped] * bool(shipped) + [folder()])
    # That of another configuration, under this name, would be another result.
    done = next((done for done in kept if isinstance(done.get("config"), dict) and key(done["config"]) == name), None)
    if done is None:
        check()
        done = compute()
        check(lambda: write(name, done | {"config": config}, folder()))  # the disk may be full by now
    return done


def exists(config: dict, shipped: str = "") -> bool:
    """Whether `once` would find this configuration, unless its files are damaged."""
    return any((place / f"{key(config)}.json").is_file() for place in [ROOT / shipped] * bool(shipped) + [folder()])


def key(config: dict) -> str:
    """Name a result by everything that can change it: 20 hexadecimal digits of a SHA-256 of the JSON."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:20]


def write(name: str, result: dict, place: Path) -> None:
    """Keep a result. The JSON file comes last, so that a stop at any moment leaves either all of it or nothing."""
    arrays = {key: value for key, value in result.items() if isinstance(value, np.ndarray)}
    record = {key: value for key, value in result.items() if key not in arrays}
    np.savez_compressed(packed := io.BytesIO(), **arrays)
    record = json.dumps(record | {"digest": _digest_of_both(record, packed.getvalue())}, indent=1)
    place.mkdir(parents=True, exist_ok=True)
    replace_file(place / f"{name}.npz", lambda path: path.write_bytes(packed.getvalue()))
    replace_file(place / f"{name}.json", lambda path: path.write_text(record, encoding="utf-8"))


def read(name: str, place: Path) -> dict | None:
    """Return a result, or None if it is not there, cannot be read or was changed, so that it is computed again."""
    with suppress(Exception):  # absent, or damaged in one of the many ways a file can be
        record = json.loads((place / f"{name}.json").read_text(encoding="utf-8"))
        packed = (place / f"{name}.npz").read_bytes()
        if record.pop("digest", None) in (None, _digest_of_both(record, packed)):  # once, none was kept
            with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
                return record | dict(arrays)
    return None


def _digest_of_both(record: dict, packed: bytes) -> str:
    return hashlib.sha256(json.dumps(record).encode() + packed).hexdigest()[:16]


def check(keep: Callable[[], object] = lambda: tempfile.TemporaryFile(dir=folder()).close()) -> None:
    """Raise OSError where nothing can be kept, before a training is lost to that; `keep` is what is tried."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        keep()
    except OSError as error:
        problem = f"{folder()} cannot be written ({error.strerror or error})"
        raise OSError(f"{problem}; set the environment variable ALKIT_RECORDS to a folder of yours.") from error


def replace_file(path: Path, write_to: Callable[[Path], object]) -> None:
    """Write a file under a temporary name of the same suffix, then give it its own: it is never half there."""
    # Containers that share a folder may have processes of the same number.
    partial = path.with_name(f".{os.getpid()}.{token_hex(4)}.{path.name}")
    try:
        write_to(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@cache
def digest_of_numbers() -> str:
    """A digest of the code that makes numbers; an edit of a comment, a docstring or the layout does not change it."""
    return _digest([Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8") for name in NUMBERS])


def digest_of(*functions: Callable) -> str:
    """A digest of the code of functions, of what they name in their own module or in the kit, and of what they enclose.

    Data that pickle can take count by their content, classes of the same module by their methods. Raises ValueError for
    what is no function made with def, for one whose text cannot be read, and for a random generator that is named.
    """
    if other := [each for each in functions if not inspect.isfunction(each) or each.__name__ == "<lambda>"]:
        raise ValueError(f"{other[0]!r} has no text of its own; write a function with def.")
    texts, waiting, seen, home = [], list(functions), [], functions[0].__module__
    while waiting:
        value = waiting.pop()
        value = value.__wrapped__ if isinstance(value, type(cache(len))) else value  # the function that is cached
        if isinstance(value, SCALARS):
            texts.append(f"({value!r})")  # a text alone would be a docstring
        elif not any(value is each for each in seen):
            seen.append(value)
            text, named = _read(value, home)
            texts += [text] * bool(text)
            waiting += named
    return _digest(texts)


def _read(value: object, home: str) -> tuple[str, list]:
    """A text for what a function of the module `home` names, and what that names in turn."""
    mine = "" if f"{home}.".startswith("alkit.") else home  # a class of the kit changes no pick
    if inspect.isfunction(value) and f"{value.__module__}.".startswith((f"{home}.", "alkit.")):
        try:
            text = textwrap.dedent(inspect.getsource(value))
            nodes = list(ast.walk(ast.parse(text)))
        except (OSError, SyntaxError) as error:
            raise ValueError(f"{value!r} has no text that can be read; write a function with def.") from error
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        names -= {*value.__code__.co_varnames, *value.__code__.co_cellvars}
        named = [value.__globals__[name] for name in sorted(names & value.__globals__.keys())]
        dotted = [node for node in nodes if isinstance(node, ast.Attribute)]
        places = [(value.__globals__.get(ast.unparse(node.value)), node.attr) for node in dotted]
        there = [getattr(place, name, None) for place, name in places if inspect.ismodule(place)]
        named += [each for each in there if inspect.isfunction(each) or isinstance(each, DATA)]
        named += [cell.cell_contents for cell in value.__closure__ or ()]
        return text, [*named, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    if inspect.isclass(value) and value.__module__ == mine:
        members = [getattr(each, "__func__", getattr(each, "fget", each)) for each in vars(value).values()]
        methods = [each for each in members if inspect.isfunction(each)]  # but those that a dataclass was given
        written = [each for each in methods if inspect.unwrap(each).__code__.co_filename != "<string>"]
        data = [[name, each] for name, each in vars(value).items() if isinstance(each, DATA) and name[:2] != "__"]
        return value.__name__, [*value.__bases__, *written, data]
    if type(value).__module__ == mine and hasattr(value, "__dict__"):
        return "", [type(value), vars(value)]
    if inspect.ismethod(value):
        return "", [value.__func__, value.__self__]
    if isinstance(value, partial):
        return "", [value.func, value.args, value.keywords]
    if isinstance(value, tuple | list | dict):
        items = [*value, *value.values()] if isinstance(value, dict) else list(value)
        return (f"({items!r})", []) if all(isinstance(each, SCALARS) for each in items) else ("()", items)
    if isinstance(value, np.random.Generator | np.random.RandomState):
        raise ValueError(f"a strategy names {value!r}, other numbers each time; draw from the one it is given.")
    elsewhere = inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value) or value is None
    if not (elsewhere or isinstance(value, np.ufunc) or f"{type(value).__module__}.".startswith("alkit.")):
        with suppress(Exception):  # what pickle cannot take, such as a format of torch, has no content to tell it by
            return f"({joblib.hash(value)!r})", []
    return "", []


def _digest(texts: list[str]) -> str:
    """16 hexadecimal digits of a SHA-256 of programs without comments, docstrings and layout, on every Python alike."""
    digest = hashlib.sha256()
    for text in texts:
        line = []
        for kind, word, *_ in tokenize.generate_tokens(io.StringIO(text).readline):
            if kind in LAYOUT:
                if [kind for kind, _ in line] != [tokenize.STRING]:  # a text alone on its line is a docstring
                    digest.update("".join([*(word for _, word in line), LAYOUT[kind]]).encode())
                line = []
            elif kind not in (tokenize.COMMENT, tokenize.NL):
                line.append((kind, word.replace(" ", "")))
    return digest.hexdigest()[:16]


def versions() -> str:
    """The versions that a number depends on, in one line."""
    packages = " ".join(f"{package} {version(package)}" for package in ("torch", "numpy", "scikit-learn"))
    return f"python {platform.python_version()} {packages} alkit {__version__}"
