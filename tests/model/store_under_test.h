// StoreUnderTest: a page store on a real mount, client processes that use its files, and a plain model of them.
//
// Promises: carry_out() does one operation on both, and says in words what differs. What hangs or breaks throws
// std::runtime_error: another one is needed then. Thread safety: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "model/files_model.h"
#include "model/remote_caller.h"
#include "model/remote_file.h"
#include "model/served_store.h"
#include "model/store_operation.h"

namespace dmmap::testing {

class StoreUnderTest {
 public:
  /// What a run has come to see, for who wants to know that it was worth it.
  struct Seen {
    std::uint64_t operations = 0;
    std::uint64_t shared_pages = 0;  ///< by two files or more, when the store was checked
    std::uint64_t holes = 0;         ///< that SEEK_DATA passed over, or SEEK_HOLE found
    std::uint64_t unmapped = 0;      ///< times that the server took back what was mapped
  };

  explicit StoreUnderTest(Seen& seen);
  StoreUnderTest(const StoreUnderTest&) = delete;
  StoreUnderTest& operator=(const StoreUnderTest&) = delete;
  /// Whatever went wrong, no client waits for the server any more.
  ~StoreUnderTest();

  /// What is wrong, or nothing.
  std::string carry_out(const StoreOperation& operation);
  /// Everybody sees what the model has, and so they do of a new server, over a store that is sound.
  std::string settle();
  /// All files are left and removed, for the next case.
  std::string clear();

 private:
  using Outcome = RemoteCaller::Outcome;
  /// A file that a client has open, or mapped, or both.
  struct Held {
    RemoteFile remote;
    FilesModel::File file;  // null: none
  };

  // Files that are held: store_under_test.cpp.
  [[nodiscard]] Held& held(std::uint32_t client, std::uint32_t file, std::uint32_t name);
  [[nodiscard]] Held& one(const StoreOperation& operation);
  [[nodiscard]] Held& other(const StoreOperation& operation);
  std::string open(Held& held, const std::string& name, int flags);
  static std::string leave(Held& held, bool close, bool unmap);
  static bool is_mapped(Held& held);
  static std::string check_status(Held& held);
  static std::string check_all(Held& held);
  std::string check_names();
  std::string leave_all();
  std::string restart(bool wholly);
  [[nodiscard]] std::string path(const std::string& name) const { return store_.mountpoint() / name; }
  [[nodiscard]] std::string path(std::uint32_t name) const { return path(StoreOperation::name_of(name)); }
  /// Whether the server has what the model has from `begin` to `end`.
  [[nodiscard]] std::string check_brought(const ModelFile& file, std::uint64_t begin, std::uint64_t end) const;

  // Bytes: store_under_test_bytes.cpp.
  static std::string pread(const StoreOperation& operation, Held& held);
  static std::string pwrite(const StoreOperation& operation, Held& held);
  static std::string load(const StoreOperation& operation, Held& held);
  static std::string store(const StoreOperation& operation, Held& held);
  static std::string fallocate(const StoreOperation& operation, Held& held);
  std::string truncate(const StoreOperation& operation);
  std::string sync(const StoreOperation& operation, Held& held);
  std::string seek(const StoreOperation& operation, Held& held);
  static std::string copy_range(const StoreOperation& operation, Held& from, Held& to);
  static std::string write_mapped(const StoreOperation& operation, Held& to, Held& from);
  static std::string read_mapped(const StoreOperation& operation, Held& from, Held& to);
  std::string server_unmap(const StoreOperation& operation, Held& held);
  std::string together(const StoreOperation& operation, Held& held);

  // Names: store_under_test_names.cpp.
  std::string names(const StoreOperation& operation);
  std::string cp(const StoreOperation& operation);
  std::string snapshot(const StoreOperation& operation);
  std::string list(RemoteCaller& caller);

  Seen& seen_;
  ServedStore store_;
  std::deque<RemoteCaller> callers_;  // made before the server's threads are
  std::vector<std::vector<Held>> held_;
  FilesModel model_;
};

/// Nothing when a call came to that, otherwise what it came to.
[[nodiscard]] std::string differs(std::string_view what, const RemoteCaller::Outcome& outcome, std::int64_t result,
                                  int error = 0);
/// As above, of calls whose result is 0 or that fail.
[[nodiscard]] std::string fails_unlike(std::string_view what, const RemoteCaller::Outcome& outcome, int error);
/// Nothing when these are the bytes, otherwise where the first difference is.
[[nodiscard]] std::string bytes_differ(std::string_view what, std::string_view there, std::string_view expected,
                                       std::uint64_t offset);

}  // namespace dmmap::testing
