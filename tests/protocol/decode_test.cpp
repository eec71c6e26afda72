// Requests that are nothing but a header, a name, or small structs and a name.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "protocol/abi.h"
#include "protocol/opcode.h"
#include "tests/protocol/message.h"

namespace dmmap::protocol {
namespace {

template <class R>
void expect_name(std::uint32_t opcode) {
  const auto message = Message(opcode).text("dsp").done();
  const auto request = decoded<R>(message);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->name, "dsp");
  EXPECT_EQ(request->node, NodeId{7});
}

TEST(Envelope, HeaderBecomesRequest) {
  const auto message = Message(FUSE_GETATTR, 99).add(fuse_getattr_in{}).done();
  const auto envelope = open_envelope(message);
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->opcode, static_cast<std::uint32_t>(Opcode::getattr));
  EXPECT_EQ(envelope->request.id, RequestId{42});
  EXPECT_EQ(envelope->request.node, NodeId{99});
  EXPECT_EQ(envelope->request.caller.pid, 1234U);
  EXPECT_EQ(envelope->request.caller.uid, 1000U);
  EXPECT_EQ(envelope->request.caller.gid, 1001U);
  EXPECT_FALSE(envelope->request.resent);
  EXPECT_EQ(envelope->body.size(), sizeof(fuse_getattr_in));
}

TEST(Envelope, ResendBitLeavesTheId) {
  const auto message = Message(FUSE_STATFS).unique((1ULL << 63U) | 6).done();
  const auto envelope = open_envelope(message);
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->request.id, RequestId{6});
  EXPECT_TRUE(envelope->request.resent);
}

TEST(Envelope, LengthMustBeTheMessages) {
  auto message = Message(FUSE_LOOKUP).text("a").done();
  message.push_back(std::byte{0});
  const auto longer = open_envelope(message);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, EPROTO);
  EXPECT_NE(longer.error().message.find("opcode 1"), std::string::npos) << longer.error().message;
  EXPECT_FALSE(open_envelope(std::span(message).first(20)));
  EXPECT_FALSE(open_envelope({}));
}

TEST(Envelope, ExtensionsAreCutOff) {
  const auto message =
      Message(FUSE_MKDIR).add(fuse_mkdir_in{}).text("d").bytes("12345678ABCDEFGH").extensions(2).done();
  const auto envelope = open_envelope(message);
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->body.size(), sizeof(fuse_mkdir_in) + 2);
  const auto beyond = Message(FUSE_MKDIR).add(fuse_mkdir_in{}).extensions(2).done();
  ASSERT_FALSE(open_envelope(beyond));
}

TEST(Envelope, OtherByteOrderIsNamed) {
  for (const std::uint32_t opcode : {FUSE_INIT_BSWAP_RESERVED, CUSE_INIT_BSWAP_RESERVED}) {
    const auto refused = open_envelope(Message(opcode).done());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("byte order"), std::string::npos);
  }
}

TEST(Decode, Names) {
  expect_name<LookupRequest>(FUSE_LOOKUP);
  expect_name<UnlinkRequest>(FUSE_UNLINK);
  expect_name<RmdirRequest>(FUSE_RMDIR);
  expect_name<RemovexattrRequest>(FUSE_REMOVEXATTR);
}

TEST(Decode, NamesThatAreNone) {
  const auto refused = [](const Message& message) {
    const auto request = decoded<LookupRequest>(message.done());
    return !request && request.error().code == EPROTO;
  };
  EXPECT_TRUE(refused(Message(FUSE_LOOKUP)));
  EXPECT_TRUE(refused(Message(FUSE_LOOKUP).text("")));
  EXPECT_TRUE(refused(Message(FUSE_LOOKUP).bytes("no end")));
  EXPECT_TRUE(refused(Message(FUSE_LOOKUP).text("a/b")));
  EXPECT_TRUE(refused(Message(FUSE_LOOKUP).text("/")));
  EXPECT_TRUE(refused(Message(FUSE_LOOKUP).text(std::string(4096, 'x'))));
  // What Linux 6.15 and later send at most, when max_pages is agreed on.
  EXPECT_FALSE(refused(Message(FUSE_LOOKUP).text(std::string(4095, 'x'))));
  EXPECT_FALSE(refused(Message(FUSE_LOOKUP).text(".")));
  EXPECT_FALSE(refused(Message(FUSE_LOOKUP).text("..")));
}

TEST(Decode, HeaderAlone) {
  EXPECT_TRUE(decoded<ReadlinkRequest>(Message(FUSE_READLINK).done()));
  EXPECT_TRUE(decoded<StatfsRequest>(Message(FUSE_STATFS).done()));
  EXPECT_TRUE(decoded<DestroyRequest>(Message(FUSE_DESTROY).done()));
  EXPECT_TRUE(decoded<SyncfsRequest>(Message(FUSE_SYNCFS).add(fuse_syncfs_in{}).done()));
}

