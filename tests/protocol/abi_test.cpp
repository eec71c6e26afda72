// Our definitions against the system's <linux/fuse.h>, as far as that goes (7.38 in Debian 12).
#include "protocol/abi.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>

#include <type_traits>

#include "protocol/abi_extensions.h"
#include "protocol/abi_uring.h"
#include "protocol/opcode.h"

namespace dmmap::protocol {
namespace {

/// A struct of ours, without implicit padding, has the kernel's size. The fields are compared by the other tests.
template <class Ours, class Kernels>
constexpr bool kSame = sizeof(Ours) == sizeof(Kernels) && std::has_unique_object_representations_v<Ours>;

static_assert(kSame<InHeader, fuse_in_header>);
static_assert(kSame<OutHeader, fuse_out_header>);
static_assert(kSame<ForgetIn, fuse_forget_in>);
static_assert(kSame<BatchForgetIn, fuse_batch_forget_in>);
static_assert(kSame<ForgetOne, fuse_forget_one>);
static_assert(kSame<GetattrIn, fuse_getattr_in>);
static_assert(kSame<MknodIn, fuse_mknod_in>);
static_assert(kSame<MkdirIn, fuse_mkdir_in>);
static_assert(kSame<RenameIn, fuse_rename_in>);
static_assert(kSame<Rename2In, fuse_rename2_in>);
static_assert(kSame<LinkIn, fuse_link_in>);
static_assert(kSame<SetattrIn, fuse_setattr_in>);
static_assert(kSame<OpenIn, fuse_open_in>);
static_assert(kSame<CreateIn, fuse_create_in>);
static_assert(kSame<ReleaseIn, fuse_release_in>);
static_assert(kSame<FlushIn, fuse_flush_in>);
static_assert(kSame<ReadIn, fuse_read_in>);
static_assert(kSame<WriteIn, fuse_write_in>);
static_assert(kSame<FsyncIn, fuse_fsync_in>);
static_assert(kSame<SetxattrIn, fuse_setxattr_in>);
static_assert(kSame<GetxattrIn, fuse_getxattr_in>);
static_assert(kSame<LkIn, fuse_lk_in>);
static_assert(kSame<AccessIn, fuse_access_in>);
static_assert(kSame<InitIn, fuse_init_in>);
static_assert(kSame<CuseInitIn, cuse_init_in>);
static_assert(kSame<InterruptIn, fuse_interrupt_in>);
static_assert(kSame<BmapIn, fuse_bmap_in>);
static_assert(kSame<IoctlIn, fuse_ioctl_in>);
static_assert(kSame<PollIn, fuse_poll_in>);
static_assert(kSame<FallocateIn, fuse_fallocate_in>);
static_assert(kSame<LseekIn, fuse_lseek_in>);
static_assert(kSame<CopyFileRangeIn, fuse_copy_file_range_in>);
static_assert(kSame<SetupmappingIn, fuse_setupmapping_in>);
static_assert(kSame<RemovemappingIn, fuse_removemapping_in>);
static_assert(kSame<RemovemappingOne, fuse_removemapping_one>);
static_assert(kSame<SyncfsIn, fuse_syncfs_in>);
static_assert(kSame<RetrieveIn, fuse_notify_retrieve_in>);
static_assert(kSame<Attr, fuse_attr>);
static_assert(kSame<EntryOut, fuse_entry_out>);
static_assert(kSame<AttrOut, fuse_attr_out>);
static_assert(kSame<OpenOut, fuse_open_out>);
static_assert(kSame<WriteOut, fuse_write_out>);
static_assert(kSame<StatfsOut, fuse_statfs_out>);
static_assert(kSame<GetxattrOut, fuse_getxattr_out>);
static_assert(kSame<LkOut, fuse_lk_out>);
static_assert(kSame<InitOut, fuse_init_out>);
static_assert(kSame<CuseInitOut, cuse_init_out>);
static_assert(kSame<BmapOut, fuse_bmap_out>);
static_assert(kSame<IoctlOut, fuse_ioctl_out>);
static_assert(kSame<IoctlIovec, fuse_ioctl_iovec>);
static_assert(kSame<PollOut, fuse_poll_out>);
static_assert(kSame<LseekOut, fuse_lseek_out>);
static_assert(kSame<PollNotice, fuse_notify_poll_wakeup_out>);
static_assert(kSame<InvalInodeNotice, fuse_notify_inval_inode_out>);
static_assert(kSame<InvalEntryNotice, fuse_notify_inval_entry_out>);
static_assert(kSame<DeleteNotice, fuse_notify_delete_out>);
static_assert(kSame<StoreNotice, fuse_notify_store_out>);
static_assert(kSame<RetrieveNotice, fuse_notify_retrieve_out>);
static_assert(kSame<ExtensionHeader, fuse_secctx_header>);
static_assert(kSame<SecurityContext, fuse_secctx>);

// Shifted into the sign, the kernel's macros are ints: only the low 32 bits are theirs.
constexpr bool same_flag(std::uint64_t ours, long long kernels) {
  return ours == (kernels < 0 ? static_cast<std::uint32_t>(kernels) : static_cast<std::uint64_t>(kernels));
}

static_assert(same_flag(init_flag::kAsyncRead, FUSE_ASYNC_READ));
static_assert(same_flag(init_flag::kPosixLocks, FUSE_POSIX_LOCKS));
static_assert(same_flag(init_flag::kFileOps, FUSE_FILE_OPS));
static_assert(same_flag(init_flag::kAtomicOTrunc, FUSE_ATOMIC_O_TRUNC));
static_assert(same_flag(init_flag::kExportSupport, FUSE_EXPORT_SUPPORT));
static_assert(same_flag(init_flag::kBigWrites, FUSE_BIG_WRITES));
static_assert(same_flag(init_flag::kDontMask, FUSE_DONT_MASK));
static_assert(same_flag(init_flag::kSpliceWrite, FUSE_SPLICE_WRITE));
static_assert(same_flag(init_flag::kSpliceMove, FUSE_SPLICE_MOVE));
static_assert(same_flag(init_flag::kSpliceRead, FUSE_SPLICE_READ));
static_assert(same_flag(init_flag::kFlockLocks, FUSE_FLOCK_LOCKS));
static_assert(same_flag(init_flag::kHasIoctlDir, FUSE_HAS_IOCTL_DIR));
static_assert(same_flag(init_flag::kAutoInvalData, FUSE_AUTO_INVAL_DATA));
static_assert(same_flag(init_flag::kDoReaddirplus, FUSE_DO_READDIRPLUS));
static_assert(same_flag(init_flag::kReaddirplusAuto, FUSE_READDIRPLUS_AUTO));
static_assert(same_flag(init_flag::kAsyncDio, FUSE_ASYNC_DIO));
static_assert(same_flag(init_flag::kWritebackCache, FUSE_WRITEBACK_CACHE));
static_assert(same_flag(init_flag::kNoOpenSupport, FUSE_NO_OPEN_SUPPORT));
static_assert(same_flag(init_flag::kParallelDirops, FUSE_PARALLEL_DIROPS));
static_assert(same_flag(init_flag::kHandleKillpriv, FUSE_HANDLE_KILLPRIV));
static_assert(same_flag(init_flag::kPosixAcl, FUSE_POSIX_ACL));
static_assert(same_flag(init_flag::kAbortError, FUSE_ABORT_ERROR));
static_assert(same_flag(init_flag::kMaxPages, FUSE_MAX_PAGES));
static_assert(same_flag(init_flag::kCacheSymlinks, FUSE_CACHE_SYMLINKS));
static_assert(same_flag(init_flag::kNoOpendirSupport, FUSE_NO_OPENDIR_SUPPORT));
static_assert(same_flag(init_flag::kExplicitInvalData, FUSE_EXPLICIT_INVAL_DATA));
static_assert(same_flag(init_flag::kMapAlignment, FUSE_MAP_ALIGNMENT));
static_assert(same_flag(init_flag::kSubmounts, FUSE_SUBMOUNTS));
static_assert(same_flag(init_flag::kHandleKillprivV2, FUSE_HANDLE_KILLPRIV_V2));
static_assert(same_flag(init_flag::kSetxattrExt, FUSE_SETXATTR_EXT));
static_assert(same_flag(init_flag::kInitExt, FUSE_INIT_EXT));
static_assert(same_flag(init_flag::kSecurityCtx, FUSE_SECURITY_CTX));
static_assert(same_flag(init_flag::kHasInodeDax, FUSE_HAS_INODE_DAX));

// Younger than that header.
static_assert(init_flag::kCreateSuppGroup == 1ULL << 34U && init_flag::kHasExpireOnly == 1ULL << 35U);
static_assert(init_flag::kDirectIoAllowMmap == 1ULL << 36U && init_flag::kPassthrough == 1ULL << 37U);
static_assert(init_flag::kHasResend == 1ULL << 39U && init_flag::kOverIoUring == 1ULL << 41U);
static_assert(std::has_unique_object_representations_v<StatxIn> && std::has_unique_object_representations_v<StatxOut>);
static_assert(std::has_unique_object_representations_v<UringHeaders> &&
              std::has_unique_object_representations_v<UringCommandRequest>);

TEST(Abi, DeviceIoctls) {
  EXPECT_EQ(kDevIocClone, FUSE_DEV_IOC_CLONE);
  EXPECT_EQ(kDevIocBackingOpen, 0x4010e501UL);
  EXPECT_EQ(kDevIocBackingClose, 0x4004e502UL);
  EXPECT_EQ(kDevIocSyncInit, 0xe503UL);
}

TEST(Abi, OpcodesAtTheEdges) {
  EXPECT_EQ(static_cast<std::uint32_t>(Opcode::lookup), static_cast<std::uint32_t>(FUSE_LOOKUP));
  EXPECT_EQ(static_cast<std::uint32_t>(Opcode::tmpfile), static_cast<std::uint32_t>(FUSE_TMPFILE));
  EXPECT_EQ(static_cast<std::uint32_t>(Opcode::copy_file_range_64), 53U);
  EXPECT_EQ(static_cast<std::uint32_t>(Opcode::cuse_init), static_cast<std::uint32_t>(CUSE_INIT));
  EXPECT_EQ(static_cast<std::uint32_t>(Opcode::init_swapped), static_cast<std::uint32_t>(FUSE_INIT_BSWAP_RESERVED));
  EXPECT_EQ(static_cast<std::uint32_t>(Opcode::cuse_init_swapped),
            static_cast<std::uint32_t>(CUSE_INIT_BSWAP_RESERVED));
}

}  // namespace
}  // namespace dmmap::protocol
