// What a request asks for.
//
// Promises: the numbers of the wire, 7.31 to 7.45. Source: include/uapi/linux/fuse.h of Linux 6.18, and of
// kernel/patches where it says so.
#pragma once

#include <cstdint>

namespace dmmap::protocol {

enum class Opcode : std::uint32_t {
  lookup = 1,
  forget = 2,
  getattr = 3,
  setattr = 4,
  readlink = 5,
  symlink = 6,
  mknod = 8,
  mkdir = 9,
  unlink = 10,
  rmdir = 11,
  rename = 12,
  link = 13,
  open = 14,
  read = 15,
  write = 16,
  statfs = 17,
  release = 18,
  fsync = 20,
  setxattr = 21,
  getxattr = 22,
  listxattr = 23,
  removexattr = 24,
  flush = 25,
  init = 26,
  opendir = 27,
  readdir = 28,
  releasedir = 29,
  fsyncdir = 30,
  getlk = 31,
  setlk = 32,
  setlkw = 33,
  access = 34,
  create = 35,
  interrupt = 36,
  bmap = 37,
  destroy = 38,
  ioctl = 39,
  poll = 40,
  notify_reply = 41,
  batch_forget = 42,
  fallocate = 43,
  readdirplus = 44,
  rename2 = 45,
  lseek = 46,
  copy_file_range = 47,
  setupmapping = 48,
  removemapping = 49,
  syncfs = 50,              // 7.34
  tmpfile = 51,             // 7.37
  statx = 52,               // 7.39
  copy_file_range_64 = 53,  // 7.45
  mmap = 1024,              // kernel/patches
  munmap = 1025,            // kernel/patches
  page = 1026,              // kernel/patches
  cuse_init = 4096,
  // Never sent: how INIT looks when the kernel's byte order isn't ours.
  cuse_init_swapped = 0x00100000,
  init_swapped = 0x1a000000,
};

}  // namespace dmmap::protocol
