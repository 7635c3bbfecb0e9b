"""The rule of the Python tests: a name that one file imports from another file of the project exists there.

Python itself would say so, but only when the suite is collected, half an hour into a run. Only what the file's own syntax
binds at its top level counts; a module that is none of the project's is not judged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

# Whose modules a folder's files see beside their own: tests/real/conftest.py puts them into sys.path.
ALSO_SEES = {"tests/real": "tests/scenario"}


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


def breaches_in_python_imports(root: Path, files: list[Path]) -> Iterator[str]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            module = module_of(root, file, node.module)
            if module is None:
                continue
            for alias in node.names:
                if alias.name != "*" and alias.name not in names_bound(ast.parse(module.read_text())):
                    yield f"{file.relative_to(root)}:{node.lineno}: {module.relative_to(root)} has no '{alias.name}'"
