#include "handlers/bundle/imports.hpp"

#include "config/limits.hpp"
#include "config/packages.hpp"

#include <algorithm>
#include <utility>

namespace troupe::handlers {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
      || static_cast<unsigned char>(c) >= 0x80;
}

/// Reads a module token by token. Only as much of Python's grammar is known as is needed to tell where a statement
/// begins: strings, comments, brackets, and lines that are continued.
class scanner {
public:
  explicit scanner(std::string_view source) : rest_{source} {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (rest_.starts_with(byte_order_mark))
      rest_.remove_prefix(byte_order_mark.size());
  }

  /// Goes to where the next line begins that continues none; false at the end.
  bool next_line() {
    while (token() != newline)
      if (rest_.empty())
        return false;
    return !rest_.empty();
  }

  /// Whether the line that begins here belongs to a block.
  bool is_indented() const { return rest_.starts_with(' ') || rest_.starts_with('\t'); }

  /// A word, one other character, `newline`, or nothing at the end.
  std::string_view token();

  /// The next token, which stays.
  std::string_view peek() {
    const scanner before = *this;
    const auto result = token();
    *this = before;
    return result;
  }

  static constexpr std::string_view newline = "\n";

private:
  std::string_view take(size_t size) {
    const auto result = rest_.substr(0, size);
    rest_.remove_prefix(result.size());
    return result;
  }

  void skip_comment() { rest_.remove_prefix(std::min(rest_.find_first_of("\r\n"), rest_.size())); }
  void skip_space();
  void skip_string();
  std::string_view end_line();

  std::string_view rest_;
  unsigned depth_ = 0; ///< of brackets: inside of any, a line's end is a space
};

/// Blanks, comments and the ends of lines that go on.
void scanner::skip_space() {
  while (!rest_.empty()) {
    const std::string_view space = depth_ > 0 ? " \t\f\n\r" : " \t\f";
    if (space.find(rest_.front()) != std::string_view::npos)
      rest_.remove_prefix(1);
    else if (rest_.starts_with("\\\r\n"))
      rest_.remove_prefix(3);
    else if (rest_.starts_with("\\\n") || rest_.starts_with("\\\r"))
      rest_.remove_prefix(2);
    else if (rest_.front() == '#')
      skip_comment();
    else
      return;
  }
}

/// From its opening quotes on. The letters before them do not matter: in a raw string, too, no quote after a backslash
/// ends it.
void scanner::skip_string() {
  const char quote = rest_.front();
  const char triple[] = {quote, quote, quote};
  const std::string_view end =
    rest_.starts_with(std::string_view{triple, 3}) ? std::string_view{triple, 3} : std::string_view{triple, 1};
  rest_.remove_prefix(end.size());
  while (!rest_.empty() && !rest_.starts_with(end)) {
    if (end.size() == 1 && (rest_.front() == '\n' || rest_.front() == '\r'))
      return; // which Python refuses
    rest_.remove_prefix(rest_.front() == '\\' && rest_.size() > 1 ? 2 : 1);
  }
  rest_.remove_prefix(std::min(end.size(), rest_.size()));
}

std::string_view scanner::end_line() {
  rest_.remove_prefix(rest_.starts_with("\r\n") ? 2 : 1);
  return newline;
}

std::string_view scanner::token() {
  skip_space();
  if (rest_.empty())
    return {};
  const char c = rest_.front();
  if (c == '\n' || c == '\r')
    return end_line();
  if (c == '"' || c == '\'') {
    const auto whole = rest_;
    skip_string();
    return whole.substr(0, 1);
  }
  if (is_word(c))
    return take(static_cast<size_t>(std::ranges::find_if_not(rest_, is_word) - rest_.begin()));
  if (c == '(' || c == '[' || c == '{')
    ++depth_;
  if ((c == ')' || c == ']' || c == '}') && depth_ > 0)
    --depth_;
  return take(1);
}

/// Reads the statements that begin a line, as long as they are imports.
class reader {
public:
  explicit reader(std::string_view source) : from_{source} {}

  std::vector<import_name> all() {
    do {
      if (!from_.is_indented())
        read_line();
    } while (found_.size() < limits::import_names_max && from_.next_line());
    return std::move(found_);
  }

private:
  /// Leaves the end of the line to next_line().
  void read_line() {
    do {
      const auto word = from_.peek();
      if (word == "import" && take_word() && read_import())
        continue;
      if (word == "from" && take_word() && read_from())
        continue;
      return;
    } while (take(";"));
  }

  bool take_word() {
    from_.token();
    return true;
  }

  bool take(std::string_view token) { return from_.peek() == token && take_word(); }

  bool read_import() {
    do {
      auto name = dotted_name();
      if (name.empty() || !skip_alias())
        return false;
      add(0, std::move(name));
    } while (take(","));
    return true;
  }

  bool read_from() {
    unsigned dots = 0;
    while (take("."))
      ++dots;
    const auto base = from_.peek() == "import" ? std::string{} : dotted_name();
    if ((base.empty() && dots == 0) || !take("import"))
      return false;
    add(dots, base);
    if (take("*"))
      return true;
    const bool bracketed = take("(");
    do {
      if (bracketed && take(")"))
        return true; // after a last comma
      const std::string name{from_.peek()};
      if (!config::is_module_name(name) || !take_word() || !skip_alias())
        return false;
      add(dots, base.empty() ? name : base + "." + name);
    } while (take(","));
    return !bracketed || take(")");
  }

  std::string dotted_name() {
    std::string result;
    do {
      const auto part = from_.peek();
      if (!config::is_module_name(part))
        return {};
      result += (result.empty() ? "" : ".") + std::string{part};
      take_word();
    } while (result.size() <= limits::archive_path_bytes_max && take("."));
    return result;
  }

  bool skip_alias() { return !take("as") || (config::is_module_name(from_.peek()) && take_word()); }

  void add(unsigned dots, std::string name) {
    if (found_.size() < limits::import_names_max)
      found_.push_back({dots, std::move(name)});
  }

  scanner from_;
  std::vector<import_name> found_;
};

} // namespace

std::vector<import_name> find_import_statements(std::string_view source) {
  return reader{source}.all();
}

} // namespace troupe::handlers
