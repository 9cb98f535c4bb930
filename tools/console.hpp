#pragma once

#include <caf/error.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

/// What all commands share in talking to the user: answers on stdout, everything else on stderr.
namespace troupe::tools {

/// How lists and documents are printed.
enum class output_format { table, json };

/// Prints "troupe: ..." as one line on stderr and answers the exit code that belongs to the error.
int fail(const caf::error& error);

/// Prints a remark as one line on stderr.
void note(std::string_view text);

/// `text` with control characters made visible, so that what a function or a node sent cannot drive the terminal or
/// break a line. Everything else, UTF-8 among it, stays.
std::string printable(std::string_view text);

/// Where the running program lies, and the host programs beside it.
std::filesystem::path program_directory();

/// Whether to use colours: `stream` is a terminal, and NO_COLOR (no-color.org) is not set.
bool wants_colour(std::FILE* stream);

/// Writes out stdout. Fails with io_error, as for a full disk.
caf::error flush_output();

} // namespace troupe::tools
