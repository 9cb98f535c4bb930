#include "handlers/bundle/bundle_imports.hpp"

#include "config/limits.hpp"
#include "handlers/bundle/imports.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

namespace fs = std::filesystem;

std::string_view up_to_dot(std::string_view name) {
  return name.substr(0, name.find('.'));
}

/// The package that a module is in; empty at the top.
std::string parent_of(const std::string& module) {
  const auto dot = module.rfind('.');
  return dot == std::string::npos ? std::string{} : module.substr(0, dot);
}

/// Follows a handler's imports through its bundle.
class finder {
public:
  explicit finder(const fs::path& directory)
    : directory_{directory}, root_{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)} {}

  bundle_imports all(std::string_view handler, const std::set<std::string>& packages);

private:
  bool list_tops();
  std::set<std::string> names_of(std::string_view handler);
  void ask_for(const std::string& module);
  void load(const std::string& module);
  void follow(const std::string& package, const std::string& source);
  std::optional<std::string> read(const std::string& path);

  const fs::path& directory_;
  unique_fd root_;
  std::set<std::string> names_; ///< what is imported and not at the top of the bundle; the last part may be no module
  std::set<std::string> tops_;  ///< names at the top of the bundle, which come before all others
  std::set<std::string> seen_;  ///< modules of the bundle that were looked for
  std::vector<std::string> waiting_;
  size_t files_ = 0;
  size_t bytes_ = 0;
};

bool finder::list_tops() {
  std::error_code error;
  for (fs::directory_iterator at{directory_, error}; !error && at != fs::end(at); at.increment(error))
    if (tops_.emplace(up_to_dot(at->path().filename().native())); tops_.size() > limits::carried_names_max)
      return false;
  return root_ && !error;
}

/// A regular file of the bundle, nothing that a link leads to elsewhere, within what may still be read.
std::optional<std::string> finder::read(const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const unique_fd file{static_cast<int>(::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof how))};
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return std::nullopt;
  const auto size = static_cast<uint64_t>(info.st_size);
  if (++files_ > limits::import_files_max || size > limits::import_bytes_max - bytes_)
    return std::string{}; // it is there, and what it imports stays unknown
  std::string text(size, '\0');
  const ssize_t count = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  bytes_ += text.size();
  return text;
}

/// Notes a module that is imported, and each package that it is in, which are loaded first.
void finder::ask_for(const std::string& module) {
  if (module.empty() || module.size() > limits::archive_path_bytes_max)
    return;
  if (!tops_.contains(std::string{up_to_dot(module)})) {
    if (names_.size() < limits::import_names_max)
      names_.insert(module);
    return;
  }
  for (size_t dot = 0; dot < module.size();) {
    dot = std::min(module.find('.', dot + 1), module.size());
    if (seen_.size() < limits::import_names_max && seen_.insert(module.substr(0, dot)).second)
      waiting_.push_back(module.substr(0, dot));
  }
}

void finder::load(const std::string& module) {
  std::string path = module;
  std::ranges::replace(path, '.', '/');
  if (const auto package = read(path + "/__init__.py"))
    return follow(module, *package);
  if (const auto file = read(path + ".py"))
    follow(parent_of(module), *file);
}

void finder::follow(const std::string& package, const std::string& source) {
  for (const auto& each : find_import_statements(source)) {
    std::string base = each.dots > 0 ? package : std::string{};
    for (unsigned up = 1; up < each.dots && !base.empty(); ++up)
      base = parent_of(base);
    if (each.dots > 0 && base.empty())
      continue; // which Python refuses
    ask_for(base.empty() || each.name.empty() ? base + each.name : base + "." + each.name);
  }
}

std::set<std::string> finder::names_of(std::string_view handler) {
  std::string module{handler.substr(0, handler.rfind('.'))};
  std::ranges::replace(module, '/', '.');
  ask_for(module);
  while (!waiting_.empty() && files_ < limits::import_files_max) {
    const auto next = std::move(waiting_.back());
    waiting_.pop_back();
    load(next);
  }
  return std::move(names_);
}

/// Whether one of the names is that package or something in it.
bool mention(const std::set<std::string>& names, const std::string& package) {
  const std::string inside = package + ".";
  const auto at = names.lower_bound(inside);
  return names.contains(package) || (at != names.end() && at->starts_with(inside));
}

/// All modules and directories of a bundle; nullopt when these are too many, or cannot be read.
std::optional<std::set<std::string>> list_carried(const fs::path& directory) {
  std::set<std::string> result;
  std::error_code error;
  size_t entries = 0;
  for (fs::recursive_directory_iterator at{directory, error}; !error && at != fs::end(at); at.increment(error)) {
    result.emplace(up_to_dot(at->path().filename().native()));
    if (++entries > limits::archive_entries_max || result.size() > limits::carried_names_max)
      return std::nullopt;
  }
  return error ? std::nullopt : std::optional{std::move(result)};
}

bundle_imports finder::all(std::string_view handler, const std::set<std::string>& packages) {
  if (!list_tops())
    return {};
  const auto names = names_of(handler);
  bundle_imports result;
  std::ranges::copy_if(packages, std::inserter(result.wanted, result.wanted.end()),
                       [&](const std::string& each) { return mention(names, each); });
  if (result.wanted.empty())
    return {};
  auto carried = list_carried(directory_);
  if (!carried)
    return {};
  std::erase_if(result.wanted,
                [&](const std::string& each) { return carried->contains(std::string{up_to_dot(each)}); });
  result.carried = std::move(*carried);
  return result;
}

} // namespace

bundle_imports find_imports(const fs::path& directory, std::string_view handler,
                            const std::set<std::string>& packages) {
  return finder{directory}.all(handler, packages);
}

} // namespace troupe::handlers
