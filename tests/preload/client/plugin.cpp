// A library that maps a file as it's loaded.
#include <fcntl.h>
#include <sys/mman.h>

#include <cstdlib>

namespace {

char* mapped = nullptr;

[[gnu::constructor]] void begin() {
  const char* const path = std::getenv("CLIENT_PLUGIN_MAPS");
  const int fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  void* const address = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  mapped = address == MAP_FAILED ? nullptr : static_cast<char*>(address);
}

[[gnu::destructor]] void end() {
  ::munmap(mapped, 4096);
}

}  // namespace

extern "C" char* plugin_mapped() {
  return mapped;
}
