// What OSS 4 has and Linux's <linux/soundcard.h>, which is OSS 3.8, hasn't: ioctl numbers, layouts and bits.
//
// Promises: the numbers and sizes are those of 4Front's sys/soundcard.h, 4.1, on Linux (checked below), under the same
// names, but constants; structures are filled with zeros until someone says otherwise. Thread safety: constants and
// plain values.
#pragma once

// Before soundcard.h, which takes _IOWR and the like from there.
#include <linux/soundcard.h>
#include <sys/ioctl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace dmmap::sound {

/// The version with which OSS 4.1 answers OSS_GETVERSION.
inline constexpr int kOss4Version = 0x040100;

/// Text that ends with a zero, unless it's full.
template <std::size_t kSize>
using OssText = std::array<char, kSize>;
using OssLongName = OssText<64>;
using OssLabel = OssText<16>;
using OssDeviceNode = OssText<32>;
using OssDeviceName = OssText<64>;
using OssCommand = OssText<64>;
using OssId = OssText<16>;
using OssHandle = OssText<32>;

/// oss_sysinfo: all there is.
struct OssSysInfo {
  OssText<32> product{};
  OssText<32> version{};
  int versionnum = 0;  ///< as OSS_GETVERSION
  OssText<128> options{};
  int numaudios = 0;
  std::array<std::uint32_t, 8> openedaudio{};  ///< a bit for each that is busy
  int numsynths = 0;
  int nummidis = 0;
  int numtimers = 0;
  int nummixers = 0;
  std::array<std::uint32_t, 8> openedmidi{};
  int numcards = 0;
  int numaudioengines = 0;
  OssText<16> license{};
  OssText<256> revision_info{};
  std::array<int, 172> filler{};
};

/// oss_audioinfo: an audio device, or one of its engines.
struct OssAudioInfo {
  int dev = 0;  ///< the client says which
  OssDeviceName name{};
  int busy = 0;  ///< PCM_ENABLE_INPUT, PCM_ENABLE_OUTPUT
  int pid = -1;  ///< -1: nobody has it open
  int caps = 0;  ///< PCM_CAP_
  int iformats = 0;
  int oformats = 0;
  int magic = 0;
  OssCommand cmd{};
  int card_number = 0;
  int port_number = 0;
  int mixer_dev = 0;  ///< -1: none
  int legacy_device = 0;
  int enabled = 0;
  int flags = 0;
  int min_rate = 0;
  int max_rate = 0;
  int min_channels = 0;
  int max_channels = 0;
  int binding = 0;
  int rate_source = 0;
  OssHandle handle{};
  std::uint32_t nrates = 0;  ///< 0: all from the least to the largest
  std::array<std::uint32_t, 20> rates{};
  OssLongName song_name{};
  OssLabel label{};
  int latency = -1;  ///< microseconds; -1: not known
  OssDeviceNode devnode{};
  int next_play_engine = 0;
  int next_rec_engine = 0;
  std::array<int, 184> filler{};
};

/// oss_mixerinfo: a mixer device.
struct OssMixerInfo {
  int dev = 0;  ///< the client says which
  OssId id{};
  OssText<32> name{};
  int modify_counter = 0;
  int card_number = 0;
  int port_number = 0;
  OssHandle handle{};
  int magic = 0;
  int enabled = 0;
  int caps = 0;
  int flags = 0;
  int nrext = 0;
  int priority = 0;
  OssDeviceNode devnode{};
  int legacy_device = 0;
  std::array<int, 245> filler{};
};

/// oss_midi_info: a MIDI device.
struct OssMidiInfo {
  int dev = 0;  ///< the client says which
  OssDeviceName name{};
  int busy = 0;
  int pid = 0;
  OssCommand cmd{};
  int caps = 0;
  int magic = 0;
  int card_number = 0;
  int port_number = 0;
  int enabled = 0;
  int flags = 0;
  OssHandle handle{};
  OssLongName song_name{};
  OssLabel label{};
  int latency = 0;
  OssDeviceNode devnode{};
  int legacy_device = 0;
  std::array<int, 235> filler{};
};

