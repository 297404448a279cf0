"""The rules of the house: arrows, sizes, words for what is public, and imports that do nothing."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "remediator"

MOST_LINES_OF_A_FUNCTION = 40
MOST_LINES_OF_A_MODULE = 300
MOST_PARAMETERS = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Found:
    """A function, and where it stands."""

    file: Path
    name: str
    """With the classes and functions around it."""
    node: Function

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.node.lineno} {self.name}"

    @property
    def lines(self) -> int:
        return (self.node.end_lineno or self.node.lineno) - self.node.lineno + 1

    @property
    def parameters(self) -> int:
        """How many a caller sees."""
        given = self.node.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        return len([each for each in named if each.arg not in {"self", "cls"}])


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def functions() -> Iterator[Found]:
    for file in modules():
        yield from within(file, ast.parse(file.read_text(encoding="utf-8")), "")


def within(file: Path, parent: ast.AST, prefix: str) -> Iterator[Found]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, Function):
            yield Found(file, prefix + node.name, node)
            yield from within(file, node, f"{prefix}{node.name}.<locals>.")
        else:
            yield from within(file, node, f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix)


def is_public(found: Found) -> bool:
    return not any(part.startswith(("_", "<")) for part in found.name.split("."))


def is_stub(node: Function) -> bool:
    """One line of a Protocol, whose docstring speaks for it."""
    return [ast.unparse(statement) for statement in node.body] == ["..."]


def test_arrows_point_one_way() -> None:
    """Every contract of pyproject.toml; the output names the import that breaks one."""
    command = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert " kept, 0 broken" in done.stdout


def test_functions_are_short() -> None:
    long = [f"{found}: {found.lines} lines" for found in functions() if found.lines > MOST_LINES_OF_A_FUNCTION]
    assert [] == long


def test_modules_are_short() -> None:
    lines = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in modules()}
    assert {} == {file: count for file, count in lines.items() if count > MOST_LINES_OF_A_MODULE}


def test_parameters_are_few() -> None:
    assert [] == [
        f"{found}: {found.parameters} parameters" for found in functions() if found.parameters > MOST_PARAMETERS
    ]


def test_what_is_public_is_documented() -> None:
    bare = [str(file.relative_to(ROOT)) for file in modules() if not ast.get_docstring(ast.parse(file.read_text()))]
    bare += [
        str(found)
        for found in functions()
        if is_public(found) and not is_stub(found.node) and not ast.get_docstring(found.node)
    ]
    assert [] == bare


PROBE = """
import importlib, json, logging, os, pkgutil, sys, threading
import remediator

names = ["remediator", *(module.name for module in pkgutil.walk_packages(remediator.__path__, "remediator."))]
# The first round imports the libraries, which may do as they like (urllib3 tries whether there is IPv6).
for name in names:
    importlib.import_module(name)
for name in names:
    del sys.modules[name]

done = []
plain = os._Environ.__getitem__

def reader_of(frame, library):
    # The module behind `frame`, past those of `library`.
    while frame.f_back and library(frame.f_globals["__name__"]):
        frame = frame.f_back
    return frame.f_globals["__name__"]

def watched(environ, key):
    # What click asks about the language, as it makes a command, is its own.
    reader = reader_of(sys._getframe(1), {"os", "collections.abc"}.__contains__)
    if reader.startswith("remediator"):
        done.append(f"{reader}: environment, {key}")
    return plain(environ, key)

def audit(event, _arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.fork", "_thread.", "signal.")):
        who = reader_of(sys._getframe(1), lambda name: not name.startswith("remediator"))
        done.append(f"{who}: {event}")

os._Environ.__getitem__ = watched
sys.addaudithook(audit)
for name in names:
    importlib.import_module(name)
print(json.dumps({
    "modules": len(names),
    "done": done,
    "threads": threading.active_count(),
    "root handlers": len(logging.getLogger().handlers),
    "own handlers": [name for name in logging.root.manager.loggerDict
                     if name.startswith("remediator") and getattr(logging.getLogger(name), "handlers", [])],
}))
"""


def test_importing_has_no_side_effects() -> None:
    """In a fresh interpreter: no thread, socket, process or signal; the environment is not read; nothing logs."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert len(modules()) == told.pop("modules")
    assert {"done": [], "threads": 1, "root handlers": 0, "own handlers": []} == told


def test_the_image_is_built_with_all_that_the_package_takes_in() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    needed = {source.split("/")[0] for source in built["wheel"]["force-include"]}
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    seen = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    packed = {path.strip("/") for path in built["sdist"]["include"]}
    assert (set(), set(), set()) == (needed - copied, needed - seen, needed - packed)
