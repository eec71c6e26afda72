#include "mapping/paged_requests.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>
#include <vector>

#include "mapping/library_file.h"

namespace dmmap::mapping {

namespace {

constexpr ByteRange kAll{0, std::numeric_limits<std::int64_t>::max()};

// Replies are move-only, and what is called back must be copyable.
template <class T>
std::shared_ptr<Reply<T>> shared(Reply<T>& reply) {
  return std::make_shared<Reply<T>>(std::move(reply));
}

}  // namespace

PagedRequests::Region PagedRequests::of(NodeId node) const {
  const MutexLock lock(lock_);
  const auto found = regions_.find(node);
  return found == regions_.end() ? nullptr : found->second;
}

Result<UniqueFd> PagedRequests::keep_known(NodeId node, const Region& region) {
  {
    const MutexLock lock(lock_);
    to_show_.emplace(node, region);
  }
  auto file = files_->open(node, O_RDONLY);
  const MutexLock lock(lock_);
  to_show_.erase(to_show_.find(node));
  return file;
}

bool PagedRequests::has_own_io(HandleId handle) const {
  const MutexLock lock(lock_);
  const auto open = opens_.find(handle);
  return open != opens_.end() && open->second.open.own_io;
}

Result<bool> PagedRequests::opened(NodeId node, HandleId handle, const std::shared_ptr<PagedRegion::Impl>& region,
                                   Open open) {
  if (auto bound = region->bind(files_, node); !bound) {
    return tl::unexpected(bound.error());
  }
  Region before;
  {
    const MutexLock lock(lock_);
    before = std::exchange(regions_[node], region);
    opens_[handle] = {open, region};
  }
  region->begin_open(open.client);
  if (before && before != region) {
    before->unbind();
  }
  return before == region;
}

void PagedRequests::released(HandleId handle) {
  decltype(opens_)::node_type opened;
  {
    const MutexLock lock(lock_);
    opened = opens_.extract(handle);
  }
  if (!opened.empty()) {
    opened.mapped().region->end_open(opened.mapped().open.client);
  }
}

bool PagedRequests::may_be_written(NodeId node) {
  const Region region = of(node);
  return !region || region->wait_for_stores();
}

void PagedRequests::forgotten(NodeId node) {
  Region region;
  {
    const MutexLock lock(lock_);
    const auto found = regions_.find(node);
    if (found == regions_.end()) {
      return;
    }
    region = std::move(found->second);
    regions_.erase(found);
  }
  region->unbind();
}

void PagedRequests::unmounted() {
  files_->unmounted();
  std::unordered_map<NodeId, Region> regions;
  {
    const MutexLock lock(lock_);
    regions.swap(regions_);
  }
  for (const auto& [node, region] : regions) {
    region->unbind();
  }
}

bool PagedRequests::take(const LookupRequest& request, Reply<Entry>& reply) {
  const auto node = files_->looked_up(request);
  if (!node) {
    return false;
  }
  answer_lookup(request, *node, reply);
  return true;
}

void PagedRequests::answer_lookup(const LookupRequest& request, NodeId node, Reply<Entry>& reply) {
  if (session::is_library_node(node)) {
    // Which the kernel may hear of for the first time.
    const Region region = of_library(node);
    Entry entry;
    entry.node = node;
    entry.attributes = library_file(node, region ? region->ledger().size() : 0);
    reply.ok(entry);
    return;
  }
  GetattrRequest question;
  static_cast<Request&>(question) = static_cast<const Request&>(request);
  question.node = node;
  ask_attributes(question, session::answer_with_attributes_of(node, std::move(reply)));
}

void PagedRequests::ask_attributes(const GetattrRequest& question, Reply<AttributesReply> reply) {
  if (!session::is_library_node(question.node)) {
    filesystem_.getattr(question, std::move(reply));
    return;
  }
  const Region region = of_library(question.node);
  reply.ok({library_file(question.node, region ? region->ledger().size() : 0)});
}

PagedRequests::Region PagedRequests::of_library(NodeId node) const {
  const MutexLock lock(lock_);
  if (const auto found = regions_.find(node); found != regions_.end()) {
    return found->second;
  }
  const auto found = to_show_.find(node);
  return found == to_show_.end() ? nullptr : found->second;
}

bool PagedRequests::take(const GetattrRequest& request, Reply<AttributesReply>& reply) {
  const bool own = request.handle && is_own(*request.handle);
  if (!own && !(session::is_library_node(request.node) && of_library(request.node))) {
    return false;
  }
  GetattrRequest question = request;
  question.handle.reset();
  ask_attributes(question, std::move(reply));
  return true;
}

// PagedRegion::resize. The answer is the attributes, as they are now.
bool PagedRequests::take(const SetattrRequest& request, Reply<AttributesReply>& reply) {
  if (!request.handle || !is_own(*request.handle)) {
    return false;
  }
  if (const Region region = of(request.node); region && request.size) {
    region->ledger().set_size(*request.size);
  }
  GetattrRequest question;
  static_cast<Request&>(question) = static_cast<const Request&>(request);
  ask_attributes(question, std::move(reply));
  return true;
}

bool PagedRequests::take(const OpenRequest& request, Reply<Opened>& reply) {
  if (!files_->opened(request)) {
    return false;
  }
  Opened opened;
  opened.handle = files_->handle();
  opened.keep_cache = true;
  opened.no_flush = true;
  reply.ok(opened);
  return true;
}

// A read(2) that goes past the cache says who locks, a page being filled doesn't (fs/fuse/file.c, fuse_direct_io and
// fuse_readahead).
bool PagedRequests::take(const ReadRequest& request, Reply<Data>& reply) {
  const Region region = of(request.node);
  if (!region || (request.lock_owner && has_own_io(request.handle))) {
    return false;
  }
  if (region->revoked()) {
    reply.error(EIO);
    return true;
  }
  const std::uint64_t begin = request.offset / page_size() * page_size();
  const std::uint64_t skip = request.offset - begin;
  const bool fills_pages = !request.lock_owner;
  region->ledger().fill(
      {begin, request.offset + request.size},
      [reply = shared(reply), skip, fills_pages, size = request.size](int code, std::span<const std::byte> bytes) {
        if (code != 0) {
          reply->error(code);
          return;
        }
        bytes = bytes.subspan(std::min<std::size_t>(skip, bytes.size()));
        if (fills_pages && bytes.size() < size) {
          // A short answer would say that the file ends there.
          std::vector<std::byte> padded(bytes.begin(), bytes.end());
          padded.resize(size);
          reply->ok({padded});
        } else {
          reply->ok({bytes});
        }
      });
  return true;
}

bool PagedRequests::take(const WriteRequest& request, Reply<Written>& reply) {
  const Region region = of(request.node);
  const bool own = is_own(request.handle) && !request.from_page_cache;
  if (!region || (!request.from_page_cache && !own && has_own_io(request.handle))) {
    return false;
  }
  const auto thread = static_cast<ThreadId>(request.caller.pid);
  Origin origin = Origin::page_cache;
  if (!request.from_page_cache) {
    origin = own ? Origin::server : (region->may_be_stored_into() ? Origin::mapped_client : Origin::client);
  }
  region->ledger().keep(request.offset, request.data, origin,
                        [region, reply = shared(reply), origin, thread](int code, std::size_t taken) {
                          // On an error the kernel takes the page for unread, and what a client has stored into it
                          // would be lost (fs/fuse/file.c, fuse_send_write_pages): it's told that all is well. Our own
                          // caller is told what isn't, and a client at fsync or close.
                          if (origin == Origin::server) {
                            region->own_write_done(thread, code);
                          }
                          const bool kept = origin == Origin::server || (origin == Origin::mapped_client && taken > 0);
                          if (code == 0 || kept) {
                            reply->ok({static_cast<std::uint32_t>(taken)});
                          } else {
                            reply->error(code);
                          }
                        });
  return true;
}

bool PagedRequests::take(const FsyncRequest& request, Reply<Done>& reply) {
  const Region region = of(request.node);
  if (is_own(request.handle)) {
    if (region) {
      region->node_is_locked(static_cast<ThreadId>(request.caller.pid));
    }
    reply.ok({});
    return true;
  }
  if (!region) {
    return false;
  }
  FsyncRequest question = request;
  {
    const MutexLock lock(lock_);
    if (const auto open = opens_.find(request.handle);
        open != opens_.end() && open->second.open.asked_about != HandleId{}) {
      question.handle = open->second.open.asked_about;
    }
  }
  region->ledger().offer_again(kAll, [this, question, reply = shared(reply)](int code) {
    if (code != 0) {
      reply->error(code);
    } else {
      filesystem_.fsync(question, std::move(*reply));
    }
  });
  return true;
}

bool PagedRequests::take(const FlushRequest& request, Reply<Done>& reply) {
  const Region region = is_own(request.handle) ? nullptr : of(request.node);
  const int code = region ? region->ledger().refused(kAll) : 0;
  if (code != 0) {
    reply.error(code);
  } else if (is_own(request.handle)) {
    reply.ok({});
  }
  return code != 0 || is_own(request.handle);
}

bool PagedRequests::take(const ReleaseRequest& request, Reply<Done>& reply) {
  if (!is_own(request.handle)) {
    return false;
  }
  reply.ok({});
  return true;
}

bool PagedRequests::take(const LseekRequest& request, Reply<Seeked>& reply) {
  if (!is_own(request.handle)) {
    return false;
  }
  if (const Region region = of(request.node)) {
    region->node_is_locked(static_cast<ThreadId>(request.caller.pid));
  }
  reply.ok({0});
  return true;
}

// PagedRegion::discard.
bool PagedRequests::take(const FallocateRequest& request, Reply<Done>& reply) {
  if (!is_own(request.handle)) {
    return false;
  }
  if (const Region region = of(request.node); region && (request.mode & FALLOC_FL_PUNCH_HOLE) != 0) {
    region->ledger().discard({request.offset, request.offset + request.length});
  }
  reply.ok({});
  return true;
}

}  // namespace dmmap::mapping
