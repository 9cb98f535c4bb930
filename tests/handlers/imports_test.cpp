#define CAF_SUITE handlers.imports

#include "config/limits.hpp"
#include "handlers/bundle/bundle_imports.hpp"
#include "handlers/bundle/imports.hpp"

#include <caf/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using troupe::handlers::find_import_statements;
using troupe::handlers::find_imports;

namespace {

/// What a source imports, with spaces between the names.
std::string names_in(std::string_view source) {
  std::string result;
  for (const auto& each : find_import_statements(source))
    result += (result.empty() ? "" : " ") + std::string(each.dots, '.') + each.name;
  return result;
}

struct bundle {
  bundle() {
    char name[] = "/tmp/troupe-imports-XXXXXX";
    root = ::mkdtemp(name);
  }
  ~bundle() { fs::remove_all(root); }

  void file(const std::string& path, std::string_view text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream{root / path} << text;
  }

  /// Of some packages, those that the handler wants, with spaces between the names.
  std::string wanted(std::string_view handler = "main.handler") const {
    const std::set<std::string> packages{"PIL.Image",  "PIL.ImageDraw", "attr",   "helper", "json",
                                         "lxml.etree", "lxml.html",     "num",    "numpy",  "pandas",
                                         "requests",   "scipy",         "stolen", "yaml"};
    std::string result;
    for (const auto& each : find_imports(root, handler, packages).wanted)
      result += (result.empty() ? "" : " ") + each;
    return result;
  }

  fs::path root;
};

} // namespace

CAF_TEST(statements of all forms are read) {
  const struct {
    std::string_view source;
    std::string_view names;
  } table[] = {
    {"import a", "a"},
    {"import a\n", "a"},
    {"\xef\xbb\xbfimport a\r\nimport b\rimport c", "a b c"},
    {"import a.b.c, d as e,f", "a.b.c d f"},
    {"import a; import b ;from c import d; x = 1; import e", "a b c c.d"},
    {"from a import b", "a a.b"},
    {"from a.b import c as d, e", "a.b a.b.c a.b.e"},
    {"from a import *", "a"},
    {"from a import (b,\n  c as d, # note\n  e,\n)\nimport f", "a a.b a.c a.e f"},
    {"from a import \\\n  b", "a a.b"},
    {"import \\\r\n a", "a"},
    {"from . import a", ". .a"},
    {"from .a import b", ".a .a.b"},
    {"from ...a.b import c", "...a.b ...a.b.c"},
    {"from.import a", ". .a"},
    {"  import a", ""},
    {"\timport a", ""},
    {"def f():\n    import a\nimport b", "b"},
    {"try:\n    import a\nexcept ImportError:\n    a = None", ""},
    {"if x: import a", ""},
    {"\"\"\"doc\nimport a\n\"\"\"\nimport b", "b"},
    {"'''\\'''\nimport a\n'''\nimport b", "b"},
    {"x = '\\\nimport a'\nimport b", "b"},
    {"x = r'\\'' + '\nimport a", "a"}, // no string goes on in the next line
    {"x = f\"{y}\" 'z'  # import a\nimport b", "b"},
    {"x = [\nimport, a\n]\nimport b", "b"},
    {"x = {'(': 1}\nimport a", "a"},
    {"# import a\n\n\nimport b", "b"},
    {"importa\nimport_ = 1\nfrom_x = 2", ""},
    {"import a as\nimport b", "b"},
    {"import 3\nfrom x import\nfrom import y\nimport a", "x a"},
    {"from a import b c", "a a.b"},
    {"import a.\nimport b", "b"},
    {"x = \"\"\"import a", ""},
    {"", ""},
    {"\\", ""},
    {"import \xc3\xa9t\xc3\xa9\nimport a", "a"},
    {"\f\nimport a", "a"},
  };
  for (const auto& row : table) {
    CAF_MESSAGE(row.source);
    CAF_CHECK_EQUAL(names_in(row.source), row.names);
  }
}

