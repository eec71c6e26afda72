#include "stress/stress_client.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace dmmap::testing {

struct StressClient::Shared {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
  std::array<char, 256> wrong{};
};

namespace {

constexpr std::size_t kPage = 4096;
sigjmp_buf beyond;

void on_bus_error(int /*signal*/) {
  siglongjmp(beyond, 1);
}

class Worker {
 public:
  Worker(const std::string& file, std::size_t pages, unsigned number, bool verifies, char* wrong)
      : pages_(pages), number_(number), verifies_(verifies), wrong_(wrong), random_(number), expected_(pages, 0) {
    fd_ = ::open(file.c_str(), O_RDWR | O_CLOEXEC);  // NOLINT(*-vararg)
    map();
  }

  // One operation. False when something was wrong.
  bool step() {
    const std::size_t page = random_() % pages_;
    const std::size_t at = page * kPage + number_ * kLane;
    std::array<unsigned char, kLane> bytes{};
    switch (random_() % 10) {
      case 0:
      case 1:
      case 2:
        fill(page, bytes);
        return copy(base_ + at, bytes.data());
      case 3:
        fill(page, bytes);
        return ::pwrite(fd_, bytes.data(), kLane, static_cast<off_t>(at)) == static_cast<ssize_t>(kLane) ||
               !verifies_ || complain("pwrite", page, 0);
      case 4:
        if (::pread(fd_, bytes.data(), kLane, static_cast<off_t>(at)) != static_cast<ssize_t>(kLane)) {
          return !verifies_ || complain("pread", page, 0);
        }
        return check("a pread", page, bytes);
      case 5:
        if (random_() % 16 == 0) {
          ::msync(base_ + page * kPage, kPage, MS_SYNC);  // it may fail: the source may be unwilling now
        }
        return true;
      case 6:
        if (random_() % 16 == 0) {
          ::munmap(base_, pages_ * kPage);
          map();
        }
        return true;
      case 7:
        ::madvise(base_ + page * kPage, kPage, MADV_DONTNEED);
        return true;
      default:
        return copy(bytes.data(), base_ + at) && check("a load", page, bytes);
    }
  }

 private:
  void map() {
    void* const base = ::mmap(nullptr, pages_ * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (base == MAP_FAILED) {  // NOLINT
      std::_Exit(3);
    }
    base_ = static_cast<unsigned char*>(base);
  }
  void fill(std::size_t page, std::array<unsigned char, kLane>& bytes) {
    expected_[page] = static_cast<unsigned char>(random_() % 255 + 1);
    bytes.fill(expected_[page]);
  }
  bool copy(unsigned char* to, const unsigned char* from) {
    if (sigsetjmp(beyond, 1) != 0) {
      return !verifies_ || complain("SIGBUS", static_cast<std::size_t>(0), 0);
    }
    std::memcpy(to, from, kLane);
    return true;
  }
  bool check(const char* what, std::size_t page, const std::array<unsigned char, kLane>& bytes) {
    for (const unsigned char byte : bytes) {
      if (verifies_ && byte != expected_[page]) {
        return complain(what, page, byte);
      }
    }
    return true;
  }
  bool complain(const char* what, std::size_t page, unsigned byte) {
    std::snprintf(wrong_, 255, "client %u: %s of page %zu: %u, not %u", number_, what, page, byte,  // NOLINT
                  unsigned{expected_[page]});
    return false;
  }

  std::size_t pages_;
  unsigned number_;
  bool verifies_;
  char* wrong_;
  int fd_ = -1;
  unsigned char* base_ = nullptr;
  std::minstd_rand random_;
  std::vector<unsigned char> expected_;
};

}  // namespace

StressClient::StressClient(const std::filesystem::path& file, std::size_t pages, unsigned number, bool verifies) {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  shared_ = new (memory) Shared();
  child_ = ::fork();
  if (child_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // NOLINT(*-vararg)
    for (int fd = 3; fd < 1024; ++fd) {
      ::close(fd);
    }
    struct sigaction action {};
    action.sa_handler = on_bus_error;
    ::sigaction(SIGBUS, &action, nullptr);
    Worker worker(file.string(), pages, number, verifies, shared_->wrong.data());
    while (!shared_->stop.load()) {
      if (!worker.step()) {
        ::_exit(1);
      }
      shared_->done.fetch_add(1);
    }
    ::_exit(0);
  }
}

StressClient::~StressClient() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, WNOHANG);
  }
  ::munmap(shared_, sizeof(Shared));
}

std::uint64_t StressClient::done() const {
  return shared_->done.load();
}

void StressClient::stop() {
  shared_->stop.store(true);
}

std::string StressClient::finish() {
  int status = 0;
  for (int i = 0; i < 6000; ++i) {
    if (::waitpid(child_, &status, WNOHANG) == child_) {
      child_ = -1;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return {};
      }
      return shared_->wrong[0] != '\0' ? std::string(shared_->wrong.data())
                                       : "ended with status " + std::to_string(status);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return "hangs";
}

}  // namespace dmmap::testing
