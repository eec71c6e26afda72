#include "mapping/mmap_requests.h"

#include <dmmap/paged_region.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>

#include "mapping/grants.h"
#include "mapping/library_file.h"
#include "mapping/mmap_question.h"
#include "protocol/regions_protocol.h"

namespace dmmap::mapping {

namespace {

namespace map = protocol::map;

Result<void> check_arguments(const map::MapIn& in) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (in.length == 0 || in.offset % page_size() != 0) {
    return fail(EINVAL, "a length of 0, or an offset that isn't of whole pages");
  }
  if (in.offset > kMost || in.length > kMost - page_size() || in.offset > kMost - page_size() - in.length) {
    return fail(EOVERFLOW, "offset and length go beyond any file");
  }
  const std::uint32_t type = in.flags & MAP_TYPE;
  if ((type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) || (in.flags & MAP_ANONYMOUS) != 0) {
    return fail(EINVAL, "neither MAP_SHARED nor MAP_PRIVATE of a file");
  }
  return {};
}

}  // namespace

void MmapRequests::unmounted() {
  MmapGrants::Ended ended;
  table_.end_all(ended);
  tell(ended);
}

void MmapRequests::released(const ReleaseRequest& request) {
  MmapGrants::Ended ended;
  const bool later = table_.hold_back(request, ended);
  tell(ended);
  if (!later) {
    filesystem_.released(request);
  }
}

void MmapRequests::let_go(HandleId handle) {
  MmapGrants::Ended ended;
  table_.let_go(handle, ended);
  tell(ended);
}

void MmapRequests::tell(const MmapGrants::Ended& ended) {
  for (const auto& [request, grant] : ended.over) {
    filesystem_.unmapped(request, grant);
  }
  for (const ReleaseRequest& release : ended.releases) {
    filesystem_.released(release);
  }
  for (const std::string& name : ended.names) {
    connection_->notifier().inval_entry(kRootNode, name);
  }
}

Result<map::MapExchange> MmapRequests::answer(const IoctlRequest& request, const map::MapIn& in) {
  if (auto good = check_arguments(in); !good) {
    return tl::unexpected(good.error());
  }
  const auto access = grants_.access_of(request.handle);
  const bool shared = (in.flags & MAP_TYPE) != MAP_PRIVATE;
  const bool write = shared && (in.prot & PROT_WRITE) != 0;
  if (!access || !access->readable || (write && !access->writable)) {
    return fail(EACCES, "the file isn't open for that");  // mmap(2)
  }
  const MapRequest question = question_of(
      grants_, request, request.handle, {in.offset, in.length, static_cast<int>(in.prot), static_cast<int>(in.flags)});
  const auto granted = ask(filesystem_, grants_, *connection_, question);
  if (!granted) {
    return tl::unexpected(granted.error());
  }
  const Grant& grant = granted->grant;
  map::MapExchange out{};
  const bool writable = write || (shared && access->writable && grant.may_become_writable);
  std::vector<std::shared_ptr<Region>> regions;
  for (const Piece& piece : granted->pieces) {
    const auto known = std::find(regions.begin(), regions.end(), piece.region);
    out.piece[out.out.pieces++] = {piece.offset, piece.length, static_cast<std::uint32_t>(known - regions.begin()), 0};
    if (known == regions.end()) {
      regions.push_back(piece.region);
    }
  }
  out.out.files = static_cast<std::uint32_t>(regions.size());
  out.out.grant_flags = (grant.inherit ? 0U : map::kDontCopy) | (grant.may_grow ? 0U : map::kDontExpand) |
                        (writable ? map::kWritable : 0U);
  MmapGrants::Ended ended;
  const MmapGrants::Token token = table_.add(question, grant, regions, writable, ended);
  std::copy(token.begin(), token.end(), std::begin(out.out.token));
  tell(ended);
  return out;
}

bool MmapRequests::take(const IoctlRequest& request, Reply<IoctlDone>& reply) {
  if (request.command != map::kAsk) {
    return false;
  }
  // A client whose threads have no number here can't be told from others: it's served at open.
  if (!connection_->capabilities().has(Tier::preload) || request.caller.pid == 0 ||
      session::is_library_node(request.node)) {
    reply.error(ENOTTY);
    return true;
  }
  if (request.input.size() < sizeof(map::MapExchange)) {
    reply.error(EINVAL);
    return true;
  }
  map::MapIn in{};
  std::memcpy(&in, request.input.data(), sizeof in);
  const auto granted = answer(request, in);
  map::MapExchange out{};
  if (granted) {
    out = *granted;
  } else {
    out.out.error = static_cast<std::uint32_t>(granted.error().code);
  }
  reply.ok({.result = 0, .output = std::as_bytes(std::span(&out, 1))});
  return true;
}

