#include <sys/wait.h>

#include <csignal>
#include <iterator>

#include "preload/client/client.h"

namespace client {

int open_device(const std::string& mount, const char* name, int flags) {
  const int fd = ::open((mount + "/" + name).c_str(), flags | O_CLOEXEC);
  CHECK(fd >= 0);
  return fd;
}

char* map(int fd, std::size_t length, int prot, off_t offset) {
  return map_at(nullptr, fd, length, prot, MAP_SHARED, offset);
}

char* map_at(void* address, int fd, std::size_t length, int prot, int flags, off_t offset) {
  void* const mapped = ::mmap(address, length, prot, flags, fd, offset);
  CHECK(mapped != MAP_FAILED);
  return static_cast<char*>(mapped);
}

void unmap(void* address, std::size_t length) {
  CHECK(::munmap(address, length) == 0);
}

void mark(int fd, const char* word) {
  CHECK(::pwrite(fd, word, std::strlen(word), 0) == static_cast<ssize_t>(std::strlen(word)));
}

bool can_touch(const volatile char* address) {
  return in_child([address] {
           std::signal(SIGSEGV, SIG_DFL);
           std::signal(SIGBUS, SIG_DFL);
           static_cast<void>(*address);
         }) == 0;
}

int status_of(pid_t child) {
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Scenario find_scenario(const char* name) {
  for (const Entry* entries : {kSharing, kPlacement, kLifetime, kDescriptors, kThreads, kForgery, kPaged}) {
    for (const Entry* each = entries; each->name != nullptr; ++each) {
      if (std::strcmp(each->name, name) == 0) {
        return each->scenario;
      }
    }
  }
  return nullptr;
}

}  // namespace client

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: mmap_client SCENARIO MOUNT\n");
    return 2;
  }
  const client::Scenario scenario = client::find_scenario(argv[1]);
  if (scenario == nullptr) {
    std::fprintf(stderr, "mmap_client: there is no scenario %s\n", argv[1]);
    return 2;
  }
  scenario(argv[2]);
  return 0;
}
