// PageLedger: a paged region's dealings with its PageSource: what has been asked, what is to be asked again, what the
// source has said that nobody has fetched yet.
//
// Promises: 1. an answer never hides what was written after its question; 2. bytes that the source refused are kept,
// shown by later faults, and offered again; 3. writebacks of the same bytes reach the source one after the other, in
// the order in which they came; 4. nobody is called while the ledger's lock is held.
//
// Invariants: kept_ and surplus_ lie within the region's size; surplus_ holds nothing that was changed after it had
// been asked for.
#pragma once

#include <dmmap/log.h>
#include <dmmap/paged_region.h>
#include <dmmap/thread_safety.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mapping/byte_ranges.h"
#include "mapping/source_call.h"
#include "mapping/wait_graph.h"

namespace dmmap::mapping {

/// Who changed bytes.
enum class Origin {
  page_cache,     ///< a writeback: the kernel drops the bytes when it fails
  client,         ///< a client's write(2): the client is told when it fails, and nothing has changed
  mapped_client,  ///< likewise, while somebody may have stored into the same pages: it can't be undone without harm
  server,         ///< PagedRegion::write: the bytes are in the page cache whatever the source says
};

/// Thread safety: every call, from any thread.
class PageLedger : public std::enable_shared_from_this<PageLedger> {
 public:
  /// errno(3) or 0, and the bytes of what was wanted.
  using Filled = std::function<void(int code, std::span<const std::byte> bytes)>;
  using Kept = std::function<void(int code)>;
  using Taken = std::function<void(int code, std::size_t taken)>;
  using Surplus = std::function<void(const ByteRange& range)>;

  PageLedger(const PagedRegionOptions& options, std::shared_ptr<PageSource> source);

  [[nodiscard]] std::uint64_t size() const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::uint64_t max_size() const { return max_size_; }
  [[nodiscard]] PagedCounters counters() const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::string describe() const DMMAP_EXCLUDES(lock_);
  void count_unmap() DMMAP_EXCLUDES(lock_);
  void count_store() DMMAP_EXCLUDES(lock_);
  void log_to(LogSink log) DMMAP_EXCLUDES(lock_);
  /// Whom to tell, from now on, of whole pages that were supplied beyond what was wanted and wait to be fetched.
  void surplus_to(Surplus surplus) DMMAP_EXCLUDES(lock_);

  /// Fetches `wanted`, which begins at a page, clipped to the region's size.
  void fill(ByteRange wanted, Filled filled) DMMAP_EXCLUDES(lock_);
  /// Hands bytes to the source. `bytes` stays good until `taken` is called, with how many of them count as written: of
  /// a client's those that max_size() allows, EFBIG when that's none.
  void keep(std::uint64_t offset, std::span<const std::byte> bytes, Origin origin, const Taken& taken)
      DMMAP_EXCLUDES(lock_);
  /// Offers again what the source has refused of `range`. Calls `done` with the first error that it met.
  void offer_again(const ByteRange& range, const Kept& done) DMMAP_EXCLUDES(lock_);
  /// The error with which the source last refused bytes of `range` that it hasn't taken since, or 0.
  [[nodiscard]] int refused(const ByteRange& range) const DMMAP_EXCLUDES(lock_);
  /// The contents of `range` are gone.
  void discard(const ByteRange& range) DMMAP_EXCLUDES(lock_);
  void set_size(std::uint64_t size) DMMAP_EXCLUDES(lock_);
  /// What waits to be fetched of `range`, and what faults under way bring of it beyond what they want, is to be asked
  /// for anew.
  void forget_surplus(const ByteRange& range) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] bool has_surplus(const ByteRange& range) const DMMAP_EXCLUDES(lock_);

  /// Whether a fault of `range` is unanswered.
  [[nodiscard]] bool is_asked(const ByteRange& range) const DMMAP_EXCLUDES(lock_);
  /// Which threads hold answers that a call needs: of faults and writes of `range` and, with `alone`, of everything
  /// for which the kernel may hold the inode's lock.
  [[nodiscard]] std::vector<ThreadId> holders(const ByteRange& range, bool alone) const DMMAP_EXCLUDES(lock_);

  /// Bytes that the server is writing through the page cache. The kernel may drop a page at any time, when a client
  /// maps a file whose reads and writes are the server's own, and a fault in the middle of that must show them.
  class OwnWrite {
   public:
    OwnWrite(PageLedger& ledger, std::uint64_t offset, std::span<const std::byte> bytes);
    OwnWrite(const OwnWrite&) = delete;
    OwnWrite& operator=(const OwnWrite&) = delete;
    ~OwnWrite();

