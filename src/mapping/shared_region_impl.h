// SharedRegion::Impl: the memfd, the server's mapping of it, and who has been granted it.
//
// Invariants: 1. `base_` stays mapped, `size_` bytes long, as long as the region, whatever happens to the memfd; 2. an
// open is being granted, or the memfd is asked whether it's in use, only under `grant_lock_`; 3. `opens_` counts the
// granted opens that RELEASE hasn't ended; while it's above 0 the region is in use, and the memfd isn't asked.
#pragma once

#include <dmmap/region.h>
#include <dmmap/thread_safety.h>

#include <functional>
#include <memory>

#include "mapping/lifetime.h"
#include "transport/unique_fd.h"

namespace dmmap {

/// Thread safety: every call, from any thread.
class SharedRegion::Impl : public std::enable_shared_from_this<SharedRegion::Impl> {
 public:
  Impl(SharedRegionOptions options, UniqueFd memfd, mapping::UseProbe clients, std::byte* base);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  [[nodiscard]] const SharedRegionOptions& options() const { return options_; }
  [[nodiscard]] std::byte* base() const { return base_; }

  [[nodiscard]] Result<void> check(std::uint64_t offset, std::uint64_t length) const;
  Result<void> discard(PageRange pages) DMMAP_EXCLUDES(grant_lock_);
  Result<void> revoke() DMMAP_EXCLUDES(grant_lock_);
  [[nodiscard]] bool in_use() DMMAP_EXCLUDES(grant_lock_);
  void on_idle(std::function<void()> callback) DMMAP_EXCLUDES(grant_lock_);
  [[nodiscard]] std::uint64_t resident_bytes() DMMAP_EXCLUDES(grant_lock_);

  // For the grants.
  /// Counts one more granted open, and hands the file to back it with to `use` meanwhile. Errors: ESTALE after
  /// revoke(); those of `use`, in which case nothing is counted.
  Result<void> begin_open(const std::function<Result<void>(int memfd)>& use) DMMAP_EXCLUDES(grant_lock_);
  /// Errors: ESTALE.
  [[nodiscard]] Result<void> check_not_revoked() DMMAP_EXCLUDES(grant_lock_);
  /// RELEASE of one granted open.
  void end_open() DMMAP_EXCLUDES(grant_lock_);

 private:
  [[nodiscard]] Result<void> not_revoked() const DMMAP_REQUIRES(grant_lock_);
  void look_again() DMMAP_EXCLUDES(grant_lock_);

  const SharedRegionOptions options_;
  std::byte* const base_;
  const mapping::UseProbe clients_;  // asks the memfd that clients map, also after revoke()
  Mutex grant_lock_;
  UniqueFd server_memfd_ DMMAP_GUARDED_BY(grant_lock_);   // what base_ maps
  UniqueFd revoked_memfd_ DMMAP_GUARDED_BY(grant_lock_);  // what clients had, before revoke()
  std::uint64_t opens_ DMMAP_GUARDED_BY(grant_lock_) = 0;
  bool idle_owed_ DMMAP_GUARDED_BY(grant_lock_) = false;  // granted since the last on_idle call
  int watch_ DMMAP_GUARDED_BY(grant_lock_) = -1;
  std::function<void()> on_idle_ DMMAP_GUARDED_BY(grant_lock_);
};

}  // namespace dmmap
