"""The rule of the Python tests: what one file imports from another file of the project exists, the file and the name.

Python itself would say so, but only when the suite is collected, half an hour into a run. Only what the other file's own
syntax binds at its top level counts; what a library holds is not judged.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# Whose modules a folder's files see beside their own: tests/real/conftest.py puts them into sys.path.
ALSO_SEES = {"tests/real": "tests/scenario"}
LIBRARIES = {"croniter", "fastapi", "httpx", "psycopg2", "pytest", "uvicorn"}


def names_bound(tree: ast.Module) -> set[str]:
    bound: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
            continue
        for part in ast.walk(node):
            if isinstance(part, (ast.Import, ast.ImportFrom)):
                bound |= {(alias.asname or alias.name).split(".")[0] for alias in part.names}
            elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                bound.add(part.id)
    return bound


def module_of(root: Path, file: Path, name: str) -> Path | None:
    folders = [file.parent]
    also = ALSO_SEES.get(str(file.parent.relative_to(root)))
    if also is not None:
        folders.append(root / also)
    return next((folder / f"{name}.py" for folder in folders if (folder / f"{name}.py").is_file()), None)


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str, list[str]]]:
    """(line, module, names out of it): without dots, as none of ours is in a package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0], []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.lineno, node.module.split(".")[0], [alias.name for alias in node.names if alias.name != "*"]


def breaches_in_python_imports(root: Path, files: list[Path]) -> Iterator[str]:
    for file in files:
        for line, name, wanted in imports_of(ast.parse(file.read_text())):
            module = module_of(root, file, name)
            place = f"{file.relative_to(root)}:{line}"
            if module is None:
                if name not in LIBRARIES and name not in sys.stdlib_module_names:
                    yield f"{place}: there is no module '{name}'"
                continue
            bound = names_bound(ast.parse(module.read_text()))
            yield from (f"{place}: {module.relative_to(root)} has no '{one}'" for one in wanted if one not in bound)
