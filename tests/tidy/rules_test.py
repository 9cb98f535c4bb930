"""Each rule of tree_test.py finds what it is for, and nothing in a tree that keeps the rules."""

import pathlib
import tempfile
import unittest

import tree_test

TIDY = {
    "config/a.hpp": "#pragma once\n",
    "storage/a.cpp": '#include "config/a.hpp"\n#include <rocksdb/db.h>\n',
    "handlers/python/a.cpp": "#include <Python.h>\n",
    "http/a.cpp": '#include "actors/a.hpp"\n#include <boost/asio.hpp>\n',
    "actors/a.hpp": "#pragma once\n",
    "actors/link.hpp": "#pragma once\n#include <boost/asio.hpp>\n",
    "actors/cluster/a.hpp": "#pragma once\n#include <boost/asio.hpp>\n",
    "tests/actors/fixture.hpp": "#pragma once\n",
    "tests/actors/a_test.cpp": '#include "actors/a.hpp"\n#include "fixture.hpp"\n',
    "tools/script": "#!/usr/bin/env bash\nset -euo pipefail\n",
    "build/release/a.hpp": "generated, not ours\n",
}

# What is put into the tidy tree, and a part of the one fault that has to be found.
FAULTS = [
    ("config/b.cpp", '#include "storage/a.hpp"\n', "against the layers"),
    ("storage/b.cpp", '#include "handlers/a.hpp"\n', "against the layers"),
    ("handlers/b.cpp", '#include "storage/a.hpp"\n', "against the layers"),
    ("actors/b.cpp", '#include "http/a.hpp"\n', "against the layers"),
    ("http/b.cpp", '#include "a.hpp"\n', "not named from the root"),
    ("tests/http/b.cpp", '#include "fixture.hpp"\n', "not named from the root"),
    ("actors/b.cpp", "#include <boost/json.hpp>\n", "belongs elsewhere"),
    ("http/b.cpp", "#include <rocksdb/db.h>\n", "belongs elsewhere"),
    ("handlers/sandbox/b.cpp", "#include <Python.h>\n", "belongs elsewhere"),
    ("config/b.hpp", "int x;\n", "no #pragma once"),
    ("config/b.cpp", "int x;\n" * 401, "401 lines"),
    ("config/b.cpp", "int " + "x" * 120 + ";\n", "125 characters"),
    ("config/b.cpp", "void f() {\n" + "  g();\n" * 80 + "}\n", "function of 82 lines"),
    ("tools/b.py", "def f():\n" + "    g()\n" * 81, "function of 82 lines"),
    ("config/b.cpp", "// TO" "DO: later\n", "unfinished"),
    ("http/b.cpp", "  if (!co_await f())\n", "compiles wrongly"),
    ("tools/b", "#!/bin/bash\ntrue\n", "without `set -euo pipefail`"),
]


def faults_in(files):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return list(tree_test.faults_of(root))


class Rules(unittest.TestCase):
    def test_a_tidy_tree_has_no_fault(self):
        self.assertEqual(faults_in(TIDY), [])

    def test_each_fault_is_found_alone(self):
        for path, text, expected in FAULTS:
            with self.subTest(path=path, expected=expected):
                faults = faults_in({**TIDY, path: text})
                self.assertEqual(len(faults), 1, faults)
                self.assertIn(path, faults[0])
                self.assertIn(expected, faults[0])

    def test_a_circle_is_found_once(self):
        circle = {f"config/{a}.hpp": f'#pragma once\n#include "config/{b}.hpp"\n' for a, b in ("bc", "cd", "db")}
        faults = faults_in({**TIDY, **circle})
        self.assertEqual(len(faults), 1, faults)
        self.assertIn("config/b.hpp -> config/c.hpp -> config/d.hpp -> config/b.hpp", faults[0])


if __name__ == "__main__":
    unittest.main()
