// PagedRegion::write: through the page cache as a client's write(2), or straight into it where nobody else can write.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "mapping/paged_region_impl.h"
#include "session/completion.h"

namespace dmmap {

using mapping::ByteRange;

namespace {

Result<void> refused(int code) {
  return fail_errno(code, "the page source refused what was written; it's visible and kept");
}

}  // namespace

Result<void> PagedRegion::Impl::write_source(std::uint64_t offset, std::span<const std::byte> from) {
  return wait_for_source({offset, offset + from.size()}, [&](const mapping::PageLedger::Kept& told) {
    ledger_->keep(offset, from, mapping::Origin::server, [told](int code, std::size_t /*taken*/) { told(code); });
  });
}

Result<void> PagedRegion::Impl::write(std::uint64_t offset, std::span<const std::byte> from) {
  if (auto good = check(offset, from.size()); !good || from.empty()) {
    return good;
  }
  const ByteRange range{offset, offset + from.size()};
  while (true) {
    auto done = store(offset, from);
    if (!done || !*done) {
      mapping::StoreGate::Shut shut(gate_, range);
      done = through_node({range, true, true}, [&](int fd, auto& /*files*/, NodeId /*node*/) {
        shut.wait();
        return write_file(offset, from, fd);
      });
    }
    if (!done) {
      return tl::unexpected(done.error());
    }
    if (*done) {
      return {};
    }
    // A node that came meanwhile may have been filled with what was there before.
    auto outcome = write_source(offset, from);
    if (!has_node()) {
      return outcome;
    }
  }
}

Result<void> PagedRegion::Impl::write_file(std::uint64_t offset, std::span<const std::byte> from, int fd) {
  const mapping::ThreadId self = mapping::this_thread();
  Result<void> outcome;
  const mapping::PageLedger::OwnWrite written(*ledger_, offset, from);
  {
    const MutexLock lock(lock_);
    own_writes_[self] = 0;
  }
  for (std::size_t at = 0; at < from.size() && outcome;) {
    const ssize_t put = ::pwrite(fd, from.data() + at, from.size() - at, static_cast<off_t>(offset + at));
    if (put < 0 && errno != EINTR) {
      outcome = fail_errno(errno, fmt::format("writing region {}", options_.id.value));
    }
    at += put > 0 ? static_cast<std::size_t>(put) : 0;
  }
  const MutexLock lock(lock_);
  const int code = std::exchange(own_writes_[self], 0);
  own_writes_.erase(self);
  return outcome && code != 0 ? refused(code) : outcome;
}

void PagedRegion::Impl::own_write_done(mapping::ThreadId thread, int code) {
  const MutexLock lock(lock_);
  const auto waiting = own_writes_.find(thread);
  if (waiting != own_writes_.end() && code != 0) {
    waiting->second = code;
  }
}

// The source is told first: every fault from then on brings the new bytes, and STORE, which comes after it, puts them
// over what a fault of before has brought.
Result<bool> PagedRegion::Impl::store(std::uint64_t offset, std::span<const std::byte> from) {
  {
    const MutexLock lock(lock_);
    if (writes_back_) {
      return false;
    }
  }
  const ByteRange range{offset, offset + from.size()};
  std::optional<mapping::StoreGate::Pass> pass(std::in_place, gate_, range);
  // Behind a write(2) that waits for a fault nobody else has to wait.
  if (!*pass || ledger_->is_asked(range)) {
    return false;
  }
  Result<void> outcome;
  auto done = through_node({range, true, false}, [&](int fd, mapping::OwnFiles& files, NodeId node) -> Result<void> {
    const mapping::OwnFiles::Use connection(files);
    if (!connection) {
      return fail(ENOTCONN, "the mount is gone");
    }
    const mapping::PageLedger::OwnWrite written(*ledger_, offset, from);
    const auto state = std::make_shared<Completion::State>();
    ledger_->keep(offset, from, mapping::Origin::server,
                  [state](int code, std::size_t /*taken*/) { state->set(code == 0 ? Result<void>() : refused(code)); });
    const std::size_t most = connection->capabilities().max_write;
    for (std::size_t at = 0; at < from.size(); at += most) {
      const auto piece = from.subspan(at, std::min(most, from.size() - at));
      // ENOENT: the kernel knows the node no more, so nobody has a page of it.
      const auto stored = connection->notifier().store_and_wait(node, offset + at, piece);
      if (!stored && stored.error().code != ENOENT) {
        auto dropped = connection->notifier().inval_inode_and_wait(node, static_cast<std::int64_t>(offset + at),
                                                                   static_cast<std::int64_t>(from.size() - at));
        if (!dropped) {
          return dropped;
        }
        break;
      }
    }
    // STORE past the end makes the file longer to the kernel. A client may have cut it meanwhile.
    if (ledger_->size() < range.end) {
      struct statx now {};
      ::statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &now);
    }
    ledger_->count_store();
    // What comes after in the page cache comes after at the source too.
    pass.reset();
    outcome = state->wait();
    return {};
  });
  if (!done) {
    // By write(2) it may be possible to wait.
    return done.error().code == EDEADLK ? Result<bool>(false) : done;
  }
  return *done && !outcome ? Result<bool>(tl::unexpected(outcome.error())) : done;
}

}  // namespace dmmap
