#include "handlers/sandbox/layers.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "config/packages.hpp"

#include <filesystem>
#include <string_view>

namespace troupe::handlers {
namespace {

namespace fs = std::filesystem;

/// A directory with code, x.py, or x.cpython-311-x86_64-linux-gnu.so; not x-1.0.dist-info, bin or __pycache__.
bool is_importable(const fs::directory_entry& entry, std::string_view name) {
  std::error_code error;
  if (!config::is_module_name(name))
    return false;
  if (entry.is_directory(error))
    return fs::exists(entry.path() / "__init__.py", error);
  const auto suffix = entry.path().extension();
  return suffix == ".py" || suffix == ".so";
}

/// Sandboxes are neither the owner nor in the group of anything on the machine.
bool is_open_to_all(const std::string& directory) {
  std::error_code error;
  constexpr auto needed = fs::perms::others_read | fs::perms::others_exec;
  return (fs::status(directory, error).permissions() & needed) == needed || error;
}

} // namespace

caf::expected<std::set<std::string>> find_layer_packages(const std::vector<std::string>& directories) {
  std::set<std::string> result;
  for (const auto& directory : directories) {
    if (!is_open_to_all(directory))
      return make_error(errc::invalid_argument,
                        "worker.layers: " + directory + " is not open to all users (chmod -R o+rX)");
    std::error_code error;
    for (fs::directory_iterator at{directory, error}; !error && at != fs::end(at); at.increment(error)) {
      const std::string file = at->path().filename();
      if (const auto name = file.substr(0, file.find('.')); is_importable(*at, name))
        result.insert(name);
    }
    if (error)
      return make_error(errc::invalid_argument, "worker.layers: " + directory + ": " + error.message());
    if (result.size() > limits::layer_packages_max)
      return make_error(errc::invalid_argument, "worker.layers: " + directory + " holds too many packages");
  }
  return result;
}

} // namespace troupe::handlers
