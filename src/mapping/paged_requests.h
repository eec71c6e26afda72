// PagedRequests: what the kernel asks about nodes that show paged regions, and what our own files of the mount ask.
//
// Promises: a page fill or a writeback of such a node goes to the region, whatever handle it names; requests of our own
// files never reach the server, but for the attributes that some need.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/paged_region.h>
#include <dmmap/thread_safety.h>

#include <fcntl.h>

#include <memory>
#include <optional>
#include <unordered_map>

#include "mapping/own_files.h"
#include "mapping/paged_region_impl.h"
#include "session/interceptor.h"

namespace dmmap::mapping {

/// Thread safety: every call, from any thread.
class PagedRequests final : public session::Interceptor {
 public:
  explicit PagedRequests(MappedFilesystem& filesystem) : filesystem_(filesystem) {}

  void mounted(Connection& connection) { files_->mounted(connection); }
  /// The mount is gone: regions are without nodes again.
  void unmounted() DMMAP_EXCLUDES(lock_);

  /// `handle` of `node` shows `region`. With `own_io` read(2) and write(2) of that handle are the server's. Returns
  /// whether the node showed the same region before, so that what is cached of it is good.
  struct Open {
    bool own_io = false;
    PagedRegion::Impl::ClientOpen client;
    HandleId asked_about{};  ///< for a file that carries a grant out: what fsync(2) of it means, this handle knows
  };
  Result<bool> opened(NodeId node, HandleId handle, const std::shared_ptr<PagedRegion::Impl>& region, Open open)
      DMMAP_EXCLUDES(lock_);
  void released(HandleId handle) DMMAP_EXCLUDES(lock_);
  /// Waits until an opened file may be written by its client. False when too many threads wait already.
  [[nodiscard]] bool may_be_written(NodeId node) DMMAP_EXCLUDES(lock_);
  /// The node of this mount that the region is; nothing when it's none yet, or another mount's.
  [[nodiscard]] std::optional<NodeId> node_of(PagedRegion::Impl& region) const { return region.node_in(*files_); }
  /// Errors: ESTALE, EBUSY, as opened().
  [[nodiscard]] Result<void> can_show(PagedRegion::Impl& region) const { return region.can_be_shown_in(*files_); }
  /// The kernel knows a node that shows, or will show, this region for as long as this is open, whether it did before
  /// or not. Waits for requests of the mount. Errors: as OwnFiles::open.
  [[nodiscard]] Result<UniqueFd> keep_known(NodeId node, const std::shared_ptr<PagedRegion::Impl>& region)
      DMMAP_EXCLUDES(lock_);
  /// Answers a LOOKUP that found `node`, with its attributes.
  void answer_lookup(const LookupRequest& request, NodeId node, Reply<Entry>& reply) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool shows(NodeId node) const DMMAP_EXCLUDES(lock_) { return of(node) != nullptr; }

  using session::Interceptor::take;
  bool take(const LookupRequest& request, Reply<Entry>& reply) override;
  bool take(const GetattrRequest& request, Reply<AttributesReply>& reply) override;
  bool take(const SetattrRequest& request, Reply<AttributesReply>& reply) override;
  bool take(const OpenRequest& request, Reply<Opened>& reply) override;
  bool take(const ReadRequest& request, Reply<Data>& reply) override;
  bool take(const WriteRequest& request, Reply<Written>& reply) override;
  bool take(const FsyncRequest& request, Reply<Done>& reply) override;
  bool take(const FlushRequest& request, Reply<Done>& reply) override;
  bool take(const ReleaseRequest& request, Reply<Done>& reply) override;
  bool take(const FallocateRequest& request, Reply<Done>& reply) override;
  bool take(const LseekRequest& request, Reply<Seeked>& reply) override;
  void forgotten(NodeId node) override;

 private:
  using Region = std::shared_ptr<PagedRegion::Impl>;
  [[nodiscard]] Region of(NodeId node) const DMMAP_EXCLUDES(lock_);
  /// The same of a node of the library's, which may be about to be made known.
  [[nodiscard]] Region of_library(NodeId node) const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool is_own(HandleId handle) const { return handle == files_->handle(); }
  [[nodiscard]] bool has_own_io(HandleId handle) const DMMAP_EXCLUDES(lock_);
  void ask_attributes(const GetattrRequest& question, Reply<AttributesReply> reply) DMMAP_EXCLUDES(lock_);

  MappedFilesystem& filesystem_;
  const std::shared_ptr<OwnFiles> files_ = std::make_shared<OwnFiles>();
  mutable Mutex lock_;
  std::unordered_map<NodeId, Region> regions_ DMMAP_GUARDED_BY(lock_);       // until the node is forgotten
  std::unordered_multimap<NodeId, Region> to_show_ DMMAP_GUARDED_BY(lock_);  // while keep_known() looks them up
  struct OpenedFile {
    Open open;
    Region region;  // which the node may not be any more when this ends: the kernel forgets it without waiting
  };
  std::unordered_map<HandleId, OpenedFile> opens_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::mapping
