#include "model/remote_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace dmmap::testing {

namespace {

std::uintptr_t number_of(const char* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

const char* RemoteFile::keep(std::string_view bytes) const {
  const auto shared = process_->shared();
  if (bytes.size() > shared.size()) {
    throw std::runtime_error("more bytes than a client process can take");
  }
  std::copy(bytes.begin(), bytes.end(), shared.begin());
  return shared.data();
}

RemoteFile::Outcome RemoteFile::open(const std::filesystem::path& path, int flags) {
  constexpr mode_t kMode = 0644;
  Outcome opened = process_->call(SYS_openat, AT_FDCWD, process_->text(path.native()), flags | O_CLOEXEC, kMode);
  fd_ = static_cast<int>(opened.result);
  flags_ = flags;
  return opened;
}

RemoteFile::Outcome RemoteFile::map(std::size_t size) {
  const int protection = is_writable() ? PROT_READ | PROT_WRITE : PROT_READ;
  Outcome mapped = process_->call(SYS_mmap, 0, size, protection, MAP_SHARED, fd_, 0);
  base_ = mapped.ok() ? static_cast<std::uintptr_t>(mapped.result) : 0;
  size_ = size;
  return mapped;
}

RemoteFile::Outcome RemoteFile::close() {
  return process_->call(SYS_close, std::exchange(fd_, -1));
}

RemoteFile::Outcome RemoteFile::unmap() {
  return process_->call(SYS_munmap, std::exchange(base_, 0), size_);
}

RemoteFile::Outcome RemoteFile::with_bytes(Outcome done) const {
  if (done.ok()) {
    done.bytes.assign(process_->shared().data(), static_cast<std::size_t>(done.result));
  }
  return done;
}

RemoteFile::Outcome RemoteFile::pread(std::uint64_t offset, std::size_t size) {
  const auto shared = process_->shared();
  return with_bytes(call(SYS_pread64, shared.data(), std::min(size, shared.size()), offset));
}

RemoteFile::Outcome RemoteFile::pwrite(std::uint64_t offset, std::string_view bytes) {
  begin_pwrite(offset, bytes);
  return process_->finish();
}

void RemoteFile::begin_pwrite(std::uint64_t offset, std::string_view bytes) {
  process_->begin(SYS_pwrite64, fd_, keep(bytes), bytes.size(), offset);
}

RemoteFile::Outcome RemoteFile::copy_range(std::uint64_t offset, const RemoteFile& to, std::uint64_t to_offset,
                                           std::size_t size) {
  Outcome all;
  const auto offsets = process_->shared();
  while (static_cast<std::size_t>(all.result) < size) {
    const std::array<std::uint64_t, 2> now{offset + static_cast<std::uint64_t>(all.result),
                                           to_offset + static_cast<std::uint64_t>(all.result)};
    std::memcpy(offsets.data(), now.data(), sizeof now);
    Outcome done = call(SYS_copy_file_range, offsets.data(), to.fd_, offsets.data() + sizeof now[0],
                        size - static_cast<std::size_t>(all.result), 0);
    if (!done.ok()) {
      return done;
    }
    if (done.result == 0) {
      break;
    }
    all.result += done.result;
  }
  return all;
}

RemoteFile::Outcome RemoteFile::ioctl(unsigned long request, std::string_view argument) {
  return call(SYS_ioctl, request, keep(argument));
}

RemoteFile::Status RemoteFile::status() {
  struct stat status {};
  Status found;
  found.outcome = call(SYS_fstat, process_->shared().data());
  std::memcpy(&status, process_->shared().data(), sizeof status);
  if (found.outcome.ok()) {
    found.node = status.st_ino;
    found.size = static_cast<std::uint64_t>(status.st_size);
    found.links = status.st_nlink;
  }
  return found;
}

RemoteFile::Outcome RemoteFile::load(std::uint64_t offset, std::size_t size) {
  const auto shared = process_->shared();
  return with_bytes(process_->copy(number_of(shared.data()), base_ + offset, std::min(size, shared.size())));
}

RemoteFile::Outcome RemoteFile::store(std::uint64_t offset, std::string_view bytes) {
  begin_store(offset, bytes);
  return process_->finish();
}

void RemoteFile::begin_store(std::uint64_t offset, std::string_view bytes) {
  process_->begin_copy(base_ + offset, number_of(keep(bytes)), bytes.size());
}

RemoteFile::Outcome RemoteFile::msync(std::uint64_t offset, std::size_t size, int flags) {
  return process_->call(SYS_msync, base_ + offset, size, flags);
}

RemoteFile::Outcome RemoteFile::evict() {
  if (is_mapped()) {
    if (Outcome forgotten = process_->call(SYS_madvise, base_, size_, MADV_DONTNEED); !forgotten.ok()) {
      return forgotten;
    }
  }
  return is_open() ? call(SYS_fadvise64, 0, 0, POSIX_FADV_DONTNEED) : Outcome{};
}

RemoteFile::Outcome RemoteFile::pwrite_from(const RemoteFile& mapped, std::uint64_t there, std::uint64_t offset,
                                            std::size_t size) {
  return call(SYS_pwrite64, mapped.base_ + there, size, offset);
}

RemoteFile::Outcome RemoteFile::pread_into(const RemoteFile& mapped, std::uint64_t there, std::uint64_t offset,
                                           std::size_t size) {
  return call(SYS_pread64, mapped.base_ + there, size, offset);
}

}  // namespace dmmap::testing
