// KernelGrants: what the kernel asks at each mmap(2) of every program, and is told, where it has FUSE_MMAP
// (kernel/patches): the third tier.
//
// A SharedRegion is granted by its backing, a PagedRegion by the node that it is; one that is none yet becomes a node
// of the library's own, which stays known to the kernel by an open file of ours for as long as the grant lasts.
// Promises: each grant is told as over exactly once. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/paged_region.h>
#include <dmmap/thread_safety.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "mapping/mmap_grants.h"
#include "session/interceptor.h"
#include "transport/unique_fd.h"

namespace dmmap::mapping {

class KernelGrants final : public session::Interceptor {
 public:
  KernelGrants(MappedFilesystem& filesystem, MappedFilesystem::Grants& grants)
      : filesystem_(filesystem), grants_(grants) {}

  /// REQUIRES: before all others.
  void mounted(Connection& connection) { connection_ = &connection; }
  /// All grants are over.
  void unmounted() DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::vector<MmapGrants::Held> held() const DMMAP_EXCLUDES(lock_);

  using session::Interceptor::take;
  bool take(const MmapRequest& request, Reply<Mmapped>& reply) override DMMAP_EXCLUDES(lock_);
  bool take(const MunmapRequest& request, Reply<Done>& reply) override DMMAP_EXCLUDES(lock_);
  /// Which region the mappings of a node show, where that's one.
  bool take(const GetxattrRequest& request, Reply<Xattr>& reply) override DMMAP_EXCLUDES(lock_);

 private:
  struct Entry {
    MapRequest question;
    Grant grant;
    Piece piece;
    NodeId node;  // whose page cache it is
    bool writable = false;
    UniqueFd known;  // keeps that node known
  };
  Result<Mmapped> answer(const MmapRequest& request) DMMAP_EXCLUDES(lock_);
  /// Has the kernel told how. `handle` is the grant's own.
  Result<void> carry_out(Entry& entry, HandleId handle, Mmapped& out);
  /// Once. Errors: EBUSY, ESTALE among others when somebody else was faster.
  Result<void> carry_out_paged(Entry& entry, const PagedRegion& region, const MappedFilesystem::Asked& asked);
  static void close_elsewhere(Entry& entry);
  /// The grant is over.
  void end(HandleId handle) DMMAP_EXCLUDES(lock_);

  MappedFilesystem& filesystem_;
  MappedFilesystem::Grants& grants_;
  Connection* connection_ = nullptr;
  mutable Mutex lock_;
  std::unordered_map<HandleId, Entry> entries_ DMMAP_GUARDED_BY(lock_);  // by the number that MUNMAP names
};

}  // namespace dmmap::mapping
