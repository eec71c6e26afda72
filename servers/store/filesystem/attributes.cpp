#include "servers/store/filesystem/attributes.h"

#include <dirent.h>
#include <sys/stat.h>

#include <chrono>

namespace dmmap::store {

namespace {

constexpr std::chrono::hours kForGood{24};

// The kernel doesn't see the blocks of a file become more when it brings dirty pages, except at close(2)
// (fs/fuse/file.c, fuse_flush), and nothing else of a file changes behind its back.
constexpr std::chrono::seconds kForBlocks{1};

std::chrono::nanoseconds valid(const Inode& inode) {
  return S_ISREG(inode.mode) ? std::chrono::nanoseconds(kForBlocks) : std::chrono::nanoseconds(kForGood);
}

}  // namespace

Attributes attributes_of(const Inode& inode) {
  constexpr std::uint64_t kBlock = 512;  // stat(2)
  Attributes attributes;
  attributes.ino = inode.file.value;
  attributes.size = inode.size;
  attributes.blocks = inode.pages * (kStorePage / kBlock);
  attributes.atime = inode.accessed;
  attributes.mtime = inode.modified;
  attributes.ctime = inode.changed;
  attributes.mode = inode.mode;
  attributes.nlink = static_cast<std::uint32_t>(inode.links);
  attributes.uid = inode.uid;
  attributes.gid = inode.gid;
  attributes.rdev = static_cast<std::uint32_t>(inode.rdev);
  attributes.blksize = kStorePage;
  return attributes;
}

AttributesReply attributes_reply(const Inode& inode) {
  return {attributes_of(inode), valid(inode)};
}

Entry entry_of(const Inode& inode) {
  Entry entry;
  entry.node = NodeId{inode.file.value};
  entry.attributes = attributes_of(inode);
  entry.entry_valid = kForGood;
  entry.attributes_valid = valid(inode);
  return entry;
}

DirectoryEntry directory_entry(const Named& named, std::uint64_t next) {
  return {named.name, named.file.value, next, IFTODT(named.type)};
}

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

}  // namespace dmmap::store
