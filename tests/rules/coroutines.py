"""Finds what GCC 12 miscompiles: temporaries in a full expression that holds a co_await.

An aggregate prvalue or a capturing lambda handed over inside such an expression is destroyed twice, and a braced list of strings
does not compile; and the head of `while (co_await f())` is wrong without optimization. The cure is to name the value first. A text cannot tell an aggregate from a class with a constructor, so
any braced temporary counts: naming it costs one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

WHY_BRACES = "a braced temporary in an expression with co_await (GCC 12 destroys it twice): name it first"
WHY_WHILE = "a co_await in the head of a while (GCC 12 resumes it wrongly without optimization): await in the body"
WHY_LAMBDA = "a capturing lambda in an expression with co_await (GCC 12 destroys it twice): name it first"


def without_comments_and_strings(text: str) -> str:
    """The same text, the same lines, with blanks where comments and literals were."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])\'', re.DOTALL
    )
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


@dataclass
class Statement:
    """One full expression: what stands between two of `;`, a block's `{` and its `}`, at the same level."""

    awaits: bool = False
    suspects: list[tuple[int, str]] = field(default_factory=list)


def opens_block(before: str) -> bool:
    """Whether a `{` after this text opens a block (a body) and not a braced value."""
    before = before.rstrip()
    if not before or before[-1] in ");{}:]":
        return True
    if re.search(r"(\b(else|do|try|const|noexcept|mutable|override|final)|->\s*[\w:<>,\s*&]+)$", before):
        return True
    return bool(re.search(r"\b(struct|class|enum|union|namespace)\b[^;{}()]*$", before))


def declares(before: str) -> bool:
    """`Type name{`: the braces make the named variable, they are no temporary."""
    last = re.split(r"[;{}]", before)[-1]
    return bool(re.fullmatch(r"\s*(?:(?:const|auto|constexpr)\b[\s&]*)*[\w:<>,\s*&]*?[\w>&*]\s+\w+\s*", last)) and not re.search(
        r"\b(co_return|co_await|co_yield|return|case)\b", last
    )


def captures(inside: str) -> bool:
    return bool(inside.strip())


def in_brackets(code: str, start: int) -> str:
    """What stands between the bracket that was opened just before `start` and its own end."""
    depth = 1
    for at in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return code[start:at]
    return code[start:]


def breaches_in_coroutines(text: str) -> Iterator[tuple[int, str]]:
    """(line, why) of each suspect temporary. Walks brackets with a stack; each block's `{` starts statements of its own."""
    if "co_await" not in text:
        return
    code = without_comments_and_strings(text)
    found: list[tuple[int, str]] = []
    # Each entry: (bracket, the statement that is running inside it). A block and its brackets share one statement.
    stack: list[tuple[str, Statement]] = [("block", Statement())]

    def close(statement: Statement) -> None:
        if statement.awaits:
            found.extend(statement.suspects)

    for match in re.finditer(r"\bwhile\s*\(", code):
        if "co_await" in in_brackets(code, match.end()):
            found.append((code.count("\n", 0, match.start()) + 1, WHY_WHILE))
    for match in re.finditer(r"\bco_await\b|[(){}\[\];]", code):
        token, at = match.group(), match.start()
        kind, statement = stack[-1]
        line = code.count("\n", 0, at) + 1
        if token == "co_await":
            statement.awaits = True
        elif token == "(":
            stack.append(("(", statement))
        elif token == "[":
            end = code.find("]", at)
            starts_lambda = re.search(r"[(,={;]\s*$|\breturn\s*$", code[:at]) and re.match(r"\]\s*[({]|\]\s*mutable", code[end : end + 12])
            if starts_lambda and captures(code[at + 1 : end]) and not re.search(r"\bauto\s+\w+\s*=\s*$", code[:at]):
                statement.suspects.append((line, WHY_LAMBDA))
            stack.append(("[", statement))
        elif token == "{":
            if opens_block(code[:at]):
                if kind == "block":  # `if (co_await f()) {`: the head was an expression of its own
                    close(statement)
                    stack[-1] = (kind, Statement())
                stack.append(("block", Statement()))
            else:
                if not (kind == "block" and declares(code[:at])):
                    statement.suspects.append((line, WHY_BRACES))
                stack.append(("{", statement))
        elif token == ";":
            if kind == "block":
                close(statement)
                stack[-1] = (kind, Statement())
        else:  # a closing bracket
            if kind == "block":
                close(statement)
            if len(stack) > 1:
                stack.pop()
            if kind == "block" and stack[-1][0] == "block" and not re.match(r"\}\s*[(,.)]", code[at : at + 8]):
                stack[-1] = ("block", Statement())
    for _, statement in stack:
        close(statement)
    yield from sorted(set(found))
