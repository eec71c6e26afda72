// Process: a child program, which doesn't outlive the test that started it.
//
// Promises: signals only its own child, by pid, never a group. The destructor kills and reaps the child; one that can't
// be killed, stuck in the kernel, is given up after ten seconds and named on stderr, so that the test ends. The child
// is killed too when the thread that started it ends (PR_SET_PDEATHSIG): start processes from threads that stay. What
// the child writes goes to memory files, so it never waits for a reader, and can be read at any time. Thread safety:
// one thread at a time; out() and err() from any.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dmmap::testing {

/// How a child ended.
struct Ended {
  int status = -1;         ///< its exit status, or 128 + the signal that ended it, as a shell says it
  bool timed_out = false;  ///< it didn't end by itself and was killed
};

/// What run() brings back.
struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
  bool timed_out = false;
};

struct ProcessOptions {
  std::vector<std::string> environment;  ///< NAME=VALUE, added to the test's own
  std::filesystem::path directory;       ///< where it runs; the test's own when empty
  std::optional<uid_t> user;             ///< as whom, with the group of the same number and no others
  std::filesystem::path input{};         ///< its stdin, opened for reading; /dev/null when empty
};

class Process {
 public:
  using Options = ProcessOptions;

  /// Starts `argv`; the program is sought in PATH. A program that can't be executed ends with
  /// status 127. Throws std::system_error when there can be no child.
  explicit Process(std::vector<std::string> argv, const Options& options = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// What the child has written so far.
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;
  /// Waits until the child has written `text` to stdout or stderr. False when it ends, or `timeout` passes, without.
  [[nodiscard]] bool wait_for_output(std::string_view text, std::chrono::milliseconds timeout);

  [[nodiscard]] bool running();
  /// Waits for the end; kills the child after `timeout`.
  Ended wait(std::chrono::milliseconds timeout);
  /// Does nothing when the child has ended.
  void kill(int signal);

 private:
  bool ended_within(std::chrono::milliseconds timeout);

  std::string name_;
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  std::optional<int> status_;
};

/// Starts `argv` and waits for its end; kills it after `timeout`.
Outcome run(std::vector<std::string> argv, std::chrono::milliseconds timeout, const Process::Options& options = {});

}  // namespace dmmap::testing
