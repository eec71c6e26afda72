// store_client FOLDER PROMISES FIRST: changes files in FOLDER, on a mount of `dmmap store`, in all sorts of ways until
// it can't any more, and adds to the file PROMISES what store_promises.h says. Versions begin with FIRST. Says "begun"
// when it has FOLDER open.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "programs/store_promises.h"

namespace {

using namespace dmmap::testing;

// That the server is gone is how it ends.
void must(bool good) {
  if (!good) {
    std::fprintf(stderr, "store_client: %s\n", std::strerror(errno));
    std::_Exit(errno == ENOTCONN || errno == ECONNABORTED || errno == EIO ? 0 : 1);
  }
}

// May fail for reasons of the file system's, such as ENOENT.
void may(int result) {
  must(result >= 0 || (errno != ENOTCONN && errno != ECONNABORTED && errno != EIO));
}

class Client {
 public:
  Client(int folder, int promises, std::uint64_t first)
      : folder_(folder), promises_(promises), version_(first), random_(first) {
    const int file = ::openat(folder_, "mapped", O_RDWR | O_CREAT, 0644);
    must(file >= 0);
    constexpr std::size_t kSize = kPromisedPages * kPromisedPage;
    must(::ftruncate(file, kSize) == 0);
    void* const mapped = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(mapped != MAP_FAILED);
    mapped_ = static_cast<char*>(mapped);
    may(::mkdirat(folder_, "times", 0755));
  }

  void step() {
    ++version_;
    switch (random_() % 8) {
      case 0:
      case 1:
        replace();
        break;
      case 2:
      case 3:
        store();
        break;
      case 4:
        copy();
        break;
      case 5:
        unnamed();
        break;
      default:
        churn();
        break;
    }
    make();
  }

 private:
  // A line at once is in the page cache, or in User Mode Linux on the host (fs/hostfs, hostfs_write_end), and outlives
  // what is to be killed.
  void note(const char* what, std::uint64_t which) const {
    const std::string line = std::string(what) + " " + std::to_string(which) + " " + std::to_string(version_) + "\n";
    must(::write(promises_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  }

  // A file's new version under another name, synced, and renamed.
  void replace() {
    const std::uint64_t name = random_() % kPromisedNames;
    const std::string content = promised_content(name, version_);
    const int file = ::openat(folder_, "fresh", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    must(file >= 0);
    must(::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    must(::fsync(file) == 0);
    must(::close(file) == 0);
    must(::renameat(folder_, "fresh", folder_, ("f" + std::to_string(name)).c_str()) == 0);
    must(::fsync(folder_) == 0);
    note("file", name);
  }

  void store() {
    const std::uint64_t page = random_() % kPromisedPages;
    char* const at = mapped_ + page * kPromisedPage;
    std::memcpy(at + kVersionInPage, &version_, sizeof version_);
    note("stored", page);
    if (random_() % 2 == 0) {
      must(::msync(at, kPromisedPage, MS_SYNC) == 0);
      note("page", page);
    }
  }

  void copy() {
    const int from = ::openat(folder_, some("f", kPromisedNames).c_str(), O_RDONLY);
    const int to = ::openat(folder_, some("c", 8).c_str(), O_WRONLY | O_CREAT, 0644);
    may(from);
    may(to);
    if (from >= 0 && to >= 0) {
      may(static_cast<int>(::copy_file_range(from, nullptr, to, nullptr, 1U << 20U, 0)));
      may(static_cast<int>(::pwrite(to, &version_, sizeof version_, static_cast<off_t>(random_() % 200000))));
      may(::ftruncate(to, static_cast<off_t>(random_() % 200000)));
    }
    ::close(from);
    ::close(to);
  }

  // A file without a name, which then gets one, or is dropped.
  void unnamed() {
    const int file = ::openat(folder_, ".", O_TMPFILE | O_WRONLY, 0600);
    must(file >= 0);
    const std::string content = promised_content(kPromisedNames, version_);
    may(static_cast<int>(::write(file, content.data(), content.size())));
    if (random_() % 2 == 0) {
      may(::linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(file)).c_str(), folder_, some("t", 8).c_str(),
                   AT_SYMLINK_FOLLOW));
    }
    ::close(file);
  }

  void churn() {
    may(::mkdirat(folder_, some("d", 6).c_str(), 0755));
    may(::linkat(folder_, some("c", 8).c_str(), folder_, some("l", 8).c_str(), 0));
    may(::renameat2(folder_, some("c", 8).c_str(), folder_, (some("d", 6) + "/" + some("c", 8)).c_str(), 0));
    may(::renameat2(folder_, some("d", 6).c_str(), folder_, some("l", 8).c_str(), RENAME_EXCHANGE));
    may(::symlinkat("f1", folder_, some("s", 8).c_str()));
    for (const char* const kind : {"l", "t", "s"}) {
      may(::unlinkat(folder_, some(kind, 8).c_str(), 0));
    }
    may(::unlinkat(folder_, (some("d", 6) + "/" + some("c", 8)).c_str(), 0));
    may(::unlinkat(folder_, some("d", 6).c_str(), AT_REMOVEDIR));
  }

  // The server commits it; nothing syncs it but what comes after.
  void make() {
    const timespec time{.tv_sec = static_cast<time_t>(version_), .tv_nsec = 0};
    const std::array<timespec, 2> both{time, time};
    must(::utimensat(folder_, "times", both.data(), 0) == 0);
    note("made", 0);
  }

  std::string some(const char* kind, std::uint64_t count) { return kind + std::to_string(random_() % count); }

  int folder_;
  int promises_;
  std::uint64_t version_;
  std::mt19937_64 random_;
  char* mapped_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "store_client FOLDER PROMISES FIRST\n");
    return 2;
  }
  const int folder = ::open(argv[1], O_RDONLY | O_DIRECTORY);
  const int promises = ::open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0644);
  must(folder >= 0 && promises >= 0);
  Client client(folder, promises, std::strtoull(argv[3], nullptr, 10));
  std::puts("begun");
  std::fflush(stdout);
  while (true) {
    client.step();
  }
}
