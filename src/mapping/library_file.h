// How files look that are the library's own, and not the server's.
//
// They're reached by names that are told to one process alone, and live as long as they're open.
#pragma once

#include <dmmap/ids.h>
#include <dmmap/replies.h>

#include <sys/stat.h>
#include <unistd.h>

namespace dmmap::mapping {

/// Whoever knows the name may open it: what keeps others out is the name. No link: the kernel then forgets the inode
/// with its last user, and doesn't keep it for the next (fs/inode.c, generic_drop_inode).
[[nodiscard]] inline Attributes library_file(NodeId node, std::uint64_t size) {
  Attributes attributes;
  attributes.ino = node.value;
  attributes.size = size;
  attributes.mode = S_IFREG | 0666;
  attributes.nlink = 0;
  attributes.uid = ::geteuid();
  attributes.gid = ::getegid();
  return attributes;
}

}  // namespace dmmap::mapping
