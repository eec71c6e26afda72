#include "bench/mappers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "bench/must.h"

namespace dmmap::bench {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMapped = 256 * kPage;
constexpr time_t kPatience = 30;  // seconds

void wait_for(sem_t& semaphore) {
  while (::sem_wait(&semaphore) != 0 && errno == EINTR) {
  }
}

}  // namespace

Mappers::Mappers(std::size_t count, const std::vector<std::string>& paths) {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED && count <= kMost, "memory for mappers");  // NOLINT(*-cstyle-cast)
  shared_ = static_cast<Shared*>(memory);
  ::sem_init(&shared_->done, 1, 0);
  for (std::size_t i = 0; i < count; ++i) {
    ::sem_init(&shared_->go[i], 1, 0);
    const pid_t child = ::fork();
    must(child >= 0, "fork");
    if (child == 0) {
      run(*shared_, i, paths);
    }
    processes_.push_back(child);
  }
}

Mappers::~Mappers() {
  for (const pid_t process : processes_) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
  ::munmap(shared_, sizeof(Shared));
}

void Mappers::run(Shared& shared, std::size_t self, const std::vector<std::string>& paths) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<const volatile std::uint64_t*> files;
  for (const std::string& path : paths) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    void* const base = ::mmap(nullptr, kMapped, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {  // NOLINT(*-cstyle-cast)
      ::_exit(1);              // touch() runs out of patience
    }
    files.push_back(static_cast<const volatile std::uint64_t*>(base));
  }
  while (true) {
    wait_for(shared.go[self]);
    static_cast<void>(files[shared.file][shared.page * kPage / sizeof(std::uint64_t)]);
    ::sem_post(&shared.done);
  }
}

void Mappers::touch(std::size_t file, std::uint64_t page) {
  const std::size_t count = processes_.size();
  shared_->file = file;
  shared_->page = page;
  for (std::size_t i = 0; i < count; ++i) {
    ::sem_post(&shared_->go[i]);
  }
  timespec until{};
  ::clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kPatience;
  for (std::size_t i = 0; i < count; ++i) {
    must(::sem_timedwait(&shared_->done, &until) == 0, "a mapper doesn't answer");
  }
}

}  // namespace dmmap::bench
