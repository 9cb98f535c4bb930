"""How results are told: the command line that all tools share, progress, tables, targets, JSON, and how a tool ends."""

import argparse
import json
import os
import pathlib
import signal
import sys

import measuring
import servers


def parser(text):
    """A parser whose help is the tool's own text, with the options that every tool has."""
    result = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--program", default=servers.PROGRAM, help="the troupe program (build/release/troupe)")
    result.add_argument("--json", metavar="FILE", help="where the JSON goes; stdout without")
    return result


def within(low, high):
    """An argparse type: a whole number in these bounds."""
    def parse(text):
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not within {low} to {high}")
        return value
    parse.__name__ = "number"
    return parse


def progress(text):
    """A line for whoever waits."""
    print(f"... {text}", file=sys.stderr, flush=True)


def number(value):
    """Rounded to what can be told apart."""
    if isinstance(value, str):
        return value
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def print_table(headings, rows):
    """A table on stderr: the first column to the left, all others to the right."""
    lines = [headings] + [[number(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        first, *rest = (cell.ljust(width) if at == 0 else cell.rjust(width)
                        for at, (cell, width) in enumerate(zip(line, widths)))
        print("  ".join([first, *rest]).rstrip(), file=sys.stderr)
    print(file=sys.stderr)


def at_most(name, value, limit, unit):
    return {"name": name, "wanted": f"<= {number(limit)} {unit}", "limit": limit, "value": value, "unit": unit,
            "met": value is not None and value <= limit}


def at_least(name, value, limit, unit):
    return {"name": name, "wanted": f">= {number(limit)} {unit}", "limit": limit, "value": value, "unit": unit,
            "met": value is not None and value >= limit}


def print_targets(targets):
    print_table(["target", "wanted", "measured", ""],
                [[row["name"], row["wanted"], f"{number(row['value'])} {row['unit']}", "ok" if row["met"] else "missed"]
                 for row in targets])


def write_json(name, options, result):
    """One document: what was measured, by which command, on which machine."""
    document = {"benchmark": name, "command": sys.argv, "machine": measuring.machine(), **result}
    text = json.dumps(document, indent=2) + "\n"
    if options.json is None:
        sys.stdout.write(text)
    else:
        pathlib.Path(options.json).write_text(text)


def run(main):
    """Runs a tool. However it ends, by itself, by Ctrl-C or by SIGTERM, what it has started is stopped on the way."""
    def end(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, end)
    if os.geteuid() != 0:
        raise SystemExit("a node needs root to make sandboxes")
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
