// Replies, field by field against the system's own structs.
#include "protocol/encode.h"

#include <dmmap/connection.h>

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "protocol/abi_mmap.h"
#include "protocol/opcode.h"
#include "tests/protocol/message.h"

namespace dmmap::protocol {
namespace {

using namespace std::chrono_literals;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// The reply's fixed part, which must be as long as a Wire.
template <class Wire, class T>
Wire encoded(const T& value, const ReplyLimits& limits = {}) {
  WireReply out;
  const auto result = encode(value, limits, out);
  EXPECT_TRUE(result) << result.error().message;
  EXPECT_EQ(out.fixed().size(), sizeof(Wire));
  EXPECT_TRUE(out.tail.empty());
  Wire wire{};
  std::memcpy(&wire, out.fixed().data(), std::min(sizeof wire, out.fixed().size()));
  return wire;
}

template <class T>
int refusal(const T& value, const ReplyLimits& limits) {
  WireReply out;
  const auto result = encode(value, limits, out);
  return result ? 0 : result.error().code;
}

ReplyLimits limits(Opcode opcode, std::uint32_t size) {
  return {.opcode = static_cast<std::uint32_t>(opcode), .size = size};
}

Attributes attributes() {
  Attributes a;
  a.ino = 1;
  a.size = 2;
  a.blocks = 3;
  a.atime = {-4, 5};
  a.mtime = {6, 7};
  a.ctime = {8, 9};
  a.mode = S_IFREG | 0640;
  a.nlink = 11;
  a.uid = 12;
  a.gid = 13;
  a.rdev = 14;
  a.blksize = 512;
  return a;
}

void expect_attributes(const fuse_attr& wire) {
  EXPECT_EQ(wire.ino, 1U);
  EXPECT_EQ(wire.size, 2U);
  EXPECT_EQ(wire.blocks, 3U);
  EXPECT_EQ(static_cast<std::int64_t>(wire.atime), -4);
  EXPECT_EQ(wire.atimensec, 5U);
  EXPECT_EQ(wire.mtime, 6U);
  EXPECT_EQ(wire.mtimensec, 7U);
  EXPECT_EQ(wire.ctime, 8U);
  EXPECT_EQ(wire.ctimensec, 9U);
  EXPECT_EQ(wire.mode, static_cast<std::uint32_t>(S_IFREG | 0640));
  EXPECT_EQ(wire.nlink, 11U);
  EXPECT_EQ(wire.uid, 12U);
  EXPECT_EQ(wire.gid, 13U);
  EXPECT_EQ(wire.rdev, 14U);
  EXPECT_EQ(wire.blksize, 512U);
  EXPECT_EQ(wire.flags, 0U);
}

Entry entry() {
  Entry e;
  e.node = {77};
  e.generation = 3;
  e.attributes = attributes();
  e.entry_valid = 1500ms;
  e.attributes_valid = 2s;
  return e;
}

void expect_entry(const fuse_entry_out& wire) {
  EXPECT_EQ(wire.nodeid, 77U);
  EXPECT_EQ(wire.generation, 3U);
  EXPECT_EQ(wire.entry_valid, 1U);
  EXPECT_EQ(wire.entry_valid_nsec, 500'000'000U);
  EXPECT_EQ(wire.attr_valid, 2U);
  EXPECT_EQ(wire.attr_valid_nsec, 0U);
  expect_attributes(wire.attr);
}

TEST(Encode, Entry) {
  expect_entry(encoded<fuse_entry_out>(entry()));
}

TEST(Encode, NegativeTimesAreNone) {
  Entry e = entry();
  e.entry_valid = -1s;
  const auto wire = encoded<fuse_entry_out>(e);
  EXPECT_EQ(wire.entry_valid, 0U);
  EXPECT_EQ(wire.entry_valid_nsec, 0U);
}

TEST(Encode, Attributes) {
  const auto wire = encoded<fuse_attr_out>(AttributesReply{attributes(), 1500ms});
  EXPECT_EQ(wire.attr_valid, 1U);
  EXPECT_EQ(wire.attr_valid_nsec, 500'000'000U);
  expect_attributes(wire.attr);
}

TEST(Encode, OpenedFlagByFlag) {
  const auto flags = [](bool Opened::*member) {
    Opened opened;
    opened.*member = true;
    return encoded<fuse_open_out>(opened).open_flags;
  };
  EXPECT_EQ(flags(&Opened::direct_io), static_cast<std::uint32_t>(FOPEN_DIRECT_IO));
  EXPECT_EQ(flags(&Opened::keep_cache), static_cast<std::uint32_t>(FOPEN_KEEP_CACHE));
  EXPECT_EQ(flags(&Opened::nonseekable), static_cast<std::uint32_t>(FOPEN_NONSEEKABLE));
  EXPECT_EQ(flags(&Opened::cache_directory), static_cast<std::uint32_t>(FOPEN_CACHE_DIR));
  EXPECT_EQ(flags(&Opened::stream), static_cast<std::uint32_t>(FOPEN_STREAM));
  EXPECT_EQ(flags(&Opened::no_flush), static_cast<std::uint32_t>(FOPEN_NOFLUSH));
  EXPECT_EQ(flags(&Opened::parallel_direct_writes), static_cast<std::uint32_t>(FOPEN_PARALLEL_DIRECT_WRITES));
  EXPECT_EQ(flags(&Opened::ask_mmap), kOpenMmap);
  Opened opened;
  opened.handle = {3};
  EXPECT_EQ(encoded<fuse_open_out>(opened).fh, 3U);
}

// linux/fuse.h doesn't have these: kernel/patches does, and tests/kernel sees that both say the same.
TEST(Encode, Mmapped) {
  Mmapped mapped;
  mapped.map = 7;
  mapped.offset = 8192;
  mapped.node = {5};
  mapped.handle = {9};
  auto wire = encoded<MmapOut>(mapped);
  EXPECT_EQ(wire.mapid, 7U);
  EXPECT_EQ(wire.offset, 8192U);
  EXPECT_EQ(wire.nodeid, 5U);
  EXPECT_EQ(wire.fh, 9U);
  EXPECT_EQ(wire.backing_id, 0);
  EXPECT_EQ(wire.grant_flags, 0U);
  mapped.backing = std::make_shared<BackingId>(3, [](std::int32_t) {});
  mapped.inherit = false;
  mapped.read_only = true;
  wire = encoded<MmapOut>(mapped);
  EXPECT_EQ(wire.nodeid, 0U) << "one or the other";
  EXPECT_EQ(wire.fh, 0U);
  EXPECT_EQ(wire.backing_id, 3);
  EXPECT_EQ(wire.grant_flags, kMmapDontCopy | kMmapReadOnly);
  mapped.inherit = true;
  mapped.may_grow = false;
  mapped.read_only = false;
  EXPECT_EQ(encoded<MmapOut>(mapped).grant_flags, kMmapDontExpand);
}

TEST(Encode, OpenedWithBacking) {
  struct Wire {
    std::uint64_t handle;
    std::uint32_t flags;
    std::int32_t backing;
  };
  Opened opened;
  opened.backing = std::make_shared<BackingId>(5, [](std::int32_t) {});
  const auto wire = encoded<Wire>(opened);
  EXPECT_EQ(wire.flags, 1U << 7U);
  EXPECT_EQ(wire.backing, 5);
}

TEST(Encode, Created) {
  struct Wire {
    fuse_entry_out entry;
    fuse_open_out opened;
  };
  Created created;
  created.entry = entry();
  created.opened.handle = {3};
  const auto wire = encoded<Wire>(created);
  expect_entry(wire.entry);
  EXPECT_EQ(wire.opened.fh, 3U);
}

TEST(Encode, DataAreNotCopied) {
  const std::string text = "some bytes";
  WireReply out;
  ASSERT_TRUE(encode(Data{bytes_of(text)}, limits(Opcode::read, 10), out));
  EXPECT_TRUE(out.fixed().empty());
  EXPECT_EQ(out.tail.data(), bytes_of(text).data());
  EXPECT_EQ(out.size(), text.size());
  EXPECT_EQ(refusal(Data{bytes_of(text)}, limits(Opcode::read, 9)), EIO);
}

TEST(Encode, LinksAreAtMostAPage) {
  EXPECT_EQ(refusal(Data{bytes_of("target")}, limits(Opcode::readlink, 0)), 0);
  EXPECT_EQ(refusal(Data{bytes_of(std::string(4095, 'x'))}, limits(Opcode::readlink, 0)), 0);
  EXPECT_EQ(refusal(Data{bytes_of(std::string(4096, 'x'))}, limits(Opcode::readlink, 0)), EIO);
}

TEST(Encode, Xattr) {
  const Xattr value{bytes_of("value")};
  EXPECT_EQ(encoded<fuse_getxattr_out>(value, limits(Opcode::getxattr, 0)).size, 5U);
  WireReply out;
  ASSERT_TRUE(encode(value, limits(Opcode::getxattr, 5), out));
  EXPECT_EQ(as_text(out.tail), "value");
  EXPECT_EQ(refusal(value, limits(Opcode::getxattr, 4)), ERANGE);
}

TEST(Encode, Written) {
  EXPECT_EQ(encoded<fuse_write_out>(Written{5}, limits(Opcode::write, 5)).size, 5U);
  EXPECT_EQ(refusal(Written{6}, limits(Opcode::write, 5)), EIO);
}

TEST(Encode, FilesystemStatus) {
  const auto wire = encoded<fuse_statfs_out>(FilesystemStatus{1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(wire.st.blocks, 1U);
  EXPECT_EQ(wire.st.bfree, 2U);
  EXPECT_EQ(wire.st.bavail, 3U);
  EXPECT_EQ(wire.st.files, 4U);
  EXPECT_EQ(wire.st.ffree, 5U);
  EXPECT_EQ(wire.st.bsize, 6U);
  EXPECT_EQ(wire.st.namelen, 7U);
  EXPECT_EQ(wire.st.frsize, 8U);
}

// The attributes are bit for bit those of statx(2); 32 bytes stand before them.
TEST(Encode, Statx) {
  struct Wire {
    std::uint64_t valid;
    std::uint32_t valid_nsec;
    std::uint32_t flags;
    std::array<std::uint64_t, 2> spare;
    struct statx stat;
  };
  StatxReply reply;
  reply.attributes = attributes();
  // As the kernel packs 300:70000: 12 bits of major between the low 8 and the high 12 of the minor.
  reply.attributes.rdev = (70000U & 0xffU) | (300U << 8U) | ((70000U & ~0xffU) << 12U);
  reply.birth = {20, 21};
  reply.mask = STATX_BASIC_STATS | STATX_BTIME;
  reply.attribute_flags = STATX_ATTR_IMMUTABLE;
  reply.attribute_flags_mask = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
  reply.valid = 1500ms;
  const auto wire = encoded<Wire>(reply);
  EXPECT_EQ(wire.valid, 1U);
  EXPECT_EQ(wire.valid_nsec, 500'000'000U);
  EXPECT_EQ(wire.stat.stx_mask, STATX_BASIC_STATS | STATX_BTIME);
  EXPECT_EQ(wire.stat.stx_blksize, 512U);
  EXPECT_EQ(wire.stat.stx_attributes, static_cast<std::uint64_t>(STATX_ATTR_IMMUTABLE));
  EXPECT_EQ(wire.stat.stx_attributes_mask, static_cast<std::uint64_t>(STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND));
  EXPECT_EQ(wire.stat.stx_nlink, 11U);
  EXPECT_EQ(wire.stat.stx_uid, 12U);
  EXPECT_EQ(wire.stat.stx_gid, 13U);
  EXPECT_EQ(wire.stat.stx_mode, S_IFREG | 0640);
  EXPECT_EQ(wire.stat.stx_ino, 1U);
  EXPECT_EQ(wire.stat.stx_size, 2U);
  EXPECT_EQ(wire.stat.stx_blocks, 3U);
  EXPECT_EQ(wire.stat.stx_atime.tv_sec, -4);
  EXPECT_EQ(wire.stat.stx_atime.tv_nsec, 5U);
  EXPECT_EQ(wire.stat.stx_btime.tv_sec, 20);
  EXPECT_EQ(wire.stat.stx_btime.tv_nsec, 21U);
  EXPECT_EQ(wire.stat.stx_ctime.tv_sec, 8);
  EXPECT_EQ(wire.stat.stx_mtime.tv_sec, 6);
  EXPECT_EQ(wire.stat.stx_rdev_major, 300U);
  EXPECT_EQ(wire.stat.stx_rdev_minor, 70000U);
}

TEST(Encode, SmallAnswers) {
  const auto lock = encoded<fuse_lk_out>(LockState{1, 2, 3, 4});
  EXPECT_EQ(lock.lk.start, 1U);
  EXPECT_EQ(lock.lk.end, 2U);
  EXPECT_EQ(lock.lk.type, 3U);
  EXPECT_EQ(lock.lk.pid, 4U);
  EXPECT_EQ(encoded<fuse_bmap_out>(Block{9}).block, 9U);
  EXPECT_EQ(encoded<fuse_poll_out>(PollReady{POLLIN}).revents, static_cast<std::uint32_t>(POLLIN));
  EXPECT_EQ(encoded<fuse_lseek_out>(Seeked{1ULL << 40U}).offset, 1ULL << 40U);
  WireReply nothing;
  ASSERT_TRUE(encode(Done{}, {}, nothing));
  EXPECT_EQ(nothing.size(), 0U);
}

TEST(Encode, Ioctl) {
  WireReply out;
  ASSERT_TRUE(encode(IoctlDone{-3, bytes_of("out")}, limits(Opcode::ioctl, 3), out));
  fuse_ioctl_out wire{};
  ASSERT_EQ(out.fixed().size(), sizeof wire);
  std::memcpy(&wire, out.fixed().data(), sizeof wire);
  EXPECT_EQ(wire.result, -3);
  EXPECT_EQ(wire.flags, 0U);
  EXPECT_EQ(wire.in_iovs, 0U);
  EXPECT_EQ(wire.out_iovs, 0U);
  EXPECT_EQ(as_text(out.tail), "out");
  EXPECT_EQ(refusal(IoctlDone{0, bytes_of("out")}, limits(Opcode::ioctl, 2)), EIO);
}

TEST(Encode, CopiedInBothWidths) {
  EXPECT_EQ(encoded<fuse_write_out>(Copied{5}, limits(Opcode::copy_file_range, 0)).size, 5U);
  EXPECT_EQ(encoded<std::uint64_t>(Copied{5ULL << 32U}, limits(Opcode::copy_file_range_64, 0)), 5ULL << 32U);
  EXPECT_EQ(refusal(Copied{5ULL << 32U}, limits(Opcode::copy_file_range, 0)), EIO);
}

TEST(Encode, Init) {
  WireReply out;
  encode_init({.minor = 45,
               .max_readahead = 1,
               .flags = (2ULL << 32U) | FUSE_INIT_EXT,
               .max_background = 3,
               .congestion_threshold = 4,
               .max_write = 5,
               .time_gran = 6,
               .max_pages = 7,
               .max_stack_depth = 8,
               .request_timeout = 9},
              out);
  fuse_init_out wire{};
  ASSERT_EQ(out.fixed().size(), sizeof wire);
  std::memcpy(&wire, out.fixed().data(), sizeof wire);
  EXPECT_EQ(wire.major, 7U);
  EXPECT_EQ(wire.minor, 45U);
  EXPECT_EQ(wire.max_readahead, 1U);
  EXPECT_EQ(wire.flags, static_cast<std::uint32_t>(FUSE_INIT_EXT));
  EXPECT_EQ(wire.flags2, 2U);
  EXPECT_EQ(wire.max_background, 3U);
  EXPECT_EQ(wire.congestion_threshold, 4U);
  EXPECT_EQ(wire.max_write, 5U);
  EXPECT_EQ(wire.time_gran, 6U);
  EXPECT_EQ(wire.max_pages, 7U);
  EXPECT_EQ(wire.map_alignment, 0U);
  EXPECT_EQ(wire.unused[0], 8U) << "max_stack_depth follows flags2 since 7.40";
  EXPECT_EQ(wire.unused[1], 9U) << "request_timeout follows since 7.43";
}

}  // namespace
}  // namespace dmmap::protocol
