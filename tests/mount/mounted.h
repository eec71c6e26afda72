// Mounted: a file system of the test's own, really mounted, served by threads of the test's process.
//
// Promises: gone, and unmounted, with the object. Thread safety: one thread.
#pragma once

#include <dmmap/device.h>
#include <dmmap/session.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mount/session_lines.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

/// Where the programs are that map the mount's files. Within mmap(2) a process's memory map is locked, so that where
/// the kernel asks at that moment the server mustn't be in it: then it's asked at open alone.
enum class Clients : std::uint8_t { here, elsewhere };

class Mounted {
 public:
  explicit Mounted(Filesystem& filesystem, SessionOptions options = {}, Clients clients = Clients::here);

  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return directory_.path() / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] std::string log() const { return lines_.log(); }
  [[nodiscard]] std::string trace() const { return lines_.trace(); }
  /// Stops and waits.
  void end() { session_.reset(); }

 private:
  TemporaryDirectory directory_;
  SessionLines lines_;
  std::optional<Session> session_;
};

/// Each map of it shows the one region.
class RegionStream final : public Stream {
 public:
  explicit RegionStream(std::shared_ptr<Region> region) : region_(std::move(region)) {}
  Result<Grant> map(const MapRequest& request) override { return Grant{.region = region_, .offset = request.offset}; }

 private:
  std::shared_ptr<Region> region_;
};

/// A mapping of the whole of a file, made by the test as any client would.
class ClientMap {
 public:
  /// Maps `size` bytes of `fd`. ok() tells whether that worked, error() the errno if not.
  ClientMap(int fd, std::size_t size, int prot, int flags);
  ClientMap(const ClientMap&) = delete;
  ClientMap& operator=(const ClientMap&) = delete;
  ~ClientMap() { unmap(); }
  [[nodiscard]] bool ok() const { return base_ != nullptr; }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] volatile unsigned char* bytes() const { return base_; }
  void unmap();

 private:
  unsigned char* base_ = nullptr;
  std::size_t size_;
  int error_ = 0;
};

/// Opens, or says why not in errno's place as a negative number.
[[nodiscard]] int open_file(const std::filesystem::path& path, int flags);

/// fusermount3 opens /dev/fuse as the user who calls it. Where only root may, this process gets a device node of its
/// own, made in `directory`, in a mount namespace of its own; nobody else sees it. False when that can't be had.
[[nodiscard]] bool let_everyone_open_fuse(const std::filesystem::path& directory);

/// Runs `body` in a forked child; returns its exit status, or minus the signal that ended it.
int in_child(const std::function<int()>& body);

}  // namespace dmmap::testing