   private:
    friend class PageLedger;
    PageLedger& ledger_;
    std::uint64_t offset_;
    std::span<const std::byte> bytes_;
  };

  /// A range is being taken out of the page cache: while this exists nothing of it is pushed, and what is fetched of it
  /// is noted. What waits to be pushed, and what faults under way at its beginning or end bring of the range beyond
  /// what they want, is to be asked for anew.
  class Eviction {
   public:
    Eviction(PageLedger& ledger, const ByteRange& range);
    Eviction(const Eviction&) = delete;
    Eviction& operator=(const Eviction&) = delete;
    ~Eviction();
    [[nodiscard]] bool fetched(const ByteRange& page) const;

   private:
    friend class PageLedger;
    PageLedger& ledger_;
    ByteRange range_;
    std::vector<ByteRange> fetched_;
  };

 private:
  struct Fault {
    ByteRange range;
    Filled filled;
    std::shared_ptr<detail::SourceCall> call;
    std::vector<ByteRange> changed;  // since it was asked, or while it was
    ByteStore patches;               // what it may not have known: newer than its answer
  };
  using Faults = std::list<Fault>;
  struct Write {
    ByteRange range;
    std::span<const std::byte> bytes;  // empty: an offer of what is kept
    Origin origin = Origin::page_cache;
    Kept done;
    bool started = false;
    std::vector<std::byte> offered;  // what is being offered again
    int code = 0;
    std::uint64_t offered_to = 0;  // offers up to there are done
    bool asking = false;           // ask() is at it, and goes on with the next piece itself
    bool more = false;             // there is one
    std::shared_ptr<detail::SourceCall> call;
  };
  using Writes = std::list<std::shared_ptr<Write>>;

  /// Takes `filled` over.
  std::shared_ptr<detail::SourceCall> begin_fault(const ByteRange& wanted, Filled& filled) DMMAP_REQUIRES(lock_);
  void supplied(Faults::iterator fault, int code, std::uint64_t offset, std::span<const std::byte> bytes)
      DMMAP_EXCLUDES(lock_);
  std::optional<ByteRange> keep_surplus(const Fault& fault, std::uint64_t offset, std::span<const std::byte> bytes)
      DMMAP_REQUIRES(lock_);
  void changed(const ByteRange& range) DMMAP_REQUIRES(lock_);
  /// Newer than what the faults under way will bring.
  void patch(const ByteRange& range, std::span<const std::byte> bytes) DMMAP_REQUIRES(lock_);
  /// What came after `than` is newer still.
  void patch_with_newer(const Write& than) DMMAP_REQUIRES(lock_);
  void fetched(const ByteRange& range) DMMAP_REQUIRES(lock_);
  void start_what_can() DMMAP_EXCLUDES(lock_);
  void ask(const std::shared_ptr<Write>& write) DMMAP_EXCLUDES(lock_);
  /// The next bytes to ask the source to keep; none when all has been.
  [[nodiscard]] std::pair<std::uint64_t, std::span<const std::byte>> next_of(Write& write) const DMMAP_REQUIRES(lock_);
  void answered(const std::shared_ptr<Write>& write, int code) DMMAP_EXCLUDES(lock_);
  void finish(const std::shared_ptr<Write>& write) DMMAP_EXCLUDES(lock_);
  void complain(const std::string& text) const DMMAP_EXCLUDES(lock_);
  [[nodiscard]] std::shared_ptr<detail::SourceCall> make_call(detail::SourceCall::Answer answer);

  const RegionId id_;
  const std::string name_;
  const std::uint64_t max_size_;
  const std::shared_ptr<PageSource> source_;

  mutable Mutex lock_;
  std::uint64_t size_ DMMAP_GUARDED_BY(lock_);
  Faults faults_ DMMAP_GUARDED_BY(lock_);      // unanswered
  Writes writes_ DMMAP_GUARDED_BY(lock_);      // in the order in which they came
  ByteStore kept_ DMMAP_GUARDED_BY(lock_);     // refused by the source
  ByteStore surplus_ DMMAP_GUARDED_BY(lock_);  // whole pages (the last one up to the size) to be fetched
  int last_error_ DMMAP_GUARDED_BY(lock_) = 0;
  std::vector<OwnWrite*> own_writes_ DMMAP_GUARDED_BY(lock_);
  std::vector<Eviction*> evictions_ DMMAP_GUARDED_BY(lock_);
  PagedCounters counters_ DMMAP_GUARDED_BY(lock_);
  LogSink log_ DMMAP_GUARDED_BY(lock_);
  Surplus on_surplus_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::mapping