bool MmapRequests::take(const LookupRequest& request, Reply<Entry>& reply) {
  if (request.node != kRootNode || !request.name.starts_with(map::kGrantPrefix)) {
    return false;
  }
  const auto file = table_.find(request.name, request.caller);
  if (!file) {
    reply.error(ENOENT);
    return true;
  }
  NodeId node = file->node;
  if (const auto paged = std::dynamic_pointer_cast<PagedRegion>(file->region)) {
    // A paged region is one node's: the file is that very node, once more, unless nobody has come to it yet.
    node = grants_.paged().node_of(*paged->impl()).value_or(node);
  }
  table_.named(file->handle, node, request.caller);
  if (!session::is_library_node(node)) {
    grants_.paged().answer_lookup(request, node, reply);
    return true;
  }
  const bool fresh = grants_.will_show(node, file->region);
  Entry entry;
  entry.node = node;
  entry.attributes = library_file(node, file->region->size());
  if (reply.ok(entry) == Delivery::gone && fresh) {
    grants_.forgotten(node);  // the kernel won't say so of what it never knew
  }
  return true;
}

void MmapRequests::answer_attributes(NodeId node, Reply<AttributesReply>& reply) {
  const auto region = grants_.shown_by(node);
  reply.ok({library_file(node, region ? region->size() : 0)});
}

bool MmapRequests::take(const GetattrRequest& request, Reply<AttributesReply>& reply) {
  if (!session::is_library_node(request.node)) {
    return false;
  }
  answer_attributes(request.node, reply);
  return true;
}

// With the writeback cache the kernel says when a file was last written before fsync(2) returns. Nothing else is to be
// changed.
bool MmapRequests::take(const SetattrRequest& request, Reply<AttributesReply>& reply) {
  if (!session::is_library_node(request.node)) {
    return false;
  }
  if (request.size || request.mode || request.uid || request.gid) {
    reply.error(EPERM);
    return true;
  }
  answer_attributes(request.node, reply);
  return true;
}

bool MmapRequests::take(const OpenRequest& request, Reply<Opened>& reply) {
  const auto file = table_.opened(request.node, request.caller);
  if (!file) {
    if (session::is_library_node(request.node)) {
      reply.error(EACCES);  // each name is good for one open
      return true;
    }
    return false;
  }
  const auto give_up = [&] {
    MmapGrants::Ended ended;
    table_.closed(file->handle, ended);
    tell(ended);
  };
  const int access = request.flags & O_ACCMODE;
  if (access == O_WRONLY || (access == O_RDWR && !file->writable)) {
    give_up();
    reply.error(EACCES);
    return true;
  }
  const bool writes = access == O_RDWR;
  const MappedFilesystem::Asked asked{.handle = file->handle,
                                      .may_read = true,
                                      .may_write = writes,
                                      .may_store = writes,
                                      .asked_about = file->asked_about};
  auto opened = grants_.open_with(request.node, asked, file->region);
  if (!opened) {
    give_up();
    reply.error(opened.error().code);
    return true;
  }
  opened->no_flush = true;
  if (reply.ok(*opened) == Delivery::gone) {
    grants_.remove(file->handle);
    give_up();
  }
  return true;
}

bool MmapRequests::take(const ReleaseRequest& request, Reply<Done>& reply) {
  if (!session::is_library_handle(request.handle) || !grants_.remove(request.handle)) {
    return false;
  }
  MmapGrants::Ended ended;
  table_.closed(request.handle, ended);
  tell(ended);
  reply.ok({});
  return true;
}

void MmapRequests::forgotten(NodeId node) {
  grants_.forgotten(node);
}

bool MmapRequests::take(const GetxattrRequest& request, Reply<Xattr>& reply) {
  if (request.name != protocol::kRegionAttribute) {
    return false;
  }
  const auto region = grants_.shown_by(request.node);
  if (!region) {
    reply.error(ENODATA);
    return true;
  }
  const std::string id = std::to_string(region->id().value);
  reply.ok({std::as_bytes(std::span(id))});
  return true;
}

}  // namespace dmmap::mapping
