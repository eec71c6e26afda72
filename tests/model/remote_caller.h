// RemoteCaller: a process of its own that makes the system calls it's told to, one after another.
//
// For clients of a server in the test's own process, which could wait for ever for a page that it's to supply itself.
// The two share some memory, at the same address, for what calls read and write. Thread safety: one thread at a time.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace dmmap::testing {

class RemoteCaller {
 public:
  /// What a call came to.
  struct Outcome {
    std::int64_t result = 0;
    int error = 0;      ///< errno(3); -SIGBUS when memory that was to be copied gave that
    std::string bytes;  ///< of calls that read, by who made them
    [[nodiscard]] bool ok() const { return error == 0; }
  };

  RemoteCaller();
  RemoteCaller(const RemoteCaller&) = delete;
  RemoteCaller& operator=(const RemoteCaller&) = delete;
  ~RemoteCaller();

  /// System call `number`, as syscall(2) has it. Pointers are to what the two share, or to what only the process has.
  template <class... Words>
  Outcome call(long number, Words... words) {
    begin(number, words...);
    return finish();
  }
  /// Copies memory byte by byte, as a program does that knows nothing of servers.
  Outcome copy(std::uintptr_t to, std::uintptr_t from, std::size_t size) { return call(kCopy, to, from, size); }

  /// The same without waiting; finish() brings the outcome.
  template <class... Words>
  void begin(long number, Words... words) {
    send({number, {word_of(words)...}});
  }
  void begin_copy(std::uintptr_t to, std::uintptr_t from, std::size_t size) { begin(kCopy, to, from, size); }
  /// Throws std::runtime_error when the process has ended, or hasn't come back within a minute.
  Outcome finish();

  /// For the bytes of a call.
  [[nodiscard]] std::span<char> shared() const { return {memory_, kBytes}; }
  /// `text` where the process sees it, until the next but one.
  [[nodiscard]] const char* text(std::string_view text);

 private:
  static constexpr std::size_t kBytes = 1 << 20;
  static constexpr std::size_t kText = 4096;
  static constexpr long kCopy = -1;

  struct Command {
    long number;
    std::array<long, 6> words;
  };
  struct Answer {
    std::int64_t result;
    std::int64_t error;
  };

  template <class Word>
  static long word_of(Word word) {
    if constexpr (std::is_pointer_v<Word>) {
      return reinterpret_cast<long>(word);
    } else {
      return static_cast<long>(word);
    }
  }
  [[noreturn]] static void serve(int socket);
  static Answer carry_out(const Command& command);
  void send(const Command& command);

  char* memory_ = nullptr;
  std::size_t texts_ = 0;
  int socket_ = -1;
  pid_t child_ = -1;
};

}  // namespace dmmap::testing
