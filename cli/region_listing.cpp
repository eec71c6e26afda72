#include "cli/region_listing.h"

#include <dmmap/ids.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "protocol/map_protocol.h"
#include "protocol/regions_protocol.h"
#include "transport/mount_table.h"

namespace dmmap::cli {

namespace {

using nlohmann::json;

// One line of /proc/PID/maps (proc_pid_maps(5)).
struct Vma {
  std::uint32_t pid = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  std::uint64_t inode = 0;
  std::string prot;
};

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string program_of(std::uint32_t process) {
  const std::string name = first_line(fmt::format("/proc/{}/comm", process));
  return name.empty() ? "?" : name;
}

std::optional<Vma> parse(const std::string& line, dev_t device) {
  unsigned long begin = 0;
  unsigned long end = 0;
  std::array<char, 5> prot{};
  unsigned long long offset = 0;
  unsigned major_number = 0;
  unsigned minor_number = 0;
  unsigned long long inode = 0;
  // NOLINTNEXTLINE(*-vararg): seven fields, whose form the kernel promises
  const int fields = std::sscanf(line.c_str(), "%lx-%lx %4s %llx %x:%x %llu", &begin, &end, prot.data(), &offset,
                                 &major_number, &minor_number, &inode);
  if (fields != 7 || makedev(major_number, minor_number) != device) {
    return std::nullopt;
  }
  return Vma{0, begin, end, offset, inode, prot.data()};
}

// Of all processes whose maps may be read.
std::vector<Vma> mappings_of(dev_t device) {
  std::vector<Vma> all;
  std::error_code ignored;
  for (const auto& process : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = process.path().filename().string();
    std::uint32_t pid = 0;
    const auto number = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (number.ec != std::errc() || number.ptr != name.data() + name.size()) {
      continue;
    }
    std::ifstream maps(process.path() / "maps");
    for (std::string line; std::getline(maps, line);) {
      if (auto vma = parse(line, device)) {
        vma->pid = pid;
        all.push_back(std::move(*vma));
      }
    }
  }
  return all;
}

// The server knows what an inode shows; the way to that very inode needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
std::optional<std::uint64_t> region_of(const Vma& vma) {
  const std::string path = fmt::format("/proc/{}/map_files/{:x}-{:x}", vma.pid, vma.begin, vma.end);
  std::array<char, 32> text{};
  const ssize_t length = ::getxattr(path.c_str(), protocol::kRegionAttribute, text.data(), text.size());
  std::uint64_t id = 0;
  const bool good = length > 0 && std::from_chars(text.data(), text.data() + length, id).ec == std::errc();
  return good ? std::optional(id) : std::nullopt;
}

// Whether this is what the mapping was granted. An inode of the library's is one grant's; of one that the kernel asked
// for, the place and the access are known, and of others who has opened them.
bool may_be_of(const Vma& vma, const json& holding) {
  if (vma.inode >= kFirstLibraryId) {
    return holding["node"] == vma.inode;
  }
  if (holding["process"] != vma.pid || holding["tier"] == "preload") {
    return false;
  }
  if (holding["tier"] == "open") {
    return true;
  }
  const auto begin = holding["offset"].get<std::uint64_t>();
  const bool within = vma.offset >= begin && vma.offset - begin < holding["length"].get<std::uint64_t>();
  const bool writes = (holding["prot"].get<int>() & PROT_WRITE) != 0;
  return within && writes == (vma.prot.find('w') != std::string::npos);
}

// Without that right, or where one inode's mappings show several regions: what is known of who holds what.
json* guess(json& regions, const Vma& vma) {
  for (const char* const tier : {"kernel", "preload", "open"}) {
    for (json& region : regions) {
      for (const json& holding : region["holdings"]) {
        if (holding["tier"] == tier && may_be_of(vma, holding)) {
          return &region;
        }
      }
    }
  }
  return nullptr;
}

bool asked_by_kernel(const json& region) {
  return std::any_of(region["holdings"].begin(), region["holdings"].end(),
                     [](const json& holding) { return holding["tier"] == "kernel"; });
}

json* find_region(json& regions, const Vma& vma) {
  const auto id = region_of(vma);
  if (!id) {
    return guess(regions, vma);
  }
  const auto found = std::find_if(regions.begin(), regions.end(), [&](const json& each) { return each["id"] == *id; });
  return found == regions.end() ? nullptr : &*found;
}

json json_of(const Vma& vma, const json* region) {
  const char* tier = vma.inode >= kFirstLibraryId ? "preload" : "open";
  if (region != nullptr && asked_by_kernel(*region)) {
    tier = "kernel";
  }
  return {{"process", vma.pid},   {"program", program_of(vma.pid)}, {"prot", vma.prot}, {"offset", vma.offset},
          {"address", vma.begin}, {"length", vma.end - vma.begin},  {"tier", tier}};
}

Error cannot(int code, const std::string& mountpoint) {
  switch (code) {
    case ENOENT:
    case ENOTDIR:
      return {code, fmt::format("{} isn't there", mountpoint)};
    case EACCES:
      return {code, fmt::format("{}: who maps what is told to root and to the user who serves it", mountpoint)};
    case ENOTCONN:
      return {code, fmt::format("{}: the server has ended; unmount it with umount -l", mountpoint)};
    default:
      return {code, fmt::format("{}: {}", mountpoint, std::strerror(code))};
  }
}

Result<json> ask_server(const std::string& mountpoint) {
  errno = 0;
  std::ifstream file(mountpoint + "/" + protocol::kRegionsFile);
  if (!file) {
    return tl::unexpected(errno == ENOENT ? Error{ENODEV, fmt::format("{}: its server is too old to tell", mountpoint)}
                                          : cannot(errno, mountpoint));
  }
  std::ostringstream text;
  text << file.rdbuf();
  json said = json::parse(text.str(), nullptr, false);
  if (said.is_discarded() || !said.contains("regions")) {
    return fail(EIO, fmt::format("{}: its server said something else than was asked", mountpoint));
  }
  return said;
}

}  // namespace

Result<std::string> list_regions(const std::string& mountpoint) {
  std::error_code code;
  const auto root = std::filesystem::canonical(mountpoint, code);
  if (code) {
    return tl::unexpected(cannot(code.value(), mountpoint));
  }
  const auto mount = transport::find_mount(root.string());
  if (!mount || !protocol::map::is_mount_type(mount->type)) {
    return fail(ENODEV, fmt::format("{} isn't a mount of dmmap's", mountpoint));
  }
  auto said = ask_server(mountpoint);
  if (!said) {
    return tl::unexpected(said.error());
  }
  json& regions = (*said)["regions"];
  json others = json::array();
  for (json& region : regions) {
    region["mappings"] = json::array();
    for (json& holding : region["holdings"]) {
      holding["program"] = program_of(holding["process"].get<std::uint32_t>());
    }
  }
  for (const Vma& vma : mappings_of(makedev(mount->major, mount->minor))) {
    json* const region = find_region(regions, vma);
    (region != nullptr ? (*region)["mappings"] : others).push_back(json_of(vma, region));
  }
  (*said)["mountpoint"] = mountpoint;
  (*said)["other_mappings"] = std::move(others);
  return said->dump();
}

}  // namespace dmmap::cli
