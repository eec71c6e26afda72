// StoreFilesystem: a page store as an ordinary file system.
//
// Promises: what POSIX says of files, directories, links and renames (docs/store.md lists what isn't there). A copy by
// copy_file_range(2), which cp(1) uses, shares whole pages. What fsync(2), msync(2) with MS_SYNC or syncfs(2) on a file
// returned for survives a power cut, all else that was answered survives a kill. A node is a file, by its number.
// Where the disk is full, programs are told ENOSPC, and what they had stored through mappings before is kept as long
// as there's any room for it. Meant for SessionOptions::writeback_cache and readdirplus. Thread safety: as Filesystem.
#pragma once

#include <dmmap/dirty_pages.h>
#include <dmmap/filesystem.h>
#include <dmmap/log.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "servers/store/filesystem/disk_space.h"
#include "servers/store/filesystem/janitor.h"
#include "servers/store/filesystem/worker.h"
#include "servers/store/kv/database.h"
#include "servers/store/kv/reader.h"
#include "servers/store/kv/transaction.h"
#include "servers/store/tree/directory.h"
#include "servers/store/tree/inode.h"

namespace dmmap::store {

class StoreFilesystem final : public Filesystem {
 public:
  /// Of the database in `folder`, which must outlive it. Makes the root directory in a new store, and removes what a
  /// crash left. Errors: EIO, ENOSPC.
  static Result<std::unique_ptr<StoreFilesystem>> over(Database& database, const std::string& folder, LogSink log);
  ~StoreFilesystem() override;

  void mounted(Connection& connection) override;
  void unmounted() override;
  void forget(NodeId node) override;
  [[nodiscard]] std::span<session::Interceptor* const> interceptors() override { return interceptors_; }

  // Names and attributes: filesystem/names.cpp.
  void lookup(const LookupRequest& request, Reply<Entry> reply) override;
  void getattr(const GetattrRequest& request, Reply<AttributesReply> reply) override;
  void setattr(const SetattrRequest& request, Reply<AttributesReply> reply) override;
  void statx(const StatxRequest& request, Reply<StatxReply> reply) override;
  void readlink(const ReadlinkRequest& request, Reply<Data> reply) override;
  void symlink(const SymlinkRequest& request, Reply<Entry> reply) override;
  void mknod(const MknodRequest& request, Reply<Entry> reply) override;
  void mkdir(const MkdirRequest& request, Reply<Entry> reply) override;
  void unlink(const UnlinkRequest& request, Reply<Done> reply) override;
  void rmdir(const RmdirRequest& request, Reply<Done> reply) override;
  void rename(const RenameRequest& request, Reply<Done> reply) override;
  void link(const LinkRequest& request, Reply<Entry> reply) override;
  void create(const CreateRequest& request, Reply<Created> reply) override;
  void tmpfile(const TmpfileRequest& request, Reply<Created> reply) override;
  void setxattr(const SetxattrRequest& request, Reply<Done> reply) override;
  void getxattr(const GetxattrRequest& request, Reply<Xattr> reply) override;
  void listxattr(const ListxattrRequest& request, Reply<Xattr> reply) override;
  void removexattr(const RemovexattrRequest& request, Reply<Done> reply) override;

  // Listings: filesystem/listings.cpp.
  void opendir(const OpendirRequest& request, Reply<Opened> reply) override;
  void readdir(const ReaddirRequest& request, Reply<DirectoryListing> reply) override;
  void readdirplus(const ReaddirplusRequest& request, Reply<DirectoryListingPlus> reply) override;
  void releasedir(const ReleasedirRequest& request, Reply<Done> reply) override;

  // Bytes: filesystem/bytes.cpp.
  void open(const OpenRequest& request, Reply<Opened> reply) override;
  void read(const ReadRequest& request, Reply<Data> reply) override;
  void write(const WriteRequest& request, Reply<Written> reply) override;
  void release(const ReleaseRequest& request, Reply<Done> reply) override;
  void fallocate(const FallocateRequest& request, Reply<Done> reply) override;
  void lseek(const LseekRequest& request, Reply<Seeked> reply) override;
  void copy_file_range(const CopyFileRangeRequest& request, Reply<Copied> reply) override;

  // Snapshots: filesystem/snapshots.cpp.
  void ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) override;

  // What is on the disk: filesystem/store_filesystem.cpp.
  void fsync(const FsyncRequest& request, Reply<Done> reply) override;
  void fsyncdir(const FsyncdirRequest& request, Reply<Done> reply) override;
  void syncfs(const SyncfsRequest& request, Reply<Done> reply) override;
  void statfs(const StatfsRequest& request, Reply<FilesystemStatus> reply) override;

 private:
  StoreFilesystem(Database& database, DiskSpace space, LogSink log);
  Result<void> recover();

  /// Answers, or refuses and logs what is no fault of the client's.
  template <class T>
  void answer(Reply<T>& reply, const Result<T>& result) const;
  template <class T>
  void refuse(ReplyBase& reply, const Result<T>& result) const;
  /// Carries out `change` (of a Transaction) and commits; what it returns, once that is done.
  template <class Change>
  auto committed(const Change& change) -> decltype(change(std::declval<Transaction&>()));
  /// As committed(), of an inode, which is put.
  template <class Change>
  auto changed(FileId file, const Change& change)
      -> decltype(change(std::declval<Transaction&>(), std::declval<Inode&>()));
  /// Errors: ENOSPC when nothing more is to be stored.
  [[nodiscard]] Result<void> room() const;
  /// Whether what a program has stored is to be taken, and said to be.
  enum class Taking { wholly, told_enospc, not_at_all };
  [[nodiscard]] Result<Taking> taking(const WriteRequest& request);

  template <class Make>
  Result<Inode> made(const Make& make);
  void answer_created(Reply<Created>& reply, int flags, const Result<Inode>& inode);
  /// Sets the size, wholly.
  Result<Inode> resized(FileId file, std::uint64_t size);
  Result<Inode> attributes_set(const SetattrRequest& request);
  Result<void> punched(FileId file, std::uint64_t begin, std::uint64_t end);
  Result<void> grown(FileId file, std::uint64_t size);
  /// Entries of `directory` from `offset` on, "." and ".." among them.
  Result<std::vector<Named>> listed(const Reader& reader, FileId directory, std::uint64_t offset,
                                    std::uint32_t size) const;

  Result<void> snapshot(FileId source, FileId directory, const std::string& name);
  /// Has the kernel bring what programs have stored, of all files that are open for writing.
  Result<void> bring_all();
  /// Answers that a file is open with these flags, until closed().
  template <class T>
  void answer_open(Reply<T>& reply, const T& answer, FileId file, int flags);
  void closed(FileId file, int flags);
  /// As long as it is the kernel may have bytes of it that it hasn't brought.
  [[nodiscard]] bool is_open_for_writing(FileId file);

  /// What changes a file's pages in several transactions has the file to itself.
  [[nodiscard]] std::mutex& pages_of(FileId file) { return pages_[file.value % pages_.size()]; }

  Database& database_;
  const DiskSpace space_;
  const LogSink log_;
  DirtyPages dirty_;
  const std::array<session::Interceptor*, 1> interceptors_;
  std::atomic<bool> told_full_ = false;
  std::array<std::mutex, 64> pages_;
  std::mutex changing_;  // held by each change, and by a snapshot from its beginning to its end
  std::mutex writers_lock_;
  std::unordered_map<std::uint64_t, unsigned> writers_;  // files that are open for writing: how often
  Connection* connection_ = nullptr;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Janitor> janitor_;
};

}  // namespace dmmap::store
