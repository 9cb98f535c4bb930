// The Python host with a cage that has holes: the same program from the same parts, but its own runner of the list
// leaves out the steps that the file `omitted-steps` beside it names, one a line. It shows that an attack which the
// cage stops is stopped by those steps. `weak-python3 steps` prints the list.

#include "handlers/python/zygote.hpp"
#include "handlers/sandbox/cage.hpp"
#include "handlers/sandbox/cage_steps.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace {

using troupe::handlers::step;

std::vector<std::span<const step>> lists() {
  using namespace troupe::handlers;
  return {zygote_steps(), blank_steps(),    last_steps(),          shell_steps(),
          holder_steps(), template_steps(), last_template_steps(), leaving_steps()};
}

/// Read by the zygote before its root changes; its children inherit it.
std::vector<std::string> omitted;

bool is_omitted(const step& what) noexcept {
  return std::ranges::find(omitted, what.name) != omitted.end();
}

bool is_step(const std::string& name) {
  for (const auto steps : lists())
    if (std::ranges::any_of(steps, [&](const step& each) { return each.name == name; }))
      return true;
  return false;
}

/// False when a name is of no step: a test that leaves out nothing would show nothing.
bool read_omitted() {
  std::ifstream file{std::filesystem::read_symlink("/proc/self/exe").parent_path() / "omitted-steps"};
  for (std::string line; std::getline(file, line);)
    omitted.push_back(line);
  return file.eof() && std::ranges::all_of(omitted, is_step);
}

constexpr std::string_view descriptors_step = "keep six descriptors";

/// A handler cannot be served without that step; in its place the same six take their numbers, and the others stay:
/// what has those numbers moves out of the way.
bool keep_all_descriptors(troupe::handlers::cage_plan& plan) noexcept {
  constexpr int out_of_the_way = 64;
  const int from[] = {::open("/dev/null", O_RDWR), plan.log, plan.log, plan.events, plan.answers, plan.set_up};
  int moved[std::size(from)];
  for (size_t i = 0; i < std::size(from); ++i)
    moved[i] = ::fcntl(from[i], F_DUPFD, out_of_the_way);
  for (int number = 0; number < static_cast<int>(std::size(from)); ++number) {
    ::fcntl(number, F_DUPFD, out_of_the_way); // fails where nothing is in the way
    if (::dup2(moved[number], number) < 0)
      return false;
  }
  plan.set_up = troupe::handlers::cage_set_up;
  return true;
}

int print_steps() {
  for (const auto steps : lists())
    for (const step& each : steps)
      std::puts(each.name);
  return 0;
}

} // namespace

// In place of cage_runner.cpp, which the linker leaves in its library, since all that it defines is here.
namespace troupe::handlers {

const char* take(std::span<const step> steps, cage_plan& plan) noexcept {
  for (const step& each : steps) {
    const auto act = !is_omitted(each) ? each.take : each.name == descriptors_step ? keep_all_descriptors : nullptr;
    if (act != nullptr && !act(plan))
      return each.name;
  }
  return nullptr;
}

} // namespace troupe::handlers

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view{argv[1]} == "steps")
    return print_steps();
  if (argc != 4 || !read_omitted()) {
    std::fputs("weak-python3: omitted-steps beside this program must name steps of the list\n", stderr);
    return 64;
  }
  return troupe::python::run_zygote(argv[2], argv[3]);
}
