// The configuration file: TOML (toml.io). toml++ is included here only.
#include "config/errc.hpp"
#include "config/limits.hpp"
#include "config/resolve.hpp"

#include <fmt/core.h>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace troupe::config {

namespace {

caf::expected<std::string> read_all(const std::filesystem::path& path) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure)
    return make_error(errc::io_error, fmt::format("{}: {}", path.string(), failure.message()));
  if (size > limits::config_file_bytes_max)
    return make_error(errc::invalid_argument,
                      fmt::format("{}: larger than {} bytes", path.string(), limits::config_file_bytes_max));
  std::ifstream in{path, std::ios::binary};
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size)))
    return make_error(errc::io_error, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  return text;
}

/// Turns one file into assignments; stops at the first thing that is wrong.
class file_reader {
public:
  explicit file_reader(std::string name) : name_{std::move(name)} {}

  caf::error read(const toml::table& document) {
    for (const auto& [section, node] : document) {
      const auto* table = node.as_table();
      if (table == nullptr)
        return blame(section.source(), section.str(), "must stand in a section, or be one: [section]");
      if (!is_section(section.str()))
        return blame(section.source(), section.str(), "there is no such section");
      for (const auto& [key, value] : *table)
        if (auto failure = read_value(fmt::format("{}.{}", section.str(), key.str()), key, value))
          return failure;
    }
    return {};
  }

  std::vector<assignment> take() && { return std::move(assignments_); }

private:
  static bool is_section(std::string_view name) {
    return std::any_of(options().begin(), options().end(), [name](const option& of) { return of.section() == name; });
  }

  caf::error read_value(const std::string& name, const toml::key& key, const toml::node& value) {
    const auto* target = find_option(name);
    if (target == nullptr) {
      const auto* meant = nearest_option(name);
      const auto hint = meant == nullptr ? std::string{} : fmt::format(", did you mean {}?", meant->name);
      return blame(key.source(), name, "there is no such option" + hint);
    }
    std::string text;
    if (const auto* number = value.as_integer(); number != nullptr && target->is_number())
      text = std::to_string(number->get());
    else if (const auto* string = value.as_string(); string != nullptr && !target->is_number())
      text = string->get();
    else
      return blame(key.source(), name,
                   target->is_number() ? "must be a whole number, without quotes" : "must be a string in quotes");
    assignments_.push_back({target, std::move(text), {source::file, place(key.source())}});
    return {};
  }

  std::string place(const toml::source_region& at) const { return fmt::format("{}:{}", name_, at.begin.line); }

  caf::error blame(const toml::source_region& at, std::string_view key, std::string_view what) const {
    return make_error(errc::invalid_argument, fmt::format("{}: {}: {}", place(at), key, what));
  }

  std::string name_;
  std::vector<assignment> assignments_;
};

} // namespace

caf::expected<std::vector<assignment>> read_file(const std::filesystem::path& path) {
  auto text = read_all(path);
  if (!text)
    return text.error();
  const auto parsed = toml::parse(*text, path.string());
  if (!parsed) {
    const auto& failure = parsed.error();
    return make_error(errc::invalid_argument, fmt::format("{}:{}: not TOML: {}", path.string(),
                                                          failure.source().begin.line, failure.description()));
  }
  file_reader reader{path.string()};
  if (auto failure = reader.read(parsed.table()))
    return failure;
  return std::move(reader).take();
}

} // namespace troupe::config
