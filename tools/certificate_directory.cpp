#include "tools/certificate_directory.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace troupe::tools {

namespace {

constexpr mode_t directory_mode = 0700;
constexpr mode_t certificate_mode = 0644;
constexpr mode_t key_mode = 0600;
constexpr mode_t nothing = 0;
constexpr mode_t for_everybody = 0007; ///< a group may be the one that the node runs as

caf::error system_failure(const std::filesystem::path& path) {
  return make_error(errc::io_error, fmt::format("{}: {}", path.string(), std::strerror(errno)));
}

caf::error refuse(const std::string& path, std::string_view what) {
  return make_error(errc::invalid_argument, fmt::format("{}: {}", path, what));
}

/// What the file holds; nothing when there is none. Fails when it has one of the permissions `refused`.
caf::expected<std::optional<std::string>> read_file(const std::string& path, mode_t refused) {
  const unique_fd file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  if (!file && errno == ENOENT)
    return std::optional<std::string>{};
  struct stat about {};
  if (!file || ::fstat(file.get(), &about) != 0)
    return system_failure(path);
  if (!S_ISREG(about.st_mode))
    return refuse(path, "is no file");
  if ((about.st_mode & refused) != 0)
    return refuse(path, "everybody on this machine can read the key: chmod 600 makes it the owner's");
  std::string text(limits::pem_bytes_max + 1, '\0');
  size_t size = 0;
  for (ssize_t got = 1; got > 0 && size < text.size(); size += static_cast<size_t>(got))
    if (got = ::read(file.get(), text.data() + size, text.size() - size); got < 0)
      return system_failure(path);
  if (size > limits::pem_bytes_max)
    return refuse(path, fmt::format("larger than {} bytes", limits::pem_bytes_max));
  text.resize(size);
  return std::optional{std::move(text)};
}

/// A file that has its contents but not its name yet. Without `place` nothing is left of it.
class unnamed_file {
public:
  explicit unnamed_file(std::string path) : path_{std::move(path)}, waiting_{path_ + ".XXXXXX"} {}
  ~unnamed_file() {
    if (file_)
      ::unlink(waiting_.c_str());
  }
  unnamed_file(const unnamed_file&) = delete;
  unnamed_file& operator=(const unnamed_file&) = delete;

  caf::error fill(std::string_view text, mode_t mode) {
    file_.reset(::mkostemp(waiting_.data(), O_CLOEXEC)); // Its mode is 0600.
    if (!file_)
      return system_failure(path_);
    while (!text.empty()) {
      const auto written = ::write(file_.get(), text.data(), text.size());
      if (written >= 0)
        text.remove_prefix(static_cast<size_t>(written));
      else if (errno != EINTR)
        return system_failure(path_);
    }
    return ::fchmod(file_.get(), mode) == 0 && ::fsync(file_.get()) == 0 ? caf::error{} : system_failure(path_);
  }

  /// A second name can be given only where there is no file: so nothing is lost to somebody who was quicker.
  caf::error place(certificate_directory::present file) {
    if (file == certificate_directory::present::kept)
      return ::link(waiting_.c_str(), path_.c_str()) == 0 ? caf::error{} : system_failure(path_);
    if (::rename(waiting_.c_str(), path_.c_str()) != 0)
      return system_failure(path_);
    file_.reset();
    return {};
  }

private:
  std::string path_;
  std::string waiting_; ///< the name until then
  unique_fd file_;
};

} // namespace

caf::expected<certificate_directory> certificate_directory::open(const std::filesystem::path& path) {
  if (path.empty())
    return make_error(errc::invalid_argument, "a directory needs a name");
  if (::mkdir(path.c_str(), directory_mode) != 0 && errno != EEXIST)
    return system_failure(path);
  unique_fd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory)
    return system_failure(path);
  std::error_code failure;
  auto absolute = std::filesystem::canonical(path, failure);
  if (failure)
    return make_error(errc::io_error, fmt::format("{}: {}", path.string(), failure.message()));
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) == 0)
    return certificate_directory{std::move(absolute), std::move(directory)};
  if (errno == EWOULDBLOCK)
    return make_error(errc::already_running, path.string() + ": another process makes certificates there");
  return system_failure(path);
}

caf::expected<std::optional<identity>> certificate_directory::read(const std::string& name) const {
  const auto certificate = read_file(certificate_path(name), nothing);
  if (!certificate)
    return certificate.error();
  const auto key = read_file(key_path(name), for_everybody);
  if (!key)
    return key.error();
  if (!*certificate && !*key)
    return std::optional<identity>{};
  if (!*certificate || !*key)
    return refuse(*key ? key_path(name) : certificate_path(name),
                  fmt::format("is there without {}.{}", name, *key ? "pem" : "key"));
  return std::optional{identity{**certificate, **key}};
}

caf::error certificate_directory::write(const std::string& name, const identity& of, present files) const {
  unnamed_file key{key_path(name)};
  unnamed_file certificate{certificate_path(name)};
  if (auto problem = key.fill(of.key, key_mode))
    return problem;
  if (auto problem = certificate.fill(of.certificate, certificate_mode))
    return problem;
  // Both are on the disk already: little can come between the two names.
  if (auto problem = key.place(files))
    return problem;
  if (auto problem = certificate.place(files))
    return problem;
  return ::fsync(directory_.get()) == 0 ? caf::error{} : system_failure(path_);
}

} // namespace troupe::tools
