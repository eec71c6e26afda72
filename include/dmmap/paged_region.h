// PagedRegion: a Region whose pages live in the kernel's page cache, and come from a PageSource of the server's.
//
// Promises: read(2), write(2), every mapping and the calls below go through one page cache, which is the only place
// where stores are ordered. Bytes that a client stores and bytes that the server writes into different parts of one
// page both survive, through writeback and eviction. A writeback that the source refuses loses nothing: its bytes are
// kept and offered again. No call waits for what it can never get: such a wait fails with EDEADLK.
//
// Unlike a SharedRegion's, an aligned word that one side writes may be seen in part by the other.
//
// A paged region is one inode's: it can be granted to any number of opens of one node of one mount, and to any number
// of mappings there or of one character device. With a mount it works with no privilege on any kernel that dmmap runs
// on, with a device (Session::device) where the kernel has kernel/patches; where read(2) and write(2) are the server's
// own (OpenedFile::own_io), mapping needs Linux 6.6 (Feature::direct_io_allow_mmap).
#pragma once

#include <dmmap/notifier.h>
#include <dmmap/region.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dmmap {

namespace detail {
class SourceCall;
}

/// The answer to one question to a PageSource, to be given once; what FaultReply and WritebackReply share. It can be
/// kept, moved between threads and given from any of them, now or much later, also after the client has died, the
/// region is gone or the mount is. A second answer is ignored and logged; one that is dropped unanswered is EIO.
/// Thread safety: one reply belongs to one thread at a time.
class SourceReply {
 public:
  SourceReply(SourceReply&& other) noexcept;
  SourceReply& operator=(SourceReply&& other) noexcept;
  SourceReply(const SourceReply&) = delete;
  SourceReply& operator=(const SourceReply&) = delete;
  ~SourceReply();

  /// Fails the request with errno(3) value `code`.
  void error(int code);
  /// False once answered or moved from.
  [[nodiscard]] bool pending() const;

  explicit SourceReply(std::shared_ptr<detail::SourceCall> call);

 protected:
  std::shared_ptr<detail::SourceCall> call_;
};

/// Answers PageSource::fault. An error is SIGBUS to who touched and EIO (whatever the code) or `code` to read(2). When
/// several pages were wanted the kernel then asks again for those that are really needed.
class FaultReply : public SourceReply {
 public:
  using SourceReply::SourceReply;
  /// Supplies the bytes from `offset` (in bytes) on. They must cover what was wanted, up to the region's end: fewer are
  /// logged and answered with EIO. Whole pages before and after, too, are put in place if they're absent: never over
  /// what has been stored or written since the question was asked. What lies past the region's end is ignored.
  void ok(std::uint64_t offset, std::span<const std::byte> bytes);
};

/// Answers PageSource::writeback.
class WritebackReply : public SourceReply {
 public:
  using SourceReply::SourceReply;
  /// The source has all the bytes.
  void ok();
};

/// Where a PagedRegion's pages come from and go to. Thread safety: calls come from any thread, several at a time.
class PageSource {
 public:
  PageSource() = default;
  PageSource(const PageSource&) = delete;
  PageSource& operator=(const PageSource&) = delete;
  virtual ~PageSource();

  /// These pages are wanted. What is asked for is what the kernel lacks: one question a page, however many touch it.
  /// The kernel reads ahead (SessionOptions::max_readahead), so several pages may be wanted for one touch.
  /// A writeback of the same bytes may come before the answer: the answer may have them or what was there before, the
  /// library lays them over it. What is lent to FaultReply::ok mustn't change until that returns.
  virtual void fault(PageRange wanted, FaultReply reply) = 0;

  /// These bytes are to be kept: a client's, stored or written, or the server's own from PagedRegion::write. `bytes`
  /// stays good until the reply is given. fsync(2), msync(2) MS_SYNC and close(2) return after the answer, and fail
  /// when it was an error; the library keeps the bytes then, lays them over what later faults supply, and offers them
  /// again at each fsync and unmap. A client's write(2) fails at once, unless somebody has the file open for reading
  /// and writing and so may have stored into the same page: then it succeeds, and fsync(2) fails (as POSIX lets it).
  /// Writebacks of the same bytes come one after the other. The default answers EROFS.
  virtual void writeback(std::uint64_t offset, std::span<const std::byte> bytes, WritebackReply reply);

  /// The contents of these pages are gone: a later fault is to supply zeros. Called by Region::discard.
  virtual void discarded(PageRange pages);

  /// The region has this size now, in bytes: what lay beyond is gone, what is new is zeros.
  virtual void resized(std::uint64_t size);
};

