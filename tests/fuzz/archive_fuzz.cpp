// Archives: whatever the bytes, the answer is a list or a reason, and what is listed keeps its promises.
#include "handlers/bundle/archive.hpp"
#include "handlers/bundle/bundle_tree.hpp"
#include "handlers/bundle/entry_name.hpp"
#include "handlers/bundle/zip_layout.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace troupe;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check_layout(std::string_view zip) {
  const auto layout = handlers::read_layout(zip);
  if (!layout)
    return require(code_of(layout.error()) == errc::invalid_argument);
  const char* end = zip.data();
  for (const auto& entry : *layout) {
    require(entry.data.data() >= end && entry.data.data() + entry.data.size() <= zip.data() + zip.size());
    end = entry.data.data() + entry.data.size();
  }
  const auto tree = handlers::plan_tree(*layout);
  if (!tree)
    return require(code_of(tree.error()) == errc::invalid_argument);
  require(tree->paths.size() == layout->size() && tree->nodes.size() <= limits::archive_entries_max);
  for (const auto& [path, node] : tree->nodes) {
    require(handlers::split_name(path).engaged());
    require(node.kind != handlers::entry_kind::link || !node.target.starts_with('/'));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view zip{reinterpret_cast<const char*>(data), size};
  check_layout(zip);
  const auto files = handlers::list(zip);
  require(files ? !files->empty() : code_of(files.error()) == errc::invalid_argument);
  return 0;
}
