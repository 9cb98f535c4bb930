#define CAF_SUITE handlers.cgroup

#include "handlers/sandbox/cgroups.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <caf/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace troupe::handlers;

namespace {

/// A directory in which files say what a v2 hierarchy's would.
struct hierarchies {
  hierarchies() {
    char name[] = "/tmp/troupe-test-XXXXXX";
    root = ::mkdtemp(name);
  }
  ~hierarchies() { fs::remove_all(root); }

  std::string v2(const std::string& name, const std::string& controllers) {
    fs::create_directories(root / name);
    std::ofstream{root / name / "cgroup.controllers"} << controllers << "\n";
    return "42 32 0:26 / " + (root / name).string() + " rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
  }

  static std::string v1(const std::string& point, const std::string& controllers) {
    return "40 32 0:36 / " + point + " rw,nosuid shared:14 - cgroup cgroup rw," + controllers + "\n";
  }

  fs::path root;
};

const std::string other_mounts = "22 1 0:21 / / rw - ext4 /dev/vda rw\n"
                                 "31 23 0:28 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755\n"
                                 "37 31 0:34 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";

cgroup_layout machine_layout() {
  return find_cgroups(read_small_file("/proc/self/mountinfo").value());
}

constexpr uid_t ordinary_user = 59'999;

std::string group_name() {
  return "troupe-test-" + std::to_string(::getpid());
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(cgroup_tests, hierarchies)

CAF_TEST(controllers are found in v1) {
  const auto layout =
    find_cgroups(other_mounts + v1("/sys/fs/cgroup/memory", "memory") + v1("/sys/fs/cgroup/pids", "pids")
                 + v1("/sys/fs/cgroup/cpu", "cpu,cpuacct") + v1("/sys/fs/cgroup/freezer", "freezer"));
  CAF_CHECK_EQUAL(layout.missing(), "");
  CAF_CHECK(layout.memory == (cgroup_controller{cgroup_version::v1, "/sys/fs/cgroup/memory"}));
  CAF_CHECK(layout.pids == (cgroup_controller{cgroup_version::v1, "/sys/fs/cgroup/pids"}));
  CAF_CHECK(layout.cpu == (cgroup_controller{cgroup_version::v1, "/sys/fs/cgroup/cpu"}));
  CAF_CHECK(layout.freezer == (cgroup_controller{cgroup_version::v1, "/sys/fs/cgroup/freezer"}));
}

CAF_TEST(controllers are found in v2) {
  const auto layout = find_cgroups(other_mounts + v2("unified", "cpuset cpu io memory pids"));
  const cgroup_controller unified{cgroup_version::v2, (root / "unified").string()};
  CAF_CHECK_EQUAL(layout.missing(), "");
  CAF_CHECK(layout.memory == unified);
  CAF_CHECK(layout.pids == unified);
  CAF_CHECK(layout.cpu == unified);
  CAF_CHECK(layout.freezer == unified);
}

CAF_TEST(a v2 hierarchy without controllers does not hide v1 but can stand still) {
  const auto layout = find_cgroups(v2("unified", "hugetlb") + v1("/sys/fs/cgroup/memory", "memory")
                                   + v1("/sys/fs/cgroup/freezer", "freezer"));
  CAF_REQUIRE(layout.memory);
  CAF_CHECK(layout.memory->version == cgroup_version::v1);
  CAF_REQUIRE(layout.freezer);
  CAF_CHECK(layout.freezer->version == cgroup_version::v2);
}

CAF_TEST(one controller here and one there) {
  const auto layout = find_cgroups(v2("unified", "pids") + v1("/sys/fs/cgroup/memory", "memory"));
  CAF_REQUIRE(layout.memory);
  CAF_REQUIRE(layout.pids);
  CAF_CHECK(layout.memory->version == cgroup_version::v1);
  CAF_CHECK(layout.pids->version == cgroup_version::v2);
}

CAF_TEST(missing controllers are named) {
  CAF_CHECK_EQUAL(find_cgroups(v1("/sys/fs/cgroup/memory", "memory")).missing(), "pids, cpu, freezer");
  CAF_CHECK_EQUAL(find_cgroups(v2("unified", "memory_pressure pids")).missing(), "memory, cpu");
}

CAF_TEST(a user has the groups that were handed over) {
  const auto hand_over = [&](const fs::path& group) {
    fs::create_directories(group);
    std::ofstream{group / "cgroup.procs"};
    for (const fs::path& path : {group, group / "cgroup.procs"})
      CAF_REQUIRE_EQUAL(::chown(path.c_str(), ordinary_user, ordinary_user), 0);
  };
  const std::string mounts = v2("unified", "cpu memory pids") + v1((root / "memory").string(), "memory")
                           + v1((root / "pids").string(), "pids") + v1((root / "cpu").string(), "cpu,cpuacct");
  hand_over(root / "unified/user.slice/a.scope");
  std::ofstream{root / "unified/user.slice/a.scope/cgroup.controllers"} << "pids\n";
  hand_over(root / "memory/users/a");
  fs::create_directories(root / "cpu/users/a");
  ::chmod(root.c_str(), 0755);
  const std::string groups = "9:name=systemd:/x\n4:memory:/users/a\n2:cpuacct,cpu:/users/a\n0::/user.slice/a.scope\n";
  CAF_REQUIRE_EQUAL(::seteuid(ordinary_user), 0);
  const auto layout = find_own_cgroups(mounts, groups);
  const auto without = find_own_cgroups(mounts, "0::/user.slice\n");
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  // The controllers of v2 are those of the group, not of the hierarchy; nobody has handed over one of v1 for CPU.
  CAF_CHECK_EQUAL(layout.missing(), "cpu");
  CAF_CHECK(layout.memory == (cgroup_controller{cgroup_version::v1, (root / "memory/users/a").string()}));
  const cgroup_controller scope{cgroup_version::v2, (root / "unified/user.slice/a.scope").string()};
  CAF_CHECK(layout.pids == scope);
  CAF_CHECK(layout.freezer == scope);
  CAF_CHECK_EQUAL(without.missing(), "memory, pids, cpu, freezer");
}

CAF_TEST(a mount that shows a part of a hierarchy is understood) {
  fs::create_directories(root / "part/own");
  for (const char* group : {"part/own"})
    std::ofstream{root / group / "cgroup.procs"};
  const std::string mounts = "40 32 0:36 /docker/abc " + (root / "part").string() + " rw - cgroup cgroup rw,memory\n";
  for (const fs::path& path : {root / "part/own", root / "part/own/cgroup.procs"})
    CAF_REQUIRE_EQUAL(::chown(path.c_str(), ordinary_user, ordinary_user), 0);
  ::chmod(root.c_str(), 0755);
  CAF_REQUIRE_EQUAL(::seteuid(ordinary_user), 0);
  const auto inside = find_own_cgroups(mounts, "4:memory:/docker/abc/own\n");
  const auto outside = find_own_cgroups(mounts, "4:memory:/docker\n");
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  CAF_CHECK(inside.memory == (cgroup_controller{cgroup_version::v1, (root / "part/own").string()}));
  CAF_CHECK(!outside.memory);
}

CAF_TEST(controllers of v2 are handed on by a process that is not in the way and taken back) {
  const auto unified = find_cgroups(read_small_file("/proc/self/mountinfo").value()).freezer;
  CAF_REQUIRE(unified);
  const auto words = read_small_file(unified->root + "/cgroup.controllers").value_or("");
  const std::string controller = words.substr(0, words.find_first_of(" \n"));
  if (unified->version == cgroup_version::v1 || controller.empty()) {
    CAF_MESSAGE("no hierarchy of v2 with a controller here");
    return;
  }
  const std::string group = unified->root + "/" + group_name();
  const std::string control = "/cgroup.subtree_control";
  auto above = handed_on_controllers::make(unified->root, "unused", controller); // nobody is in the way at the root
  CAF_REQUIRE(above);
  CAF_REQUIRE(fs::create_directory(group));
  CAF_REQUIRE_EQUAL(write_small_file(group + "/cgroup.procs", "0"), 0);
  {
    auto handed_on = handed_on_controllers::make(group, "leaf", controller);
    CAF_REQUIRE(handed_on);
    CAF_CHECK_EQUAL(read_small_file(group + control).value_or(""), controller + "\n");
    CAF_CHECK(read_small_file("/proc/self/cgroup").value_or("").find("0::/" + group_name() + "/leaf\n")
              != std::string::npos);
    auto again = handed_on_controllers::make(group, "other", controller); // by somebody else: nothing to do or undo
    CAF_CHECK(again);
  }
  CAF_CHECK_EQUAL(read_small_file(group + control).value_or(""), "");
  CAF_CHECK(!fs::exists(group + "/leaf"));
  const pid_t child = ::fork(); // another process, which is not to be moved
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto refused = handed_on_controllers::make(group, "leaf", controller);
  CAF_CHECK(!refused);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CAF_CHECK(!fs::exists(group + "/leaf"));
  CAF_REQUIRE_EQUAL(write_small_file(unified->root + "/cgroup.procs", "0"), 0);
  CAF_CHECK(fs::remove(group));
}

CAF_TEST(a family has one limit around those of its members and goes with the last of them) {
  const auto layout = machine_layout();
  const bool v1 = layout.memory->version == cgroup_version::v1;
  auto node = node_cgroup::make(layout, {.name = group_name(), .memory_bytes = 1 << 30});
  CAF_REQUIRE(node);
  auto family = node->make_family(1);
  CAF_REQUIRE(family);
  const auto directory = fs::path{layout.memory->root} / group_name() / "family-1";
  const auto limit = [&] {
    return read_small_file(directory / (v1 ? "memory.limit_in_bytes" : "memory.max")).value_or("");
  };
  {
    auto member = node->make_sandbox(3, cgroup_entry::joining, family->get());
    CAF_REQUIRE(member);
    CAF_CHECK(fs::exists(directory / "3"));
    CAF_CHECK(fs::exists(fs::path{layout.pids->root} / group_name() / "3") == v1);
    for (const size_t sandboxes : {2, 3, 1}) {
      CAF_CHECK_EQUAL((*family)->limit(1769, sandboxes), caf::error{});
      const auto bytes = sandboxes * 1769 * troupe::limits::mib + troupe::limits::family_extra_bytes;
      CAF_CHECK_EQUAL(limit(), std::to_string(bytes) + "\n");
      if (layout.cpu == layout.memory)
        CAF_CHECK_EQUAL(read_small_file(directory / "cpu.weight").value_or(""), std::to_string(sandboxes * 100) + "\n");
    }
    const pid_t inside = ::fork();
    if (inside == 0) {
      ::pause();
      ::_exit(0);
    }
    CAF_CHECK(!member->holds(inside));
    auto joins = member->open_joins();
    CAF_REQUIRE(joins);
    const auto text = std::to_string(inside);
    for (const auto& join : *joins)
      CAF_CHECK_EQUAL(::write(join.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    CAF_CHECK(member->holds(inside));
    ::kill(inside, SIGKILL);
    ::waitpid(inside, nullptr, 0);
  }
  CAF_CHECK(fs::exists(directory));
  family->reset();
  CAF_CHECK(!fs::exists(directory));
}

CAF_TEST(a family in v2 is weighed as its members together and is not limited to less than is in use) {
  const auto family_files = root / "family";
  fs::create_directories(family_files);
  const auto write = [&](const char* file, const std::string& text) { std::ofstream{family_files / file} << text; };
  const auto text = [&](const char* file) { return read_small_file(family_files / file).value_or("(none)"); };
  for (const char* file : {"memory.current", "memory.max", "memory.reclaim", "cpu.weight"})
    write(file, "");
  write("memory.current", std::to_string(100 * troupe::limits::mib));
  family_cgroup family{"family", family_files};
  CAF_CHECK_EQUAL(family.limit(128, 30), caf::error{});
  CAF_CHECK_EQUAL(text("memory.max"), std::to_string(3856 * troupe::limits::mib));
  CAF_CHECK_EQUAL(text("cpu.weight"), "217");
  CAF_CHECK_EQUAL(text("memory.reclaim"), "");
  write("memory.current", std::to_string(200 * troupe::limits::mib));
  CAF_CHECK(family.limit(128, 1));
  CAF_CHECK_EQUAL(text("memory.reclaim"), std::to_string(56 * troupe::limits::mib));
  CAF_CHECK_EQUAL(text("memory.max"), std::to_string(3856 * troupe::limits::mib));
}

CAF_TEST(what a killed node has left of a family goes at the next start) {
  const auto layout = machine_layout();
  const auto directory = fs::path{layout.memory->root} / group_name() / "family-7";
  fs::create_directories(directory / "3");
  auto node = node_cgroup::make(layout, {.name = group_name(), .memory_bytes = 1 << 30});
  CAF_CHECK(node);
  CAF_CHECK(!fs::exists(directory));
}

CAF_TEST(groups are made with limits and go with their objects) {
  const auto layout = machine_layout();
  const fs::path directory = fs::path{layout.pids->root} / group_name();
  {
    auto node = node_cgroup::make(layout, {.name = group_name(), .memory_bytes = 1 << 30});
    CAF_REQUIRE(node);
    {
      auto group = node->make_sandbox(3);
      CAF_REQUIRE(group);
      CAF_CHECK_EQUAL(group->limit({.memory_mb = 3538}), caf::error{}); // two cores' worth
      const auto cpu = fs::path{layout.cpu->root} / group_name() / "3";
      const bool v1 = layout.cpu->version == cgroup_version::v1;
      CAF_CHECK_EQUAL(read_small_file(cpu / (v1 ? "cpu.shares" : "cpu.weight")).value_or(""), v1 ? "2048\n" : "200\n");
      CAF_CHECK_EQUAL(read_small_file(cpu / (v1 ? "cpu.cfs_quota_us" : "cpu.max")).value_or(""),
                      v1 ? "200000\n" : "200000 100000\n");
      CAF_CHECK_EQUAL(read_small_file(directory / "3" / "pids.max").value_or(""), "256\n");
      CAF_CHECK_EQUAL(group->oom_kills(), 0u);
      auto joins = group->open_joins();
      CAF_REQUIRE(joins);
      std::set<std::string> v1_groups;
      for (const auto& each : {layout.memory, layout.pids, layout.cpu, layout.freezer})
        if (each->version == cgroup_version::v1)
          v1_groups.insert(each->root);
      CAF_CHECK_EQUAL(joins->size(), v1_groups.size());
      CAF_CHECK_EQUAL(group->recycle(), layout.memory->version == cgroup_version::v1);
      CAF_CHECK_EQUAL(group->limit({.memory_mb = 128}), caf::error{});
    }
    CAF_CHECK(!fs::exists(directory / "3"));
    CAF_CHECK(fs::exists(directory));
  }
  CAF_CHECK(!fs::exists(directory));
}

CAF_TEST(what a killed node left is removed) {
  const auto layout = machine_layout();
  for (const auto& controller_root : {layout.memory->root, layout.pids->root})
    fs::create_directories(fs::path{controller_root} / group_name() / "17");
  auto node = node_cgroup::make(layout, {.name = group_name()});
  CAF_REQUIRE(node);
  CAF_CHECK(!fs::exists(fs::path{layout.memory->root} / group_name() / "17"));
  CAF_CHECK(!fs::exists(fs::path{layout.pids->root} / group_name() / "17"));
}

CAF_TEST(processes that are still ending are waited for) {
  const auto layout = machine_layout();
  const fs::path stale = fs::path{layout.pids->root} / group_name() / "1";
  fs::create_directories(stale);
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  CAF_REQUIRE_EQUAL(write_small_file(stale / "cgroup.procs", std::to_string(child)), 0);
  ::close(ends[1]); // from here on it ends by itself
  auto node = node_cgroup::make(layout, {.name = group_name()});
  CAF_CHECK(node);
  CAF_CHECK(!fs::exists(stale));
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
}

CAF_TEST_FIXTURE_SCOPE_END()
