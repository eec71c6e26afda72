#include "model/store_operation.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>
#include <utility>

namespace dmmap::testing {

namespace {

// In the order of StoreVerb.
constexpr std::array kVerbNames{
    "pread",
    "pwrite",
    "load",
    "store",
    "truncate",
    "fallocate",
    "sync",
    "seek",
    "copy_file_range",
    "cp",
    "pwrite from a mapping",
    "pread into a mapping",
    "stat",
    "list",
    "open",
    "leave",
    "evict",
    "rename",
    "unlink",
    "link",
    "snapshot",
    "server unmaps",
    "server forgets",
    "restart",
    "together",
};

constexpr std::array kOpenFlags{
    std::pair(O_RDWR | O_CREAT, "O_RDWR|O_CREAT"),
    std::pair(O_RDONLY, "O_RDONLY"),
    std::pair(O_RDWR | O_CREAT | O_TRUNC, "O_RDWR|O_CREAT|O_TRUNC"),
    std::pair(O_RDWR | O_CREAT | O_EXCL, "O_RDWR|O_CREAT|O_EXCL"),
    std::pair(O_RDWR | O_CREAT | O_APPEND, "O_RDWR|O_CREAT|O_APPEND"),
    std::pair(O_RDWR | O_TMPFILE, "O_RDWR|O_TMPFILE"),
};
constexpr std::array kFallocateModes{
    std::pair(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "PUNCH_HOLE|KEEP_SIZE"),
    std::pair(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "ZERO_RANGE|KEEP_SIZE"),
    std::pair(FALLOC_FL_ZERO_RANGE, "ZERO_RANGE"),
    std::pair(0, "0"),
    std::pair(+FALLOC_FL_KEEP_SIZE, "KEEP_SIZE"),
};
constexpr std::array kRenameFlags{
    std::pair(0U, ""),
    std::pair(static_cast<unsigned>(RENAME_NOREPLACE), " RENAME_NOREPLACE"),
    std::pair(static_cast<unsigned>(RENAME_EXCHANGE), " RENAME_EXCHANGE"),
};
constexpr std::array kSeeks{"SEEK_DATA", "SEEK_HOLE"};
constexpr std::array kSyncs{"msync MS_SYNC", "msync MS_ASYNC", "fsync", "fdatasync"};
constexpr std::array kLeaves{"close and unmap", "close", "unmap"};

template <class Array>
const auto& chosen(const Array& array, unsigned kind) {
  return array.at(kind % array.size());
}

std::string detail(const StoreOperation& operation) {
  std::string range = fmt::format(" {} bytes at {}", operation.size, operation.offset);
  const std::string name = StoreOperation::name_of(operation.name);
  const std::string other = StoreOperation::name_of(operation.other_name);
  const std::string other_file =
      fmt::format("file {} (or {}) at {}", operation.other_file, other, operation.other_offset);
  switch (operation.verb) {
    case StoreVerb::pwrite:
    case StoreVerb::store:
      return fmt::format("{}, '{}'", range, operation.fill);
    case StoreVerb::together:
      return fmt::format("{}, '{}', {}{}", range, operation.fill,
                         operation.kind % 2 == 0 ? "store" : "store and pwrite",
                         operation.kind % 4 < 2 ? ", server unmaps" : "");
    case StoreVerb::truncate:
      return fmt::format(" to {} by {}", operation.offset, operation.kind % 3 == 2 ? "name" : "descriptor");
    case StoreVerb::fallocate:
      return fmt::format(" {}{}", chosen(kFallocateModes, operation.kind).second, range);
    case StoreVerb::sync:
      return fmt::format(" {}{}", chosen(kSyncs, operation.kind), operation.kind % 4 < 2 ? range : "");
    case StoreVerb::seek:
      return fmt::format(" {} from {}", chosen(kSeeks, operation.kind), operation.offset);
    case StoreVerb::copy_range:
      return (operation.copies_whole_pages() ? ", whole pages and the end," : "") + range + " to " + other_file;
    case StoreVerb::read_mapped:
      return range + " to " + other_file;
    case StoreVerb::write_mapped:
      return range + " from " + other_file;
    case StoreVerb::cp:
    case StoreVerb::link:
    case StoreVerb::snapshot:
      return " " + name + " to " + other;
    case StoreVerb::rename:
      return " " + name + " to " + other + chosen(kRenameFlags, operation.kind).second;
    case StoreVerb::open:
      return " " + name + " " + chosen(kOpenFlags, operation.kind).second;
    case StoreVerb::leave:
      return std::string(": ") + chosen(kLeaves, operation.kind);
    case StoreVerb::unlink:
    case StoreVerb::server_forget:
      return " " + name;
    case StoreVerb::restart:
      return operation.kind % 2 == 1 ? ", and the database is opened again" : "";
    case StoreVerb::list:
    case StoreVerb::stat:
    case StoreVerb::evict:
      return "";
    default:
      return range;
  }
}

}  // namespace

std::string StoreOperation::text(std::size_t length) const {
  constexpr std::size_t kLetters = 26;
  std::string all(length, fill);
  for (std::size_t at = 0; at < length; ++at) {
    all[at] = static_cast<char>('a' + (static_cast<std::size_t>(fill - 'a') + at + at / kPage) % kLetters);
  }
  return all;
}

int StoreOperation::open_flags() const {
  return chosen(kOpenFlags, kind).first;
}

int StoreOperation::fallocate_mode() const {
  return chosen(kFallocateModes, kind).first;
}

unsigned StoreOperation::rename_flags() const {
  return chosen(kRenameFlags, kind).first;
}

// A line, since rapidcheck lists many.
std::ostream& operator<<(std::ostream& out, const StoreOperation& operation) {
  const auto verb = static_cast<std::size_t>(operation.verb);
  return out << fmt::format("client {} file {} (or {}): {}{}\n", operation.client, operation.file,
                            StoreOperation::name_of(operation.name), kVerbNames.at(verb), detail(operation));
}

}  // namespace dmmap::testing
