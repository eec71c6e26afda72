// RemoteFile: a file that a process of its own has open, and mapped when it's wanted.
//
// Thread safety: as RemoteCaller's, whose process it is.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "model/remote_caller.h"

namespace dmmap::testing {

class RemoteFile {
 public:
  using Outcome = RemoteCaller::Outcome;

  explicit RemoteFile(RemoteCaller& process) : process_(&process) {}

  /// REQUIRES: it's neither open nor mapped.
  Outcome open(const std::filesystem::path& path, int flags);
  /// From the beginning, shared, `size` bytes. REQUIRES: it's open and isn't mapped.
  Outcome map(std::size_t size);
  Outcome close();
  Outcome unmap();

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] bool is_mapped() const { return base_ != 0; }
  [[nodiscard]] bool is_writable() const { return (flags_ & O_ACCMODE) != O_RDONLY; }
  [[nodiscard]] bool appends() const { return (flags_ & O_APPEND) != 0; }
  [[nodiscard]] RemoteCaller& process() const { return *process_; }

  // By the descriptor. What has a name of its own in the system's calls goes by call().
  Outcome pread(std::uint64_t offset, std::size_t size);
  Outcome pwrite(std::uint64_t offset, std::string_view bytes);
  template <class... Words>
  Outcome call(long number, Words... words) {
    return process_->call(number, fd_, words...);
  }
  void begin_pwrite(std::uint64_t offset, std::string_view bytes);
  /// copy_file_range(2) until `size` bytes are copied, or no more come. The result is how many.
  Outcome copy_range(std::uint64_t offset, const RemoteFile& to, std::uint64_t to_offset, std::size_t size);
  Outcome ioctl(unsigned long request, std::string_view argument);
  /// The number and the size of the file, and how many names it has.
  struct Status {
    Outcome outcome;
    std::uint64_t node = 0;
    std::uint64_t size = 0;
    std::uint64_t links = 0;
  };
  Status status();

  // By the mapping.
  Outcome load(std::uint64_t offset, std::size_t size);
  Outcome store(std::uint64_t offset, std::string_view bytes);
  void begin_store(std::uint64_t offset, std::string_view bytes);
  Outcome msync(std::uint64_t offset, std::size_t size, int flags);
  /// The process forgets the mapping's pages, and the kernel is told that it may.
  Outcome evict();
  /// pwrite(2) of what another mapping shows, and pread(2) into one.
  Outcome pwrite_from(const RemoteFile& mapped, std::uint64_t there, std::uint64_t offset, std::size_t size);
  Outcome pread_into(const RemoteFile& mapped, std::uint64_t there, std::uint64_t offset, std::size_t size);

 private:
  /// With the bytes that a call has read.
  [[nodiscard]] Outcome with_bytes(Outcome done) const;
  /// Puts `bytes` where the process sees them.
  [[nodiscard]] const char* keep(std::string_view bytes) const;

  RemoteCaller* process_;
  int fd_ = -1;
  int flags_ = 0;
  std::uintptr_t base_ = 0;
  std::size_t size_ = 0;
};

}  // namespace dmmap::testing
