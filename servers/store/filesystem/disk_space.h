// DiskSpace: how much room there is on the disk that a store lies on.
//
// The last of it is kept back: RocksDB needs some for its log and to put its files in order, and a file system that is
// full must still be able to remove things. Bytes that programs stored through a mapping have been promised a place
// when they come (msync(2) is told of ENOSPC after the fact, and the kernel drops them): they may use part of that.
#pragma once

#include <dmmap/error.h>

#include <sys/statvfs.h>

#include <cstdint>
#include <string>

namespace dmmap::store {

/// Thread safety: every call, from any thread.
class DiskSpace {
 public:
  /// Of the disk that `folder` lies on. Errors: statvfs(3)'s.
  static Result<DiskSpace> of(const std::string& folder);

  /// For whom there's room.
  enum class Room {
    all,        ///< whatever is to be stored
    writeback,  ///< what the kernel brings of stores that it has taken; who asks is told ENOSPC
    replacing,  ///< the same, where it takes the place of what is there
    removing,   ///< nothing but what makes room
  };
  [[nodiscard]] Room room() const;
  /// Whether `bytes` more can be stored.
  [[nodiscard]] bool has(std::uint64_t bytes) const;

  /// statvfs(3) of the disk, of whose free blocks the ones that are kept back are none.
  [[nodiscard]] struct statvfs status() const;

 private:
  explicit DiskSpace(std::string folder) : folder_(std::move(folder)) {}
  [[nodiscard]] std::uint64_t free() const;

  std::string folder_;
  std::uint64_t kept_ = 0;  // bytes
};

}  // namespace dmmap::store