CAF_TEST(a source gives no more names than the limit) {
  std::string source;
  for (int i = 0; i < 3000; ++i)
    source += "import m" + std::to_string(i) + "\n";
  CAF_CHECK_EQUAL(find_import_statements(source).size(), troupe::limits::import_names_max);
}

CAF_TEST(the imports of a handler are followed through its bundle) {
  const bundle test;
  test.file("main.py", "import numpy\nimport helper\nfrom parts.deep import x\nimport json\n");
  test.file("helper.py", "import requests.adapters\ndef f():\n  import pandas\n");
  test.file("parts/__init__.py", "from . import first\n");
  test.file("parts/first.py", "from PIL import Image\n");
  test.file("parts/deep/__init__.py", "from .inner import y\nfrom ..second import z\n");
  test.file("parts/deep/inner.py", "import yaml\n");
  test.file("parts/second.py", "import lxml.etree\n");
  test.file("unused.py", "import scipy\n");
  CAF_CHECK_EQUAL(test.wanted(), "PIL.Image json lxml.etree numpy requests yaml");
  CAF_CHECK_EQUAL(test.wanted("unused.f"), "scipy");
  CAF_CHECK_EQUAL(test.wanted("parts/second.f"), "PIL.Image lxml.etree");
  CAF_CHECK_EQUAL(test.wanted("parts.second.f"), "PIL.Image lxml.etree");
}

CAF_TEST(what the bundle carries is no import of others) {
  const bundle test;
  test.file("main.py", "import sys\nsys.path.insert(0, '/var/task/vendor')\nimport numpy\nimport yaml\nimport attr\n");
  test.file("vendor/numpy/__init__.py", "");
  test.file("vendor/attr.cpython-311-x86_64-linux-gnu.so", "");
  CAF_CHECK_EQUAL(test.wanted(), "yaml");
  CAF_CHECK(find_imports(test.root, "main.handler", {"yaml"}).carried
            == (std::set<std::string>{"__init__", "attr", "main", "numpy", "vendor"}));
}

CAF_TEST(no file outside the bundle is read) {
  const bundle outside;
  outside.file("secret.py", "import stolen\n");
  const bundle test;
  test.file("main.py", "import link, up, pipe\nimport numpy\n");
  fs::create_symlink(outside.root / "secret.py", test.root / "link.py");
  fs::create_symlink("../" + outside.root.filename().string() + "/secret.py", test.root / "up.py");
  CAF_REQUIRE_EQUAL(::mkfifo((test.root / "pipe.py").c_str(), 0600), 0);
  CAF_CHECK_EQUAL(test.wanted(), "numpy");
  for (const char* handler : {"../main.handler", "/main.handler", "link/../main.handler", "", "handler", "."})
    CAF_CHECK_EQUAL(test.wanted(handler), "");
}

CAF_TEST(modules that import each other end) {
  const bundle test;
  test.file("main.py", "import a\nimport main\n");
  test.file("a.py", "import main, a, numpy\n");
  CAF_CHECK_EQUAL(test.wanted(), "numpy");
}

CAF_TEST(a bundle that is too large asks for little or nothing) {
  const bundle files;
  std::string imports;
  for (int i = 0; i < 200; ++i) {
    imports += "import m" + std::to_string(i) + "\n";
    files.file("m" + std::to_string(i) + ".py", "import x" + std::to_string(i) + "\n");
  }
  files.file("main.py", "import numpy\n" + imports);
  CAF_CHECK_EQUAL(files.wanted(), "numpy");

  const bundle large;
  large.file("main.py", "import numpy\n#" + std::string(troupe::limits::import_bytes_max, 'x'));
  CAF_CHECK_EQUAL(large.wanted(), "");

  const bundle wide;
  wide.file("main.py", "import numpy\n");
  for (size_t i = 0; i <= troupe::limits::carried_names_max; ++i)
    wide.file("d/f" + std::to_string(i), "");
  CAF_CHECK_EQUAL(wide.wanted(), "");
  CAF_CHECK_EQUAL(wide.wanted("nowhere.handler"), "");
}
