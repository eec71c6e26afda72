#include "transport/watcher.h"

#include <dmmap/thread_safety.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "transport/mount.h"
#include "transport/thread.h"
#include "transport/unique_fd.h"

namespace dmmap::transport {

namespace {

enum class Word : char { watch = 'w', watch_device = 'c', detached = 'd', dismiss = 'q' };

struct Message {
  Word word = Word::watch;
  bool by_helper = false;
  std::uint32_t connection = 0;
  std::array<char, PATH_MAX> mountpoint{};  // of a device: the file that aborts it
};

// Everything from here to watch_until_the_end runs in a copy of a process that may have had other threads: nothing that
// takes a lock, malloc included (fork(2), signal-safety(7)).

// Does the table's last mount at `mountpoint` belong to `connection`? Reads the table in pieces; a line is
// "id parent 0:CONNECTION root MOUNTPOINT ...", with \040 and the like in the path.
class TableScanner {
 public:
  TableScanner(const char* mountpoint, std::uint32_t connection) : mountpoint_(mountpoint), connection_(connection) {}

  void feed(const char* text, std::size_t size) noexcept {
    for (std::size_t i = 0; i < size; ++i) {
      take(text[i]);
    }
  }
  [[nodiscard]] bool ours() const noexcept { return last_is_ours_; }

 private:
  void take(char c) noexcept {
    if (c == '\n') {
      field_ = 0;
      length_ = 0;
      return;
    }
    if (c == ' ') {
      end_field();
      ++field_;
      length_ = 0;
      return;
    }
    if (field_ < 5 && length_ + 1 < word_.size()) {
      word_[length_++] = c;
    }
  }

  void end_field() noexcept {
    word_[length_] = 0;
    if (field_ == 2) {
      device_is_ours_ = device_matches();
    } else if (field_ == 4 && path_matches()) {
      last_is_ours_ = device_is_ours_;
    }
  }

  [[nodiscard]] bool device_matches() const noexcept {
    if (word_[0] != '0' || word_[1] != ':') {
      return false;
    }
    std::uint32_t number = 0;
    for (const char* digit = &word_[2]; *digit != 0; ++digit) {
      number = number * 10 + static_cast<std::uint32_t>(*digit - '0');
    }
    return number == connection_;
  }

  [[nodiscard]] bool path_matches() const noexcept {
    const char* plain = mountpoint_;
    const char* escaped = word_.data();
    while (*escaped != 0) {
      int c = static_cast<unsigned char>(*escaped);
      if (c == '\\' && escaped[1] != 0 && escaped[2] != 0 && escaped[3] != 0) {
        c = (escaped[1] - '0') * 64 + (escaped[2] - '0') * 8 + (escaped[3] - '0');
        escaped += 3;
      }
      if (c != static_cast<unsigned char>(*plain)) {
        return false;
      }
      ++escaped;
      ++plain;
    }
    return *plain == 0;
  }

