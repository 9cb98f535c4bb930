#include "handlers/python/zygote.hpp"

#include <cstdio>
#include <string_view>

/// The Python host. A node starts it as its zygote: `troupe-python3 zygote DIRECTORY RESOLV_CONF LAYER...`.
int main(int argc, char** argv) {
  if (argc < 4 || std::string_view{argv[1]} != "zygote") {
    std::fputs("troupe-python3: this program is started by a troupe node\n", stderr);
    return 64;
  }
  return troupe::python::run_zygote(argv[2], argv[3], {argv + 4, argv + argc});
}
