// Requests about open files: data, locks, ioctl, poll and the like.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>

#include "protocol/abi.h"
#include "protocol/abi_mmap.h"
#include "protocol/opcode.h"
#include "tests/protocol/message.h"

namespace dmmap::protocol {
namespace {

std::uint32_t number(Opcode opcode) {
  return static_cast<std::uint32_t>(opcode);
}

TEST(DecodeFile, Open) {
  for (const std::uint32_t opcode : {FUSE_OPEN, FUSE_OPENDIR}) {
    const auto message = Message(opcode).add(fuse_open_in{O_WRONLY | O_APPEND, FUSE_OPEN_KILL_SUIDGID}).done();
    const auto request = decoded<OpendirRequest>(message);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->flags, O_WRONLY | O_APPEND);
    EXPECT_TRUE(request->kill_suidgid);
  }
}

TEST(DecodeFile, Read) {
  const auto wire = with<fuse_read_in>([](fuse_read_in& w) {
    w.fh = 3;
    w.offset = 1ULL << 40U;
    w.size = 65536;
    w.lock_owner = 9;
    w.flags = O_NONBLOCK;
  });
  const auto fill = decoded<ReadRequest>(Message(FUSE_READ).add(wire).done());
  ASSERT_TRUE(fill);
  EXPECT_EQ(fill->handle, HandleId{3});
  EXPECT_EQ(fill->offset, 1ULL << 40U);
  EXPECT_EQ(fill->size, 65536U);
  EXPECT_EQ(fill->flags, O_NONBLOCK);
  EXPECT_FALSE(fill->lock_owner);

  auto owned = wire;
  owned.read_flags = FUSE_READ_LOCKOWNER;
  EXPECT_EQ(decoded<ReadRequest>(Message(FUSE_READ).add(owned).done())->lock_owner, 9U);
}

TEST(DecodeFile, Readdir) {
  const auto wire = with<fuse_read_in>([](fuse_read_in& w) {
    w.fh = 3;
    w.offset = 17;
    w.size = 4096;
  });
  const auto request = decoded<ReaddirplusRequest>(Message(FUSE_READDIRPLUS).add(wire).done());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{3});
  EXPECT_EQ(request->offset, 17U);
  EXPECT_EQ(request->size, 4096U);
  EXPECT_TRUE(decoded<ReaddirRequest>(Message(FUSE_READDIR).add(wire).done()));
}

TEST(DecodeFile, Write) {
  auto wire = with<fuse_write_in>([](fuse_write_in& w) {
    w.fh = 3;
    w.offset = 10;
    w.size = 5;
    w.lock_owner = 9;
    w.flags = O_RDWR;
    w.write_flags = FUSE_WRITE_LOCKOWNER | FUSE_WRITE_CACHE | FUSE_WRITE_KILL_SUIDGID;
  });
  const auto message = Message(FUSE_WRITE).add(wire).bytes("bytes").done();
  const auto request = decoded<WriteRequest>(message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{3});
  EXPECT_EQ(request->offset, 10U);
  EXPECT_EQ(as_text(request->data), "bytes");
  EXPECT_EQ(request->flags, O_RDWR);
  EXPECT_EQ(request->lock_owner, 9U);
  EXPECT_TRUE(request->from_page_cache && request->kill_suidgid);
  // The data aren't copied.
  EXPECT_EQ(request->data.data(), message.data() + message.size() - 5);

  for (const std::uint32_t size : {4U, 6U, ~0U}) {
    wire.size = size;
    const auto broken = decoded<WriteRequest>(Message(FUSE_WRITE).add(wire).bytes("bytes").done());
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, EPROTO);
    EXPECT_NE(broken.error().message.find("opcode 16"), std::string::npos) << broken.error().message;
  }
}

