#include "cli/program_kind.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

namespace dmmap::cli {

namespace {

Result<std::string> find_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return name;
  }
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  int code = ENOENT;
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = fmt::format("{}/{}", folder.empty() ? "." : folder, name);
    struct stat status {};
    if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      if (::access(candidate.c_str(), X_OK) == 0) {
        return candidate;
      }
      code = EACCES;
    }
  }
  return fail(code, code == EACCES ? fmt::format("{} was found in PATH, but may not be executed", name)
                                   : fmt::format("there is no program {} in PATH", name));
}

/// An ELF file's beginning and its segments (elf(5)).
class Elf {
 public:
  explicit Elf(const std::string& path) : file_(path, std::ios::binary) {
    file_.read(reinterpret_cast<char*>(&header_), sizeof header_);
    good_ = file_.good() && std::memcmp(&header_.e_ident[0], ELFMAG, SELFMAG) == 0;
    for (unsigned each = 0; is_64bit() && each < header_.e_phnum; ++each) {
      Elf64_Phdr segment{};
      file_.seekg(static_cast<std::streamoff>(header_.e_phoff + each * sizeof segment));
      if (!file_.read(reinterpret_cast<char*>(&segment), sizeof segment)) {
        file_.clear();
        break;
      }
      segments_.push_back(segment);
    }
  }

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool is_64bit() const { return good_ && header_.e_ident[EI_CLASS] == ELFCLASS64; }
  /// The dynamic linker that it asks for; empty for a static program.
  [[nodiscard]] std::string linker() {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_INTERP) {
        const std::string bytes = bytes_of(segment);
        return bytes.substr(0, bytes.find('\0'));
      }
    }
    return {};
  }
  /// Made by Go's own tools, which put a note of theirs into it.
  [[nodiscard]] bool is_go() {
    return std::any_of(segments_.begin(), segments_.end(), [&](const Elf64_Phdr& segment) {
      using namespace std::string_view_literals;
      return segment.p_type == PT_NOTE && bytes_of(segment).find("\4\0\0\0Go\0\0"sv) != std::string::npos;
    });
  }

 private:
  std::string bytes_of(const Elf64_Phdr& segment) {
    constexpr std::size_t kMost = 65536;
    std::string bytes(std::min<std::size_t>(segment.p_filesz, kMost), '\0');
    file_.seekg(static_cast<std::streamoff>(segment.p_offset));
    file_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file_.clear();
    return bytes;
  }

  std::ifstream file_;
  Elf64_Ehdr header_{};
  bool good_ = false;
  std::vector<Elf64_Phdr> segments_;
};

// Whether the dynamic linker takes no libraries from the environment (ld.so(8), "secure-execution mode").
bool gains_rights(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return false;
  }
  const bool capable = ::geteuid() != 0 && ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
  return ((status.st_mode & S_ISUID) != 0 && status.st_uid != ::geteuid()) ||
         ((status.st_mode & S_ISGID) != 0 && status.st_gid != ::getegid()) || capable;
}

// "#!/usr/bin/python3 -u" is /usr/bin/python3. Empty for what is no script.
std::string interpreter_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  if (!line.starts_with("#!")) {
    return {};
  }
  std::istringstream words(line.substr(2));
  std::string word;
  words >> word;
  return word;
}

}  // namespace

Result<ProgramKind> look_at_program(const std::string& name) {
  const auto path = find_in_path(name);
  if (!path) {
    return tl::unexpected(path.error());
  }
  ProgramKind kind{.path = *path, .can_load = true, .why_not = {}};
  std::string subject = name;
  std::string file = *path;
  if (const std::string interpreter = interpreter_of(*path); !interpreter.empty()) {
    subject = fmt::format("{}, which runs {},", interpreter, name);
    file = interpreter;
  }
  Elf elf(file);
  if (!elf.good()) {
    return kind;  // the kernel says what is wrong with it
  }
  std::string is;
  if (!elf.is_64bit()) {
    is = "is a 32-bit program";
    kind.can_load = false;
  } else if (elf.linker().empty()) {
    is = "is statically linked";
  } else if (elf.linker().find("musl") != std::string::npos) {
    is = "has another C library than the preloaded one needs";
    kind.can_load = false;
  } else if (gains_rights(file)) {
    is = "is set-uid, set-gid or has capabilities, so that nothing is preloaded";
  } else if (elf.is_go()) {
    is = "is made by Go, whose programs make system calls without the C library";
  }
  if (!is.empty()) {
    kind.why_not =
        fmt::format("{} {}: what its mmap calls show is decided when it opens a file, not at each call", subject, is);
  }
  return kind;
}

}  // namespace dmmap::cli
