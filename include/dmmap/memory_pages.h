// MemoryPages: a PageSource that keeps its pages in the server's memory.
//
// Promises: starts as zeros; memory is taken page by page as it's written. Answers every question at once.
// Thread safety: every call, from any thread.
#pragma once

#include <dmmap/paged_region.h>

#include <shared_mutex>

namespace dmmap {

class MemoryPages final : public PageSource {
 public:
  /// Holds up to `capacity` bytes, which take address space at once and memory as they're written.
  /// Errors: ENOMEM.
  [[nodiscard]] static Result<std::shared_ptr<MemoryPages>> create(std::uint64_t capacity);
  ~MemoryPages() override;

  void fault(PageRange wanted, FaultReply reply) override;
  void writeback(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) override;
  void discarded(PageRange pages) override;
  void resized(std::uint64_t size) override;

  /// The bytes as they are in the source now; what the page cache holds may be newer. Not for use while clients map.
  [[nodiscard]] std::span<const std::byte> bytes() const { return {base_, capacity_}; }

 private:
  MemoryPages(std::byte* base, std::uint64_t capacity) : base_(base), capacity_(capacity) {}
  std::byte* base_;
  std::uint64_t capacity_;
  std::shared_mutex changing_;  // never held while an answer is given: what the answer leads to may come back here
};

}  // namespace dmmap
