// PagedRegion::Impl: putting pages into the page cache before they're asked for, and taking them out of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "mapping/paged_region_impl.h"
#include "mapping/residency.h"
#include "mapping/writeback.h"
#include "session/completion.h"

namespace dmmap {

using mapping::ByteRange;

namespace {

constexpr std::uint64_t kReadaheadPages = 32;  // what one fadvise(2) reads at most, whatever it's asked
constexpr int kUnmapTries = 200;
constexpr std::chrono::milliseconds kUnmapPause{1};

}  // namespace

Result<void> PagedRegion::Impl::unmap(PageRange pages) {
  const auto range = bytes_of(pages);
  if (!range || range->empty()) {
    return range ? Result<void>() : tl::unexpected(range.error());
  }
  const auto done = through_node({*range, true}, [&](int fd, mapping::OwnFiles& files, NodeId node) {
    return unmap_node(*range, fd, files, node);
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (ledger_->refused(*range) != 0) {
    if (auto offered =
            wait_for_source(*range, [&](const mapping::PageLedger::Kept& told) { ledger_->offer_again(*range, told); });
        !offered) {
      return offered;
    }
  }
  ledger_->count_unmap();
  return {};
}

// The kernel has no call for it, but it holds the inode's lock while it waits for the answer to some requests
// (fs/fuse/file.c, fuse_file_llseek; fuse_fsync, for servers that have told the kernel that they know no LSEEK).
Result<void> PagedRegion::Impl::with_node_locked(int fd, const std::function<Result<void>()>& action) {
  const mapping::ThreadId self = mapping::this_thread();
  const auto outcome = std::make_shared<Completion::State>();
  {
    const MutexLock lock(lock_);
    when_locked_[self] = [outcome, action] { outcome->set(action()); };
  }
  const auto begun = [&] {
    const MutexLock lock(lock_);
    return when_locked_.count(self) == 0;
  };
  ::lseek(fd, 0, SEEK_DATA);
  if (!begun()) {
    ::fsync(fd);
  }
  // With the connection aborted we may be back before the action is.
  if (begun()) {
    return outcome->wait();
  }
  const MutexLock lock(lock_);
  when_locked_.erase(self);
  return fail(ENOTCONN, "the mount is gone");
}

void PagedRegion::Impl::node_is_locked(mapping::ThreadId thread) {
  std::function<void()> action;
  {
    const MutexLock lock(lock_);
    const auto waiting = when_locked_.find(thread);
    if (waiting == when_locked_.end()) {
      return;
    }
    action = std::move(waiting->second);
    when_locked_.erase(waiting);
  }
  action();
}

// Dirty pages are written by the file, which waits for the answers; INVAL_INODE then takes the pages away, and writes
// back itself what was stored in between: if that fails the kernel drops the bytes, but the ledger has them. What
// INVAL_INODE says means nothing (it's 0 whatever happened), so the page cache is looked at: a page that is there, and
// hasn't been fetched since, was busy. All that under the node's lock: a write(2) has put its bytes into a page that it
// doesn't mark dirty before it tells us, and were the page dropped in between, the next fault would bring old bytes.
Result<void> PagedRegion::Impl::unmap_node(const ByteRange& range, int fd, mapping::OwnFiles& files, NodeId node) {
  const auto length = static_cast<off_t>(range.end - range.begin);
  bool in_place = false;
  const auto write_back = [&] {
    // Errors are the ledger's to tell.
    if (in_place) {
      mapping::sync_range(fd, range.begin, range.end - range.begin);
    } else {
      ::fsync(fd);
    }
  };
  for (int tries = 0; tries < kUnmapTries; ++tries) {
    std::optional<mapping::PageLedger::Eviction> eviction;
    {
      // What is being pushed has its pages in the page cache when the lock is free, so INVAL_INODE waits for them.
      const MutexLock lock(push_lock_);
      eviction.emplace(*ledger_, range);
    }
    {
      const mapping::OwnFiles::Use connection(files);
      if (!connection) {
        return fail(ENOTCONN, "the mount is gone");
      }
      in_place = mapping::writeback_waits(connection->capabilities());
      write_back();
      auto sent = with_node_locked(fd, [&] {
        return connection->notifier().inval_inode_and_wait(node, static_cast<std::int64_t>(range.begin), length);
      });
      if (!sent) {
        return sent;
      }
      if (!in_place) {
        write_back();
      }
    }
    bool busy = false;
    auto looked = each_cached(range, fd, files, node, [&](const ByteRange& page) {
      busy = !eviction->fetched(page);
      return !busy;
    });
    if (!looked || !busy) {
      return looked;
    }
    std::this_thread::sleep_for(kUnmapPause);
  }
  return fail(EBUSY, fmt::format("a page of region {} stays pinned", options_.id.value));
}

// Before Linux 6.5 there is RETRIEVE, which brings the bytes from where it's told to the first page that isn't there:
// one for each gap, so this costs.
Result<void> PagedRegion::Impl::each_cached(const ByteRange& range, int fd, mapping::OwnFiles& files, NodeId node,
                                            const OnPage& on_page) {
  auto visited = mapping::each_resident_page(fd, range, on_page);
  if (visited || visited.error().code != ENOSYS) {
    return visited;
  }
  for (std::uint64_t at = range.begin; at < range.end;) {
    const auto state = std::make_shared<Completion::State>();
    const auto got = std::make_shared<std::uint64_t>(0);
    {
      const mapping::OwnFiles::Use connection(files);
      if (!connection) {
        return fail(ENOTCONN, "the mount is gone");
      }
      const std::uint64_t most = std::min<std::uint64_t>(range.end - at, connection->capabilities().max_write);
      connection->notifier().retrieve(node, at, static_cast<std::uint32_t>(most),
                                      [state, got](const Result<std::vector<std::byte>>& bytes) {
                                        *got = bytes ? bytes->size() : 0;
                                        state->set({});
                                      });
    }
    static_cast<void>(state->wait());
    for (const std::uint64_t end = at + *got; at < end; at += page_size()) {
      if (!on_page({at, at + page_size()})) {
        return {};
      }
    }
    at += page_size();  // that one wasn't there
  }
  return {};
}

Result<std::vector<bool>> PagedRegion::Impl::resident(PageRange pages) {
  const auto range = bytes_of(pages);
  if (!range) {
    return tl::unexpected(range.error());
  }
  std::vector<bool> cached(pages.count);
  const auto done = through_node({{0, 0}, false}, [&](int fd, mapping::OwnFiles& files, NodeId node) {
    return each_cached(*range, fd, files, node, [&](const ByteRange& page) {
      cached[page.begin / page_size() - pages.first] = true;
      return true;
    });
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  return cached;
}

// Reads absent pages, and those alone; waits for no page that is being read (mm/readahead.c, force_page_cache_ra).
void PagedRegion::Impl::push(const ByteRange& range) {
  static_cast<void>(through_node({{0, 0}, false}, [&](int fd, auto& /*files*/, NodeId /*node*/) -> Result<void> {
    const std::uint64_t step = kReadaheadPages * page_size();
    for (std::uint64_t at = range.begin; at < range.end; at += step) {
      const ByteRange piece{at, std::min(at + step, range.end)};
      const MutexLock lock(push_lock_);
      if (ledger_->has_surplus(piece)) {
        ::posix_fadvise(fd, static_cast<off_t>(at), static_cast<off_t>(piece.end - at), POSIX_FADV_WILLNEED);
      }
    }
    return {};
  }));
}

}  // namespace dmmap
