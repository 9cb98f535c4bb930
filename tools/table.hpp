#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace troupe::tools {

enum class align : uint8_t { left, right };

/// Rows of text in aligned columns, without lines, so that awk and cut can read it too.
class table {
public:
  struct column {
    std::string title;
    align side = align::left;
  };

  explicit table(std::vector<column> columns) : columns_{std::move(columns)} {}

  /// One cell a column. Control characters are made visible.
  void add(std::vector<std::string> cells);

  /// All lines, two spaces between columns and none at a line's end; titles in bold when asked for.
  enum class style { plain, coloured };
  std::string text(style how) const;

  /// Prints to stdout, in colour on a terminal.
  void print() const;

private:
  std::vector<column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// How many columns of a terminal `text` takes: its code points (wide and combining characters are not looked at).
size_t width_of(std::string_view text) noexcept;

} // namespace troupe::tools
