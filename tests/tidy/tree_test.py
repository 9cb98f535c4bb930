"""Reads the tree and reports what breaks the rules of the house: one line a fault, and exit code 1 if there is any.

Usage: tree_test.py ROOT. The rules stand in ARCHITECTURE.md; here they are as code.
"""

import pathlib
import re
import sys

# A folder may include from itself and from these.
MAY_INCLUDE = {
    "config": set(),
    "storage": {"config"},
    "handlers": {"config"},
    "actors": {"config", "storage", "handlers"},
    "http": {"config", "storage", "handlers", "actors"},
    "tools": {"config", "storage", "handlers", "actors", "http"},
    "tests": {"config", "storage", "handlers", "actors", "http", "tools"},
}

# A library's headers stay where they belong: a pattern of includes, and where such an include may stand.
LIBRARY_ROOMS = [
    # Asio in actors/: links and the cluster own sockets, and actors run on the io thread, which has turns.
    (r"boost/", r"^(http|tools|tests)/|^handlers/wire/|^actors/(cluster/|[^/]*link|io_|turns\.)"),
    (r"rocksdb/", r"^storage/|^tests/storage/"),
    (r"Python\.h$", r"^handlers/python/|^tests/handlers/python/"),
]

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 80
LINE_CHARACTERS_MAX = 120

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
# In pieces, so that this file does not report itself.
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
SKIPPED_FOLDERS = {"build", ".git", "__pycache__", ".pytest_cache", ".cache"}


class Source:
    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.own_includes, self.library_includes = [], []
        if path.suffix in (".cpp", ".hpp"):
            for line in self.lines:
                if match := INCLUDE.match(line):
                    own, library = match.groups()
                    self.own_includes += [self.named(root, own)] if own else []
                    self.library_includes += [library] if library else []

    def named(self, root, include):
        """An include as a path from the root. Only tests may name a file that lies beside them by its name alone."""
        beside = self.path.rpartition("/")[0] + "/" + include
        return beside if self.folder == "tests" and (root / beside).exists() else include

    @property
    def folder(self):
        return self.path.split("/")[0]


def sources_of(root):
    """Every file that people write here: C++, Python, shell, CMake."""
    suffixes = {".cpp", ".hpp", ".py", ".sh", ".cmake", ".txt"}
    for path in sorted(root.rglob("*")):
        if SKIPPED_FOLDERS.isdisjoint(path.relative_to(root).parts) and path.is_file():
            if path.suffix in suffixes or (not path.suffix and path.read_bytes()[:2] == b"#!"):
                yield Source(root, path)


def check_layers(source):
    """Includes point down the layers, and name their file from the root of the tree."""
    for include in source.own_includes:
        folder = include.split("/")[0]
        if folder not in MAY_INCLUDE:
            yield f"includes \"{include}\", which is not named from the root of the tree"
        elif folder != source.folder and folder not in MAY_INCLUDE.get(source.folder, set()):
            yield f"includes \"{include}\", against the layers"


def check_libraries(source):
    for include in source.library_includes:
        for pattern, rooms in LIBRARY_ROOMS:
            if re.match(pattern, include) and not re.search(rooms, source.path):
                yield f"includes <{include}>, which belongs elsewhere"


def check_header(source):
    if source.path.endswith(".hpp") and "#pragma once" not in source.lines[:10]:
        yield "has no #pragma once"


def check_lengths(source):
    if source.path.endswith((".cpp", ".hpp", ".py")) and len(source.lines) > FILE_LINES_MAX:
        yield f"has {len(source.lines)} lines, more than {FILE_LINES_MAX}: it holds more than one idea"
    if source.path.endswith((".cpp", ".hpp")):
        for number, line in enumerate(source.lines, 1):
            if len(line) > LINE_CHARACTERS_MAX:
                yield f"line {number} has {len(line)} characters, more than {LINE_CHARACTERS_MAX}"


def functions_of(source):
    """The (first line, length) of what looks like a function: from a line that ends in `) ... {` to the line with the
    closing brace at the same indentation. Formatted code makes that enough."""
    opening = re.compile(r"^(\s*)(?!namespace|struct|class|enum|switch|if|for|while|else|do\b|\}).*\).*\{$")
    if source.path.endswith(".py"):
        yield from python_functions_of(source)
        return
    for start, line in enumerate(source.lines):
        if match := opening.match(line):
            closing = match.group(1) + "}"
            for end in range(start + 1, len(source.lines)):
                if source.lines[end].startswith(closing):
                    yield start + 1, end - start + 1
                    break


def python_functions_of(source):
    for start, line in enumerate(source.lines):
        if match := re.match(r"^(\s*)def \w+\(", line):
            depth = len(match.group(1))
            end = start + 1
            while end < len(source.lines):
                text = source.lines[end]
                if text.strip() and len(text) - len(text.lstrip()) <= depth and text.strip()[0] not in ")":
                    break
                end += 1
            yield start + 1, end - start


def check_functions(source):
    if source.path.endswith((".cpp", ".hpp", ".py")):
        for line, length in functions_of(source):
            if length > FUNCTION_LINES_MAX:
                yield f"line {line} begins a function of {length} lines, more than {FUNCTION_LINES_MAX}"


def check_finished(source):
    for number, line in enumerate(source.lines, 1):
        if UNFINISHED.search(line):
            yield f"line {number} is unfinished: {line.strip()}"


def check_scripts(source):
    """Scripts end at the first thing that fails."""
    if source.lines and re.match(r"#!.*\bbash", source.lines[0]) and "set -euo pipefail" not in source.lines:
        yield "is a script without `set -euo pipefail`"


def check_coroutines(source):
    """g++ 12 lays out the frame of a coroutine wrongly for `if (!co_await f()) co_return;`: a name comes first."""
    if source.path.endswith((".cpp", ".hpp")):
        for number, line in enumerate(source.lines, 1):
            if re.match(r"\s*(?:\}\s*else\s+)?(?:if|while|for|switch)\s*\(.*\bco_await\b", line):
                yield f"line {number} awaits in a condition, which g++ 12 compiles wrongly"


CHECKS = [check_layers, check_libraries, check_header, check_lengths, check_functions, check_finished, check_scripts,
          check_coroutines]


def circles(sources):
    """Each circle of includes once, as the paths along it."""
    includes = {source.path: source.own_includes for source in sources}
    done, trail = set(), []

    def visit(path):
        if path in trail:
            yield trail[trail.index(path) :] + [path]
        elif path in includes and path not in done:
            trail.append(path)
            for include in includes[path]:
                yield from visit(include)
            trail.pop()
            done.add(path)

    for path in includes:
        yield from visit(path)


def faults_of(root):
    sources = list(sources_of(root))
    for source in sources:
        for check in CHECKS:
            for fault in check(source):
                yield f"{source.path}: {fault}"
    for circle in circles(sources):
        yield f"{circle[0]}: is in a circle of includes: {' -> '.join(circle)}"


def main():
    faults = list(faults_of(pathlib.Path(sys.argv[1]).resolve()))
    print("\n".join(faults) if faults else "the tree is tidy")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
