// RegionsFile: a file of the mount that says which regions are held, and by whom.
//
// Promises: the server's own user and root can read it, and nobody else; no listing shows it; each open of it reads
// what was so when it was opened. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/thread_safety.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "session/interceptor.h"

namespace dmmap::mapping {

class RegionsFile final : public session::Interceptor {
 public:
  explicit RegionsFile(const MappedFilesystem& filesystem) : filesystem_(filesystem) {}

  using session::Interceptor::take;
  bool take(const LookupRequest& request, Reply<Entry>& reply) override;
  bool take(const GetattrRequest& request, Reply<AttributesReply>& reply) override;
  bool take(const OpenRequest& request, Reply<Opened>& reply) override;
  bool take(const ReadRequest& request, Reply<Data>& reply) override;
  bool take(const ReleaseRequest& request, Reply<Done>& reply) override;

 private:
  const MappedFilesystem& filesystem_;
  Mutex lock_;
  std::uint64_t next_handle_ DMMAP_GUARDED_BY(lock_) = kFirstLibraryId | std::uint64_t{1} << 62;
  std::unordered_map<HandleId, std::shared_ptr<const std::string>> texts_ DMMAP_GUARDED_BY(lock_);
};

/// What it says.
[[nodiscard]] std::string json_of(const std::vector<RegionUse>& regions);

}  // namespace dmmap::mapping
