#include "handlers/bundle/archive.hpp"

#include "handlers/bundle/bundle_tree.hpp"
#include "handlers/bundle/bundle_writer.hpp"
#include "handlers/bundle/zip_layout.hpp"
#include "handlers/bundle/zip_reader.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <system_error>

namespace troupe::handlers {

namespace {

namespace fs = std::filesystem;

/// An archive whose structure and names are known to be good; its content is not yet.
struct checked_zip {
  std::vector<zip_entry> layout;
  bundle_tree tree;
};

caf::expected<checked_zip> check(std::string_view zip) {
  if (zip.size() > limits::archive_bytes_max)
    return make_error(errc::invalid_argument,
                      "the archive is larger than " + std::to_string(limits::archive_bytes_max / limits::mib) + " MiB");
  auto layout = read_layout(zip);
  if (!layout)
    return layout.error();
  auto tree = plan_tree(*layout);
  if (!tree)
    return tree.error();
  return checked_zip{std::move(*layout), std::move(*tree)};
}

/// For whoever wants to know only whether the content is good.
class no_files : public file_sink {
public:
  caf::error begin(size_t, std::time_t) override { return caf::none; }
  caf::error write(std::string_view) override { return caf::none; }
  caf::error end() override { return caf::none; }
};

} // namespace

caf::error unpack(std::string_view zip, const fs::path& directory) {
  const auto checked = check(zip);
  if (!checked)
    return checked.error();
  bundle_writer writer{checked->tree, directory};
  if (auto err = writer.open())
    return err;
  if (auto err = read_files(zip, checked->layout, writer))
    return err;
  return writer.commit();
}

fs::path unpacked_at(const fs::path& bundles, const digest& bundle) {
  return bundles / bundle.hex();
}

std::error_code remove_unpacked(const fs::path& directory) {
  const fs::path aside = directory.parent_path() / (".removing-" + directory.filename().string());
  std::error_code ec;
  fs::remove_all(aside, ec); // of a node that was killed
  if (!ec)
    fs::rename(directory, aside, ec);
  if (ec == std::errc::no_such_file_or_directory)
    return {};
  if (!ec)
    fs::remove_all(aside, ec);
  return ec;
}

caf::expected<std::vector<std::string>> list(std::string_view zip) {
  const auto checked = check(zip);
  if (!checked)
    return checked.error();
  no_files sink;
  if (auto err = read_files(zip, checked->layout, sink))
    return err;
  std::vector<std::string> paths;
  for (const auto& [path, node] : checked->tree.nodes)
    if (node.kind == entry_kind::file)
      paths.push_back(path);
  return paths;
}

} // namespace troupe::handlers