TEST(Decode, Forget) {
  const auto one = decoded<ForgetRequest>(Message(FUSE_FORGET, 5).add(fuse_forget_in{3}).done());
  ASSERT_TRUE(one);
  ASSERT_EQ(one->items.size(), 1U);
  EXPECT_EQ(one->items[0].node, NodeId{5});
  EXPECT_EQ(one->items[0].nlookup, 3U);

  const auto many = decoded<ForgetRequest>(Message(FUSE_BATCH_FORGET, 0)
                                               .add(fuse_batch_forget_in{2, 0})
                                               .add(fuse_forget_one{10, 1})
                                               .add(fuse_forget_one{11, 2})
                                               .done());
  ASSERT_TRUE(many);
  ASSERT_EQ(many->items.size(), 2U);
  EXPECT_EQ(many->items[1].node, NodeId{11});
  EXPECT_EQ(many->items[1].nlookup, 2U);
}

TEST(Decode, Getattr) {
  fuse_getattr_in wire{};
  wire.fh = 3;
  EXPECT_FALSE(decoded<GetattrRequest>(Message(FUSE_GETATTR).add(wire).done())->handle);
  wire.getattr_flags = FUSE_GETATTR_FH;
  EXPECT_EQ(decoded<GetattrRequest>(Message(FUSE_GETATTR).add(wire).done())->handle, HandleId{3});
}

TEST(Decode, SetattrNothing) {
  const auto nothing = decoded<SetattrRequest>(Message(FUSE_SETATTR).add(fuse_setattr_in{}).done());
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->handle || nothing->mode || nothing->uid || nothing->gid || nothing->size || nothing->atime ||
               nothing->mtime || nothing->ctime || nothing->lock_owner || nothing->atime_now || nothing->mtime_now ||
               nothing->kill_suidgid);
}

TEST(Decode, SetattrEverything) {
  const auto wire = with<fuse_setattr_in>([](fuse_setattr_in& w) {
    w.valid = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME | FATTR_FH | FATTR_ATIME_NOW |
              FATTR_MTIME_NOW | FATTR_LOCKOWNER | FATTR_CTIME | FATTR_KILL_SUIDGID;
    w.fh = 1;
    w.size = 2;
    w.lock_owner = 3;
    w.atime = static_cast<std::uint64_t>(std::int64_t{-4});
    w.mtime = 5;
    w.ctime = 6;
    w.atimensec = 7;
    w.mtimensec = 8;
    w.ctimensec = 9;
    w.mode = 0100644;
    w.uid = 11;
    w.gid = 12;
  });
  const auto request = decoded<SetattrRequest>(Message(FUSE_SETATTR).add(wire).done());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->handle, HandleId{1});
  EXPECT_EQ(request->size, 2U);
  EXPECT_EQ(request->lock_owner, 3U);
  EXPECT_EQ(request->atime->tv_sec, -4) << "before 1970";
  EXPECT_EQ(request->atime->tv_nsec, 7);
  EXPECT_EQ(request->mtime->tv_sec, 5);
  EXPECT_EQ(request->mtime->tv_nsec, 8);
  EXPECT_EQ(request->ctime->tv_sec, 6);
  EXPECT_EQ(request->ctime->tv_nsec, 9);
  EXPECT_EQ(request->mode, 0100644U);
  EXPECT_EQ(request->uid, 11U);
  EXPECT_EQ(request->gid, 12U);
  EXPECT_TRUE(request->atime_now && request->mtime_now && request->kill_suidgid);
}

TEST(Decode, MakingThings) {
  const auto link = Message(FUSE_SYMLINK).text("name").text("a/b/../c").done();
  const auto symlink = decoded<SymlinkRequest>(link);
  ASSERT_TRUE(symlink);
  EXPECT_EQ(symlink->name, "name");
  EXPECT_EQ(symlink->target, "a/b/../c");

  const auto node = Message(FUSE_MKNOD).add(fuse_mknod_in{S_IFCHR | 0600, 0x0e03, 022, 0}).text("dsp").done();
  const auto mknod = decoded<MknodRequest>(node);
  ASSERT_TRUE(mknod);
  EXPECT_EQ(mknod->name, "dsp");
  EXPECT_EQ(mknod->mode, static_cast<std::uint32_t>(S_IFCHR | 0600));
  EXPECT_EQ(mknod->rdev, 0x0e03U);
  EXPECT_EQ(mknod->umask, 022U);

  const auto folder = Message(FUSE_MKDIR).add(fuse_mkdir_in{0755, 077}).text("d").done();
  const auto mkdir = decoded<MkdirRequest>(folder);
  ASSERT_TRUE(mkdir);
  EXPECT_EQ(mkdir->name, "d");
  EXPECT_EQ(mkdir->mode, 0755U);
  EXPECT_EQ(mkdir->umask, 077U);

  const auto hard = Message(FUSE_LINK, 1).add(fuse_link_in{33}).text("new").done();
  const auto hard_link = decoded<LinkRequest>(hard);
  ASSERT_TRUE(hard_link);
  EXPECT_EQ(hard_link->target, NodeId{33});
  EXPECT_EQ(hard_link->node, NodeId{1});
  EXPECT_EQ(hard_link->name, "new");
}

