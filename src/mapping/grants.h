// Grants: which handle of a MappedFilesystem has which region, and how the kernel was told. The only place that decides
// how a grant is carried out.
//
// Shared regions are carried out by backings, paged ones by the page cache (PagedRequests).
//
// Invariants: 1. all opens of one node that have a backing have the same one (linux/fuse.h: an inode has one); 2. a
// backing lives until the RELEASE of the last open that was answered with it; 3. opens of one region share one backing.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/thread_safety.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "mapping/kernel_grants.h"
#include "mapping/mmap_requests.h"
#include "mapping/paged_requests.h"
#include "mapping/regions_file.h"
#include "mapping/shared_region_impl.h"

namespace dmmap {

/// One open, as it's asked for.
struct MappedFilesystem::Asked {
  HandleId handle;
  bool own_io = false;
  bool may_read = false;
  bool may_write = false;
  bool may_store = false;    // by a writable mapping
  std::uint32_t opener = 0;  // a thread
  HandleId asked_about{};    // for a file that carries a grant out: the handle that mmap(2) was called with
};

/// How an open is answered.
struct MappedFilesystem::CarriedOut {
  std::shared_ptr<BackingId> backing;
  bool page_cache = false;  // reads and writes go through it, unless they're the server's own
  bool keep_cache = false;  // what is cached is good
};

/// Thread safety: every call, from any thread.
class MappedFilesystem::Grants {
 public:
  explicit Grants(MappedFilesystem& filesystem)
      : paged_(filesystem),
        mmaps_(filesystem, *this),
        kernel_(filesystem, *this),
        file_(filesystem),
        interceptors_{&file_, &paged_, &kernel_, &mmaps_} {}

  void mounted(Connection& connection) DMMAP_EXCLUDES(lock_) {
    const MutexLock lock(lock_);
    connection_ = &connection;
    paged_.mounted(connection);
    mmaps_.mounted(connection);
    kernel_.mounted(connection);
  }
  void unmounted() { paged_.unmounted(); }
  [[nodiscard]] mapping::PagedRequests& paged() { return paged_; }
  /// Whether the server is asked what to map at open.
  [[nodiscard]] bool asked_at_open() const DMMAP_EXCLUDES(lock_) {
    const MutexLock lock(lock_);
    return connection_->capabilities().has(Tier::open);
  }
  /// Whether the kernel asks what to map at each mmap(2).
  [[nodiscard]] bool asked_by_kernel() const DMMAP_EXCLUDES(lock_) {
    const MutexLock lock(lock_);
    return connection_->capabilities().has(Tier::kernel);
  }
  [[nodiscard]] mapping::MmapRequests& mmaps() { return mmaps_; }
  [[nodiscard]] mapping::KernelGrants& kernel() { return kernel_; }
  [[nodiscard]] std::span<session::Interceptor* const> interceptors() const { return interceptors_; }

  /// What the open files of this very node have, or null.
  [[nodiscard]] std::shared_ptr<Region> of_node(NodeId node) const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::shared_ptr<Region> of_handle(HandleId handle) const DMMAP_EXCLUDES(lock_);

  /// A handle without a region. Errors: EBUSY when the node has one, unless `share` takes it too.
  Result<CarriedOut> add_without(NodeId node, const Asked& file, bool share) DMMAP_EXCLUDES(lock_);
  /// A handle with `region`; without a backing where this mount can't have one. Errors: EBUSY when the node has
  /// another; ESTALE when it's revoked; EINVAL for a region of no known kind; those of the kernel.
  Result<CarriedOut> add(NodeId node, const Asked& file, std::shared_ptr<Region> region) DMMAP_EXCLUDES(lock_);
  /// As add(), as the kernel is to be told. Errors: EAGAIN too when too many threads wait already.
  Result<Opened> open_with(NodeId node, const Asked& file, std::shared_ptr<Region> region) DMMAP_EXCLUDES(lock_) {
    return answer(node, file, add(node, file, std::move(region)));
  }
  /// What a mapping of `file`'s, which is a handle of its own, shows of a SharedRegion: by the region's backing, and
  /// whatever else the node shows. REQUIRES: can_be_mapped(). Errors: ESTALE, those of the kernel.
  Result<std::shared_ptr<BackingId>> add_mapping(NodeId node, const Asked& file, std::shared_ptr<Region> region)
      DMMAP_EXCLUDES(lock_);
  /// What the kernel is told of an open that was carried out.
  Result<Opened> answer(NodeId node, const Asked& file, const Result<CarriedOut>& carried);
  /// The handle is released. False when it isn't known.
  bool remove(HandleId handle) DMMAP_EXCLUDES(lock_);
  /// The kernel doesn't know the node any more.
  void forgotten(NodeId node) DMMAP_EXCLUDES(lock_);

