// PlayedSource: a page source that keeps its bytes in memory and answers when and as the test says.
//
// Thread safety: every call, from any thread.
#pragma once

#include <dmmap/paged_region.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace dmmap::testing {

class PlayedSource : public PageSource {
 public:
  explicit PlayedSource(std::size_t size) : bytes_(size) {}

  /// What faults and writebacks do instead of being answered at once from the bytes. Empty: that.
  using OnFault = std::function<void(PageRange, FaultReply)>;
  using OnWriteback = std::function<void(std::uint64_t, std::span<const std::byte>, WritebackReply)>;
  void on_fault(OnFault play) {
    const std::lock_guard lock(lock_);
    on_fault_ = std::move(play);
  }
  void on_writeback(OnWriteback play) {
    const std::lock_guard lock(lock_);
    on_writeback_ = std::move(play);
  }

  void fault(PageRange wanted, FaultReply reply) override {
    OnFault play;
    {
      const std::lock_guard lock(lock_);
      faults_.push_back(wanted);
      play = on_fault_;
    }
    play ? play(wanted, std::move(reply)) : supply(wanted, reply);
  }
  void writeback(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) override {
    OnWriteback play;
    {
      const std::lock_guard lock(lock_);
      play = on_writeback_;
    }
    play ? play(offset, bytes, std::move(reply)) : take(offset, bytes, reply);
  }
  void discarded(PageRange pages) override {
    const std::lock_guard lock(lock_);
    const std::size_t begin = std::min<std::size_t>(bytes_.size(), pages.first * 4096);
    const std::size_t end = std::min<std::size_t>(bytes_.size(), (pages.first + pages.count) * 4096);
    std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(begin), bytes_.begin() + static_cast<std::ptrdiff_t>(end),
              std::byte{0});
  }
  void resized(std::uint64_t size) override {
    const std::lock_guard lock(lock_);
    if (size < bytes_.size()) {
      std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(size), bytes_.end(), std::byte{0});
    }
  }

  /// The ordinary answers, from and to the bytes.
  void supply(PageRange wanted, FaultReply& reply) {
    std::vector<std::byte> page;
    {
      const std::lock_guard lock(lock_);
      page.resize(wanted.count * 4096);
      const std::size_t begin = wanted.first * 4096;
      if (begin < bytes_.size()) {
        std::memcpy(page.data(), bytes_.data() + begin, std::min(page.size(), bytes_.size() - begin));
      }
    }
    reply.ok(wanted.first * 4096, page);
  }
  void take(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply& reply) {
    {
      const std::lock_guard lock(lock_);
      if (offset + bytes.size() > bytes_.size()) {
        bytes_.resize(offset + bytes.size());
      }
      std::memcpy(bytes_.data() + offset, bytes.data(), bytes.size());
    }
    reply.ok();
  }

  [[nodiscard]] std::string text(std::size_t offset, std::size_t size) const {
    const std::lock_guard lock(lock_);
    std::string text(size, '\0');
    std::memcpy(text.data(), bytes_.data() + offset, size);
    return text;
  }
  void put(std::size_t offset, std::string_view text) {
    const std::lock_guard lock(lock_);
    std::memcpy(bytes_.data() + offset, text.data(), text.size());
  }
  [[nodiscard]] std::vector<PageRange> faults() const {
    const std::lock_guard lock(lock_);
    return faults_;
  }

 private:
  mutable std::mutex lock_;
  std::vector<std::byte> bytes_;
  std::vector<PageRange> faults_;
  OnFault on_fault_;
  OnWriteback on_writeback_;
};

}  // namespace dmmap::testing
