// FileUnderTest: one paged file on a real mount, client processes that have it mapped, and a plain model of its bytes.
//
// Promises: carry_out() does one operation on both, and says in words what differs. Thread safety: one thread at a
// time.
#pragma once

#include <dmmap/device.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "model/operation.h"
#include "mount/mounted.h"
#include "mount/remote_client.h"

namespace dmmap::testing {

/// A source in memory that can be slow, generous and unwilling.
class MoodySource final : public PageSource {
 public:
  explicit MoodySource(std::size_t size);
  ~MoodySource() override;

  void fault(PageRange wanted, FaultReply reply) override;
  void writeback(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) override;
  void discarded(PageRange pages) override;
  void resized(std::uint64_t size) override;

  void good_mood();  ///< at once, what is asked, and willing
  std::atomic<bool> delays_faults{false};
  std::atomic<bool> supplies_more{false};
  std::atomic<bool> delays_writebacks{false};
  std::atomic<bool> refuses{false};
  [[nodiscard]] std::string text(std::size_t size) const;
  void clear();

 private:
  void later(std::function<void()> job);
  void supply(PageRange wanted, FaultReply& reply);
  void take(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply& reply);

  mutable std::mutex lock_;
  std::string bytes_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool ends_ = false;
  std::thread worker_;
};

class FileUnderTest {
 public:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kMost = 8 * kPage;  // bytes that the file may have
  static constexpr std::uint32_t kClients = 3;

  explicit FileUnderTest(bool writeback_cache);

  /// An empty file again, as all see it.
  void reset();
  /// What is wrong, or nothing.
  std::string carry_out(const Operation& operation);
  /// In a good mood again everything reaches the source, and everybody sees it.
  std::string settle();
  [[nodiscard]] PagedCounters counters() const { return region_->counters(); }

 private:
  using Outcome = RemoteClient::Outcome;
  [[nodiscard]] RemoteClient& client(const Operation& operation) { return *clients_[operation.client % kClients]; }
  /// The operation's bytes clipped to `limit`.
  [[nodiscard]] static std::size_t clipped(const Operation& operation, std::size_t limit);
  std::string check_bytes(const char* who, const Outcome& outcome, std::uint64_t offset, std::size_t size) const;
  std::string check_server_read(std::uint64_t offset, std::size_t size) const;
  std::string access(const Operation& operation);
  std::string change(const Operation& operation);
  std::string serve(const Operation& operation);
  std::string together(const Operation& operation);
  std::string synced(const char* what, const Outcome& outcome) const;
  void put(std::uint64_t offset, std::string_view bytes);
  void cut(std::uint64_t size);

  const bool writeback_cache_;
  std::shared_ptr<MoodySource> source_;
  std::shared_ptr<PagedRegion> region_;
  DeviceFilesystem files_;
  std::unique_ptr<Mounted> mount_;
  std::deque<std::unique_ptr<RemoteClient>> clients_;
  std::string model_;
};

}  // namespace dmmap::testing
