// PagedRegion::Impl: the ledger with the source, the node whose page cache holds the pages, and the file by which the
// region's calls reach it.
//
// Invariant: while the region has a node, what its calls change goes through the node's page cache; without one, and
// after revoke(), it goes to the source alone.
#pragma once

#include <dmmap/paged_region.h>
#include <dmmap/thread_safety.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "mapping/own_files.h"
#include "mapping/page_ledger.h"
#include "mapping/store_gate.h"
#include "session/work_queue.h"
#include "transport/unique_fd.h"

namespace dmmap {

/// Thread safety: every call, from any thread.
class PagedRegion::Impl : public std::enable_shared_from_this<PagedRegion::Impl> {
 public:
  static constexpr std::uint64_t kLargest = std::uint64_t{1} << 62;  // bytes
  /// Threads that no request depends on: for the *_later calls, and to fetch what was supplied beyond what was asked.
  static session::WorkQueue& later();

  Impl(const PagedRegionOptions& options, std::shared_ptr<PageSource> source);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  [[nodiscard]] const PagedRegionOptions& options() const { return options_; }
  [[nodiscard]] mapping::PageLedger& ledger() const { return *ledger_; }

  Result<void> read(std::uint64_t offset, std::span<std::byte> to) DMMAP_EXCLUDES(lock_);
  Result<void> write(std::uint64_t offset, std::span<const std::byte> from) DMMAP_EXCLUDES(lock_);
  Result<void> discard(PageRange pages) DMMAP_EXCLUDES(lock_);
  Result<void> unmap(PageRange pages) DMMAP_EXCLUDES(lock_);
  Result<void> resize(std::uint64_t size) DMMAP_EXCLUDES(lock_);
  Result<void> revoke() DMMAP_EXCLUDES(lock_);
  [[nodiscard]] Result<std::vector<bool>> resident(PageRange pages) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool in_use() const DMMAP_EXCLUDES(lock_);
  void on_idle(std::function<void()> callback) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] Result<mapping::ByteRange> bytes_of(PageRange pages) const;

  // For the *_later calls.
  /// What a call waits for.
  struct Need {
    mapping::ByteRange range;
    bool alone = false;  // needs the inode's lock for itself
    bool quiet = false;  // waits for the gate
  };
  /// Of a call that changes `pages`, which may lie anywhere.
  [[nodiscard]] static Need need_of(PageRange pages);
  /// A call is put in the queue, and is done. Returns its number.
  std::uint64_t queued(const Need& need) DMMAP_EXCLUDES(lock_);
  void dequeued(std::uint64_t number) DMMAP_EXCLUDES(lock_);
  /// Which threads hold what it, or a call before it in the queue, waits for.
  [[nodiscard]] std::vector<mapping::ThreadId> holders_of(std::uint64_t number) const DMMAP_EXCLUDES(lock_);

  // For the grants and the requests.
  /// The region is `node`'s from now on. Errors: EBUSY when it's another's; ESTALE when it has been revoked.
  Result<void> bind(std::shared_ptr<mapping::OwnFiles> files, NodeId node) DMMAP_EXCLUDES(lock_);
  /// The node that it is in the mount of `files`; nothing when it's none, or another mount's.
  [[nodiscard]] std::optional<NodeId> node_in(const mapping::OwnFiles& files) const DMMAP_EXCLUDES(lock_);
  /// Errors: EBUSY when it's another mount's; ESTALE when it has been revoked.
  [[nodiscard]] Result<void> can_be_shown_in(const mapping::OwnFiles& files) const DMMAP_EXCLUDES(lock_);
  /// The kernel doesn't know the node any more.
  void unbind() DMMAP_EXCLUDES(lock_);
  struct ClientOpen {
    bool may_write = false;
    bool may_store = false;  ///< by a writable mapping
  };
  void begin_open(ClientOpen open) DMMAP_EXCLUDES(lock_);
  void end_open(ClientOpen open) DMMAP_EXCLUDES(lock_);
  /// To be called before a client that may write gets its file. False when too many threads wait already.
  [[nodiscard]] bool wait_for_stores();
  [[nodiscard]] bool may_be_stored_into() const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool revoked() const DMMAP_EXCLUDES(lock_);
  /// What a write of the server's own, made by `thread`, came to at the source.
  void own_write_done(mapping::ThreadId thread, int code) DMMAP_EXCLUDES(lock_);
  /// The kernel holds the node's lock until a request that `thread` has made is answered.
  void node_is_locked(mapping::ThreadId thread) DMMAP_EXCLUDES(lock_);