TEST(DecodeFile, Release) {
  const fuse_release_in wire{3, O_RDONLY, FUSE_RELEASE_FLUSH | FUSE_RELEASE_FLOCK_UNLOCK, 9};
  const auto request = decoded<ReleaseRequest>(Message(FUSE_RELEASE).add(wire).done());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{3});
  EXPECT_TRUE(request->flush && request->unlock_flock);
  EXPECT_EQ(request->lock_owner, 9U);
  EXPECT_TRUE(decoded<ReleasedirRequest>(Message(FUSE_RELEASEDIR).add(wire).done()));
}

TEST(DecodeFile, FsyncAndFlush) {
  EXPECT_TRUE(decoded<FsyncRequest>(Message(FUSE_FSYNC).add(fuse_fsync_in{3, 1, 0}).done())->data_only);
  EXPECT_FALSE(decoded<FsyncdirRequest>(Message(FUSE_FSYNCDIR).add(fuse_fsync_in{3, 0, 0}).done())->data_only);
  const auto flush = decoded<FlushRequest>(Message(FUSE_FLUSH).add(fuse_flush_in{3, 0, 0, 9}).done());
  ASSERT_TRUE(flush);
  EXPECT_EQ(flush->handle, HandleId{3});
  EXPECT_EQ(flush->lock_owner, 9U);
}

TEST(DecodeFile, SetxattrBothForms) {
  const auto short_form =
      Message(FUSE_SETXATTR).add(std::uint32_t{3}).add(std::uint32_t{1}).text("user.a/b").bytes("xyz").done();
  const auto old = decoded<SetxattrRequest>(short_form, {.minor = 31});
  ASSERT_TRUE(old) << old.error().message;
  EXPECT_EQ(old->name, "user.a/b") << "names of attributes may have '/'";
  EXPECT_EQ(as_text(old->value), "xyz");
  EXPECT_EQ(old->flags, 1U);

  const auto long_form = Message(FUSE_SETXATTR)
                             .add(fuse_setxattr_in{3, 1, FUSE_SETXATTR_ACL_KILL_SGID, 0})
                             .text("user.a")
                             .bytes("xyz")
                             .done();
  const auto newer = decoded<SetxattrRequest>(long_form, {.setxattr_ext = true});
  ASSERT_TRUE(newer);
  EXPECT_EQ(newer->name, "user.a");
  EXPECT_EQ(as_text(newer->value), "xyz");
  EXPECT_TRUE(newer->acl_kill_sgid);

  const auto empty = Message(FUSE_SETXATTR).add(fuse_setxattr_in{}).text("user.a").done();
  EXPECT_TRUE(decoded<SetxattrRequest>(empty, {.setxattr_ext = true})->value.empty());
}

TEST(DecodeFile, Xattrs) {
  const auto message = Message(FUSE_GETXATTR).add(fuse_getxattr_in{64, 0}).text("user.a").done();
  const auto get = decoded<GetxattrRequest>(message);
  ASSERT_TRUE(get);
  EXPECT_EQ(get->name, "user.a");
  EXPECT_EQ(get->size, 64U);
  EXPECT_EQ(decoded<ListxattrRequest>(Message(FUSE_LISTXATTR).add(fuse_getxattr_in{65, 0}).done())->size, 65U);
  const auto longest = Message(FUSE_REMOVEXATTR).text(std::string(256, 'x')).done();
  EXPECT_FALSE(decoded<RemovexattrRequest>(longest));
}

TEST(DecodeFile, Locks) {
  const fuse_lk_in wire{3, 9, {100, 199, F_WRLCK, 77}, FUSE_LK_FLOCK, 0};
  const auto request = decoded<SetlkwRequest>(Message(FUSE_SETLKW).add(wire).done());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{3});
  EXPECT_EQ(request->owner, 9U);
  EXPECT_EQ(request->start, 100U);
  EXPECT_EQ(request->end, 199U);
  EXPECT_EQ(request->type, static_cast<std::uint32_t>(F_WRLCK));
  EXPECT_EQ(request->pid, 77U);
  EXPECT_TRUE(request->flock);
  EXPECT_TRUE(decoded<SetlkRequest>(Message(FUSE_SETLK).add(wire).done()));
  EXPECT_TRUE(decoded<GetlkRequest>(Message(FUSE_GETLK).add(wire).done()));
}

