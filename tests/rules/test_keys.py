"""Every key of the plan is documented, is used by a scenario, and stands in the example that has everything; and nothing is
documented that the plan does not have. The keys are read off config/plan, whose fields have the names of the keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / "config" / "examples" / "everything.toml"

# Where a field cannot have the key's name, or is no key of its own table.
SPELLED = {"for_": "for", "class_": "class", "required": "requires", "act": "do", "restart_on_timeout": "on_timeout"}
# Fields that are the table's name, tables of their own, or another way to write a key.
NO_KEYS = {"Daemon": set(), "Service": {"name", "surroundings", "hooks", "engines", "cycles", "restarts_with_app"},
           "EngineRule": {"name"}, "Surroundings": set(), "MemoryPolicy": set(), "Readiness": {"how"}, "Liveness": {"how"},
           "Cycle": {"when"}, "Expect": set()}
# Fields that one key each is not enough for.
FURTHER = {"Readiness": {"http", "tcp", "unix", "exec", "notify", "fd", "log", "delay"},
           "Liveness": {"http", "tcp", "unix", "exec", "notify"}, "Cycle": {"every", "cron"}}
# Struct → the chapter that has its table, and the head of the table's first column.
CHAPTERS = {"Daemon": ("## `[daemon]`", "key"), "Service": ("## `[services.NAME]`", "key"), "Surroundings": ("## Surroundings", "key"),
            "MemoryPolicy": ("## Memory", "key"), "EngineRule": ("## `[services.X.engines.NAME]`", "key"),
            "Cycle": ("## `[[services.X.cycles]]`", "key"), "Readiness": ("### Readiness", "key of `ready`"),
            "Liveness": ("### Liveness", "key of `live`"), "Expect": ("## `[services.X.engines.NAME]`", "key of `expect`")}
APPLIES = {"live", "restart", "fixed", "next run", "next stop"}


def keys_of_plan(struct: str) -> set[str]:
    text = "".join((ROOT / "config" / "plan" / name).read_text() for name in ("plan.hpp", "surroundings.hpp"))
    body = re.search(rf"^struct {struct} \{{\n(.*?)^\}};", text, re.M | re.S)
    assert body, f"no struct {struct} in config/plan"
    fields = re.findall(r"^  (?!friend|static|///|//|enum|return|\})[\w:<>,\s\*]+?[\s>](\w+)\s*(?:=[^;]*|\{[^;]*)?;", body[1], re.M)
    assert fields, struct
    return {SPELLED.get(field, field) for field in fields if field not in NO_KEYS[struct]} | FURTHER.get(struct, set())


def rows(struct: str) -> dict[str, dict[str, str]]:
    """The documented keys: what each column says, by its head."""
    chapter, head = CHAPTERS[struct]
    text = PAGE.read_text()
    assert chapter in text, chapter
    lines = text[text.index(chapter):].splitlines()[1:]
    found: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    for line in lines:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if line.startswith(f"| {head} |"):
            columns = cells
        elif columns and line.startswith("|") and not line.startswith("|---"):
            for key in re.findall(r"`(\w+)`", cells[0]):
                found[key] = dict(zip(columns, cells))
        elif found and not line.startswith("|"):
            return found
    return found


@pytest.mark.parametrize("struct", CHAPTERS)
def test_every_key_of_the_plan_is_documented_and_no_other(struct: str) -> None:
    assert set(rows(struct)) == keys_of_plan(struct)


@pytest.mark.parametrize("struct", ["Daemon", "Service"])
def test_a_documented_key_says_its_type_its_default_and_when_it_applies(struct: str) -> None:
    for key, row in rows(struct).items():
        assert row["type"] and row["default"] and row["meaning"], key
        assert row["applies"] in APPLIES, f"{key}: {row['applies']}"


def uses(key: str, text: str) -> bool:
    """As a key of its own, of an inline table, as a table's head, or by --set."""
    return re.search(rf"(?m)^[^#\n]*(?<![\w.]){key}\s*(=|\.\w+\s*=)|\.{key}(\.[\w{{}}-]+)*\]|\.{key}=", text) is not None


@pytest.mark.parametrize("struct", ["Daemon", "Service", "Surroundings"])
def test_every_key_is_used_by_a_scenario(struct: str) -> None:
    scenarios = "\n".join(file.read_text().replace("\\n", "\n") for folder in ("scenario", "real")
                          for file in sorted((ROOT / "tests" / folder).rglob("*.py")))
    assert [key for key in sorted(keys_of_plan(struct)) if not uses(key, scenarios)] == []


@pytest.mark.parametrize("struct", CHAPTERS)
def test_the_example_that_has_everything_has_it(struct: str) -> None:
    assert [key for key in sorted(keys_of_plan(struct)) if not uses(key, EXAMPLE.read_text())] == []


def test_a_key_that_is_used_nowhere_would_be_found() -> None:
    assert not uses("heal", "# heal = 3\nheals = 1\nx = { heal_all = 2 }")
    assert uses("heal", "x = { heal = 3 }") and uses("engines", "[services.x.engines.e]") and uses("heal", "--set=a.heal=1s")
