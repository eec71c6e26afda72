// RemoteClient: a process of its own that has a file open and mapped, and does what it's told.
//
// For files whose pages the server supplies: a fault that waits for the server can hold its process's memory map, so in
// the server's own process it could wait for ever. Thread safety: one thread at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace dmmap::testing {

class RemoteClient {
 public:
  /// What an access came to.
  struct Outcome {
    int error = 0;  ///< errno(3); -SIGBUS when the mapping gave that
    std::int64_t result = 0;
    std::string bytes;
    [[nodiscard]] bool ok() const { return error == 0; }
  };

  /// Returns when the process has opened `path` with `flags` and mapped `size` bytes of it, shared; writable unless
  /// O_RDONLY. A size of 0 maps nothing; with
  /// `map_from` the mapping begins there, and so do the offsets of loads and stores. A failure shows as EBADF or ENODEV
  /// at each access, and in open_error().
  explicit RemoteClient(const std::filesystem::path& path, std::size_t size, int flags = 02 /* O_RDWR */,
                        std::uint64_t map_from = 0);
  RemoteClient(const RemoteClient&) = delete;
  RemoteClient& operator=(const RemoteClient&) = delete;
  ~RemoteClient();

  // By the mapping.
  Outcome load(std::uint64_t offset, std::size_t size) { return ask(Verb::load, offset, size); }
  Outcome store(std::uint64_t offset, std::string_view bytes) { return ask(Verb::store, offset, 0, bytes); }
  [[nodiscard]] unsigned char load(std::uint64_t offset);
  void store(std::uint64_t offset, unsigned char value);
  Outcome msync() { return ask(Verb::msync); }
  /// Drops this process's pages of the mapping (madvise(2), MADV_DONTNEED), so that the next touch faults.
  Outcome forget() { return ask(Verb::forget); }
  // By the file.
  Outcome pread(std::uint64_t offset, std::size_t size) { return ask(Verb::pread, offset, size); }
  Outcome pwrite(std::uint64_t offset, std::string_view bytes) { return ask(Verb::pwrite, offset, 0, bytes); }
  Outcome fsync() { return ask(Verb::fsync); }
  Outcome truncate(std::uint64_t size) { return ask(Verb::truncate, size); }
  Outcome file_size() { return ask(Verb::file_size); }
  /// Closes the file; the mapping stays.
  Outcome close() { return ask(Verb::close); }
  /// Unmaps and closes, and opens and maps again as at the beginning.
  Outcome leave() { return ask(Verb::leave); }
  Outcome come_back() { return ask(Verb::come_back); }
  /// Has the kernel drop what is clean of the file's pages (posix_fadvise(2), POSIX_FADV_DONTNEED).
  Outcome evict() { return ask(Verb::evict); }

  /// Begins one of the above without waiting; finish() brings the outcome, or nothing within `patience`.
  void begin_load(std::uint64_t offset, std::size_t size) { send(Verb::load, offset, size, {}); }
  void begin_store(std::uint64_t offset, std::string_view bytes) { send(Verb::store, offset, 0, bytes); }
  void begin_pread(std::uint64_t offset, std::size_t size) { send(Verb::pread, offset, size, {}); }
  void begin_fsync() { send(Verb::fsync, 0, 0, {}); }
  void begin_msync() { send(Verb::msync, 0, 0, {}); }
  std::optional<Outcome> finish(std::chrono::milliseconds patience);

  /// What open(2) failed with, or 0.
  [[nodiscard]] int open_error() const { return open_error_; }
  [[nodiscard]] pid_t pid() const { return child_; }
  void kill();
  /// Whether the killed process has really gone within `patience`.
  bool gone(std::chrono::milliseconds patience);

 private:
  enum class Verb : std::uint32_t {
    load,
    store,
    msync,
    forget,
    pread,
    pwrite,
    fsync,
    truncate,
    file_size,
    close,
    leave,
    come_back,
    evict
  };
  struct Command {
    Verb verb;
    std::uint32_t size;
    std::uint64_t offset;
  };
  struct Answer {
    std::int32_t error;
    std::uint32_t size;
    std::int64_t result;
  };
  class Child;

  void send(Verb verb, std::uint64_t offset, std::size_t size, std::string_view bytes);
  Outcome ask(Verb verb, std::uint64_t offset = 0, std::size_t size = 0, std::string_view bytes = {});

  int socket_ = -1;
  pid_t child_ = -1;
  int open_error_ = 0;
};

}  // namespace dmmap::testing