TEST(DecodeFile, AccessAndBmap) {
  EXPECT_EQ(decoded<AccessRequest>(Message(FUSE_ACCESS).add(fuse_access_in{R_OK | W_OK, 0}).done())->mask, 6U);
  const auto bmap = decoded<BmapRequest>(Message(FUSE_BMAP).add(fuse_bmap_in{12, 512, 0}).done());
  ASSERT_TRUE(bmap);
  EXPECT_EQ(bmap->block, 12U);
  EXPECT_EQ(bmap->block_size, 512U);
}

TEST(DecodeFile, Ioctl) {
  const fuse_ioctl_in wire{3, FUSE_IOCTL_COMPAT | FUSE_IOCTL_DIR, _IOWR('P', 16, int), 0x7fff0000, 4, 8};
  const auto message = Message(FUSE_IOCTL).add(wire).bytes("four").done();
  const auto request = decoded<IoctlRequest>(message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{3});
  EXPECT_EQ(request->command, _IOWR('P', 16, int));
  EXPECT_EQ(request->argument, 0x7fff0000U);
  EXPECT_EQ(as_text(request->input), "four");
  EXPECT_EQ(request->output_size, 8U);
  EXPECT_TRUE(request->compat_32bit && request->directory);
  EXPECT_FALSE(decoded<IoctlRequest>(Message(FUSE_IOCTL).add(wire).bytes("two").done()));
}

TEST(DecodeFile, Poll) {
  const fuse_poll_in wire{3, 55, FUSE_POLL_SCHEDULE_NOTIFY, POLLIN | POLLOUT};
  const auto request = decoded<PollRequest>(Message(FUSE_POLL).add(wire).done());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{3});
  EXPECT_EQ(request->poll_handle, PollHandle{55});
  EXPECT_EQ(request->events, static_cast<std::uint32_t>(POLLIN | POLLOUT));
  EXPECT_TRUE(request->schedule_notify);
}

TEST(DecodeFile, MmapAndItsEnd) {
  const auto opcode = [](Opcode code) { return static_cast<std::uint32_t>(code); };
  const MmapIn wire{3, 8192, 4096, PROT_READ, PROT_READ | PROT_WRITE, MAP_SHARED, 0};
  const auto mmap = decoded<MmapRequest>(Message(opcode(Opcode::mmap)).add(wire).done());
  ASSERT_TRUE(mmap);
  EXPECT_EQ(mmap->handle, HandleId{3});
  EXPECT_EQ(mmap->offset, 8192U);
  EXPECT_EQ(mmap->length, 4096U);
  EXPECT_EQ(mmap->prot, PROT_READ);
  EXPECT_EQ(mmap->max_prot, PROT_READ | PROT_WRITE);
  EXPECT_TRUE(mmap->shared);
  MmapIn own = wire;
  own.map_flags = MAP_PRIVATE;
  EXPECT_FALSE(decoded<MmapRequest>(Message(opcode(Opcode::mmap)).add(own).done())->shared);
  const auto munmap = decoded<MunmapRequest>(Message(opcode(Opcode::munmap)).add(MunmapIn{3, 77}).done());
  ASSERT_TRUE(munmap);
  EXPECT_EQ(munmap->handle, HandleId{3});
  EXPECT_EQ(munmap->map, 77U);
}

