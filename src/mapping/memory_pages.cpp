#include <dmmap/memory_pages.h>

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <vector>

namespace dmmap {

Result<std::shared_ptr<MemoryPages>> MemoryPages::create(std::uint64_t capacity) {
  const std::uint64_t whole = std::max<std::uint64_t>((capacity + page_size() - 1) / page_size(), 1) * page_size();
  void* const base = ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {  // NOLINT(*-cstyle-cast, performance-no-int-to-ptr)
    return fail_errno(errno, "memory for pages");
  }
  return std::shared_ptr<MemoryPages>(new MemoryPages(static_cast<std::byte*>(base), whole));
}

MemoryPages::~MemoryPages() {
  ::munmap(base_, capacity_);
}

// Copied, since the server's own writes may come while a fault for the same page is asked for. Which of the two the
// copy has doesn't matter: they're laid over what is supplied.
void MemoryPages::fault(PageRange wanted, FaultReply reply) {
  const std::uint64_t begin = std::min(wanted.first * page_size(), capacity_);
  const std::uint64_t end = std::min((wanted.first + wanted.count) * page_size(), capacity_);
  std::vector<std::byte> copy;
  {
    const std::shared_lock<std::shared_mutex> lock(changing_);
    copy.assign(base_ + begin, base_ + end);
  }
  reply.ok(begin, copy);
}

void MemoryPages::writeback(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply) {
  if (offset > capacity_ || bytes.size() > capacity_ - offset) {
    reply.error(ENOSPC);
    return;
  }
  {
    const std::unique_lock<std::shared_mutex> lock(changing_);
    std::copy(bytes.begin(), bytes.end(), base_ + offset);
  }
  reply.ok();
}

void MemoryPages::discarded(PageRange pages) {
  const std::uint64_t begin = std::min(pages.first * page_size(), capacity_);
  const std::uint64_t end = std::min((pages.first + pages.count) * page_size(), capacity_);
  if (begin < end) {
    const std::unique_lock<std::shared_mutex> lock(changing_);
    ::madvise(base_ + begin, end - begin, MADV_DONTNEED);  // zeros again (madvise(2), private anonymous memory)
  }
}

void MemoryPages::resized(std::uint64_t size) {
  const std::uint64_t cut = std::min(size, capacity_);
  const std::uint64_t whole = std::min((cut + page_size() - 1) / page_size() * page_size(), capacity_);
  {
    const std::unique_lock<std::shared_mutex> lock(changing_);
    std::fill(base_ + cut, base_ + whole, std::byte{0});
  }
  discarded({whole / page_size(), (capacity_ - whole) / page_size()});
}

}  // namespace dmmap