/// oss_card_info: a sound card.
struct OssCardInfo {
  int card = 0;  ///< the client says which
  OssText<16> shortname{};
  OssText<128> longname{};
  int flags = 0;
  OssText<400> hw_info{};
  int intr_count = 0;
  int ack_count = 0;
  std::array<int, 154> filler{};
};

/// oss_mixext: a control of a mixer, or a group of them.
struct OssMixerExtension {
  int dev = 0;   ///< the client says of which mixer
  int ctrl = 0;  ///< the client says which
  int type = 0;  ///< MIXT_
  int maxvalue = 0;
  int minvalue = 0;
  int flags = 0;  ///< MIXF_
  OssId id{};
  int parent = 0;  ///< the control that is its group; -1: none
  int dummy = 0;
  int timestamp = 0;  ///< what reads and writes of it have to carry
  OssText<64> data{};
  std::array<std::uint8_t, 32> enum_present{};
  int control_no = 0;  ///< SOUND_MIXER_VOLUME and so on; -1: none
  std::uint32_t desc = 0;
  OssText<32> extname{};
  int update_counter = 0;
  int rgbcolor = 0;
  std::array<int, 6> filler{};
};

/// oss_mixext_root: what `data` has of the control that is MIXT_DEVROOT.
struct OssMixerRoot {
  OssId id{};
  OssText<48> name{};
};

/// oss_mixer_value: a control read or written.
struct OssMixerValue {
  int dev = 0;
  int ctrl = 0;
  int value = 0;
  int flags = 0;
  int timestamp = 0;
  std::array<int, 8> filler{};
};

/// oss_mixer_enuminfo: names of a control's choices, or a description of it.
struct OssEnumInfo {
  int dev = 0;
  int ctrl = 0;
  int nvalues = 0;
  int version = 0;
  std::array<std::int16_t, 255> strindex{};  ///< where in `strings` each begins
  OssText<3000> strings{};
};

/// audio_errinfo: what went wrong since it was asked last.
struct OssErrorInfo {
  int play_underruns = 0;
  int rec_overruns = 0;
  std::uint32_t play_ptradjust = 0;
  std::uint32_t rec_ptradjust = 0;
  int play_errorcount = 0;
  int rec_errorcount = 0;
  int play_lasterror = 0;
  int rec_lasterror = 0;
  int play_errorparm = 0;
  int rec_errorparm = 0;
  std::array<int, 16> filler{};
};

/// oss_count_t: a position, in frames.
struct OssCount {
  std::int64_t samples = 0;
  int fifo_samples = 0;
  std::array<int, 32> filler{};
};

static_assert(sizeof(OssSysInfo) == 1248 && std::is_trivially_copyable_v<OssSysInfo>);
static_assert(sizeof(OssAudioInfo) == 1180 && std::is_trivially_copyable_v<OssAudioInfo>);
static_assert(sizeof(OssMixerInfo) == 1136 && std::is_trivially_copyable_v<OssMixerInfo>);
static_assert(sizeof(OssMidiInfo) == 1256 && std::is_trivially_copyable_v<OssMidiInfo>);
static_assert(sizeof(OssCardInfo) == 1176 && std::is_trivially_copyable_v<OssCardInfo>);
static_assert(sizeof(OssMixerExtension) == 220 && std::is_trivially_copyable_v<OssMixerExtension>);
static_assert(sizeof(OssMixerRoot) == 64 && std::is_trivially_copyable_v<OssMixerRoot>);
static_assert(sizeof(OssMixerValue) == 52 && std::is_trivially_copyable_v<OssMixerValue>);
static_assert(sizeof(OssEnumInfo) == 3528 && std::is_trivially_copyable_v<OssEnumInfo>);
static_assert(sizeof(OssErrorInfo) == 104 && std::is_trivially_copyable_v<OssErrorInfo>);
static_assert(sizeof(OssCount) == 144 && std::is_trivially_copyable_v<OssCount>);

