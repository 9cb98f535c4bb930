// The `troupe` program: wires the commands to the command line. Each command is a file beside this one.
#include "config/errc.hpp"
#include "tools/commands.hpp"
#include "tools/console.hpp"

#include <exception>

using namespace troupe;

namespace {

void add_commands(CLI::App& program, tools::action& chosen) {
  program.name("troupe");
  program.require_subcommand(1);
  program.footer("Examples:\n"
                 "  troupe serve --node.data-dir /tmp/troupe\n"
                 "  troupe deploy hello handlers/examples/hello\n"
                 "  troupe invoke hello -d '{\"name\": \"you\"}'\n"
                 "  troupe billing report\n\n"
                 "Every command has a --help of its own.");
  tools::add_serve(program, chosen);
  tools::add_doctor(program, chosen);
  tools::add_config(program, chosen);
  tools::add_deploy(program, chosen);
  tools::add_invoke(program, chosen);
  tools::add_ls(program, chosen);
  tools::add_show(program, chosen);
  tools::add_rm(program, chosen);
  tools::add_billing(program, chosen);
  tools::add_cluster(program, chosen);
  tools::add_version(program, chosen);
}

/// One line that says what is wrong with the command line.
int refuse(const CLI::App& program, const CLI::ParseError& wrong) {
  // CLI11 misses a command before it looks at what stands in its place.
  const auto remaining = program.remaining();
  if (dynamic_cast<const CLI::RequiredError*>(&wrong) != nullptr && program.get_subcommands().empty()
      && !remaining.empty() && !remaining.front().starts_with('-'))
    return tools::fail(
      make_error(errc::invalid_argument, "there is no command \"" + remaining.front() + "\" (--help lists them)"));
  return tools::fail(make_error(errc::invalid_argument, std::string{wrong.what()} + " (--help shows how)"));
}

/// The chosen command's exit code, and a failure when its answer could not be written out.
int run(const tools::action& chosen) {
  const int code = chosen();
  const auto failure = tools::flush_output();
  return failure && code == 0 ? tools::fail(failure) : code;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App program{"Troupe runs functions the moment an event arrives, and bills what they use."};
  tools::action chosen;
  try {
    add_commands(program, chosen);
    program.parse(argc, argv);
    return run(chosen);
  } catch (const CLI::Success& asked) { // --help
    return program.exit(asked);
  } catch (const CLI::ParseError& wrong) {
    return refuse(program, wrong);
  } catch (const std::exception& failure) {
    return tools::fail(make_error(errc::internal, failure.what()));
  }
}
