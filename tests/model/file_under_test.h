// FileUnderTest: one paged file on a real mount, or one character device, client processes that have it mapped, and a
// plain model of its bytes.
//
// Promises: carry_out() does one operation on both, and says in words what differs. Thread safety: one thread at a
// time.
#pragma once

#include <dmmap/device.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "model/operation.h"
#include "mount/moody_source.h"
#include "mount/mounted.h"
#include "mount/place.h"
#include "mount/remote_client.h"

namespace dmmap::testing {

class FileUnderTest {
 public:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kMost = 8 * kPage;  // bytes that the file may have
  static constexpr std::uint32_t kClients = 3;

  FileUnderTest(Place place, bool writeback_cache);

  /// An empty file again, as all see it.
  void reset();
  /// What is wrong, or nothing.
  std::string carry_out(const Operation& operation);
  /// In a good mood again everything reaches the source, and everybody sees it.
  std::string settle();
  [[nodiscard]] PagedCounters counters() const { return region_->counters(); }

 private:
  using Outcome = RemoteClient::Outcome;
  /// Who may write, come back if it had left.
  [[nodiscard]] RemoteClient& client(std::uint32_t number);
  [[nodiscard]] RemoteClient& client(const Operation& operation) { return client(operation.client % kClients); }
  std::string leave(const Operation& operation);
  /// The operation's bytes clipped to `limit`.
  [[nodiscard]] static std::size_t clipped(const Operation& operation, std::size_t limit);
  std::string check_bytes(const char* who, const Outcome& outcome, std::uint64_t offset, std::size_t size) const;
  std::string check_server_read(std::uint64_t offset, std::size_t size) const;
  std::string access(const Operation& operation);
  // What a device hasn't got, by what it has.
  Outcome pread(RemoteClient& who, std::uint64_t offset, std::size_t size);
  Outcome pwrite(RemoteClient& who, std::uint64_t offset, std::string_view bytes);
  Outcome fsync(RemoteClient& who) const { return is_device() ? who.msync() : who.fsync(); }
  Outcome truncate(RemoteClient& who, std::uint64_t size);
  void evict(RemoteClient& who) const;
  [[nodiscard]] bool is_device() const { return device_ != nullptr; }
  std::string change(const Operation& operation);
  std::string serve(const Operation& operation);
  std::string together(const Operation& operation);
  std::string synced(const char* what, const Outcome& outcome) const;
  void put(std::uint64_t offset, std::string_view bytes);
  void cut(std::uint64_t size);

  std::shared_ptr<MoodySource> source_;
  std::shared_ptr<PagedRegion> region_;
  DeviceFilesystem files_;
  std::unique_ptr<Mounted> mount_;
  std::unique_ptr<CuseDevice> device_;
  std::deque<std::unique_ptr<RemoteClient>> clients_;
  std::array<bool, kClients> away_{};
  std::unique_ptr<RemoteClient> reader_;
  std::string model_;
};

}  // namespace dmmap::testing