// Of any device.
inline constexpr std::uint32_t SNDCTL_SYSINFO = _IOR('X', 1, OssSysInfo);
inline constexpr std::uint32_t SNDCTL_MIX_NRMIX = _IOR('X', 2, int);
inline constexpr std::uint32_t SNDCTL_MIX_NREXT = _IOWR('X', 3, int);
inline constexpr std::uint32_t SNDCTL_MIX_EXTINFO = _IOWR('X', 4, OssMixerExtension);
inline constexpr std::uint32_t SNDCTL_MIX_READ = _IOWR('X', 5, OssMixerValue);
inline constexpr std::uint32_t SNDCTL_MIX_WRITE = _IOWR('X', 6, OssMixerValue);
inline constexpr std::uint32_t SNDCTL_AUDIOINFO = _IOWR('X', 7, OssAudioInfo);
inline constexpr std::uint32_t SNDCTL_MIX_ENUMINFO = _IOWR('X', 8, OssEnumInfo);
inline constexpr std::uint32_t SNDCTL_MIDIINFO = _IOWR('X', 9, OssMidiInfo);
inline constexpr std::uint32_t SNDCTL_MIXERINFO = _IOWR('X', 10, OssMixerInfo);
inline constexpr std::uint32_t SNDCTL_CARDINFO = _IOWR('X', 11, OssCardInfo);
inline constexpr std::uint32_t SNDCTL_ENGINEINFO = _IOWR('X', 12, OssAudioInfo);
inline constexpr std::uint32_t SNDCTL_AUDIOINFO_EX = _IOWR('X', 13, OssAudioInfo);
inline constexpr std::uint32_t SNDCTL_MIX_DESCRIPTION = _IOWR('X', 14, OssEnumInfo);
inline constexpr std::uint32_t SNDCTL_SETSONG = _IOW('Y', 2, OssLongName);
inline constexpr std::uint32_t SNDCTL_GETSONG = _IOR('Y', 2, OssLongName);
inline constexpr std::uint32_t SNDCTL_SETNAME = _IOW('Y', 3, OssLongName);
inline constexpr std::uint32_t SNDCTL_SETLABEL = _IOW('Y', 4, OssLabel);
inline constexpr std::uint32_t SNDCTL_GETLABEL = _IOR('Y', 4, OssLabel);

