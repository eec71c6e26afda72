#include "mapping/kernel_grants.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>

#include "mapping/grants.h"
#include "mapping/mmap_question.h"
#include "protocol/regions_protocol.h"

namespace dmmap::mapping {

Result<void> KernelGrants::carry_out(Entry& entry, HandleId handle, Mmapped& out) {
  const MappedFilesystem::Asked asked{.handle = handle,
                                      .may_read = true,
                                      .may_write = entry.writable,
                                      .may_store = entry.writable,
                                      .opener = entry.question.caller.pid,
                                      .asked_about = entry.question.handle};
  if (std::dynamic_pointer_cast<SharedRegion>(entry.piece.region)) {
    auto backing = grants_.add_mapping(entry.question.node, asked, entry.piece.region);
    if (!backing) {
      return tl::unexpected(backing.error());
    }
    entry.node = entry.question.node;
    out.backing = std::move(*backing);
    return {};
  }
  const auto paged = std::dynamic_pointer_cast<PagedRegion>(entry.piece.region);
  // Others may be making it a node at the same time, or the kernel forgetting the one that it was.
  constexpr int kAttempts = 8;
  Result<void> done = fail(EBUSY, "");
  for (int attempt = 0; attempt < kAttempts && !done; ++attempt) {
    done = carry_out_paged(entry, *paged, asked);
    if (!done && done.error().code != EBUSY && done.error().code != ESTALE) {
      break;
    }
  }
  out.node = entry.node;
  out.handle = handle;
  return done;
}

Result<void> KernelGrants::carry_out_paged(Entry& entry, const PagedRegion& region,
                                           const MappedFilesystem::Asked& asked) {
  if (auto good = grants_.paged().can_show(*region.impl()); !good) {
    return good;
  }
  entry.node = grants_.paged().node_of(*region.impl()).value_or(NodeId{asked.handle.value});
  // First known, and only then the region's: until then the kernel may be forgetting it. The one that is being mapped
  // is known as it is.
  if (entry.node != entry.question.node) {
    auto known = grants_.paged().keep_known(entry.node, region.impl());
    if (!known) {
      return tl::unexpected(known.error());
    }
    entry.known = std::move(*known);
  }
  if (auto added = grants_.add(entry.node, asked, entry.piece.region); !added) {
    close_elsewhere(entry);
    return tl::unexpected(added.error());
  }
  if (entry.writable && !grants_.paged().may_be_written(entry.node)) {
    grants_.remove(asked.handle);
    close_elsewhere(entry);
    return fail(EAGAIN, "too many threads wait for stores to end");
  }
  return {};
}

void KernelGrants::close_elsewhere(Entry& entry) {
  if (entry.known) {
    // With the writeback cache close(2) asks the server, which may be this thread.
    auto known = std::make_shared<UniqueFd>(std::move(entry.known));
    PagedRegion::Impl::later().post(entry.node, [known = std::move(known)](bool /*go_ahead*/) { known->reset(); });
  }
}

Result<Mmapped> KernelGrants::answer(const MmapRequest& request) {
  const MapRequest question =
      question_of(grants_, request, request.handle,
                  {request.offset, request.length, request.prot, request.shared ? MAP_SHARED : MAP_PRIVATE});
  auto granted = ask(filesystem_, grants_, *connection_, question);
  if (!granted) {
    return tl::unexpected(granted.error());
  }
  const Grant& grant = granted->grant;
  Entry entry{.question = question, .grant = grant, .piece = granted->pieces.front(), .node = {}, .known = {}};
  entry.writable =
      question.write || (request.shared && (request.max_prot & PROT_WRITE) != 0 && grant.may_become_writable);
  Mmapped out;
  const HandleId handle = grants_.mmaps().next_handle();
  Result<void> done = granted->pieces.size() > 1
                          ? Result<void>(fail(EIO, "a grant of several pieces, which the kernel can't map at once"))
                          : carry_out(entry, handle, out);
  if (!done) {
    give_up(filesystem_, *connection_, question, grant, done.error());
    return tl::unexpected(done.error());
  }
  out.map = handle.value;
  out.offset = entry.piece.offset;
  out.inherit = grant.inherit;
  out.may_grow = grant.may_grow;
  out.read_only = request.shared && !entry.writable;
  grants_.mmaps().hold(question.handle);
  const MutexLock lock(lock_);
  entries_.emplace(handle, std::move(entry));
  return out;
}

bool KernelGrants::take(const MmapRequest& request, Reply<Mmapped>& reply) {
  if (!connection_->capabilities().has(Tier::kernel)) {
    return false;
  }
  const auto out = answer(request);
  if (!out) {
    // ENOSYS would be for the whole mount.
    reply.error(out.error().code == ENOSYS ? EOPNOTSUPP : out.error().code);
  } else if (reply.ok(*out) == Delivery::gone) {
    end(HandleId{out->map});
  }
  return true;
}

bool KernelGrants::take(const MunmapRequest& request, Reply<Done>& reply) {
  end(HandleId{request.map});
  reply.ok({});
  return true;
}

bool KernelGrants::take(const GetxattrRequest& request, Reply<Xattr>& reply) {
  if (request.name != protocol::kRegionAttribute) {
    return false;
  }
  std::set<RegionId> shown;
  {
    const MutexLock lock(lock_);
    for (const auto& [handle, entry] : entries_) {
      // What a mapping leads to is the file that was mapped.
      if (entry.question.node == request.node) {
        shown.insert(entry.piece.region->id());
      }
    }
  }
  if (shown.empty()) {
    return false;
  }
  if (shown.size() > 1) {
    reply.error(ENODATA);
    return true;
  }
  const std::string id = std::to_string(shown.begin()->value);
  reply.ok({std::as_bytes(std::span(id))});
  return true;
}

void KernelGrants::end(HandleId handle) {
  decltype(entries_)::node_type ended;
  {
    const MutexLock lock(lock_);
    ended = entries_.extract(handle);
  }
  if (ended.empty()) {
    return;
  }
  Entry& entry = ended.mapped();
  grants_.remove(handle);
  close_elsewhere(entry);
  filesystem_.unmapped(entry.question, entry.grant);
  grants_.mmaps().let_go(entry.question.handle);
}

void KernelGrants::unmounted() {
  std::vector<HandleId> all;
  {
    const MutexLock lock(lock_);
    for (const auto& [handle, entry] : entries_) {
      all.push_back(handle);
    }
  }
  for (const HandleId handle : all) {
    end(handle);
  }
}

std::vector<MmapGrants::Held> KernelGrants::held() const {
  const MutexLock lock(lock_);
  std::vector<MmapGrants::Held> all;
  for (const auto& [handle, entry] : entries_) {
    all.push_back({entry.piece.region,
                   {MapMoment::mmap, entry.question.process, entry.question.node, entry.piece.offset,
                    entry.piece.length, entry.writable, entry.question.prot, Tier::kernel}});
  }
  return all;
}

}  // namespace dmmap::mapping