 private:
  struct OwnFile {
    explicit OwnFile(UniqueFd file) : fd(std::move(file)) {}
    OwnFile(const OwnFile&) = delete;
    OwnFile& operator=(const OwnFile&) = delete;
    ~OwnFile();
    UniqueFd fd;
  };
  [[nodiscard]] std::vector<mapping::ThreadId> holders_of(const Need& need) const;
  using OnFile = std::function<Result<void>(int fd, mapping::OwnFiles& files, NodeId node)>;
  /// Calls `on_file` where the region has a node. False when it hasn't.
  Result<bool> through_node(const Need& need, const OnFile& on_file) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool has_node() const DMMAP_EXCLUDES(lock_);

  /// Whether the region can be `node`, or if that's nothing any node, in the mount of `files`. Errors: ESTALE, EBUSY.
  [[nodiscard]] Result<void> fits(const mapping::OwnFiles& files, std::optional<NodeId> node) const
      DMMAP_REQUIRES(lock_);
  Result<void> check(std::uint64_t offset, std::uint64_t length) const;
  /// Has `action` done, by another thread, while the kernel holds the node's lock: no write(2) is under way then.
  Result<void> with_node_locked(int fd, const std::function<Result<void>()>& action) DMMAP_EXCLUDES(lock_);
  /// The calling thread waits for what the source is to answer about `range`.
  Result<void> wait_for_source(const mapping::ByteRange& range,
                               const std::function<void(mapping::PageLedger::Kept)>& ask);
  Result<void> read_source(std::uint64_t offset, std::span<std::byte> to);
  Result<void> write_source(std::uint64_t offset, std::span<const std::byte> from);
  Result<void> write_file(std::uint64_t offset, std::span<const std::byte> from, int fd) DMMAP_EXCLUDES(lock_);
  /// False where it can't be done safely.
  Result<bool> store(std::uint64_t offset, std::span<const std::byte> from) DMMAP_EXCLUDES(lock_);
  Result<void> unmap_node(const mapping::ByteRange& range, int fd, mapping::OwnFiles& files, NodeId node);
  using OnPage = std::function<bool(const mapping::ByteRange& page)>;
  /// Calls `on_page` with each page of `range` that is cached, until it returns false.
  static Result<void> each_cached(const mapping::ByteRange& range, int fd, mapping::OwnFiles& files, NodeId node,
                                  const OnPage& on_page);
  void push(const mapping::ByteRange& range);

  const PagedRegionOptions options_;
  const std::shared_ptr<mapping::PageLedger> ledger_;
  // Held while pages that were supplied are being fetched, so that unmap either finds them in the page cache or has
  // them forgotten: they never come in behind its back. Fetching waits for nobody.
  Mutex push_lock_;
  mapping::StoreGate gate_;  // shut while a client has the file open for writing
  mutable Mutex lock_;
  std::shared_ptr<mapping::OwnFiles> files_ DMMAP_GUARDED_BY(lock_);  // null: no node
  NodeId node_ DMMAP_GUARDED_BY(lock_);
  std::shared_ptr<OwnFile> file_ DMMAP_GUARDED_BY(lock_);  // kept while clients have the node open
  unsigned opens_ DMMAP_GUARDED_BY(lock_) = 0;
  unsigned may_store_ DMMAP_GUARDED_BY(lock_) = 0;
  bool writes_back_ DMMAP_GUARDED_BY(lock_) = true;  // by the mount's writeback cache
  bool revoked_ DMMAP_GUARDED_BY(lock_) = false;
  std::function<void()> on_idle_ DMMAP_GUARDED_BY(lock_);
  std::map<std::uint64_t, Need> queue_ DMMAP_GUARDED_BY(lock_);
  std::uint64_t next_queued_ DMMAP_GUARDED_BY(lock_) = 1;
  std::unordered_map<mapping::ThreadId, int> own_writes_ DMMAP_GUARDED_BY(lock_);
  std::unordered_map<mapping::ThreadId, std::function<void()>> when_locked_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap
