// The flags of the FUSE wire format, versions 7.31 to 7.45.
//
// Promises: constants only, each of the width of the field that it's for. Source: include/uapi/linux/fuse.h of
// Linux 6.18.
#pragma once

#include <cstdint>

namespace dmmap::protocol {

/// INIT: what the kernel offers and the server takes. Bits from 32 on travel in flags2, which INIT_EXT announces.
namespace init_flag {
constexpr std::uint64_t bit(unsigned number) {
  return std::uint64_t{1} << number;
}
inline constexpr std::uint64_t kAsyncRead = bit(0);
inline constexpr std::uint64_t kPosixLocks = bit(1);
inline constexpr std::uint64_t kFileOps = bit(2);
inline constexpr std::uint64_t kAtomicOTrunc = bit(3);
inline constexpr std::uint64_t kExportSupport = bit(4);
inline constexpr std::uint64_t kBigWrites = bit(5);
inline constexpr std::uint64_t kDontMask = bit(6);
inline constexpr std::uint64_t kSpliceWrite = bit(7);
inline constexpr std::uint64_t kSpliceMove = bit(8);
inline constexpr std::uint64_t kSpliceRead = bit(9);
inline constexpr std::uint64_t kFlockLocks = bit(10);
inline constexpr std::uint64_t kHasIoctlDir = bit(11);
inline constexpr std::uint64_t kAutoInvalData = bit(12);
inline constexpr std::uint64_t kDoReaddirplus = bit(13);
inline constexpr std::uint64_t kReaddirplusAuto = bit(14);
inline constexpr std::uint64_t kAsyncDio = bit(15);
inline constexpr std::uint64_t kWritebackCache = bit(16);
inline constexpr std::uint64_t kNoOpenSupport = bit(17);
inline constexpr std::uint64_t kParallelDirops = bit(18);
inline constexpr std::uint64_t kHandleKillpriv = bit(19);
inline constexpr std::uint64_t kPosixAcl = bit(20);
inline constexpr std::uint64_t kAbortError = bit(21);
inline constexpr std::uint64_t kMaxPages = bit(22);
inline constexpr std::uint64_t kCacheSymlinks = bit(23);
inline constexpr std::uint64_t kNoOpendirSupport = bit(24);
inline constexpr std::uint64_t kExplicitInvalData = bit(25);
inline constexpr std::uint64_t kMapAlignment = bit(26);
inline constexpr std::uint64_t kSubmounts = bit(27);
inline constexpr std::uint64_t kHandleKillprivV2 = bit(28);
inline constexpr std::uint64_t kSetxattrExt = bit(29);
inline constexpr std::uint64_t kInitExt = bit(30);
inline constexpr std::uint64_t kInitReserved = bit(31);
inline constexpr std::uint64_t kSecurityCtx = bit(32);
inline constexpr std::uint64_t kHasInodeDax = bit(33);
inline constexpr std::uint64_t kCreateSuppGroup = bit(34);
inline constexpr std::uint64_t kHasExpireOnly = bit(35);
inline constexpr std::uint64_t kDirectIoAllowMmap = bit(36);
inline constexpr std::uint64_t kPassthrough = bit(37);
inline constexpr std::uint64_t kNoExportSupport = bit(38);
inline constexpr std::uint64_t kHasResend = bit(39);
inline constexpr std::uint64_t kAllowIdmap = bit(40);
inline constexpr std::uint64_t kOverIoUring = bit(41);
inline constexpr std::uint64_t kRequestTimeout = bit(42);
}  // namespace init_flag

/// OpenOut::open_flags.
namespace fopen_flag {
inline constexpr std::uint32_t kDirectIo = 1U << 0;
inline constexpr std::uint32_t kKeepCache = 1U << 1;
inline constexpr std::uint32_t kNonseekable = 1U << 2;
inline constexpr std::uint32_t kCacheDir = 1U << 3;
inline constexpr std::uint32_t kStream = 1U << 4;
inline constexpr std::uint32_t kNoflush = 1U << 5;
inline constexpr std::uint32_t kParallelDirectWrites = 1U << 6;
inline constexpr std::uint32_t kPassthrough = 1U << 7;
}  // namespace fopen_flag

/// SetattrIn::valid.
namespace setattr_flag {
inline constexpr std::uint32_t kMode = 1U << 0;
inline constexpr std::uint32_t kUid = 1U << 1;
inline constexpr std::uint32_t kGid = 1U << 2;
inline constexpr std::uint32_t kSize = 1U << 3;
inline constexpr std::uint32_t kAtime = 1U << 4;
inline constexpr std::uint32_t kMtime = 1U << 5;
inline constexpr std::uint32_t kFh = 1U << 6;
inline constexpr std::uint32_t kAtimeNow = 1U << 7;
inline constexpr std::uint32_t kMtimeNow = 1U << 8;
inline constexpr std::uint32_t kLockowner = 1U << 9;
inline constexpr std::uint32_t kCtime = 1U << 10;
inline constexpr std::uint32_t kKillSuidgid = 1U << 11;
}  // namespace setattr_flag

inline constexpr std::uint32_t kGetattrFh = 1U << 0;
inline constexpr std::uint32_t kReleaseFlush = 1U << 0;
inline constexpr std::uint32_t kReleaseFlockUnlock = 1U << 1;
inline constexpr std::uint32_t kLkFlock = 1U << 0;
inline constexpr std::uint32_t kReadLockowner = 1U << 1;
inline constexpr std::uint32_t kWriteCache = 1U << 0;
inline constexpr std::uint32_t kWriteLockowner = 1U << 1;
inline constexpr std::uint32_t kWriteKillSuidgid = 1U << 2;
inline constexpr std::uint32_t kIoctlCompat = 1U << 0;
inline constexpr std::uint32_t kIoctlUnrestricted = 1U << 1;
inline constexpr std::uint32_t kIoctlRetry = 1U << 2;
inline constexpr std::uint32_t kIoctl32Bit = 1U << 3;
inline constexpr std::uint32_t kIoctlDir = 1U << 4;
inline constexpr std::uint32_t kIoctlCompatX32 = 1U << 5;
inline constexpr std::uint32_t kPollScheduleNotify = 1U << 0;
inline constexpr std::uint32_t kFsyncDataOnly = 1U << 0;
inline constexpr std::uint32_t kOpenKillSuidgid = 1U << 0;
inline constexpr std::uint32_t kSetxattrAclKillSgid = 1U << 0;
inline constexpr std::uint32_t kExpireOnly = 1U << 0;
inline constexpr std::uint32_t kAttrSubmount = 1U << 0;
inline constexpr std::uint32_t kAttrDax = 1U << 1;
inline constexpr std::uint32_t kCuseUnrestrictedIoctl = 1U << 0;
inline constexpr std::uint64_t kSetupmappingWrite = 1U << 0;
inline constexpr std::uint64_t kSetupmappingRead = 1U << 1;

}  // namespace dmmap::protocol
