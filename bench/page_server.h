// PageServer: a process that serves one file, `f`, of a given number of bytes, from its memory, and does to the file's
// cached pages what it's told.
//
// In a process of its own, since a client's fault that waits for the server can hold its process's memory map. Page n
// begins with the number n, 8 bytes in the machine's order. It ends when its parent does.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "support/temporary_directory.h"
#include "transport/unique_fd.h"

namespace dmmap::bench {

inline constexpr std::size_t kPage = 4096;

struct ServerOptions {
  std::string mountpoint;
  std::size_t size = 0;                    ///< bytes
  std::optional<std::uint32_t> readahead;  ///< bytes that the kernel may read ahead; absent: as it likes
  std::size_t push = 0;                    ///< bytes of the neighbourhood that a fault brings, where the server can
  bool writeback_cache = false;
  unsigned threads = 1;   ///< that serve
  bool splice = false;    ///< where the server can
  bool clone_fd = false;  ///< where the server can
};

/// What to do, `count` times.
struct Command {
  enum class Verb : std::uint32_t {
    unmap,  ///< take the pages out of the page cache and every address space
    write,  ///< change the bytes where clients see them, and keep them
    read,   ///< what clients see
  };
  Verb verb;
  std::uint32_t count;
  std::uint64_t offset;
  std::uint64_t size;
};

/// Errors are errno(3)'s.
struct Answer {
  std::int32_t error;
  double microseconds;  ///< each
};

/// For the server: its own options, from main's arguments, and the commands, until the client goes.
ServerOptions parse_options(int argc, char** argv);
void number_pages(std::span<std::byte> bytes);
/// `carry_out` does a command once, and returns errno(3) or 0. Tells the client first that the server is ready.
void serve_commands(const std::function<int(const Command&)>& carry_out);

/// Thread safety: one thread at a time.
class PageServer {
 public:
  /// Starts `program`, which lies beside this one, and waits until it serves. Throws std::runtime_error.
  PageServer(const std::string& program, ServerOptions options);
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;
  ~PageServer();

  [[nodiscard]] std::string path() const { return (directory_ / "f").string(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Microseconds, as the server takes them itself. Throws std::runtime_error.
  double ask(const Command& command) const;

 private:
  testing::TemporaryDirectory directory_;
  UniqueFd socket_;
  pid_t pid_ = -1;
};

}  // namespace dmmap::bench
