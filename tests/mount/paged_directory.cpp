#include "mount/paged_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace dmmap::testing {

PagedDirectory::PagedDirectory() {
  nodes_[1].mode = S_IFDIR | 0777;
  nodes_[1].links = 1;
}

Attributes PagedDirectory::attributes(std::uint64_t number, const Node& node) const {
  Attributes attributes;
  attributes.ino = number;
  attributes.mode = node.mode;
  attributes.nlink = node.links;
  attributes.size = node.region ? node.region->size() : 0;
  return attributes;
}

Entry PagedDirectory::entry(std::uint64_t number) {
  Node& node = nodes_[number];
  node.known = true;
  return {.node = {number}, .attributes = attributes(number, node)};
}

void PagedDirectory::lookup(const LookupRequest& request, Reply<Entry> reply) {
  const std::lock_guard lock(lock_);
  const Node& directory = nodes_[request.node.value];
  const auto found = directory.names.find(request.name);
  found == directory.names.end() ? reply.error(ENOENT) : reply.ok(entry(found->second));
}

void PagedDirectory::drop_if_unused(std::uint64_t number) {
  const auto found = nodes_.find(number);
  if (found != nodes_.end() && found->second.links == 0 && !found->second.known) {
    nodes_.erase(found);
  }
}

void PagedDirectory::forget(NodeId node) {
  const std::lock_guard lock(lock_);
  if (const auto found = nodes_.find(node.value); found != nodes_.end()) {
    found->second.known = false;
  }
  drop_if_unused(node.value);
}

void PagedDirectory::getattr(const GetattrRequest& request, Reply<AttributesReply> reply) {
  const std::lock_guard lock(lock_);
  reply.ok({attributes(request.node.value, nodes_[request.node.value])});
}

void PagedDirectory::setattr(const SetattrRequest& request, Reply<AttributesReply> reply) {
  const std::lock_guard lock(lock_);
  Node& node = nodes_[request.node.value];
  if (request.size && node.region) {
    if (*request.size > kMost) {
      reply.error(EFBIG);
      return;
    }
    node.region->set_size(*request.size);
  }
  if (request.mode) {
    node.mode = (node.mode & S_IFMT) | (*request.mode & 07777U);
  }
  reply.ok({attributes(request.node.value, node)});
}

Result<Entry> PagedDirectory::make(NodeId directory, std::string_view name, std::uint32_t mode) {
  const std::lock_guard lock(lock_);
  if (nodes_[directory.value].names.contains(name)) {
    return fail(EEXIST, "there is one");
  }
  const std::uint64_t number = next_++;
  Node node;
  node.mode = mode;
  node.links = 1;
  if (S_ISREG(mode)) {
    auto pages = MemoryPages::create(kMost);
    if (!pages) {
      return tl::unexpected(pages.error());
    }
    node.region = *PagedRegion::create({.id = {number}, .max_size = kMost, .name = std::string(name)}, *pages);
  }
  nodes_[number] = std::move(node);
  nodes_[directory.value].names.emplace(name, number);
  return entry(number);
}

void PagedDirectory::mknod(const MknodRequest& request, Reply<Entry> reply) {
  const auto made = S_ISREG(request.mode) ? make(request.node, request.name, request.mode) : fail(EPERM, "files only");
  made ? reply.ok(*made) : reply.error(made.error().code);
}

void PagedDirectory::mkdir(const MkdirRequest& request, Reply<Entry> reply) {
  const auto made = make(request.node, request.name, S_IFDIR | request.mode);
  made ? reply.ok(*made) : reply.error(made.error().code);
}

int PagedDirectory::remove(NodeId directory, std::string_view name, bool is_directory) {
  const std::lock_guard lock(lock_);
  auto& names = nodes_[directory.value].names;
  const auto found = names.find(name);
  if (found == names.end()) {
    return ENOENT;
  }
  Node& node = nodes_[found->second];
  if (S_ISDIR(node.mode) != is_directory) {
    return is_directory ? ENOTDIR : EISDIR;
  }
  if (!node.names.empty()) {
    return ENOTEMPTY;
  }
  node.links = 0;
  const std::uint64_t number = found->second;
  names.erase(found);
  drop_if_unused(number);
  return 0;
}

void PagedDirectory::unlink(const UnlinkRequest& request, Reply<Done> reply) {
  const int code = remove(request.node, request.name, false);
  code == 0 ? reply.ok({}) : reply.error(code);
}

void PagedDirectory::rmdir(const RmdirRequest& request, Reply<Done> reply) {
  const int code = remove(request.node, request.name, true);
  code == 0 ? reply.ok({}) : reply.error(code);
}

void PagedDirectory::fallocate(const FallocateRequest& request, Reply<Done> reply) {
  const std::lock_guard lock(lock_);
  const auto& region = nodes_[request.node.value].region;
  if (request.mode != 0 || !region) {
    reply.error(EOPNOTSUPP);
  } else if (request.offset + request.length > kMost) {
    reply.error(EFBIG);
  } else {
    region->set_size(std::max(region->size(), request.offset + request.length));
    reply.ok({});
  }
}

void PagedDirectory::opendir(const OpendirRequest& /*request*/, Reply<Opened> reply) {
  reply.ok({});
}
void PagedDirectory::releasedir(const ReleasedirRequest& /*request*/, Reply<Done> reply) {
  reply.ok({});
}

void PagedDirectory::readdir(const ReaddirRequest& request, Reply<DirectoryListing> reply) {
  const std::lock_guard lock(lock_);
  std::vector<DirectoryEntry> entries{{".", request.node.value, 1, DT_DIR}, {"..", 1, 2, DT_DIR}};
  for (const auto& [name, number] : nodes_[request.node.value].names) {
    entries.push_back({name, number, entries.size() + 1, nodes_[number].mode >> 12U});
  }
  reply.ok({std::span(entries).subspan(std::min<std::size_t>(request.offset, entries.size()))});
}

Result<OpenedFile> PagedDirectory::open_file(const OpenRequest& request) {
  const std::lock_guard lock(lock_);
  if ((request.flags & O_TRUNC) != 0) {
    nodes_[request.node.value].region->set_size(0);
  }
  return OpenedFile{.handle = {next_handle_++}};
}

Result<Grant> PagedDirectory::map(const MapRequest& request) {
  const std::lock_guard lock(lock_);
  return Grant{.region = nodes_[request.node.value].region};
}

}  // namespace dmmap::testing
