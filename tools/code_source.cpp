#include "tools/code_source.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/bundle/archive.hpp"
#include "tools/handler_finder.hpp"

#include <fmt/core.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace troupe::tools {

namespace {

namespace fs = std::filesystem;

caf::error system_failure(const fs::path& path, std::string_view reason) {
  return make_error(errc::io_error, fmt::format("{}: {}", path.string(), reason));
}

caf::error refuse(const fs::path& path, std::string_view reason) {
  return make_error(errc::invalid_argument, fmt::format("{}: {}", path.string(), reason));
}

bool is_executable(const fs::directory_entry& file) {
  return (file.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
}

/// Collects the files below a directory, within the limits of an archive.
class collector {
public:
  explicit collector(fs::path root) : root_{std::move(root)} {}

  caf::error run() {
    std::error_code failure;
    fs::recursive_directory_iterator at{root_, failure};
    for (; !failure && at != fs::recursive_directory_iterator{}; at.increment(failure)) {
      const auto name = at->path().filename();
      if (name == "__pycache__" || name == ".git")
        at.disable_recursion_pending();
      else if (at->is_directory() && at->is_symlink())
        return refuse(at->path(), "a link to a directory; deploy what it points to");
      else if (!at->is_directory())
        if (auto refused = add(*at))
          return refused;
    }
    return failure ? system_failure(root_, failure.message()) : caf::error{};
  }

  std::vector<handlers::packed_file> take() && { return std::move(files_); }

private:
  caf::error add(const fs::directory_entry& entry) {
    if (!entry.is_regular_file())
      return refuse(entry.path(), "neither a file nor a directory");
    if (files_.size() == limits::archive_entries_max)
      return refuse(root_, fmt::format("more than {} files", limits::archive_entries_max));
    auto bytes = read_input(entry.path(), limits::unpacked_bytes_max - bytes_);
    if (!bytes && code_of(bytes.error()) == errc::payload_too_large)
      return refuse(root_, fmt::format("more than {} MiB", limits::unpacked_bytes_max / limits::mib));
    if (!bytes)
      return bytes.error();
    bytes_ += bytes->size();
    files_.push_back(
      {entry.path().lexically_relative(root_).generic_string(), std::move(*bytes), is_executable(entry)});
    return {};
  }

  fs::path root_;
  std::vector<handlers::packed_file> files_;
  size_t bytes_ = 0;
};

caf::expected<code_source> pack_files(const fs::path& path, std::vector<handlers::packed_file> files) {
  if (files.empty())
    return refuse(path, "there are no files in it");
  code_source result;
  for (const auto& file : files)
    result.paths.push_back(file.path);
  auto zip = handlers::pack(std::move(files));
  if (!zip)
    return zip.error();
  if (zip->size() > limits::archive_bytes_max)
    return refuse(path, fmt::format("more than {} MiB when packed", limits::archive_bytes_max / limits::mib));
  result.zip = std::move(*zip);
  return result;
}

caf::expected<code_source> read_directory(const fs::path& path) {
  collector files{path};
  if (auto failure = files.run())
    return failure;
  return pack_files(path, std::move(files).take());
}

caf::expected<code_source> read_module(const fs::path& path) {
  auto text = read_input(path, limits::unpacked_bytes_max);
  if (!text)
    return text.error();
  auto result = pack_files(path, {{path.filename().string(), *text, false}});
  if (!result)
    return result;
  result->module_stem = path.stem().string();
  result->module_text = std::move(*text);
  return result;
}

caf::expected<code_source> read_zip(const fs::path& path) {
  code_source result;
  auto zip = read_input(path, limits::archive_bytes_max);
  if (!zip)
    return zip.error();
  auto paths = handlers::list(*zip);
  if (!paths)
    return refuse(path, what_of(paths.error()));
  result.zip = std::move(*zip);
  result.paths = std::move(*paths);
  return result;
}

} // namespace

caf::expected<std::string> code_source::handler() const {
  return module_stem.empty() ? find_handler(paths) : find_handler_in(module_stem, module_text);
}

caf::expected<code_source> read_code(const fs::path& path) {
  std::error_code failure;
  const auto status = fs::status(path, failure);
  if (!fs::exists(status))
    return system_failure(path, failure ? failure.message() : "no such file or directory");
  if (fs::is_directory(status))
    return read_directory(path);
  if (fs::is_regular_file(status) && path.extension() == ".py")
    return read_module(path);
  if (fs::is_regular_file(status) && path.extension() == ".zip")
    return read_zip(path);
  return refuse(path, "neither a directory nor a .py or .zip file");
}

caf::expected<std::string> read_input(const fs::path& path, size_t bytes_max) {
  const bool is_stdin = path == "-";
  const auto close = [](std::FILE* file) {
    if (file != stdin)
      std::fclose(file);
  };
  const std::unique_ptr<std::FILE, decltype(close)> file{is_stdin ? stdin : std::fopen(path.c_str(), "rbe"), close};
  if (!file)
    return system_failure(path, std::strerror(errno));
  std::string bytes;
  std::array<char, 64 * limits::kib> part;
  while (const size_t size = std::fread(part.data(), 1, part.size(), file.get())) {
    if (size > bytes_max - bytes.size())
      return make_error(errc::payload_too_large, fmt::format("{}: more than {} bytes", path.string(), bytes_max));
    bytes.append(part.data(), size);
  }
  if (std::ferror(file.get()) != 0)
    return system_failure(path, std::strerror(errno));
  return bytes;
}

} // namespace troupe::tools