// Of a stream.
inline constexpr std::uint32_t SNDCTL_DSP_GETPLAYVOL = _IOR('P', 24, int);
inline constexpr std::uint32_t SNDCTL_DSP_SETPLAYVOL = _IOWR('P', 24, int);
inline constexpr std::uint32_t SNDCTL_DSP_GETERROR = _IOR('P', 25, OssErrorInfo);
inline constexpr std::uint32_t SNDCTL_DSP_SYNCSTART = _IOW('P', 29, int);
inline constexpr std::uint32_t SNDCTL_DSP_COOKEDMODE = _IOW('P', 30, int);
inline constexpr std::uint32_t SNDCTL_DSP_SILENCE = _IO('P', 31);
inline constexpr std::uint32_t SNDCTL_DSP_SKIP = _IO('P', 32);
inline constexpr std::uint32_t SNDCTL_DSP_HALT_INPUT = _IO('P', 33);
inline constexpr std::uint32_t SNDCTL_DSP_HALT_OUTPUT = _IO('P', 34);
inline constexpr std::uint32_t SNDCTL_DSP_LOW_WATER = _IOW('P', 34, int);
inline constexpr std::uint32_t SNDCTL_DSP_CURRENT_IPTR = _IOR('P', 35, OssCount);
inline constexpr std::uint32_t SNDCTL_DSP_CURRENT_OPTR = _IOR('P', 36, OssCount);
inline constexpr std::uint32_t SNDCTL_DSP_GET_RECSRC_NAMES = _IOR('P', 37, OssEnumInfo);
inline constexpr std::uint32_t SNDCTL_DSP_GET_RECSRC = _IOR('P', 38, int);
inline constexpr std::uint32_t SNDCTL_DSP_SET_RECSRC = _IOWR('P', 38, int);
inline constexpr std::uint32_t SNDCTL_DSP_GET_PLAYTGT_NAMES = _IOR('P', 39, OssEnumInfo);
inline constexpr std::uint32_t SNDCTL_DSP_GET_PLAYTGT = _IOR('P', 40, int);
inline constexpr std::uint32_t SNDCTL_DSP_SET_PLAYTGT = _IOWR('P', 40, int);
inline constexpr std::uint32_t SNDCTL_DSP_GETRECVOL = _IOR('P', 41, int);
inline constexpr std::uint32_t SNDCTL_DSP_SETRECVOL = _IOWR('P', 41, int);
inline constexpr std::uint32_t SNDCTL_DSP_GET_CHNORDER = _IOR('P', 42, std::uint64_t);
inline constexpr std::uint32_t SNDCTL_DSP_SET_CHNORDER = _IOWR('P', 42, std::uint64_t);
inline constexpr std::uint32_t SNDCTL_DSP_POLICY = _IOW('P', 45, int);

static_assert(SNDCTL_SYSINFO == 0x84e05801 && SNDCTL_MIX_NRMIX == 0x80045802 && SNDCTL_MIX_NREXT == 0xc0045803);
static_assert(SNDCTL_MIX_EXTINFO == 0xc0dc5804 && SNDCTL_MIX_READ == 0xc0345805 && SNDCTL_MIX_WRITE == 0xc0345806);
static_assert(SNDCTL_AUDIOINFO == 0xc49c5807 && SNDCTL_ENGINEINFO == 0xc49c580c && SNDCTL_AUDIOINFO_EX == 0xc49c580d);
static_assert(SNDCTL_MIX_ENUMINFO == 0xcdc85808 && SNDCTL_MIX_DESCRIPTION == 0xcdc8580e);
static_assert(SNDCTL_MIDIINFO == 0xc4e85809 && SNDCTL_MIXERINFO == 0xc470580a && SNDCTL_CARDINFO == 0xc498580b);
static_assert(SNDCTL_SETSONG == 0x40405902 && SNDCTL_GETSONG == 0x80405902 && SNDCTL_SETNAME == 0x40405903);
static_assert(SNDCTL_SETLABEL == 0x40105904 && SNDCTL_GETLABEL == 0x80105904);
static_assert(SNDCTL_DSP_GETPLAYVOL == 0x80045018 && SNDCTL_DSP_SETPLAYVOL == 0xc0045018);
static_assert(SNDCTL_DSP_GETERROR == 0x80685019 && SNDCTL_DSP_COOKEDMODE == 0x4004501e);
static_assert(SNDCTL_DSP_SILENCE == 0x501f && SNDCTL_DSP_SKIP == 0x5020);
static_assert(SNDCTL_DSP_HALT_INPUT == 0x5021 && SNDCTL_DSP_HALT_OUTPUT == 0x5022);
static_assert(SNDCTL_DSP_LOW_WATER == 0x40045022);
static_assert(SNDCTL_DSP_CURRENT_IPTR == 0x80905023 && SNDCTL_DSP_CURRENT_OPTR == 0x80905024);
static_assert(SNDCTL_DSP_GET_RECSRC_NAMES == 0x8dc85025 && SNDCTL_DSP_GET_PLAYTGT_NAMES == 0x8dc85027);
static_assert(SNDCTL_DSP_GETRECVOL == 0x80045029 && SNDCTL_DSP_SETRECVOL == 0xc0045029);
static_assert(SNDCTL_DSP_GET_CHNORDER == 0x8008502a && SNDCTL_DSP_SET_CHNORDER == 0xc008502a);
static_assert(SNDCTL_DSP_POLICY == 0x4004502d);

