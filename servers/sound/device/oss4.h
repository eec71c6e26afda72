// What OSS 4 has and Linux's soundcard.h, which is of OSS 3.8, doesn't: numbers and layouts of 4Front's sys/soundcard.h
// 4.1, as facts. Names as there, but for ours of types.
//
// Thread safety: constants and plain values.
#pragma once

#include <sys/ioctl.h>
// After ioctl.h, whose _IOWR and the like it takes.
#include <linux/soundcard.h>

#include <cstdint>

namespace dmmap::sound::oss4 {

/// SNDCTL_DSP_CURRENT_OPTR and _IPTR.
struct Count {
  std::int64_t samples = 0;       ///< frames played or recorded
  std::int32_t fifo_samples = 0;  ///< frames that the device still holds
  std::int32_t filler[32] = {};
};
static_assert(sizeof(Count) == 144);

/// SNDCTL_DSP_GETERROR, which forgets what it has told.
struct ErrorInfo {
  std::int32_t play_underruns = 0;
  std::int32_t rec_overruns = 0;
  std::uint32_t play_ptradjust = 0;
  std::uint32_t rec_ptradjust = 0;
  std::int32_t play_errorcount = 0;
  std::int32_t rec_errorcount = 0;
  std::int32_t play_lasterror = 0;
  std::int32_t rec_lasterror = 0;
  std::int32_t play_errorparm = 0;
  std::int32_t rec_errorparm = 0;
  std::int32_t filler[16] = {};
};
static_assert(sizeof(ErrorInfo) == 104);

inline constexpr std::uint32_t kGetPlayVol = _IOR('P', 24, int);
inline constexpr std::uint32_t kSetPlayVol = _IOWR('P', 24, int);
inline constexpr std::uint32_t kGetError = _IOR('P', 25, ErrorInfo);
inline constexpr std::uint32_t kCookedMode = _IOW('P', 30, int);
inline constexpr std::uint32_t kSilence = _IO('P', 31);
inline constexpr std::uint32_t kSkip = _IO('P', 32);
inline constexpr std::uint32_t kHaltInput = _IO('P', 33);
inline constexpr std::uint32_t kHaltOutput = _IO('P', 34);
inline constexpr std::uint32_t kCurrentIptr = _IOR('P', 35, Count);
inline constexpr std::uint32_t kCurrentOptr = _IOR('P', 36, Count);
inline constexpr std::uint32_t kGetRecVol = _IOR('P', 41, int);
inline constexpr std::uint32_t kSetRecVol = _IOWR('P', 41, int);
inline constexpr std::uint32_t kPolicy = _IOW('P', 45, int);

inline constexpr int kCapInput = 0x00010000;
inline constexpr int kCapOutput = 0x00020000;
inline constexpr int kCapVirtual = 0x00040000;

}  // namespace dmmap::sound::oss4