/// How to make a PagedRegion.
struct PagedRegionOptions {
  RegionId id;                 ///< chosen by the server, unique in the process
  std::uint64_t size = 0;      ///< bytes, need not be whole pages; 0 to 2^62
  std::uint64_t max_size = 0;  ///< bytes, rounded up to whole pages; how far a client's write(2) may grow it; less
                               ///< than `size`: to the end of its last page
  std::string name;            ///< for log lines
};

/// What has happened to a region since it was made.
struct PagedCounters {
  std::uint64_t faults = 0;             ///< questions to the source
  std::uint64_t pages_supplied = 0;     ///< that the kernel got, asked for or surplus
  std::uint64_t pages_pushed = 0;       ///< of those, surplus
  std::uint64_t writebacks = 0;         ///< handed to the source
  std::uint64_t writebacks_failed = 0;  ///< that the source refused
  std::uint64_t writes_stored = 0;      ///< calls of write that went straight into the page cache
  std::uint64_t unmaps = 0;             ///< calls of unmap that succeeded
  std::uint64_t bytes_kept = 0;         ///< that the source has refused and hasn't taken since
};

/// Thread safety: every call, from any thread, handlers included: one that is called where requests are served has
/// another thread serve meanwhile. Errors common to all: EDEADLK for a wait that could never end (the calling thread
/// holds the answer that the call needs, or answers a request about this node that locks it: a write(2), a truncation,
/// a writeback); use the *_later calls there. ENOTCONN when the mount goes away meanwhile.
class PagedRegion final : public Region {
 public:
  /// Errors: EINVAL for a size that is too large or no source.
  [[nodiscard]] static Result<std::shared_ptr<PagedRegion>> create(const PagedRegionOptions& options,
                                                                   std::shared_ptr<PageSource> source);
  ~PagedRegion() override;

  [[nodiscard]] RegionId id() const override;
  [[nodiscard]] std::uint64_t size() const override;  ///< changes with resize(), set_size() and clients' writes
  /// How far a client's write(2) may grow it, in bytes: whole pages.
  [[nodiscard]] std::uint64_t max_size() const;
  [[nodiscard]] const std::string& name() const override;

  /// What a client's load would return. Errors: ERANGE; what the source answered a fault with, as EIO.
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> to) const override;
  /// All mappings show the bytes when it returns, and the source has been asked to keep them (with
  /// SessionOptions::writeback_cache: will be). Cheapest where no client has the file open for writing, or with the
  /// writeback cache: then no request is made. Errors: ERANGE; what the source answered the writeback with: then the
  /// bytes are visible all the same, and kept.
  [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> from) override;
  [[nodiscard]] Result<void> discard(PageRange pages) override;
  /// The server's own calls then go to the source alone.
  [[nodiscard]] Result<void> revoke() override;
  [[nodiscard]] bool in_use() const override;
  void on_idle(std::function<void()> callback) override;

  /// Writes these pages back and takes them out of every address space and the page cache. When it returns without
  /// error everything stored before is in the source, and the next touch faults. The last, partial page counts.
  /// Errors: ERANGE; what a writeback failed with (its bytes are kept); EBUSY when a page stays pinned.
  [[nodiscard]] Result<void> unmap(PageRange pages);

  /// Gives the region, and the file, another size in bytes. Mappings of what is cut off get SIGBUS.
  /// The server's getattr must report size() as the file's.
  [[nodiscard]] Result<void> resize(std::uint64_t size);
  /// Takes note of the size that a SETATTR gives the file: to be called before that is answered, instead of resize().
  void set_size(std::uint64_t size);

  /// As the calls above, later, one after the other. Completion::wait() must not be called from a handler.
  Completion write_later(std::uint64_t offset, std::vector<std::byte> from);
  Completion discard_later(PageRange pages);
  Completion unmap_later(PageRange pages);
  Completion resize_later(std::uint64_t size);

  /// Which of these pages are in the page cache now, or being read (cachestat(2); before Linux 6.5 RETRIEVE, at a
  /// notification for each gap): a moment later it may be another set. All false while no node has the region.
  [[nodiscard]] Result<std::vector<bool>> resident(PageRange pages) const;
  [[nodiscard]] PagedCounters counters() const;
  /// For a person who looks at a server that seems to hang: what the source hasn't answered, since when, and which
  /// thread holds the answer as far as that is known. A line each; empty when nothing is under way.
  [[nodiscard]] std::string describe() const;

  class Impl;
  /// For the layers that carry out grants.
  [[nodiscard]] const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  explicit PagedRegion(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace dmmap
