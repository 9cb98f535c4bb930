#include "tools/table.hpp"

#include "tools/console.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace troupe::tools {

namespace {

void append_cell(std::string& line, const std::string& cell, size_t width, align side) {
  const std::string padding(width - width_of(cell), ' ');
  if (!line.empty())
    line += "  ";
  line += side == align::right ? padding + cell : cell + padding;
}

} // namespace

size_t width_of(std::string_view text) noexcept {
  const auto begins_code_point = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_code_point));
}

void table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (auto& cell : cells)
    cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string table::text(style how) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = width_of(columns_[i].title);
    for (const auto& row : rows_)
      width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }

  const auto line_of = [this, &widths](const auto& cell_at) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i)
      append_cell(line, cell_at(i), widths[i], columns_[i].side);
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };

  const auto titles = line_of([this](size_t i) -> const std::string& { return columns_[i].title; });
  std::string result = how == style::coloured ? fmt::format("\x1b[1m{}\x1b[0m\n", titles) : titles + "\n";
  for (const auto& row : rows_)
    result += line_of([&row](size_t i) -> const std::string& { return row[i]; }) + "\n";
  return result;
}

void table::print() const {
  fmt::print("{}", text(wants_colour(stdout) ? style::coloured : style::plain));
}

} // namespace troupe::tools
