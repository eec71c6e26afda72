// StoreFilesystem's listings of directories. A position in one is 0 at the start, 1 after ".", 2 after "..", and then 2
// more than the store's own.
#include <sys/stat.h>

#include "servers/store/filesystem/attributes.h"
#include "servers/store/filesystem/changes.h"
#include "servers/store/kv/view.h"

namespace dmmap::store {

namespace {

constexpr std::uint64_t kDots = 2;
constexpr std::uint32_t kShortest = 32;       // bytes that an entry takes in a reply (linux/fuse.h, fuse_dirent)
constexpr std::uint32_t kShortestPlus = 160;  // as above, fuse_direntplus

}  // namespace

void StoreFilesystem::opendir(const OpendirRequest& /*request*/, Reply<Opened> reply) {
  reply.ok({});
}

void StoreFilesystem::releasedir(const ReleasedirRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}

Result<std::vector<Named>> StoreFilesystem::listed(const Reader& reader, FileId directory, std::uint64_t offset,
                                                   std::uint32_t size) const {
  std::vector<Named> entries;
  if (offset < kDots) {
    const auto inode = get_inode(reader, directory);
    if (!inode) {
      return tl::unexpected(inode.error());
    }
    if (offset == 0) {
      entries.push_back({".", directory, S_IFDIR, 0});
    }
    entries.push_back({"..", inode->parent, S_IFDIR, 0});
  }
  auto more = Directory(directory).list(reader, offset < kDots ? 0 : offset - kDots, size);
  if (!more) {
    return more;
  }
  std::move(more->begin(), more->end(), std::back_inserter(entries));
  return entries;
}

namespace {

std::uint64_t position_after(const Named& entry) {
  if (entry.position != 0) {
    return entry.position + kDots;
  }
  return entry.name.size();
}

}  // namespace

void StoreFilesystem::readdir(const ReaddirRequest& request, Reply<DirectoryListing> reply) {
  const View view(database_);
  const auto entries = listed(view, file_of(request.node), request.offset, request.size / kShortest + 1);
  if (!entries) {
    refuse(reply, entries);
    return;
  }
  std::vector<DirectoryEntry> listing;
  listing.reserve(entries->size());
  for (const Named& entry : *entries) {
    listing.push_back(directory_entry(entry, position_after(entry)));
  }
  reply.ok({listing});
}

void StoreFilesystem::readdirplus(const ReaddirplusRequest& request, Reply<DirectoryListingPlus> reply) {
  const View view(database_);
  const auto entries = listed(view, file_of(request.node), request.offset, request.size / kShortestPlus + 1);
  if (!entries) {
    refuse(reply, entries);
    return;
  }
  std::vector<DirectoryEntryPlus> listing;
  listing.reserve(entries->size());
  for (const Named& entry : *entries) {
    DirectoryEntryPlus plus;
    plus.name = directory_entry(entry, position_after(entry));
    if (const auto inode = get_inode(view, entry.file)) {
      plus.entry = entry_of(*inode);
    }
    listing.push_back(plus);
  }
  reply.ok({listing});
}

}  // namespace dmmap::store
