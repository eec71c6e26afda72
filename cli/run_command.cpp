#include "cli/run_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <system_error>
#include <vector>

#include "cli/program_kind.h"

namespace dmmap::cli {

namespace {

constexpr const char* kLibrary = "libdmmap-preload.so";

// Beside the program: as it's built, or as it's installed.
Result<std::string> find_library() {
  std::error_code code;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", code);
  for (const char* folder : {"lib/dmmap", DMMAP_PRELOAD_FOLDER}) {
    const auto candidate = (self.parent_path() / folder / kLibrary).lexically_normal();
    if (std::filesystem::exists(candidate, code)) {
      return candidate.string();
    }
  }
  return fail(ENOENT, fmt::format("{} isn't where it belongs, in {}: install dmmap whole", kLibrary,
                                  (self.parent_path() / DMMAP_PRELOAD_FOLDER).lexically_normal().string()));
}

// Before what others have there. Once, also where the program that runs was started like this.
Result<void> preload(const std::string& library) {
  if (library.find_first_of(" :") != std::string::npos) {  // ld.so(8)
    return fail(EINVAL, fmt::format("{} can't be preloaded: its path has a blank or a colon; install dmmap elsewhere",
                                    library));
  }
  const char* const others = std::getenv("LD_PRELOAD");
  const std::string before = others != nullptr ? others : "";
  if (before.find(library) == std::string::npos) {
    ::setenv("LD_PRELOAD", (before.empty() ? library : library + ":" + before).c_str(), 1);
  }
  return {};
}

int run(const std::vector<std::string>& words, bool character_devices, std::ostream& err) {
  constexpr int kNotFound = 127;  // as env(1)
  constexpr int kNotExecutable = 126;
  const auto complain = [&](const std::string& text) { err << "dmmap run: " << text << std::endl; };
  const auto program = look_at_program(words.front());
  if (!program) {
    complain(program.error().message);
    return program.error().code == ENOENT ? kNotFound : kNotExecutable;
  }
  if (!program->why_not.empty()) {
    complain(program->why_not);
  }
  if (program->can_load) {
    const auto library = find_library();
    const auto loaded = library ? preload(*library) : tl::unexpected(library.error());
    if (!loaded) {
      complain(loaded.error().message);
      return 1;
    }
  }
  if (!character_devices) {
    ::setenv("DMMAP_CHARACTER_DEVICES", "0", 1);
  }
  std::vector<char*> arguments;
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  ::execvp(program->path.c_str(), arguments.data());  // which also runs what has no "#!" by the shell
  const int code = errno;
  complain(fmt::format("{}: {}", program->path, std::strerror(code)));
  return code == ENOENT ? kNotFound : kNotExecutable;
}

}  // namespace

// CLI11 would take what follows it for arguments of the command's own.
std::vector<std::string> without_separator(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments.front() != "run") {
    return arguments;
  }
  const auto first = std::find_if(arguments.begin() + 1, arguments.end(),
                                  [](const std::string& each) { return each == "--" || !each.starts_with("-"); });
  if (first != arguments.end() && *first == "--") {
    arguments.erase(first);
  }
  return arguments;
}

void add_run_command(CLI::App& app, std::ostream& err, int& status) {
  CLI::App* command =
      app.add_subcommand("run", "Run a program whose every mmap of a file of dmmap's asks the file's server");
  const auto as_they_are = std::make_shared<bool>(false);
  command->add_flag("--no-character-devices", *as_they_are,
                    "show the files of devices as the regular files that they are, not as character devices");
  command->prefix_command();
  command->footer("PROGRAM [ARGUMENTS...] come after the options.");
  command->callback([command, &err, &status, as_they_are] {
    const std::vector<std::string> words = command->remaining();
    if (words.empty()) {
      err << "dmmap run: which program? dmmap run PROGRAM [ARGUMENTS...]\n";
      status = 2;
      return;
    }
    status = run(words, !*as_they_are, err);
  });
}

}  // namespace dmmap::cli
