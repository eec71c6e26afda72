// Readiness: how a server tells those who started it that it serves, or why it doesn't.
//
// In the foreground they see a line on stdout, and systemd a message (sd_notify(3)). Detached, the process that the
// user started waits until its child is ready, and ends with 0 then, otherwise with the child's error.
//
// Promises: what has been told is told once. Thread safety: one thread at a time; detach() before there are others.
#pragma once

#include <dmmap/error.h>

#include <iosfwd>
#include <optional>
#include <string>

namespace dmmap::daemon {

class Readiness {
 public:
  explicit Readiness(std::ostream& out) : out_(&out) {}
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;
  ~Readiness();

  /// Goes on in a child process, in a session of its own. In the parent the result is its exit status, to be ended with
  /// as soon as it's there; in the child it's nothing. What the child has to say comes to the parent's `out` or `err`.
  /// Errors: fork(2)'s and pipe(2)'s.
  Result<std::optional<int>> detach(std::ostream& err);

  /// The server serves: `line` goes to the user, READY=1 to systemd.
  void ready(const std::string& line);
  /// It doesn't and won't. True if `line` went to the parent process; false if it's yours to print.
  bool failed(const std::string& line);
  /// The server is about to end: STOPPING=1 to systemd.
  static void stopping();

 private:
  void tell(char what, const std::string& line);

  std::ostream* out_;
  int to_parent_ = -1;
};

}  // namespace dmmap::daemon
