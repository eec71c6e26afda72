// MmapGrants: what was granted at mmap(2) to programs that ask themselves (docs/per-mmap.md), from the answer to the
// end.
//
// A grant is carried out by files, one a region, that the asking process opens by a name which only it knows and which
// works once. The grant is over when the last of them that was opened is closed, or when it's given up unopened: the
// thread that asked asks again and again (signal handlers that map are why it may a few times), the handle that was
// asked about is closed, or too many wait.
//
// Promises: each grant is told as over exactly once; the RELEASE of a handle with grants is held back until the last of
// them is over. Thread safety: every call, from any thread. Nothing is called back.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/thread_safety.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dmmap::mapping {

class MmapGrants {
 public:
  using Token = std::array<std::uint64_t, 2>;
  /// One file of a grant.
  struct File {
    NodeId node;  ///< of its own; a paged region is shown by its own node instead
    HandleId handle;
    std::shared_ptr<Region> region;
    bool writable = false;
    HandleId asked_about;  ///< the handle that the client called mmap(2) with
  };
  /// What the file system is to be told, in this order.
  struct Ended {
    struct Over {
      MapRequest request;
      Grant grant;
    };
    std::vector<Over> over;
    std::vector<ReleaseRequest> releases;
    /// Names that nobody can look up any more. The kernel would remember each until memory is short.
    std::vector<std::string> names;
  };

  /// A grant that waits to be opened: a file for each of `regions`, in order.
  Token add(const MapRequest& request, const Grant& grant, const std::vector<std::shared_ptr<Region>>& regions,
            bool writable, Ended& ended) DMMAP_EXCLUDES(lock_);
  /// The file that the name is of, if it's for this caller and hasn't been opened.
  [[nodiscard]] std::optional<File> find(std::string_view name, const Caller& caller) const DMMAP_EXCLUDES(lock_);
  /// The caller was told that the file is `node`, and opens it next.
  void named(HandleId handle, NodeId node, const Caller& caller) DMMAP_EXCLUDES(lock_);
  /// The file that this caller opens as `node`, if it was told so; from now on it counts as open.
  [[nodiscard]] std::optional<File> opened(NodeId node, const Caller& caller) DMMAP_EXCLUDES(lock_);
  /// It's closed, or couldn't be opened.
  void closed(HandleId handle, Ended& ended) DMMAP_EXCLUDES(lock_);
  /// A handle of the file system's is released. True when that is to be told later, when its last grant is over.
  [[nodiscard]] bool hold_back(const ReleaseRequest& request, Ended& ended) DMMAP_EXCLUDES(lock_);
  /// The mount is gone.
  void end_all(Ended& ended) DMMAP_EXCLUDES(lock_);

  /// A handle, and a node of the same number, that nobody else has.
  [[nodiscard]] HandleId next_handle() DMMAP_EXCLUDES(lock_) {
    const MutexLock lock(lock_);
    return HandleId{next_file_++};
  }

  /// A grant of this handle that isn't among these counts for hold_back(); and it's over.
  void hold(HandleId asked_about) DMMAP_EXCLUDES(lock_);
  void let_go(HandleId asked_about, Ended& ended) DMMAP_EXCLUDES(lock_);

  struct Held {
    std::shared_ptr<Region> region;
    Holding holding;
  };
  /// What is open now, piece by piece.
  [[nodiscard]] std::vector<Held> held() const DMMAP_EXCLUDES(lock_);

 private:
  static constexpr std::size_t kMostWaiting = 256;        // more than threads that are between asking and opening
  static constexpr std::size_t kMostWaitingOfThread = 8;  // more than signal handlers that interrupt each other
  enum class State : std::uint8_t { waiting, open, closed };
  struct FileEntry {
    File file;
    NodeId shown;  // as which it's known to the kernel
    State state = State::waiting;
  };
  struct Entry {
    std::uint64_t serial = 0;
    MapRequest request;
    Grant grant;
    Token token{};
    std::vector<FileEntry> files;
    bool waiting = true;  // nothing has been opened
  };
  using EntryPointer = std::shared_ptr<Entry>;
  struct Place {
    EntryPointer entry;
    std::size_t file = 0;
  };
  struct AskedHandle {
    unsigned grants = 0;
    std::optional<ReleaseRequest> release;
  };

  [[nodiscard]] FileEntry* find_file(HandleId handle) DMMAP_REQUIRES(lock_);
  void no_longer_waits(Entry& entry) DMMAP_REQUIRES(lock_);
  void finish(const EntryPointer& entry, Ended& ended) DMMAP_REQUIRES(lock_);
  void one_less(HandleId asked_about, Ended& ended) DMMAP_REQUIRES(lock_);
  void finish_if_closed(const EntryPointer& entry, Ended& ended) DMMAP_REQUIRES(lock_);

  mutable Mutex lock_;
  std::uint64_t next_ DMMAP_GUARDED_BY(lock_) = 0;
  std::uint64_t next_file_ DMMAP_GUARDED_BY(lock_) = kFirstLibraryId;
  std::map<std::uint64_t, EntryPointer> waiting_ DMMAP_GUARDED_BY(lock_);  // by serial: the oldest first
  std::map<Token, EntryPointer> by_token_ DMMAP_GUARDED_BY(lock_);
  std::unordered_map<HandleId, Place> by_handle_ DMMAP_GUARDED_BY(lock_);
  std::unordered_multimap<std::uint32_t, EntryPointer> by_asker_ DMMAP_GUARDED_BY(lock_);  // threads, of what waits
  std::unordered_map<std::uint32_t, HandleId> naming_ DMMAP_GUARDED_BY(lock_);             // threads
  std::unordered_map<HandleId, AskedHandle> asked_ DMMAP_GUARDED_BY(lock_);
};

/// The process that a thread of its belongs to; 0 when that can't be known.
[[nodiscard]] std::uint32_t process_of(std::uint32_t thread);

}  // namespace dmmap::mapping
