// MoodySource: a page source in memory that can be slow, generous and unwilling.
//
// Thread safety: every call, from any thread.
#pragma once

#include <dmmap/paged_region.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace dmmap::testing {

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

}  // namespace dmmap::testing