  const char* mountpoint_;
  std::uint32_t connection_;
  int field_ = 0;
  std::size_t length_ = 0;
  bool device_is_ours_ = false;
  bool last_is_ours_ = false;
  std::array<char, 4 * PATH_MAX> word_{};
};

bool still_mounted(const Message& what) noexcept {
  const int fd = ::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  TableScanner scanner(what.mountpoint.data(), what.connection);
  std::array<char, 4096> piece{};
  for (ssize_t got = 0; (got = ::read(fd, piece.data(), piece.size())) > 0;) {
    scanner.feed(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(fd);
  return scanner.ours();
}

[[noreturn]] void clean_up(Message& what, bool detached) noexcept {
  if (detached) {
    abort_connection(what.connection);
    ::_exit(0);
  }
  // The number of a connection that is gone may be another mount's by now, so look whose it is.
  if (still_mounted(what)) {
    abort_connection(what.connection);
    if (what.by_helper) {
      ::execlp("fusermount3", "fusermount3", "-u", "-z", "--", what.mountpoint.data(), nullptr);
      ::_exit(1);
    }
    ::umount2(what.mountpoint.data(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  ::_exit(0);
}

// The file was opened when the device was ours: of another that got its name it isn't, and once ours has gone it's
// nobody's (fs/kernfs/file.c, ENODEV).
[[noreturn]] void abort_device(int file) noexcept {
  static_cast<void>(!::write(file, "1", 1));
  ::_exit(0);
}

[[noreturn]] void watch_until_the_end(int socket) noexcept {
  ::setsid();
  for (int number = 1; number < NSIG; ++number) {
    ::signal(number, SIG_IGN);  // SIGKILL and SIGSTOP say no
  }
  ::signal(SIGCHLD, SIG_DFL);
  ::prctl(PR_SET_NAME, "dmmap-watcher");
  static_cast<void>(!::chdir("/"));
  // The socket becomes descriptor 3, the standard ones /dev/null; everything else goes, so that nothing of the server's
  // is kept open by its watcher.
  if (socket != 3) {
    ::dup2(socket, 3);
  }
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) {
    ::dup2(null, fd);
  }
  ::syscall(SYS_close_range, 4U, ~0U, 0U);

  Message what;
  Message received;
  bool watching = false;
  bool detached = false;
  int device = -1;
  while (true) {
    const ssize_t got = ::recv(3, &received, sizeof received, 0);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      if (watching) {
        clean_up(what, detached);
      }
      if (device >= 0) {
        abort_device(device);
      }
      ::_exit(0);
    }
    switch (received.word) {
      case Word::watch:
        what = received;
        watching = true;
        break;
      case Word::watch_device:
        device = ::open(received.mountpoint.data(), O_WRONLY | O_CLOEXEC);
        break;
      case Word::detached:
        detached = true;
        break;
      case Word::dismiss:
        ::_exit(0);
    }
  }
}

}  // namespace

/// The thread that holds the socket. Invariant: no other file table has it.
class Watcher::Guard {
 public:
  Guard() : thread_(start_thread("dmmap-guard", [this] { run(); })) {}
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() {
    {
      const MutexLock lock(lock_);
      quit_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

  /// How the start went.
  Result<void> started() {
    MutexLock lock(lock_);
    while (!started_) {
      lock.wait(changed_);
    }
    return *started_;
  }

  Result<void> send(const Message& message) {
    MutexLock lock(lock_);
    to_send_ = &message;
    sent_.reset();
    changed_.notify_all();
    while (!sent_) {
      lock.wait(changed_);
    }
    return *sent_;
  }

 private:
  void run() {
    const auto socket = start_process();
    MutexLock lock(lock_);
    started_ = socket ? Result<void>() : tl::unexpected(socket.error());
    changed_.notify_all();
    if (!socket) {
      return;
    }
    while (!quit_) {
      if (to_send_ != nullptr) {
        const Message& message = *std::exchange(to_send_, nullptr);
        const bool sent = ::send(*socket, &message, sizeof message, MSG_NOSIGNAL) > 0;
        sent_ = sent ? Result<void>() : fail_errno(errno, "telling the watcher");
        changed_.notify_all();
      }
      lock.wait(changed_);
    }
  }

  // Starts the watcher from this thread; returns our end of the socket, which is closed when this thread, and its file
  // table with it, ends.
  //
  // Raw calls open and close, since the thread sanitizer takes a number of this table for that of another.
  static Result<int> start_process() {
    // Messages of the sanitizers and the like may go to stderr; nothing else is needed, or to be kept open, here.
    if (::unshare(CLONE_FILES) != 0 || ::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
      return fail_errno(errno, "a file table for the watcher");
    }
    std::array<int, 2> ends{};
    // Sequenced packets keep messages whole, and their end is told when the last copy of the other end is closed.
    if (::syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return fail_errno(errno, "socketpair for the watcher");
    }
    const pid_t between = ::fork();
    if (between < 0) {
      return fail_errno(errno, "fork of the watcher");
    }
    if (between == 0) {
      ::syscall(SYS_close, ends[0]);
      const pid_t watcher = ::fork();
      if (watcher == 0) {
        watch_until_the_end(ends[1]);
      }
      ::_exit(watcher < 0 ? 1 : 0);
    }
    ::syscall(SYS_close, ends[1]);
    int status = 0;
    while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      return fail(EAGAIN, "the watcher process could not be started: too many processes?");
    }
    return ends[0];
  }

  Mutex lock_;
  std::condition_variable changed_;
  std::optional<Result<void>> started_ DMMAP_GUARDED_BY(lock_);
  const Message* to_send_ DMMAP_GUARDED_BY(lock_) = nullptr;
  std::optional<Result<void>> sent_ DMMAP_GUARDED_BY(lock_);
  bool quit_ DMMAP_GUARDED_BY(lock_) = false;
  std::thread thread_;
};

Result<Watcher> Watcher::start() {
  auto guard = std::make_shared<Guard>();
  if (auto started = guard->started(); !started) {
    return tl::unexpected(started.error());
  }
  return Watcher(std::move(guard));
}

Result<void> Watcher::watch(const std::string& mountpoint, std::uint32_t connection, bool by_helper) {
  Message message;
  message.by_helper = by_helper;
  message.connection = connection;
  if (mountpoint.size() >= message.mountpoint.size()) {
    return fail(ENAMETOOLONG, "the mount point's path is too long");
  }
  std::memcpy(message.mountpoint.data(), mountpoint.data(), mountpoint.size());
  return guard_->send(message);
}

Result<void> Watcher::watch_device(const std::string& name) {
  Message message;
  message.word = Word::watch_device;
  const std::string file = "/sys/class/cuse/" + name + "/abort";
  std::memcpy(message.mountpoint.data(), file.data(), std::min(file.size(), message.mountpoint.size() - 1));
  return guard_->send(message);
}

void Watcher::detached() {
  if (guard_) {
    static_cast<void>(guard_->send({.word = Word::detached}));
  }
}

void Watcher::dismiss() {
  if (guard_) {
    static_cast<void>(guard_->send({.word = Word::dismiss}));
    guard_.reset();
  }
}

}  // namespace dmmap::transport
