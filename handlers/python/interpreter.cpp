#include "handlers/python/interpreter.hpp"

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <utility>

#include <unistd.h>

#include "handlers/python/embedded_modules.hpp"
#include "handlers/python/handler_loop.hpp"
#include "handlers/python/host_module.hpp"

namespace troupe::python {

namespace {

/// Debian's python3 with this much of its own search path; the second holds what apt installs. The site module would
/// add the same, but it also runs every .pth file that it finds there.
constexpr const char* package_folders[] = {"/usr/local/lib/python3.11/dist-packages", "/usr/lib/python3/dist-packages"};

/// What most handlers import, and what is cheap to carry through a fork (random seeds itself again after one). Left out
/// on purpose: asyncio and ssl (8 MB), and uuid and ssl for their random state, which forked copies would share.
constexpr const char* preloaded[] = {"json", "logging", "random", "datetime", "base64"};

/// Made by start_interpreter and never destroyed: it lives as long as the interpreter, which is the process.
runtime* started = nullptr;

/// What a template has loaded, for its copies; never destroyed either.
handler_loop* loaded_once = nullptr;

[[noreturn]] void give_up(const char* step) {
  std::fprintf(stderr, "troupe-python3: cannot start Python: %s\n", step);
  if (PyErr_Occurred() != nullptr)
    PyErr_Print();
  std::_Exit(1);
}

void check(PyStatus status, const char* step) {
  if (PyStatus_Exception(status) != 0)
    give_up(status.err_msg != nullptr ? status.err_msg : step);
}

void initialize() {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
  check(Py_PreInitialize(&before), "pre-initialisation");
  register_host_module();
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.write_bytecode = 0;
  check(PyConfig_SetString(&config, &config.program_name, L"/usr/bin/python3"), "program name");
  check(PyConfig_SetString(&config, &config.stdio_encoding, L"utf-8"), "encoding of the standard streams");
  check(PyConfig_SetString(&config, &config.stdio_errors, L"replace"), "errors of the standard streams");
  check(Py_InitializeFromConfig(&config), "initialisation");
  PyConfig_Clear(&config);
}

ref import(const char* name) {
  auto module = ref::steal(PyImport_ImportModule(name));
  if (!module)
    give_up(name);
  return module;
}

ref attribute(const ref& object, const char* name) {
  auto result = ref::steal(PyObject_GetAttrString(object.get(), name));
  if (!result)
    give_up(name);
  return result;
}

void call(const char* module, const char* function) {
  if (!ref::steal(PyObject_CallNoArgs(attribute(import(module), function).get())))
    give_up(function);
}

void extend_path(std::vector<std::string> folders) {
  folders.insert(folders.end(), std::begin(package_folders), std::end(package_folders));
  PyObject* path = PySys_GetObject("path"); // borrowed
  for (const auto& folder : folders) {
    const auto text = ref::steal(PyUnicode_DecodeFSDefault(folder.c_str()));
    if (path == nullptr || !text || PyList_Append(path, text.get()) < 0)
      give_up("search path");
  }
}

/// exit() and quit(), which handlers know from everywhere and which only the site module would bring.
void add_exit_builtins() {
  call("site", "setquit");
}

void write_whole_lines() {
  PyObject* out = PySys_GetObject("stdout"); // borrowed
  const auto method = out != nullptr ? attribute(ref::share(out), "reconfigure") : ref{};
  const auto no_arguments = ref::steal(PyTuple_New(0));
  const auto options = ref::steal(Py_BuildValue("{sO}", "line_buffering", Py_True));
  if (!method || !no_arguments || !options
      || !ref::steal(PyObject_Call(method.get(), no_arguments.get(), options.get())))
    give_up("standard output (descriptors 0 to 2 must be open)");
}

/// runtime/errors.py becomes the module troupe_errors, and so on; tracebacks show it as <troupe>/errors.py.
void import_embedded_modules() {
  for (const auto& module : embedded_modules) {
    const auto name = std::string{"troupe_"} + module.name;
    const auto file = std::string{"<troupe>/"} + module.name + ".py";
    const auto code = ref::steal(Py_CompileString(module.source, file.c_str(), Py_file_input));
    if (!code || !ref::steal(PyImport_ExecCodeModuleEx(name.c_str(), code.get(), file.c_str())))
      give_up(module.name);
  }
}

runtime* look_up_runtime() {
  const auto boot = import("troupe_boot");
  const auto errors = import("troupe_errors");
  auto* python = new runtime;
  python->prepare_process = attribute(boot, "prepare_process");
  const auto snapshots = import("troupe_snapshots");
  python->before_snapshot = attribute(snapshots, "before_snapshot");
  python->after_restore = attribute(snapshots, "after_restore");
  python->load = attribute(import("troupe_loading"), "load");
  python->make_context = attribute(import("troupe_context"), "make");
  python->run_coroutine = attribute(import("troupe_coroutines"), "run");
  python->document = attribute(errors, "document");
  python->document_as = attribute(errors, "document_as");
  python->make_document = attribute(errors, "make");
  python->reason = attribute(errors, "reason");
  python->rehearse = attribute(import("troupe_warmup"), "rehearse");
  python->reseed = attribute(import("troupe_reseed"), "reseed");
  python->load_packages = attribute(import("troupe_packages"), "load");
  python->out = ref::share(PySys_GetObject("stdout"));
  python->err = ref::share(PySys_GetObject("stderr"));
  if (!python->codec.prepare(attribute(import("troupe_encoding"), "default").get()))
    give_up("json");
  return python;
}

void warm_up(const std::string& rehearsal) {
  const auto folder = ref::steal(PyUnicode_DecodeFSDefault(rehearsal.c_str()));
  const auto function = attribute(import("troupe_warmup"), "in_zygote");
  if (!folder || !ref::steal(PyObject_CallOneArg(function.get(), folder.get())))
    give_up("warm up");
}

/// After this the collector never walks, and so never copies, what the zygote has made.
void freeze() {
  call("gc", "collect");
  call("gc", "freeze");
  call("gc", "enable");
}

/// False, with the error printed, when it raised something.
bool succeeds(const ref& function) {
  if (ref::steal(PyObject_CallNoArgs(function.get())))
    return true;
  PyErr_Print();
  return false;
}

ref list_of(const std::vector<std::string>& texts) {
  auto result = ref::steal(PyList_New(0));
  for (const auto& each : texts) {
    const auto text = ref::steal(PyUnicode_FromString(each.c_str()));
    if (!result || !text || PyList_Append(result.get(), text.get()) < 0)
      give_up("a list of packages");
  }
  return result;
}

} // namespace

void start_interpreter(const std::vector<std::string>& layers, const std::string& rehearsal) {
  initialize();
  import("troupe_host"); // first, since it notes which modules a plain python3 has, too
  call("gc", "disable"); // until it is all there: freed gaps would be filled, and copied, in every child
  extend_path(layers);
  write_whole_lines();
  for (const char* module : preloaded)
    import(module);
  add_exit_builtins();
  import_embedded_modules();
  call("troupe_boot", "prepare_zygote");
  call("troupe_logs", "install");
  call("troupe_snapshots", "install");
  started = look_up_runtime();
  if (!rehearsal.empty())
    warm_up(rehearsal);
  call("troupe_loading", "remember_imports");
  freeze();
}

void before_fork() {
  PyOS_BeforeFork();
}

void after_fork_parent() {
  PyOS_AfterFork_Parent();
}

void after_fork_child() {
  PyOS_AfterFork_Child();
}

bool rehearse() {
  return succeeds(started->rehearse);
}

bool reseed() {
  return succeeds(started->reseed);
}

imported_packages import_packages(const std::vector<std::string>& names) {
  call("gc", "disable");
  const auto result = ref::steal(PyObject_CallOneArg(started->load_packages.get(), list_of(names).get()));
  const char* culprit = nullptr;
  const char* failure = nullptr;
  PyObject* loaded = nullptr; // borrowed
  if (!result || PyArg_ParseTuple(result.get(), "ssO!", &culprit, &failure, &PyList_Type, &loaded) == 0) {
    PyErr_Print();
    return {.failure = "it cannot be told what came of it", .culprit = {}, .loaded = {}};
  }
  imported_packages report{.failure = failure, .culprit = culprit, .loaded = {}};
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(loaded); ++i)
    if (const char* name = PyUnicode_AsUTF8(PyList_GET_ITEM(loaded, i)))
      report.loaded.emplace_back(name);
  freeze();
  return report;
}

bool load_template(const handler_spec& spec, channel_fds channel, const std::string& task_root) {
  loaded_once = new handler_loop{*started, channel};
  return loaded_once->load(spec, task_root, handler_loop::purpose::to_copy);
}

void serve_copy(channel_fds channel) {
  const bool ready = loaded_once->restore(channel);
  if (ready)
    loaded_once->run();
  ::_exit(ready ? 0 : 1);
}

void serve(const handler_spec& spec, channel_fds channel, const std::string& task_root) {
  handler_loop loop{*started, channel};
  const bool loaded = loop.load(spec, task_root);
  if (loaded)
    loop.run();
  ::_exit(loaded ? 0 : 1);
}

} // namespace troupe::python
