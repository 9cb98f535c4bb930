#pragma once

#include <clocale>

#include <locale.h>

namespace troupe::handlers {

/// Names are UTF-8 for this thread while the object lives. libarchive converts names to and from the thread's locale,
/// and fails on most in a node that was started with LANG=C. Every Debian system has C.UTF-8.
class utf8_locale {
public:
  utf8_locale() : own_{::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{})} {
    if (own_)
      before_ = ::uselocale(own_);
  }
  ~utf8_locale() {
    if (!own_)
      return;
    ::uselocale(before_);
    ::freelocale(own_);
  }
  utf8_locale(const utf8_locale&) = delete;
  utf8_locale& operator=(const utf8_locale&) = delete;

private:
  locale_t own_;
  locale_t before_{};
};

} // namespace troupe::handlers
