// Interceptor: a layer of the library that sees requests before the file system does.
//
// Promises: take() returns true when it has taken the Reply over; then the file system isn't asked.
#pragma once

#include <dmmap/reply.h>
#include <dmmap/requests.h>

#include <type_traits>

namespace dmmap::session {

/// Thread safety: as Filesystem.
class Interceptor {
 public:
  Interceptor() = default;
  Interceptor(const Interceptor&) = delete;
  Interceptor& operator=(const Interceptor&) = delete;
  virtual ~Interceptor() = default;

  virtual bool take(const LookupRequest& /*request*/, Reply<Entry>& /*reply*/) { return false; }
  virtual bool take(const GetattrRequest& /*request*/, Reply<AttributesReply>& /*reply*/) { return false; }
  virtual bool take(const SetattrRequest& /*request*/, Reply<AttributesReply>& /*reply*/) { return false; }
  virtual bool take(const OpenRequest& /*request*/, Reply<Opened>& /*reply*/) { return false; }
  virtual bool take(const ReadRequest& /*request*/, Reply<Data>& /*reply*/) { return false; }
  virtual bool take(const WriteRequest& /*request*/, Reply<Written>& /*reply*/) { return false; }
  virtual bool take(const FsyncRequest& /*request*/, Reply<Done>& /*reply*/) { return false; }
  virtual bool take(const FlushRequest& /*request*/, Reply<Done>& /*reply*/) { return false; }
  virtual bool take(const ReleaseRequest& /*request*/, Reply<Done>& /*reply*/) { return false; }
  virtual bool take(const FallocateRequest& /*request*/, Reply<Done>& /*reply*/) { return false; }
  virtual bool take(const LseekRequest& /*request*/, Reply<Seeked>& /*reply*/) { return false; }
  virtual bool take(const IoctlRequest& /*request*/, Reply<IoctlDone>& /*reply*/) { return false; }
  virtual bool take(const GetxattrRequest& /*request*/, Reply<Xattr>& /*reply*/) { return false; }
  virtual bool take(const MmapRequest& /*request*/, Reply<Mmapped>& /*reply*/) { return false; }
  virtual bool take(const MunmapRequest& /*request*/, Reply<Done>& /*reply*/) { return false; }
  /// The kernel doesn't know `node` any more. The file system is told as well.
  virtual void forgotten(NodeId /*node*/) {}
};

/// Nodes of the library's own: the file system never hears of them, and what no Interceptor takes is refused.
[[nodiscard]] constexpr bool is_library_node(NodeId node) {
  return node.value >= kFirstLibraryId;
}

/// Whether requests of type R go to an Interceptor first: of these very types, not of those derived from them.
template <class R>
inline constexpr bool kIntercepted =
    std::is_same_v<R, LookupRequest> || std::is_same_v<R, GetattrRequest> || std::is_same_v<R, SetattrRequest> ||
    std::is_same_v<R, OpenRequest> || std::is_same_v<R, ReadRequest> || std::is_same_v<R, WriteRequest> ||
    std::is_same_v<R, FsyncRequest> || std::is_same_v<R, FlushRequest> || std::is_same_v<R, ReleaseRequest> ||
    std::is_same_v<R, FallocateRequest> || std::is_same_v<R, LseekRequest> || std::is_same_v<R, IoctlRequest> ||
    std::is_same_v<R, GetxattrRequest> || std::is_same_v<R, MmapRequest> || std::is_same_v<R, MunmapRequest>;

/// Open files of the library's own.
[[nodiscard]] constexpr bool is_library_handle(HandleId handle) {
  return handle.value >= kFirstLibraryId;
}

/// Has the answer to a question for the attributes of `node` answer a LOOKUP of it.
[[nodiscard]] Reply<AttributesReply> answer_with_attributes_of(NodeId node, Reply<Entry> lookup);

}  // namespace dmmap::session
