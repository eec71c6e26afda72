// DirtyPages: what the kernel holds of a file's bytes, stored through mappings or written, and hasn't brought yet.
//
// For servers with SessionOptions::writeback_cache, whose answer depends on all that was stored: the kernel flushes
// before most requests, but not before LSEEK (fs/fuse/file.c, fuse_lseek), so that a program that asks for a file's
// holes would take for one what was just stored to. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/connection.h>
#include <dmmap/error.h>
#include <dmmap/filesystem.h>
#include <dmmap/ids.h>

#include <functional>
#include <memory>

namespace dmmap {

class DirtyPages {
 public:
  /// `filesystem` must outlive it, and return interceptor() among its interceptors().
  explicit DirtyPages(Filesystem& filesystem);
  DirtyPages(const DirtyPages&) = delete;
  DirtyPages& operator=(const DirtyPages&) = delete;
  ~DirtyPages();

  /// To be called from Filesystem::mounted and Filesystem::unmounted.
  void mounted(Connection& connection);
  void unmounted();

  /// Has the kernel bring all dirty pages of a regular file, as WRITE requests, and calls `then` when they've been
  /// answered; returns after that. May be called while a request of that node is handled, if `then` answers it: another
  /// thread serves meanwhile. REQUIRES: no lock is held that a request needs. Errors, to `then`: the one that a WRITE
  /// was answered with, ENOSPC and EIO alone, if nobody was told of it yet; ENOTCONN when the mount is gone; EDEADLK
  /// when too many threads of the session wait already; EOPNOTSUPP before Linux 6.16, which doesn't tell whether WRITEs
  /// have been answered but under the inode's lock, that a client may hold while it waits for `then`: where a file may
  /// have dirty pages (it's open for writing, or has been since its last RELEASE of such an open) answer what's safe.
  void write_back(NodeId node, const std::function<void(Result<void>)>& then);

  /// As above, with any kernel, for whoever handles no request and holds up none.
  Result<void> write_back(NodeId node);

  [[nodiscard]] session::Interceptor& interceptor();

 private:
  class Requests;
  std::unique_ptr<Requests> requests_;
};

}  // namespace dmmap