TEST(DecodeFile, SpaceAndPlace) {
  const auto fallocate =
      decoded<FallocateRequest>(Message(FUSE_FALLOCATE).add(fuse_fallocate_in{3, 10, 20, 1, 0}).done());
  ASSERT_TRUE(fallocate);
  EXPECT_EQ(fallocate->handle, HandleId{3});
  EXPECT_EQ(fallocate->offset, 10U);
  EXPECT_EQ(fallocate->length, 20U);
  EXPECT_EQ(fallocate->mode, 1U);
  const auto lseek = decoded<LseekRequest>(Message(FUSE_LSEEK).add(fuse_lseek_in{3, 10, SEEK_HOLE, 0}).done());
  ASSERT_TRUE(lseek);
  EXPECT_EQ(lseek->offset, 10U);
  EXPECT_EQ(lseek->whence, static_cast<std::uint32_t>(SEEK_HOLE));
}

TEST(DecodeFile, CopyFileRange) {
  for (const std::uint32_t opcode : {number(Opcode::copy_file_range), number(Opcode::copy_file_range_64)}) {
    const auto message = Message(opcode).add(fuse_copy_file_range_in{1, 2, 3, 4, 5, 6ULL << 32U, 0}).done();
    const auto request = decoded<CopyFileRangeRequest>(message);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->handle, HandleId{1});
    EXPECT_EQ(request->offset, 2U);
    EXPECT_EQ(request->node_out, NodeId{3});
    EXPECT_EQ(request->handle_out, HandleId{4});
    EXPECT_EQ(request->offset_out, 5U);
    EXPECT_EQ(request->length, 6ULL << 32U);
  }
}

TEST(DecodeFile, DaxWindows) {
  const auto setup =
      decoded<SetupmappingRequest>(Message(FUSE_SETUPMAPPING).add(fuse_setupmapping_in{1, 2, 3, 4, 5}).done());
  ASSERT_TRUE(setup);
  EXPECT_EQ(setup->handle, HandleId{1});
  EXPECT_EQ(setup->file_offset, 2U);
  EXPECT_EQ(setup->length, 3U);
  EXPECT_EQ(setup->flags, 4U);
  EXPECT_EQ(setup->window_offset, 5U);

  const auto message = Message(FUSE_REMOVEMAPPING)
                           .add(fuse_removemapping_in{2})
                           .add(fuse_removemapping_one{1, 2})
                           .add(fuse_removemapping_one{3, 4})
                           .done();
  const auto remove = decoded<RemovemappingRequest>(message);
  ASSERT_TRUE(remove);
  ASSERT_EQ(remove->items.size(), 2U);
  EXPECT_EQ(remove->items[1].window_offset, 3U);
  EXPECT_EQ(remove->items[1].length, 4U);
}

// 7.39: younger than the system's header, so built by hand.
TEST(DecodeFile, Statx) {
  const auto message = Message(number(Opcode::statx))
                           .add(std::uint32_t{FUSE_GETATTR_FH})
                           .add(std::uint32_t{0})
                           .add(std::uint64_t{3})
                           .add(std::uint32_t{0x2000})
                           .add(std::uint32_t{0xfff})
                           .done();
  const auto request = decoded<StatxRequest>(message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{3});
  EXPECT_EQ(request->flags, 0x2000U);
  EXPECT_EQ(request->mask, 0xfffU);
}

TEST(DecodeFile, Interrupt) {
  const auto message = Message(FUSE_INTERRUPT, 0).add(fuse_interrupt_in{(1ULL << 63U) | 40}).done();
  EXPECT_EQ(decoded<InterruptRequest>(message)->interrupted, RequestId{40}) << "without the resend bit";
}

TEST(DecodeFile, NotifyReply) {
  const auto wire = with<fuse_notify_retrieve_in>([](fuse_notify_retrieve_in& w) {
    w.offset = 4096;
    w.size = 4;
  });
  const auto message = Message(FUSE_NOTIFY_REPLY).add(wire).bytes("page").done();
  const auto request = decoded<NotifyReplyRequest>(message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->offset, 4096U);
  EXPECT_EQ(as_text(request->data), "page");
}

}  // namespace
}  // namespace dmmap::protocol
