#include "servers/store/filesystem/store_filesystem.h"

#include <unistd.h>

#include "servers/store/content/content.h"
#include "servers/store/filesystem/attributes.h"
#include "servers/store/filesystem/changes.h"
#include "servers/store/kv/view.h"
#include "servers/store/tree/tree.h"

namespace dmmap::store {

StoreFilesystem::StoreFilesystem(Database& database, DiskSpace space, LogSink log)
    : database_(database),
      space_(std::move(space)),
      log_(std::move(log)),
      dirty_(*this),
      interceptors_{&dirty_.interceptor()} {}

StoreFilesystem::~StoreFilesystem() = default;

Result<std::unique_ptr<StoreFilesystem>> StoreFilesystem::over(Database& database, const std::string& folder,
                                                               LogSink log) {
  auto space = DiskSpace::of(folder);
  if (!space) {
    return tl::unexpected(space.error());
  }
  std::unique_ptr<StoreFilesystem> filesystem(new StoreFilesystem(database, std::move(*space), log));
  if (auto recovered = filesystem->recover(); !recovered) {
    return tl::unexpected(recovered.error());
  }
  auto janitor = Janitor::start(database, filesystem->space_, std::move(log));
  if (!janitor) {
    return tl::unexpected(janitor.error());
  }
  filesystem->janitor_ = std::move(*janitor);
  return filesystem;
}

Result<void> StoreFilesystem::recover() {
  std::vector<FileId> excess;
  bool is_new = false;
  {
    const View view(database_);
    const auto root = get_inode(view, kRootFile);
    is_new = !root && root.error().code == ENOENT;
    if (!root && !is_new) {
      return tl::unexpected(root.error());
    }
    auto gone_through = for_each(view, Table::excess, [&](std::string_view key, std::string_view /*value*/) {
      if (const auto number = decode<1>(key)) {
        excess.push_back({(*number)[0]});
      }
    });
    if (!gone_through) {
      return gone_through;
    }
  }
  // Before any of them can grow.
  for (const FileId file : excess) {
    Result<bool> more = true;
    while (more && *more) {
      more = trim(database_, file);
    }
    if (!more) {
      return tl::unexpected(more.error());
    }
  }
  if (!is_new) {
    return {};
  }
  return committed(
      [](Transaction& transaction) { return Tree(transaction, now()).make_root(::geteuid(), ::getegid()); });
}

void StoreFilesystem::mounted(Connection& connection) {
  connection_ = &connection;
  dirty_.mounted(connection);
  worker_ = std::make_unique<Worker>();
}

void StoreFilesystem::unmounted() {
  dirty_.unmounted();
  worker_.reset();
}

void StoreFilesystem::forget(NodeId node) {
  const View view(database_);
  // One that has no name can't be looked up again: nobody uses it from now on.
  const auto orphan = view.get(Table::orphans, key_of(file_of(node)));
  if (orphan && *orphan) {
    janitor_->remove(file_of(node));
  }
}

Result<void> StoreFilesystem::room() const {
  if (space_.room() == DiskSpace::Room::all) {
    return {};
  }
  return fail(ENOSPC, "the store's disk is full");
}

void StoreFilesystem::fsync(const FsyncRequest& /*request*/, Reply<Done> reply) {
  answer(reply, done(database_.sync()));
}

void StoreFilesystem::fsyncdir(const FsyncdirRequest& /*request*/, Reply<Done> reply) {
  answer(reply, done(database_.sync()));
}

void StoreFilesystem::syncfs(const SyncfsRequest& /*request*/, Reply<Done> reply) {
  answer(reply, done(database_.sync()));
}

void StoreFilesystem::statfs(const StatfsRequest& /*request*/, Reply<FilesystemStatus> reply) {
  const struct statvfs disk = space_.status();
  FilesystemStatus status;
  status.block_size = kStorePage;
  status.fragment_size = kStorePage;
  status.name_length = kLongestName;
  const auto pages = [&disk](std::uint64_t blocks) { return blocks * disk.f_frsize / kStorePage; };
  status.blocks = pages(disk.f_blocks);
  status.blocks_free = pages(disk.f_bfree);
  status.blocks_available = pages(disk.f_bavail);
  // Files take room, and have no table of their own to fill: as many as there are pages.
  status.files = status.blocks;
  status.files_free = status.blocks_free;
  reply.ok(status);
}

}  // namespace dmmap::store
