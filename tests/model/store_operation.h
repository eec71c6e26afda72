// What the model test of the page store does: one operation of one client, or of the server.
#pragma once

#include <array>
#include <cstdint>
#include <ostream>
#include <string>

namespace dmmap::testing {

// Of what fails alike the first is shown.
enum class StoreVerb : std::uint8_t {
  pread,
  pwrite,
  load,  ///< through the mapping, as all that isn't told to be by the descriptor
  store,
  truncate,
  fallocate,
  sync,
  seek,
  copy_range,
  cp,
  write_mapped,  ///< pwrite of what a mapping shows
  read_mapped,   ///< pread into a mapping
  stat,
  list,
  open,
  leave,  ///< close, unmap, or both
  evict,  ///< the client forgets its pages, and the kernel is told that it may
  rename,
  unlink,
  link,
  snapshot,
  server_unmap,   ///< the server takes back what clients have mapped, written or not
  server_forget,  ///< it has the kernel forget a name, and what it knows of the file
  restart,        ///< all leave, and the server ends and starts again
  together,       ///< all who have the file open store at once, perhaps while the server unmaps
};

struct StoreOperation {
  static constexpr std::uint32_t kClients = 3;
  static constexpr std::uint32_t kFiles = 2;  // that a client has open at once
  static constexpr std::array kNames{"a", "b", "c", "d"};
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kMost = 16 * kPage;  // bytes that a file may have

  StoreVerb verb = StoreVerb::pread;
  std::uint32_t client = 0;
  // One that it has open, or if it hasn't, the one with the name, made if need be.
  std::uint32_t file = 0;
  std::uint32_t name = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 1;
  // Where there are two.
  std::uint32_t other_file = 0;
  std::uint32_t other_name = 0;
  std::uint64_t other_offset = 0;
  char fill = 'a';
  unsigned kind = 0;  // which of several, as the verb has them

  /// `length` bytes that are stored: no page is like the next one.
  [[nodiscard]] std::string text(std::size_t length) const;
  [[nodiscard]] static std::string name_of(std::uint32_t number) { return kNames.at(number); }

  // By `kind`.
  [[nodiscard]] int open_flags() const;
  [[nodiscard]] int fallocate_mode() const;
  [[nodiscard]] unsigned rename_flags() const;
  /// From where a page begins to where one does, and up to the file's end.
  [[nodiscard]] bool copies_whole_pages() const { return kind % 2 == 1; }
};

std::ostream& operator<<(std::ostream& out, const StoreOperation& operation);

}  // namespace dmmap::testing
