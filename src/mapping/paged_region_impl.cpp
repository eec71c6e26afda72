#include "mapping/paged_region_impl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "session/completion.h"
#include "session/serving.h"
#include "session/work_queue.h"

namespace dmmap {

using mapping::ByteRange;

namespace {

constexpr std::uint64_t kAtOnce = 1 << 20;  // bytes asked of a source in one question
constexpr int kDiscardTries = 20;

Result<void> not_through(const char* what) {
  return fail(EDEADLK, fmt::format("{} would wait for an answer that only this thread can give: call it later, or from "
                                   "another thread",
                                   what));
}

template <class Call>
int retried(const Call& call) {
  int result = 0;
  do {
    result = static_cast<int>(call());
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

session::WorkQueue& PagedRegion::Impl::later() {
  static session::WorkQueue queue;
  return queue;
}

PagedRegion::Impl::OwnFile::~OwnFile() {
  // Closing may write back, and wait for it.
  if (fd) {
    const int number = fd.release();
    later().post({}, [number](bool /*go_ahead*/) { ::close(number); });
  }
}

PagedRegion::Impl::Impl(const PagedRegionOptions& options, std::shared_ptr<PageSource> source)
    : options_(options), ledger_(std::make_shared<mapping::PageLedger>(options, std::move(source))) {}

PagedRegion::Impl::~Impl() = default;

Result<void> PagedRegion::Impl::check(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t size = ledger_->size();
  if (offset > size || length > size - offset) {
    return fail(ERANGE, fmt::format("{} bytes at offset {} don't lie within region {} of {} bytes", length, offset,
                                    options_.id.value, size));
  }
  return {};
}

Result<ByteRange> PagedRegion::Impl::bytes_of(PageRange pages) const {
  const std::uint64_t size = ledger_->size();
  const std::uint64_t limit = (size + page_size() - 1) / page_size();
  if (pages.first > limit || pages.count > limit - pages.first) {
    return fail(ERANGE, fmt::format("{} pages from page {} on don't lie within region {} of {} pages", pages.count,
                                    pages.first, options_.id.value, limit));
  }
  return ByteRange{pages.first * page_size(), (pages.first + pages.count) * page_size()};
}

bool PagedRegion::Impl::has_node() const {
  const MutexLock lock(lock_);
  return files_ && !revoked_;
}

std::vector<mapping::ThreadId> PagedRegion::Impl::holders_of(const Need& need) const {
  auto holders = ledger_->holders(need.range, need.alone);
  if (need.quiet) {
    const auto storing = gate_.holders(need.range);
    holders.insert(holders.end(), storing.begin(), storing.end());
  }
  return holders;
}

PagedRegion::Impl::Need PagedRegion::Impl::need_of(PageRange pages) {
  const std::uint64_t most = kLargest / page_size();
  const std::uint64_t first = std::min(pages.first, most);
  return {{first * page_size(), (first + std::min(pages.count, most - first)) * page_size()}, true, true};
}

std::uint64_t PagedRegion::Impl::queued(const Need& need) {
  const MutexLock lock(lock_);
  queue_.emplace(next_queued_, need);
  return next_queued_++;
}

void PagedRegion::Impl::dequeued(std::uint64_t number) {
  const MutexLock lock(lock_);
  queue_.erase(number);
}

std::vector<mapping::ThreadId> PagedRegion::Impl::holders_of(std::uint64_t number) const {
  std::vector<Need> needs;
  {
    const MutexLock lock(lock_);
    for (auto each = queue_.begin(); each != queue_.end() && each->first <= number; ++each) {
      needs.push_back(each->second);
    }
  }
  std::vector<mapping::ThreadId> holders;
  for (const Need& need : needs) {
    const auto more = holders_of(need);
    holders.insert(holders.end(), more.begin(), more.end());
  }
  return holders;
}

Result<bool> PagedRegion::Impl::through_node(const Need& need, const OnFile& on_file) {
  std::shared_ptr<mapping::OwnFiles> files;
  std::shared_ptr<OwnFile> file;
  NodeId node;
  {
    const MutexLock lock(lock_);
    if (!files_ || revoked_) {
      return false;
    }
    files = files_;
    file = file_;
    node = node_;
  }
  if (need.alone) {
    const mapping::OwnFiles::Use connection(*files);
    if (connection && session::handling_locks(*connection, node)) {
      return tl::unexpected(not_through("a change to the very file whose request is being answered").error());
    }
  }
  const mapping::WaitGraph::Wait wait([self = shared_from_this(), need] { return self->holders_of(need); });
  const session::WhileWaiting waiting;
  if (wait.endless() || !waiting.may_wait()) {
    return tl::unexpected(not_through("a call of this region").error());
  }
  if (!file) {
    auto opened = files->open(node, O_RDWR);
    if (!opened) {
      return tl::unexpected(opened.error());
    }
    file = std::make_shared<OwnFile>(std::move(*opened));
    const MutexLock lock(lock_);
    if (opens_ > 0 && !file_ && files_ == files) {
      file_ = file;
    }
  }
  if (auto done = on_file(file->fd.get(), *files, node); !done) {
    return tl::unexpected(done.error());
  }
  return true;
}

Result<void> PagedRegion::Impl::wait_for_source(const ByteRange& range,
                                                const std::function<void(mapping::PageLedger::Kept)>& ask) {
  const mapping::WaitGraph::Wait wait([ledger = ledger_, range] { return ledger->holders(range, true); });
  const session::WhileWaiting waiting;
  if (wait.endless() || !waiting.may_wait()) {
    return not_through("a call of this region");
  }
  const auto state = std::make_shared<Completion::State>();
  ask([state](int code) { state->set(code == 0 ? Result<void>() : fail_errno(code, "the page source")); });
  return state->wait();
}

Result<void> PagedRegion::Impl::read_source(std::uint64_t offset, std::span<std::byte> to) {
  while (!to.empty()) {
    const std::uint64_t begin = offset / page_size() * page_size();
    const std::size_t part = std::min<std::uint64_t>(to.size(), kAtOnce - (offset - begin));
    const ByteRange range{begin, offset + part};
    auto done = wait_for_source(range, [&](const mapping::PageLedger::Kept& told) {
      // Copied where the answer comes, while this thread waits for it.
      ledger_->fill(range, [=](int code, std::span<const std::byte> bytes) {
        if (code == 0 && bytes.size() >= offset + part - begin) {
          std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset - begin), part, to.begin());
        }
        told(code);
      });
    });
    if (!done) {
      return done;
    }
    offset += part;
    to = to.subspan(part);
  }
  return {};
}

Result<void> PagedRegion::Impl::read(std::uint64_t offset, std::span<std::byte> to) {
  if (auto good = check(offset, to.size()); !good || to.empty()) {
    return good;
  }
  const auto done = through_node({{offset, offset + to.size()}, false}, [&](int fd, auto& /*files*/, NodeId node) {
    for (std::size_t at = 0; at < to.size();) {
      const ssize_t got = ::pread(fd, to.data() + at, to.size() - at, static_cast<off_t>(offset + at));
      if (got == 0) {
        return Result<void>(fail(ERANGE, fmt::format("node {} ends before region {} does: getattr must report the "
                                                     "region's size",
                                                     node.value, options_.id.value)));
      }
      if (got < 0 && errno != EINTR) {
        return Result<void>(fail_errno(errno, fmt::format("reading region {}", options_.id.value)));
      }
      at += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return Result<void>();
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  return *done ? Result<void>() : read_source(offset, to);
}

Result<void> PagedRegion::Impl::discard(PageRange pages) {
  const auto range = bytes_of(pages);
  if (!range || range->empty()) {
    return range ? Result<void>() : tl::unexpected(range.error());
  }
  mapping::StoreGate::Shut shut(gate_, *range);
  const auto done = through_node({*range, true, true}, [&](int fd, auto& /*files*/, NodeId /*node*/) -> Result<void> {
    shut.wait();
    // The kernel writes back, tells us (FALLOCATE), and drops the pages (fs/fuse/file.c, fuse_file_fallocate). What the
    // source refuses of that is to go anyway, and an error of before isn't this call's: either is told once.
    int failed = 0;
    for (int tries = 0; tries < kDiscardTries; ++tries) {
      failed = retried([&] {
        return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range->begin),
                           static_cast<off_t>(range->end - range->begin));
      });
      if (failed == 0 || (errno != EIO && errno != ENOSPC)) {
        break;
      }
    }
    if (failed != 0) {
      return fail_errno(errno, fmt::format("discarding pages of region {}", options_.id.value));
    }
    return {};
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (!*done) {
    ledger_->discard(*range);
  }
  return {};
}

Result<void> PagedRegion::Impl::resize(std::uint64_t size) {
  if (size > kLargest) {
    return fail(EINVAL, fmt::format("a region's size must be at most 2^62 bytes, not {}", size));
  }
  const ByteRange beyond{std::min(size, ledger_->size()), kLargest};
  mapping::StoreGate::Shut shut(gate_, beyond);
  const auto done = through_node({beyond, true, true}, [&](int fd, auto& /*files*/, NodeId /*node*/) -> Result<void> {
    shut.wait();
    if (retried([&] { return ::ftruncate(fd, static_cast<off_t>(size)); }) != 0) {
      return fail_errno(errno, fmt::format("resizing region {} to {} bytes", options_.id.value, size));
    }
    return {};
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (!*done) {
    ledger_->set_size(size);
  }
  return {};
}

Result<void> PagedRegion::Impl::revoke() {
  {
    const MutexLock lock(lock_);
    if (revoked_) {
      return {};
    }
  }
  // What was stored is written back first; then nobody gets a page any more, and what has come back goes.
  if (auto stored = unmap({0, (ledger_->size() + page_size() - 1) / page_size()}); !stored) {
    return stored;
  }
  std::shared_ptr<mapping::OwnFiles> files;
  NodeId node;
  {
    const MutexLock lock(lock_);
    revoked_ = true;
    files = files_;
    node = node_;
  }
  if (files) {
    if (const mapping::OwnFiles::Use connection(*files); connection) {
      return connection->notifier().inval_inode_and_wait(node, 0, 0);
    }
  }
  return {};
}

bool PagedRegion::Impl::revoked() const {
  const MutexLock lock(lock_);
  return revoked_;
}

bool PagedRegion::Impl::in_use() const {
  const MutexLock lock(lock_);
  return opens_ > 0;
}

void PagedRegion::Impl::on_idle(std::function<void()> callback) {
  const MutexLock lock(lock_);
  on_idle_ = std::move(callback);
}

Result<void> PagedRegion::Impl::bind(std::shared_ptr<mapping::OwnFiles> files, NodeId node) {
  const MutexLock lock(lock_);
  if (auto good = fits(*files, node); !good) {
    return good;
  }
  if (!files_) {
    const mapping::OwnFiles::Use connection(*files);
    writes_back_ = !connection || connection->capabilities().has(Feature::writeback_cache);
    ledger_->log_to([files](LogLevel level, const std::string& text) { files->log(level, text); });
    ledger_->surplus_to([weak = weak_from_this(), node](const ByteRange& range) {
      later().post({~node.value}, [weak, range](bool go_ahead) {
        if (const auto self = weak.lock(); self && go_ahead) {
          self->push(range);
        }
      });
    });
  }
  files_ = std::move(files);
  node_ = node;
  return {};
}

std::optional<NodeId> PagedRegion::Impl::node_in(const mapping::OwnFiles& files) const {
  const MutexLock lock(lock_);
  return files_.get() == &files ? std::optional(node_) : std::nullopt;
}

Result<void> PagedRegion::Impl::can_be_shown_in(const mapping::OwnFiles& files) const {
  const MutexLock lock(lock_);
  return fits(files, std::nullopt);
}

Result<void> PagedRegion::Impl::fits(const mapping::OwnFiles& files, std::optional<NodeId> node) const {
  if (revoked_) {
    return fail(ESTALE, fmt::format("region {} has been revoked", options_.id.value));
  }
  if (files_ && files_.get() != &files) {
    return fail(EBUSY, fmt::format("region {} is a file of another mount", options_.id.value));
  }
  if (files_ && node && node_ != *node) {
    return fail(EBUSY, fmt::format("region {} is node {}'s, and a paged region can't be two nodes'", options_.id.value,
                                   node_.value));
  }
  return {};
}

void PagedRegion::Impl::unbind() {
  std::shared_ptr<OwnFile> file;
  {
    const MutexLock lock(lock_);
    files_.reset();
    file = std::move(file_);
  }
  ledger_->surplus_to(nullptr);
  ledger_->forget_surplus({0, kLargest});
}

void PagedRegion::Impl::begin_open(ClientOpen open) {
  if (open.may_write) {
    gate_.shut();
  }
  const MutexLock lock(lock_);
  ++opens_;
  may_store_ += open.may_store ? 1 : 0;
}

bool PagedRegion::Impl::wait_for_stores() {
  const session::WhileWaiting waiting;
  if (!waiting.may_wait()) {
    return false;
  }
  gate_.wait_until_quiet();
  return true;
}

bool PagedRegion::Impl::may_be_stored_into() const {
  const MutexLock lock(lock_);
  return may_store_ > 0;
}

void PagedRegion::Impl::end_open(ClientOpen open) {
  std::function<void()> callback;
  std::shared_ptr<OwnFile> file;
  if (open.may_write) {
    gate_.open();
  }
  {
    const MutexLock lock(lock_);
    may_store_ -= open.may_store ? 1 : 0;
    if (--opens_ > 0) {
      return;
    }
    callback = on_idle_;
    file = std::move(file_);  // it would keep the kernel from forgetting the node
  }
  file.reset();
  if (callback) {
    callback();
  }
}

}  // namespace dmmap
