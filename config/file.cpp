// The configuration file: TOML (toml.io). toml++ is included here only.
#include "config/errc.hpp"
#include "config/limits.hpp"
#include "config/names.hpp"
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
      if (section.str() == tenant_section) {
        if (auto failure = read_tenants(*table))
          return failure;
        continue;
      }
      if (!is_section(section.str()))
        return blame(section.source(), section.str(), "there is no such section");
      for (const auto& [key, value] : *table)
        if (auto failure = read_value(fmt::format("{}.{}", section.str(), key.str()), key, value))
          return failure;
    }
    return {};
  }

  file_contents take() && { return std::move(contents_); }

private:
  static constexpr std::string_view tenant_section = "tenant";

  static bool is_section(std::string_view name) {
    return std::any_of(options().begin(), options().end(), [name](const option& of) { return of.section() == name; });
  }

  caf::error read_tenants(const toml::table& tenants) {
    for (const auto& [tenant, node] : tenants) {
      const auto name = fmt::format("{}.{}", tenant_section, tenant.str());
      const auto* table = node.as_table();
      if (table == nullptr)
        return blame(tenant.source(), name, "must stand in a tenant's table: [tenant.NAME]");
      if (!is_label(tenant.str()))
        return blame(tenant.source(), tenant_section, fmt::format("a tenant's name is {}", label_rule));
      if (contents_.tenants.size() == limits::tenants_max)
        return blame(tenant.source(), name, fmt::format("there are more than {} tenants", limits::tenants_max));
      auto& entries = contents_.tenants[std::string{tenant.str()}];
      for (const auto& [key, value] : *table)
        if (auto failure = read_tenant_value(name, entries, key, value))
          return failure;
    }
    return {};
  }

  caf::error read_tenant_value(const std::string& tenant, std::vector<tenant_assignment>& entries, const toml::key& key,
                               const toml::node& value) {
    const auto declared_as = fmt::format("{}.{}", tenant_section, key.str());
    const auto name = fmt::format("{}.{}", tenant, key.str());
    const auto* target = find_tenant_option(declared_as);
    if (target == nullptr) {
      const auto* meant = nearest_tenant_option(declared_as);
      return unknown(key, name, meant == nullptr ? std::string{} : fmt::format("{}.{}", tenant, meant->key()));
    }
    auto text = text_of(*target, value);
    if (!text)
      return blame(key.source(), name, what_of(text.error()));
    entries.push_back({target, std::move(*text), {source::file, place(key.source())}});
    return {};
  }

  caf::error read_value(const std::string& name, const toml::key& key, const toml::node& value) {
    const auto* target = find_option(name);
    if (target == nullptr) {
      const auto* meant = nearest_option(name);
      return unknown(key, name, meant == nullptr ? std::string_view{} : meant->name);
    }
    auto text = text_of(*target, value);
    if (!text)
      return blame(key.source(), name, what_of(text.error()));
    contents_.assignments.push_back({target, std::move(*text), {source::file, place(key.source())}});
    return {};
  }

  /// A list may also be written as one of TOML's, of strings.
  static std::optional<std::string> joined(const toml::array& list) {
    std::string text;
    for (const auto& item : list) {
      const auto* string = item.as_string();
      if (string == nullptr)
        return std::nullopt;
      text += (text.empty() ? "" : ", ") + string->get();
    }
    return text;
  }

  /// The value as the option's `set` takes it; fails, without the name, when it is of the wrong type.
  template <class Option>
  static caf::expected<std::string> text_of(const Option& target, const toml::node& value) {
    if (const auto* number = value.as_integer(); number != nullptr && target.is_number())
      return std::to_string(number->get());
    if (const auto* string = value.as_string(); string != nullptr && !target.is_number())
      return string->get();
    if (const auto* yes_or_no = value.as_boolean(); yes_or_no != nullptr && !target.is_number())
      return std::string{yes_or_no->get() ? "true" : "false"};
    if (const auto* list = value.as_array(); list != nullptr && !target.is_number())
      if (auto items = joined(*list))
        return *std::move(items);
    return make_error(errc::invalid_argument,
                      target.is_number() ? "must be a whole number, without quotes" : "must be a string in quotes");
  }

  caf::error unknown(const toml::key& key, std::string_view name, std::string_view meant) const {
    const auto hint = meant.empty() ? std::string{} : fmt::format(", did you mean {}?", meant);
    return blame(key.source(), name, "there is no such option" + hint);
  }

  std::string place(const toml::source_region& at) const { return fmt::format("{}:{}", name_, at.begin.line); }

  caf::error blame(const toml::source_region& at, std::string_view key, std::string_view what) const {
    return make_error(errc::invalid_argument, fmt::format("{}: {}: {}", place(at), key, what));
  }

  std::string name_;
  file_contents contents_;
};

} // namespace

caf::expected<file_contents> read_file(const std::filesystem::path& path) {
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
