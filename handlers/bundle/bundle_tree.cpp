#include "handlers/bundle/bundle_tree.hpp"

#include "handlers/bundle/entry_name.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <algorithm>
#include <deque>

namespace troupe::handlers {

namespace {

/// As many as Linux follows (path_resolution(7)).
constexpr int links_followed_max = 40;

/// Of all links together: many long links through one another would take minutes.
constexpr size_t steps_max = 1'000'000;

caf::error refuse(std::string why) {
  return make_error(errc::invalid_argument, "the archive has " + std::move(why));
}

std::string joined(std::string_view directory, std::string_view name) {
  std::string path{directory};
  if (!path.empty())
    path += '/';
  path += name;
  return path;
}

std::string_view parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

/// Adds the directories above `path`. Fails when one of them is something else. From the inside out, since whatever
/// is in the tree has all of its parents there: otherwise deep paths would cost the square of their depth.
caf::error add_parents(bundle_tree& tree, std::string_view path) {
  for (auto parent = parent_of(path); !parent.empty(); parent = parent_of(parent)) {
    const auto [at, added] = tree.nodes.try_emplace(std::string{parent});
    if (at->second.kind != entry_kind::directory)
      return refuse("an entry under a file or link: " + printable(path));
    if (!added)
      break;
  }
  return caf::none;
}

caf::error add_entry(bundle_tree& tree, const zip_entry& entry, size_t index) {
  const auto parts = split_name(entry.name);
  if (!parts)
    return parts.error();
  if (parts->empty()) {
    tree.paths.emplace_back();
    return entry.kind == entry_kind::directory ? caf::error{} : refuse("a file without a name");
  }
  std::string path;
  for (const auto part : *parts) {
    path += path.empty() ? "" : "/";
    path += part;
  }
  if (auto err = add_parents(tree, path))
    return err;
  const auto [at, added] = tree.nodes.try_emplace(path, bundle_tree::node{entry.kind, index, entry.executable, {}});
  auto& node = at->second;
  if (!added) {
    // A directory may be named after what it holds, once; anything else has its place for itself.
    if (node.entry != bundle_tree::no_entry)
      return refuse("two entries of one name: " + printable(entry.name));
    if (entry.kind != entry_kind::directory)
      return refuse("a file and a directory of one name: " + printable(entry.name));
    node.entry = index;
  }
  if (entry.kind == entry_kind::link)
    node.target = entry.data;
  tree.paths.push_back(std::move(path));
  if (tree.nodes.size() > limits::archive_entries_max)
    return refuse("more than " + std::to_string(limits::archive_entries_max) + " files and directories");
  return caf::none;
}

/// Walks the ways that the kernel would walk from the links on, through further links, in the finished tree. Names
/// alone do not tell: with `a/b/up` as a link to `../..`, `a/b/up/..` lies outside and looks inside.
class link_checker {
public:
  explicit link_checker(const bundle_tree& tree) : tree_{tree} {}

  caf::error check(const std::string& link, std::string_view target) {
    std::string place{parent_of(link)};
    std::deque<std::string_view> rest;
    if (!prepend(rest, target))
      return refuse_link("without a proper target inside", link);
    for (int followed = 0; !rest.empty();) {
      if (++steps_ > steps_max)
        return refuse("links that take too many steps");
      const auto part = rest.front();
      rest.pop_front();
      if (part == "..") {
        if (place.empty())
          return refuse_link("that leads out", link);
        place = parent_of(place);
        continue;
      }
      auto next = joined(place, part);
      const auto at = tree_.nodes.find(next);
      if (at == tree_.nodes.end() || at->second.kind == entry_kind::file) {
        // It leads to nothing and stays inside, unless it comes back from there.
        if (std::find(rest.begin(), rest.end(), "..") != rest.end())
          return refuse_link("that leads out", link);
        return caf::none;
      }
      if (at->second.kind == entry_kind::directory)
        place = std::move(next);
      else if (++followed > links_followed_max)
        return refuse_link("in a circle", link);
      else if (!prepend(rest, at->second.target))
        return refuse_link("that leads out", link);
    }
    return caf::none;
  }

private:
  static caf::error refuse_link(std::string_view why, std::string_view link) {
    return refuse("a link " + std::string{why} + ": " + printable(link));
  }

  /// Puts a target's parts, `..` among them, before the rest of the way; false when it is absolute or no path.
  static bool prepend(std::deque<std::string_view>& rest, std::string_view target) {
    if (target.empty() || target.front() == '/' || target.size() > limits::archive_path_bytes_max
        || target.find('\0') != std::string_view::npos)
      return false;
    std::vector<std::string_view> parts;
    for (size_t at = 0; at < target.size();) {
      const auto part = target.substr(at, target.find('/', at) - at);
      at += part.size() + 1;
      if (!part.empty() && part != ".")
        parts.push_back(part);
    }
    rest.insert(rest.begin(), parts.begin(), parts.end());
    return true;
  }

  const bundle_tree& tree_;
  size_t steps_ = 0;
};

} // namespace

caf::expected<bundle_tree> plan_tree(const std::vector<zip_entry>& entries) {
  bundle_tree tree;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind == entry_kind::link && entries[i].compressed)
      return refuse("a link that is compressed: " + printable(entries[i].name));
    if (auto err = add_entry(tree, entries[i], i))
      return err;
  }
  bool any_file = false;
  link_checker links{tree};
  for (const auto& [path, node] : tree.nodes) {
    any_file = any_file || node.kind == entry_kind::file;
    if (node.kind == entry_kind::link)
      if (auto err = links.check(path, node.target))
        return err;
  }
  if (!any_file)
    return refuse("no files");
  return tree;
}

} // namespace troupe::handlers
