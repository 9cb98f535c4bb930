// Stands in for libFuzzer in ordinary builds: gives the target each file of the folders and files that are named on
// the command line, and fails when there is none.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void replay(const std::filesystem::path& file) {
  std::cout << file.filename().string() << std::endl; // At once: the last line names the input of a crash.
  std::ifstream stream{file, std::ios::binary};
  const std::string bytes{std::istreambuf_iterator<char>{stream}, {}};
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

} // namespace

int main(int count, char** arguments) {
  int inputs = 0;
  for (int i = 1; i < count; ++i) {
    const std::filesystem::path path{arguments[i]};
    if (!std::filesystem::is_directory(path)) {
      replay(path);
      ++inputs;
      continue;
    }
    for (const auto& file : std::filesystem::directory_iterator{path}) {
      replay(file.path());
      ++inputs;
    }
  }
  if (inputs == 0)
    std::cerr << "there are no inputs\n";
  return inputs == 0 ? 1 : 0;
}