  /// Whether a file of this mount could show the region. Errors: ENODEV, EOPNOTSUPP when the mount can't have it
  /// mapped; ESTALE when it was revoked; EBUSY when it's another mount's; EINVAL for one of no known kind.
  [[nodiscard]] Result<void> can_be_mapped(const std::shared_ptr<Region>& region) DMMAP_EXCLUDES(lock_);
  struct Access {
    bool readable = false;
    bool writable = false;
  };
  /// How an open handle was opened; nothing for one that isn't.
  [[nodiscard]] std::optional<Access> access_of(HandleId handle) const DMMAP_EXCLUDES(lock_);
  /// The node was found, and files of it will show the region: what is asked about it before one is opened is known.
  /// Returns whether nothing was known of the node.
  bool will_show(NodeId node, const std::shared_ptr<Region>& region) DMMAP_EXCLUDES(lock_);
  /// What mappings of this node show: also when all its files are closed, as long as the kernel knows it.
  [[nodiscard]] std::shared_ptr<Region> shown_by(NodeId node) const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::vector<RegionUse> in_use() const DMMAP_EXCLUDES(lock_);

  struct Open {
    NodeId node;
    HandleId handle;
  };
  [[nodiscard]] std::vector<Open> all() const DMMAP_EXCLUDES(lock_);

 private:
  struct Handle {
    NodeId node;
    std::shared_ptr<Region> region;
    std::shared_ptr<BackingId> backing;
    bool counted = false;  // among its node's opens
    Access access;
    std::uint32_t opener = 0;  // a thread
  };
  struct Node {
    std::shared_ptr<Region> region;
    std::uint64_t opens = 0;
  };
  Result<CarriedOut> attach(NodeId node, const Asked& file, std::shared_ptr<Region> region) DMMAP_REQUIRES(lock_);
  /// Without a backing the region is only counted as open: the kernel asks again at mmap(2).
  Result<CarriedOut> attach_shared(const std::shared_ptr<SharedRegion>& region, bool with_backing)
      DMMAP_REQUIRES(lock_);
  Result<CarriedOut> attach_paged(NodeId node, const Asked& file, const PagedRegion& region) DMMAP_REQUIRES(lock_);

  /// The region's backing, made when nobody has one yet; null where the mount can't have one.
  Result<std::shared_ptr<BackingId>> backing_of(const SharedRegion& region, int memfd) DMMAP_REQUIRES(lock_);

  /// That shared regions can't be mapped here, once.
  void say_unmapped() DMMAP_REQUIRES(lock_);

  mapping::PagedRequests paged_;
  mapping::MmapRequests mmaps_;
  mapping::KernelGrants kernel_;
  mapping::RegionsFile file_;
  const std::array<session::Interceptor*, 4> interceptors_;
  mutable Mutex lock_;
  Connection* connection_ DMMAP_GUARDED_BY(lock_) = nullptr;
  bool said_unmapped_ DMMAP_GUARDED_BY(lock_) = false;
  bool said_no_direct_mmap_ DMMAP_GUARDED_BY(lock_) = false;
  std::unordered_map<HandleId, Handle> handles_ DMMAP_GUARDED_BY(lock_);
  std::unordered_map<NodeId, Node> nodes_ DMMAP_GUARDED_BY(lock_);
  std::unordered_map<NodeId, std::weak_ptr<Region>> shown_ DMMAP_GUARDED_BY(lock_);  // until they're forgotten
  std::unordered_map<const Region*, std::weak_ptr<BackingId>> backings_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap
