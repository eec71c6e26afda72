// StoreFilesystem's snapshots. They're made on a thread of their own, since the kernel is to bring what was stored
// first and to be told of the new name, and both may wait for requests.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "servers/store/filesystem/attributes.h"
#include "servers/store/filesystem/changes.h"
#include "servers/store/filesystem/snapshot_ioctl.h"
#include "servers/store/tree/snapshot.h"

namespace dmmap::store {

void StoreFilesystem::ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) {
  SnapshotWish wish;
  if (request.command != kSnapshotIoctl || request.input.size() != sizeof wish) {
    reply.error(ENOTTY);
    return;
  }
  // It brings what the caller might not read.
  if (request.caller.uid != 0 && request.caller.uid != ::geteuid()) {
    reply.error(EPERM);
    return;
  }
  std::memcpy(&wish, request.input.data(), sizeof wish);
  const std::string name(wish.name, ::strnlen(wish.name, sizeof wish.name));
  if (name.empty() || name.size() == sizeof wish.name || name == "." || name == ".." ||
      name.find('/') != std::string::npos) {
    reply.error(EINVAL);
    return;
  }
  const auto kept = std::make_shared<Reply<IoctlDone>>(std::move(reply));
  worker_->add([this, kept, name, source = file_of(request.node), directory = FileId{wish.directory}] {
    const auto made = snapshot(source, directory, name);
    if (!made) {
      refuse(*kept, made);
      return;
    }
    kept->ok({});
  });
}

Result<void> StoreFilesystem::bring_all() {
  std::vector<std::uint64_t> files;
  {
    const std::lock_guard guard(writers_lock_);
    files.reserve(writers_.size());
    for (const auto& [file, count] : writers_) {
      files.push_back(file);
    }
  }
  for (const std::uint64_t file : files) {
    auto brought = dirty_.write_back(NodeId{file});
    // Closed meanwhile, which has brought all, and maybe gone: then that fails with ENOENT or ESTALE.
    if (!brought && is_open_for_writing(FileId{file})) {
      return brought;
    }
  }
  return {};
}

Result<void> StoreFilesystem::snapshot(FileId source, FileId directory, const std::string& name) {
  if (auto roomy = room(); !roomy) {
    return roomy;
  }
  if (auto brought = bring_all(); !brought) {
    return brought;
  }
  Snapshot snapshot(database_, source, now());
  {
    const std::lock_guard changing(changing_);
    auto outcome = snapshot.build();
    if (outcome) {
      const auto named = snapshot.name_it(directory, name);
      outcome = named ? Result<void>() : tl::unexpected(named.error());
    }
    if (!outcome) {
      if (snapshot.copy() != FileId{}) {
        janitor_->remove(snapshot.copy());
      }
      return outcome;
    }
  }
  // The kernel may have found that there's no such name, and how large the directory is. What it doesn't know it says.
  Notifier& notifier = connection_->notifier();
  static_cast<void>(notifier.inval_entry(NodeId{directory.value}, name).wait());
  static_cast<void>(notifier.inval_inode(NodeId{directory.value}, -1, 0).wait());
  return {};
}

}  // namespace dmmap::store
