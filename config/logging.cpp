#include "config/logging.hpp"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <fmt/chrono.h>

#include <memory>

namespace troupe::config {

namespace {

/// The length of the UTF-8 sequence that `text` begins with (RFC 3629), or 0 when it begins with none.
size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [text](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto continues = [&byte](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80)
    return 1;
  if (lead >= 0xc2 && lead <= 0xdf)
    return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool is_overlong = lead == 0xe0 && byte(1) < 0xa0;
    const bool is_surrogate = lead == 0xed && byte(1) > 0x9f;
    return continues(1) && continues(2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool is_overlong = lead == 0xf0 && byte(1) < 0x90;
    const bool is_too_large = lead == 0xf4 && byte(1) > 0x8f;
    return continues(1) && continues(2) && continues(3) && !is_overlong && !is_too_large ? 4 : 0;
  }
  return 0;
}

/// The time in UTC with microseconds, as RFC 3339 has it.
std::string time_of(const spdlog::details::log_msg& message) {
  const auto since_epoch = std::chrono::duration_cast<std::chrono::microseconds>(message.time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(static_cast<std::time_t>(seconds.count())),
                     (since_epoch - seconds).count());
}

std::string_view level_of(const spdlog::details::log_msg& message) {
  const auto name = spdlog::level::to_string_view(message.level);
  const std::string_view text{name.data(), name.size()};
  return text == "warning" ? "warn" : text; // As log.level spells it.
}

class text_formatter final : public spdlog::formatter {
public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    auto to = std::back_inserter(out);
    fmt::format_to(to, "{} ", time_of(message));
    message.color_range_start = out.size(); // The sink colours this range on a terminal.
    fmt::format_to(to, "{:<5}", level_of(message));
    message.color_range_end = out.size();
    fmt::format_to(to, " ");
    // A message may hold what a client sent: it must not be able to forge a line or drive the terminal.
    for (const char c : message.payload) {
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
        fmt::format_to(to, "\\x{:02x}", static_cast<unsigned char>(c));
      else
        out.push_back(c);
    }
    out.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<text_formatter>(); }
};

class json_formatter final : public spdlog::formatter {
public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string_view payload{message.payload.data(), message.payload.size()};
    fmt::format_to(std::back_inserter(out),
                   R"({{"time":"{}","level":"{}","thread":{},"message":"{}"}})"
                   "\n",
                   time_of(message), level_of(message), message.thread_id, json_escaped(payload));
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<json_formatter>(); }
};

} // namespace

std::string json_escaped(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0)
      result += "\xef\xbf\xbd";
    else if (first < ' ' || first == 0x7f)
      result += fmt::format("\\u{:04x}", first);
    else if (first == '"' || first == '\\')
      result.append({'\\', text.front()});
    else
      result += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

void set_up_logging(const log_settings& of) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  if (of.format == "json") {
    sink->set_color_mode(spdlog::color_mode::never);
    sink->set_formatter(std::make_unique<json_formatter>());
  } else {
    sink->set_formatter(std::make_unique<text_formatter>());
  }
  auto logger = std::make_shared<spdlog::logger>("troupe", std::move(sink));
  logger->set_level(spdlog::level::from_str(of.level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

} // namespace troupe::config
