#include "config/errc.hpp"
#include "handlers/sandbox/cgroups.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// Those of `wanted` that are not in `there`.
std::string words_missing(const std::string& wanted, const std::string& there) {
  std::istringstream words{wanted};
  std::string result;
  for (std::string word; words >> word;)
    if ((" " + there + " ").find(" " + word + " ") == std::string::npos)
      result += (result.empty() ? "" : " ") + word;
  return result;
}

} // namespace

int change_control(const std::string& directory, const char* sign, std::string_view controllers) {
  std::istringstream words{std::string{controllers}};
  std::string text;
  for (std::string word; words >> word;)
    text += (text.empty() ? "" : " ") + (sign + word);
  return text.empty() ? 0 : write_small_file(directory + "/cgroup.subtree_control", text);
}

caf::expected<handed_on_controllers> handed_on_controllers::make(const std::string& directory, const std::string& leaf,
                                                                 const std::string& controllers) {
  handed_on_controllers result;
  auto there = read_small_file(directory + "/cgroup.subtree_control").value_or("");
  if (there.ends_with('\n'))
    there.pop_back();
  const std::string missing = words_missing(controllers, there);
  if (missing.empty())
    return result;
  result.directory_ = directory;
  int error = change_control(directory, "+", missing);
  if (error == EBUSY) {
    result.leaf_ = directory + "/" + leaf;
    if (auto err = result.move_out_of_the_way())
      return err;
    error = change_control(directory, "+", missing);
  }
  if (error == EBUSY)
    return make_error(errc::not_supported, "other processes are in the cgroup " + directory
                                             + ": start the node alone in one, not by a shell in there");
  if (error != 0)
    return make_error(errc::not_supported,
                      "cgroup v2 controllers " + missing + " for new groups: " + std::strerror(error));
  result.added_ = missing;
  return result;
}

caf::error handed_on_controllers::move_out_of_the_way() {
  int error = ::mkdir(leaf_.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno;
  if (error == 0)
    error = write_small_file(leaf_ + "/cgroup.procs", "0"); // whoever writes, with all threads
  if (error == 0)
    return {};
  return make_error(errc::not_supported, "make room in the cgroup " + directory_ + ": " + std::strerror(error));
}

handed_on_controllers::handed_on_controllers(handed_on_controllers&& other) noexcept {
  *this = std::move(other);
}

handed_on_controllers& handed_on_controllers::operator=(handed_on_controllers&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(leaf_, other.leaf_);
  std::swap(added_, other.added_);
  return *this;
}

handed_on_controllers::~handed_on_controllers() {
  if (directory_.empty())
    return;
  change_control(directory_, "-", added_); // refused while another's groups hand them on
  if (leaf_.empty())
    return;
  write_small_file(directory_ + "/cgroup.procs", "0"); // refused then, too: the leaf stays with this process in it
  ::rmdir(leaf_.c_str());
}

} // namespace troupe::handlers
