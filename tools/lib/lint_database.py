"""Makes a compilation database for clang-tidy from the one that CMake wrote.

Left out are g++'s precompiled headers, which clang cannot read (so every file has to include what it uses), options
that clang does not know, and the compiler launcher. Usage: lint_database.py BUILD_DIRECTORY OUTPUT_DIRECTORY; prints the files that it holds.
"""

import json
import pathlib
import shlex
import sys


ONLY_GCC = ("-Winvalid-pch", "-fpch-preprocess", "-Wno-dangling-pointer")


def for_clang(arguments):
    """The command without `-include .../cmake_pch.hxx` and the options of g++ alone."""
    kept = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "-include":
            header = next(rest)
            if "cmake_pch" not in header:
                kept += [argument, header]
        elif argument not in ONLY_GCC:
            kept.append(argument)
    return kept


def compiler_onwards(arguments):
    """The command from its compiler on: launchers stand before it."""
    for index, argument in enumerate(arguments):
        if pathlib.Path(argument).name.startswith(("g++", "c++", "clang++")):
            return arguments[index:]
    return arguments


def main():
    build, output = map(pathlib.Path, sys.argv[1:])
    entries = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if not entry["file"].endswith(".cpp"):
            continue
        arguments = for_clang(compiler_onwards(shlex.split(entry["command"])))
        entries.append({"directory": entry["directory"], "file": entry["file"], "arguments": arguments})
    output.mkdir(parents=True, exist_ok=True)
    (output / "compile_commands.json").write_text(json.dumps(entries, indent=1))
    print("\n".join(sorted({entry["file"] for entry in entries})))


if __name__ == "__main__":
    main()
