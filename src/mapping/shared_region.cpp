#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "mapping/lifetime.h"
#include "mapping/shared_copy.h"
#include "mapping/shared_region_impl.h"

namespace dmmap {

namespace {

constexpr std::uint64_t kLargest = std::uint64_t{1} << 62;
constexpr std::size_t kLongestName = 249;  // memfd_create(2)

// Never MFD_HUGETLB: the way in for passthrough mappings checks no alignment, and the kernel would trip over it.
Result<UniqueFd> make_memfd(const SharedRegionOptions& options) {
  UniqueFd memfd(::memfd_create(options.name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) {
    return fail_errno(errno, fmt::format("memfd_create for region {}", options.id.value));
  }
  if (::ftruncate(memfd.get(), static_cast<off_t>(options.size)) != 0) {
    return fail_errno(errno, fmt::format("making region {} of {} bytes", options.id.value, options.size));
  }
  return memfd;
}

// Maps `memfd` at `wanted`, in place of what is there, or anywhere for null.
Result<std::byte*> map_memfd(int memfd, const SharedRegionOptions& options, std::byte* wanted) {
  void* base =
      ::mmap(wanted, options.size, PROT_READ | PROT_WRITE, MAP_SHARED | (wanted != nullptr ? MAP_FIXED : 0), memfd, 0);
  if (base == MAP_FAILED) {  // NOLINT(*-cstyle-cast, performance-no-int-to-ptr)
    return fail_errno(errno, fmt::format("mapping region {} of {} bytes", options.id.value, options.size));
  }
  // A child of the server must not count as a user of the region.
  ::madvise(base, options.size, MADV_DONTFORK);
  if (options.huge_pages) {
    ::madvise(base, options.size, MADV_HUGEPAGE);  // advice: without support the pages are small
  }
  return static_cast<std::byte*>(base);
}

}  // namespace

std::uint64_t page_size() {
  static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

SharedRegion::Impl::Impl(SharedRegionOptions options, UniqueFd memfd, mapping::UseProbe clients, std::byte* base)
    : options_(std::move(options)), base_(base), clients_(std::move(clients)), server_memfd_(std::move(memfd)) {}

SharedRegion::Impl::~Impl() {
  if (watch_ >= 0) {
    mapping::LifetimeMonitor::instance().unwatch(watch_);
  }
  ::munmap(base_, options_.size);
}

Result<void> SharedRegion::Impl::check(std::uint64_t offset, std::uint64_t length) const {
  if (offset > options_.size || length > options_.size - offset) {
    return fail(ERANGE, fmt::format("{} bytes at offset {} don't lie within region {} of {} bytes", length, offset,
                                    options_.id.value, options_.size));
  }
  return {};
}

Result<void> SharedRegion::Impl::discard(PageRange pages) {
  const std::uint64_t page = page_size();
  const std::uint64_t limit = options_.size / page;
  if (pages.first > limit || pages.count > limit - pages.first) {
    return fail(ERANGE, fmt::format("{} pages from page {} on don't lie within region {} of {} pages", pages.count,
                                    pages.first, options_.id.value, limit));
  }
  if (pages.count == 0) {
    return {};
  }
  const MutexLock lock(grant_lock_);
  if (::fallocate(server_memfd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(pages.first * page), static_cast<off_t>(pages.count * page)) != 0) {
    return fail_errno(errno, fmt::format("discarding pages of region {}", options_.id.value));
  }
  return {};
}

Result<void> SharedRegion::Impl::revoke() {
  const MutexLock lock(grant_lock_);
  if (revoked_memfd_) {
    return {};
  }
  // The server goes on with a file of its own, and the clients' is cut to nothing: a touch beyond the end of a file is
  // SIGBUS (mmap(2)). In this order the server's address never shows less than size_ bytes of file.
  auto fresh = make_memfd(options_);
  if (!fresh) {
    return tl::unexpected(fresh.error());
  }
  for (off_t at = 0; (at = ::lseek(server_memfd_.get(), at, SEEK_DATA)) >= 0;) {
    const off_t end = ::lseek(server_memfd_.get(), at, SEEK_HOLE);
    while (at < end) {
      const ssize_t put = ::pwrite(fresh->get(), base_ + at, static_cast<std::size_t>(end - at), at);
      if (put <= 0) {
        return fail_errno(put < 0 ? errno : ENOSPC, fmt::format("revoking region {}", options_.id.value));
      }
      at += put;
    }
  }
  if (auto mapped = map_memfd(fresh->get(), options_, base_); !mapped) {
    return tl::unexpected(mapped.error());
  }
  revoked_memfd_ = std::exchange(server_memfd_, std::move(*fresh));
  if (::ftruncate(revoked_memfd_.get(), 0) != 0) {
    return fail_errno(errno, fmt::format("revoking region {}", options_.id.value));
  }
  return {};
}

bool SharedRegion::Impl::in_use() {
  const MutexLock lock(grant_lock_);
  return opens_ > 0 || clients_.in_use();
}

void SharedRegion::Impl::on_idle(std::function<void()> callback) {
  const MutexLock lock(grant_lock_);
  on_idle_ = std::move(callback);
}

std::uint64_t SharedRegion::Impl::resident_bytes() {
  const MutexLock lock(grant_lock_);
  struct stat status {};
  return ::fstat(server_memfd_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

Result<void> SharedRegion::Impl::check_not_revoked() {
  const MutexLock lock(grant_lock_);
  return not_revoked();
}

Result<void> SharedRegion::Impl::not_revoked() const {
  return revoked_memfd_ ? fail(ESTALE, fmt::format("region {} has been revoked", options_.id.value)) : Result<void>();
}

Result<void> SharedRegion::Impl::begin_open(const std::function<Result<void>(int memfd)>& use) {
  const MutexLock lock(grant_lock_);
  if (auto good = not_revoked(); !good) {
    return good;
  }
  if (auto used = use(server_memfd_.get()); !used) {
    return used;
  }
  ++opens_;
  idle_owed_ = true;
  return {};
}

void SharedRegion::Impl::end_open() {
  {
    const MutexLock lock(grant_lock_);
    --opens_;
  }
  look_again();
}

// Called at each RELEASE, and when the kernel says that an open file or a mapping went. A client's file is closed for
// good a moment after its RELEASE, so the first look often finds it in use: then the watch is set, and a second look
// makes sure that the close in between wasn't missed.
void SharedRegion::Impl::look_again() {
  std::function<void()> callback;
  {
    const MutexLock lock(grant_lock_);
    if (opens_ > 0 || !idle_owed_) {
      return;
    }
    if (clients_.in_use()) {
      if (watch_ >= 0) {
        return;
      }
      const int memfd = revoked_memfd_ ? revoked_memfd_.get() : server_memfd_.get();
      auto watch = mapping::LifetimeMonitor::instance().watch(memfd, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
          self->look_again();
        }
      });
      if (watch) {
        watch_ = *watch;
      }
      if (clients_.in_use()) {
        return;
      }
    }
    if (watch_ >= 0) {
      mapping::LifetimeMonitor::instance().unwatch(std::exchange(watch_, -1));
    }
    idle_owed_ = false;
    callback = on_idle_;
  }
  if (callback) {
    callback();
  }
}

Result<std::shared_ptr<SharedRegion>> SharedRegion::create(const SharedRegionOptions& options) {
  if (options.size == 0 || options.size > kLargest) {
    return fail(EINVAL, fmt::format("a region's size must be 1 to 2^62 bytes, not {}", options.size));
  }
  if (options.name.size() > kLongestName || options.name.find('\0') != std::string::npos) {
    return fail(EINVAL, fmt::format("a region's name must have at most {} bytes", kLongestName));
  }
  SharedRegionOptions rounded = options;
  rounded.size = (options.size + page_size() - 1) / page_size() * page_size();
  auto memfd = make_memfd(rounded);
  if (!memfd) {
    return tl::unexpected(memfd.error());
  }
  auto clients = mapping::UseProbe::open(memfd->get());
  if (!clients) {
    return tl::unexpected(clients.error());
  }
  const auto base = map_memfd(memfd->get(), rounded, nullptr);
  if (!base) {
    return tl::unexpected(base.error());
  }
  return std::shared_ptr<SharedRegion>(
      new SharedRegion(std::make_shared<Impl>(std::move(rounded), std::move(*memfd), std::move(*clients), *base)));
}

SharedRegion::SharedRegion(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
SharedRegion::~SharedRegion() = default;

RegionId SharedRegion::id() const {
  return impl_->options().id;
}
std::uint64_t SharedRegion::size() const {
  return impl_->options().size;
}
const std::string& SharedRegion::name() const {
  return impl_->options().name;
}
std::span<std::byte> SharedRegion::bytes() const {
  return {impl_->base(), impl_->options().size};
}
std::uint64_t SharedRegion::resident_bytes() const {
  return impl_->resident_bytes();
}

Result<void> SharedRegion::read(std::uint64_t offset, std::span<std::byte> to) const {
  if (auto good = impl_->check(offset, to.size()); !good) {
    return good;
  }
  mapping::copy_from_shared(to.data(), impl_->base() + offset, to.size());
  return {};
}

Result<void> SharedRegion::write(std::uint64_t offset, std::span<const std::byte> from) {
  if (auto good = impl_->check(offset, from.size()); !good) {
    return good;
  }
  mapping::copy_to_shared(impl_->base() + offset, from.data(), from.size());
  return {};
}

Result<void> SharedRegion::discard(PageRange pages) {
  return impl_->discard(pages);
}
Result<void> SharedRegion::revoke() {
  return impl_->revoke();
}
bool SharedRegion::in_use() const {
  return impl_->in_use();
}
void SharedRegion::on_idle(std::function<void()> callback) {
  impl_->on_idle(std::move(callback));
}

bool SharedRegion::huge_pages_active() const {
  if (!impl_->options().huge_pages) {
    return false;
  }
  // "always within_size [advise] never deny force": the one in brackets holds
  // (Documentation/admin-guide/mm/transhuge.rst).
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  std::string words;
  std::getline(file, words);
  const auto open = words.find('[');
  const auto close = words.find(']');
  if (open == std::string::npos || close == std::string::npos) {
    return false;
  }
  const std::string chosen = words.substr(open + 1, close - open - 1);
  return chosen != "never" && chosen != "deny";
}

}  // namespace dmmap