// Formats.
inline constexpr int AFMT_S32_LE = 0x1000;
inline constexpr int AFMT_S32_BE = 0x2000;
inline constexpr int AFMT_FLOAT = 0x4000;
inline constexpr int AFMT_S24_LE = 0x8000;
inline constexpr int AFMT_S24_BE = 0x10000;
inline constexpr int AFMT_S24_PACKED = 0x40000;

// SNDCTL_DSP_GETCAPS and OssAudioInfo::caps: those that OSS 3.8 has, under their newer names, and others. What OSS 3.8
// names DSP_CAP_BIND is the same bit.
inline constexpr int PCM_CAP_DUPLEX = 0x100;
inline constexpr int PCM_CAP_REALTIME = 0x200;
inline constexpr int PCM_CAP_BATCH = 0x400;
inline constexpr int PCM_CAP_TRIGGER = 0x1000;
inline constexpr int PCM_CAP_MMAP = 0x2000;
inline constexpr int PCM_CAP_MULTI = 0x4000;
inline constexpr int PCM_CAP_BIND = 0x8000;
inline constexpr int PCM_CAP_INPUT = 0x10000;
inline constexpr int PCM_CAP_OUTPUT = 0x20000;
inline constexpr int PCM_CAP_VIRTUAL = 0x40000;
inline constexpr int PCM_CAP_SPECIAL = 0x1000000;
inline constexpr int PCM_CAP_HIDDEN = 0x8000000;
inline constexpr int PCM_CAP_FREERATE = 0x10000000;
inline constexpr int PCM_CAP_DEFAULT = 0x40000000;
static_assert(PCM_CAP_DUPLEX == DSP_CAP_DUPLEX && PCM_CAP_REALTIME == DSP_CAP_REALTIME);
static_assert(PCM_CAP_BATCH == DSP_CAP_BATCH && PCM_CAP_TRIGGER == DSP_CAP_TRIGGER);
static_assert(PCM_CAP_MMAP == DSP_CAP_MMAP && PCM_CAP_MULTI == DSP_CAP_MULTI && PCM_CAP_BIND == DSP_CAP_BIND);

// SNDCTL_DSP_GET_CHNORDER: four bits for each channel, the lowest being the first.
inline constexpr std::uint64_t CHNORDER_NORMAL = 0x87654321;

// OssMixerExtension::type.
inline constexpr int MIXT_DEVROOT = 0;
inline constexpr int MIXT_GROUP = 1;
inline constexpr int MIXT_ONOFF = 2;
inline constexpr int MIXT_STEREOSLIDER = 5;  ///< left | right << 8
inline constexpr int MIXT_MARKER = 12;       ///< controls of OSS 3.8's kind come before it
inline constexpr int MIXT_STEREOSLIDER16 = 20;
inline constexpr int MIXT_MUTE = 21;

// OssMixerExtension::flags.
inline constexpr int MIXF_READABLE = 0x1;
inline constexpr int MIXF_WRITEABLE = 0x2;
inline constexpr int MIXF_POLL = 0x4;
inline constexpr int MIXF_MAINVOL = 0x400;
inline constexpr int MIXF_PCMVOL = 0x800;
inline constexpr int MIXF_RECVOL = 0x1000;
inline constexpr int MIXF_DESCR = 0x8000;

// OssMixerExtension::desc: what a control is about.
inline constexpr std::uint32_t MIXEXT_SCOPE_INPUT = 1;
inline constexpr std::uint32_t MIXEXT_SCOPE_OUTPUT = 2;

}  // namespace dmmap::sound