// Linux 6.1 and earlier put labels after the name without counting them in the header.
TEST(Decode, LabelsBehindANameAreIgnored) {
  const auto message = Message(FUSE_MKDIR).add(fuse_mkdir_in{0755, 0}).text("d").bytes("label, not counted").done();
  EXPECT_EQ(decoded<MkdirRequest>(message, {.minor = 37, .security_ctx = true})->name, "d");
}

TEST(Decode, Rename) {
  const auto old = Message(FUSE_RENAME).add(fuse_rename_in{8}).text("a").text("b").done();
  const auto rename = decoded<RenameRequest>(old);
  ASSERT_TRUE(rename);
  EXPECT_EQ(rename->name, "a");
  EXPECT_EQ(rename->new_name, "b");
  EXPECT_EQ(rename->new_directory, NodeId{8});
  EXPECT_EQ(rename->flags, 0U);

  const auto newer = Message(FUSE_RENAME2).add(fuse_rename2_in{8, 1, 0}).text("a").text("b").done();
  const auto rename2 = decoded<RenameRequest>(newer);
  ASSERT_TRUE(rename2);
  EXPECT_EQ(rename2->name, "a");
  EXPECT_EQ(rename2->new_name, "b");
  EXPECT_EQ(rename2->flags, 1U);

  EXPECT_FALSE(decoded<RenameRequest>(Message(FUSE_RENAME).add(fuse_rename_in{8}).text("a").bytes("b").done()));
}

TEST(Decode, Create) {
  const auto message = Message(FUSE_CREATE)
                           .add(fuse_create_in{O_RDWR | O_NONBLOCK, 0100640, 027, FUSE_OPEN_KILL_SUIDGID})
                           .text("new")
                           .done();
  const auto request = decoded<CreateRequest>(message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->name, "new");
  EXPECT_EQ(request->flags, O_RDWR | O_NONBLOCK);
  EXPECT_EQ(request->mode, 0100640U);
  EXPECT_EQ(request->umask, 027U);
  EXPECT_TRUE(request->kill_suidgid);
}

// fs/namei.c gives the nameless file the name "/", which no file can have.
TEST(Decode, TmpfileHasNoName) {
  const auto request =
      decoded<TmpfileRequest>(Message(FUSE_TMPFILE).add(fuse_create_in{O_RDWR, 0600, 0, 0}).text("/").done());
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->name, "");
  EXPECT_EQ(request->mode, 0600U);
}

TEST(Decode, Init) {
  const auto old =
      Message(FUSE_INIT).add(std::uint32_t{7}).add(std::uint32_t{31}).add(std::uint32_t{4096}).add(0x80001U);
  const auto short_form = decoded<InitRequest>(old.done());
  ASSERT_TRUE(short_form);
  EXPECT_EQ(short_form->major, 7U);
  EXPECT_EQ(short_form->minor, 31U);
  EXPECT_EQ(short_form->max_readahead, 4096U);
  EXPECT_EQ(short_form->flags, 0x80001U);

  fuse_init_in wire{};
  wire.major = 7;
  wire.minor = 45;
  wire.flags2 = 0x20;
  EXPECT_EQ(decoded<InitRequest>(Message(FUSE_INIT).add(wire).done())->flags, 0U) << "flags2 counts with INIT_EXT only";
  wire.flags = FUSE_INIT_EXT;
  const auto newest = decoded<InitRequest>(Message(FUSE_INIT).add(wire).done());
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->flags, init_flag::kInitExt | init_flag::kPassthrough);

  const auto cut =
      Message(FUSE_INIT).add(std::uint32_t{7}).add(std::uint32_t{45}).add(0U).add(std::uint32_t{FUSE_INIT_EXT});
  EXPECT_FALSE(decoded<InitRequest>(cut.done()));
}

// So that a session can refuse a kernel by the name of its version.
TEST(Decode, InitOfOldKernels) {
  const auto oldest = decoded<InitRequest>(Message(FUSE_INIT).add(std::uint32_t{7}).add(std::uint32_t{5}).done());
  ASSERT_TRUE(oldest);
  EXPECT_EQ(oldest->minor, 5U);
  EXPECT_EQ(oldest->flags, 0U);
  const auto later =
      Message(FUSE_INIT).add(std::uint32_t{8}).add(std::uint32_t{0}).add(0U).add(0U).bytes("more to come");
  EXPECT_EQ(decoded<InitRequest>(later.done())->major, 8U);
}

TEST(Decode, CuseInit) {
  const auto request = decoded<CuseInitRequest>(Message(CUSE_INIT).add(cuse_init_in{7, 45, 0, 1}).done());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->major, 7U);
  EXPECT_EQ(request->minor, 45U);
  EXPECT_EQ(request->flags, 1U);
}

TEST(Errors, CarryTheSystemsText) {
  const Result<int> result = fail_errno(ENOENT, "/dev/fuse");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ENOENT);
  EXPECT_EQ(result.error().message, "/dev/fuse: No such file or directory");
}

}  // namespace
}  // namespace dmmap::protocol
