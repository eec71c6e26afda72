// MmapRequests: what a program asks at each mmap(2), by the ioctl of the per-mmap protocol, and what the kernel asks
// about the files that carry the grants out.
//
// The program is not trusted: what it may map is decided here, from the handle that it asks about, and what it opens is
// what was granted to its own process. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/mapping.h>

#include <vector>

#include "mapping/mmap_grants.h"
#include "protocol/map_protocol.h"
#include "session/interceptor.h"

namespace dmmap::mapping {

class MmapRequests final : public session::Interceptor {
 public:
  MmapRequests(MappedFilesystem& filesystem, MappedFilesystem::Grants& grants)
      : filesystem_(filesystem), grants_(grants) {}

  /// REQUIRES: before all others.
  void mounted(Connection& connection) { connection_ = &connection; }
  void unmounted();
  /// A handle of the file system's is released: tells it, or will when the handle's last grant is over.
  void released(const ReleaseRequest& request);
  /// A handle, and a node of the same number, that nobody else has.
  [[nodiscard]] HandleId next_handle() { return table_.next_handle(); }
  /// There's one more grant of this handle of the file system's, which somebody else carries out; and it's over.
  void hold(HandleId handle) { table_.hold(handle); }
  void let_go(HandleId handle);
  [[nodiscard]] std::vector<MmapGrants::Held> held() const { return table_.held(); }

  using session::Interceptor::take;
  bool take(const LookupRequest& request, Reply<Entry>& reply) override;
  bool take(const GetattrRequest& request, Reply<AttributesReply>& reply) override;
  bool take(const SetattrRequest& request, Reply<AttributesReply>& reply) override;
  bool take(const OpenRequest& request, Reply<Opened>& reply) override;
  bool take(const ReleaseRequest& request, Reply<Done>& reply) override;
  bool take(const IoctlRequest& request, Reply<IoctlDone>& reply) override;
  bool take(const GetxattrRequest& request, Reply<Xattr>& reply) override;
  void forgotten(NodeId node) override;

 private:
  /// The protocol's answer. Errors: as mmap(2)'s.
  Result<protocol::map::MapExchange> answer(const IoctlRequest& request, const protocol::map::MapIn& in);
  /// How a file of the library's own looks.
  void answer_attributes(NodeId node, Reply<AttributesReply>& reply);
  void tell(const MmapGrants::Ended& ended);

  MappedFilesystem& filesystem_;
  MappedFilesystem::Grants& grants_;
  Connection* connection_ = nullptr;
  MmapGrants table_;
};

}  // namespace dmmap::mapping
