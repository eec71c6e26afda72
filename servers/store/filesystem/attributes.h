// How a store's inodes look to the kernel.
#pragma once

#include <dmmap/replies.h>

#include <ctime>

#include "servers/store/tree/directory.h"
#include "servers/store/tree/inode.h"

namespace dmmap::store {

[[nodiscard]] Attributes attributes_of(const Inode& inode);
/// All that changes the store goes through the kernel, so what it was told stays true for as long as this says.
[[nodiscard]] AttributesReply attributes_reply(const Inode& inode);
[[nodiscard]] Entry entry_of(const Inode& inode);
/// As readdir(3) has it; `next` is where a listing goes on.
[[nodiscard]] DirectoryEntry directory_entry(const Named& named, std::uint64_t next);

/// Now, to the nanosecond.
[[nodiscard]] timespec now();

}  // namespace dmmap::store
