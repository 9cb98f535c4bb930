#include "handlers/sandbox/tree.hpp"

#include "handlers/sandbox/check.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <array>
#include <filesystem>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

namespace fs = std::filesystem;

/// Files are copied up to this size; one that is larger is left out.
constexpr uintmax_t copy_bytes_max = 1024 * 1024;

void write_file(const std::string& path, std::string_view text) {
  const unique_fd file{
    static_cast<int>(check(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644), "create a file of the tree"))};
  check(::write(file.get(), text.data(), text.size()), "write a file of the tree");
}

void make_directories(const std::string& root) {
  for (const char* name : {"/usr", "/etc", "/etc/ssl", "/etc/ssl/certs", "/etc/alternatives", "/dev", "/proc", "/tmp",
                           "/var", bundle_path})
    check(::mkdir((root + name).c_str(), 0755), "make a directory of the tree");
}

/// Debian's merged /usr, and descriptors where programs look for them. Shared memory lives in the sandbox's /tmp: it
/// is writable and has a limit.
void make_links(const std::string& root) {
  constexpr std::array<std::pair<const char*, const char*>, 9> links{{
    {"usr/lib", "/lib"},
    {"usr/lib64", "/lib64"},
    {"usr/bin", "/bin"},
    {"usr/sbin", "/sbin"},
    {"/proc/self/fd", "/dev/fd"},
    {"/proc/self/fd/0", "/dev/stdin"},
    {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"},
    {"../tmp", "/dev/shm"},
  }};
  for (const auto& [target, name] : links)
    check(::symlink(target, (root + name).c_str()), "make a link of the tree");
}

/// The machine's own, since nobody but its root can make others.
void bind_devices(const std::string& root) {
  for (const char* name : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    const std::string path = root + name;
    write_file(path, "");
    check(::mount(name, path.c_str(), nullptr, MS_BIND, nullptr), "bind a device");
    check(::mount(nullptr, path.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr),
          "make a device's attributes read-only");
  }
}

/// Users and names are the sandbox's own, so that nothing tells about the node but its name servers. Those are of use
/// to a sandbox with a way out only; in others, asking them fails at once.
void write_names(const std::string& root, std::string_view resolv_conf) {
  write_file(root + "/etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\n"
                                   "sandbox:x:1000:1000:sandbox:/tmp:/bin/sh\n"
                                   "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
  write_file(root + "/etc/group", "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n");
  write_file(root + "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
  write_file(root + "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
  write_file(root + "/etc/resolv.conf", resolv_conf);
}

/// What libraries read from /etc; a file that this machine does not have, the sandbox does not have.
void copy_files(const std::string& root) {
  for (const char* name : {"/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/etc/ssl/openssl.cnf",
                           "/etc/ssl/certs/ca-certificates.crt"}) {
    std::error_code error;
    if (const auto size = fs::file_size(name, error); !error && size <= copy_bytes_max)
      fs::copy_file(name, root + name);
  }
}

/// Debian's alternatives: links from /usr into /etc and back, through which libraries such as BLAS are found.
void copy_alternatives(const std::string& root) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{"/etc/alternatives", error})
    if (entry.is_symlink())
      fs::copy_symlink(entry.path(), root + "/etc/alternatives/" + entry.path().filename().string());
}

/// Without what is mounted below it. In a user namespace nobody may look under mounts, so there these come along.
void bind_read_only(const std::string& from, const std::string& to, const char* step) {
  if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0)
    check(::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr), step);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  check(::mount_setattr(AT_FDCWD, to.c_str(), AT_RECURSIVE, &attributes, sizeof attributes), step);
}

} // namespace

std::string layer_path(size_t index) {
  return "/opt/layer-" + std::to_string(index + 1);
}

void build_tree(const tree_plan& plan) {
  const auto& [mount_point, resolv_conf, layers, rehearsal] = plan;
  check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "keep mounts to oneself");
  check(::mount("troupe", mount_point.c_str(), "tmpfs", MS_NOSUID | MS_NOEXEC, "size=8m,mode=755"),
        "mount the tree's tmpfs");
  make_directories(mount_point);
  make_links(mount_point);
  bind_devices(mount_point);
  write_names(mount_point, resolv_conf);
  write_file(mount_point + bundle_path + "/" + std::string{rehearsal.name}, rehearsal.text);
  copy_files(mount_point);
  copy_alternatives(mount_point);
  bind_read_only("/usr", mount_point + "/usr", "bind /usr read-only");
  if (!layers.empty())
    check(::mkdir((mount_point + "/opt").c_str(), 0755), "make a directory for layers");
  for (size_t i = 0; i < layers.size(); ++i) {
    check(::mkdir((mount_point + layer_path(i)).c_str(), 0755), "make a directory for a layer");
    bind_read_only(layers[i], mount_point + layer_path(i), "bind a layer read-only");
  }
  check(
    ::mount(nullptr, mount_point.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr),
    "make the tree read-only");
  check(::chdir(mount_point.c_str()), "enter the tree");
}

void enter_tree() {
  // Mounts that came along into a less privileged namespace are locked together, and pivot_root refuses one of them as
  // the new root: a copy made here is not locked. It goes by the working directory, since the directories above may be
  // closed to everyone but the machine's root.
  const unique_fd tree{static_cast<int>(
    check(::open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), "copy the tree"))};
  check(::move_mount(tree.get(), "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH), "attach the tree");
  check(::fchdir(tree.get()), "enter the copy");
  // The kernel lets a user namespace mount a fresh /proc only while it sees a whole one: here the machine's, in the
  // sandboxes this one, which each covers with its own.
  check(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "mount the zygote's /proc");
  check(::syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(::umount2(".", MNT_DETACH), "leave the old root");
  check(::chdir("/"), "enter the new root");
}

} // namespace troupe::handlers
