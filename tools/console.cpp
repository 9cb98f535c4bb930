#include "tools/console.hpp"

#include "config/errc.hpp"

#include <fmt/core.h>

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace troupe::tools {

int fail(const caf::error& error) {
  note(what_of(error));
  return face_of(code_of(error)).exit_code;
}

void note(std::string_view text) {
  fmt::print(stderr, "troupe: {}\n", printable(text));
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters as well: terminals take some for the beginning of a command.
    const bool is_c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte == '\n')
      result += "\\n";
    else if (byte == '\t')
      result += "\\t";
    else if (byte < ' ' || byte == 0x7f || is_c1)
      result += fmt::format("\\x{:02x}", is_c1 ? static_cast<unsigned char>(text[++i]) : byte);
    else
      result += text[i];
  }
  return result;
}

std::filesystem::path program_directory() {
  // Asked for once: the link may lead nowhere when the process has changed its mount namespace.
  static const auto directory = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  return directory;
}

bool wants_colour(std::FILE* stream) {
  const char* refused = std::getenv("NO_COLOR");
  return isatty(fileno(stream)) == 1 && (refused == nullptr || *refused == '\0');
}

caf::error flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return make_error(errc::io_error, fmt::format("standard output: {}", std::strerror(errno)));
  return {};
}

} // namespace troupe::tools
