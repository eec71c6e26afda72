#include "session/negotiate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "protocol/abi_mmap.h"
#include "protocol/flags.h"

namespace dmmap::session {

namespace {

namespace flag = protocol::init_flag;

using Wish = bool (*)(const SessionOptions&);

bool always(const SessionOptions& /*options*/) {
  return true;
}
bool never(const SessionOptions& /*options*/) {
  return false;
}
bool if_writeback(const SessionOptions& options) {
  return options.writeback_cache;
}
bool if_readdirplus(const SessionOptions& options) {
  return options.readdirplus;
}
bool if_explicit_inval(const SessionOptions& options) {
  return options.explicit_inval_data;
}
bool unless_explicit_inval(const SessionOptions& options) {
  return !options.explicit_inval_data;
}
bool if_direct_mmap(const SessionOptions& options) {
  return options.direct_io_allow_mmap;
}
// fs/fuse/inode.c, process_init_reply(): the kernel grants passthrough only without the writeback cache.
bool unless_writeback(const SessionOptions& options) {
  return !options.writeback_cache;
}

constexpr std::string_view kNoKernelTier = "this kernel doesn't ask at mmap(2) (FUSE_MMAP)";

bool if_kernel_tier(const SessionOptions& options) {
  return options.tier.value_or(Tier::kernel) == Tier::kernel;
}

struct Offer {
  Feature feature;
  std::uint64_t bit;
  Wish wanted;
  std::string_view unwanted;  // why it isn't wanted, when it isn't
};

// One row a feature that the INIT flags speak of.
constexpr std::array kOffers{
    Offer{Feature::async_read, flag::kAsyncRead, always, ""},
    Offer{Feature::posix_locks, flag::kPosixLocks, never, "the kernel keeps locks itself"},
    Offer{Feature::flock_locks, flag::kFlockLocks, never, "the kernel keeps locks itself"},
    Offer{Feature::atomic_o_trunc, flag::kAtomicOTrunc, always, ""},
    Offer{Feature::export_support, flag::kExportSupport, never, "no lookups of '.' and '..': not for NFS export"},
    Offer{Feature::dont_mask, flag::kDontMask, never, "the kernel applies the umask"},
    Offer{Feature::readdirplus, flag::kDoReaddirplus, if_readdirplus, "SessionOptions::readdirplus is off"},
    Offer{Feature::readdirplus_auto, flag::kReaddirplusAuto, if_readdirplus, "SessionOptions::readdirplus is off"},
    Offer{Feature::async_dio, flag::kAsyncDio, always, ""},
    Offer{Feature::writeback_cache, flag::kWritebackCache, if_writeback, "SessionOptions::writeback_cache is off"},
    Offer{Feature::no_open_support, flag::kNoOpenSupport, never, "every open is to be seen"},
    Offer{Feature::no_opendir_support, flag::kNoOpendirSupport, never, "every opendir is to be seen"},
    Offer{Feature::parallel_dirops, flag::kParallelDirops, always, ""},
    Offer{Feature::posix_acl, flag::kPosixAcl, never, "modes alone decide who may come in"},
    Offer{Feature::abort_error, flag::kAbortError, always, ""},
    Offer{Feature::max_pages, flag::kMaxPages, always, ""},
    Offer{Feature::cache_symlinks, flag::kCacheSymlinks, never, "the server is asked each time"},
    Offer{Feature::explicit_inval_data, flag::kExplicitInvalData, if_explicit_inval,
          "SessionOptions::explicit_inval_data is off"},
    Offer{Feature::auto_inval_data, flag::kAutoInvalData, unless_explicit_inval,
          "SessionOptions::explicit_inval_data excludes it"},
    Offer{Feature::handle_killpriv_v2, flag::kHandleKillprivV2, never, "the kernel clears set-uid bits itself"},
    Offer{Feature::setxattr_ext, flag::kSetxattrExt, always, ""},
    Offer{Feature::security_context, flag::kSecurityCtx, never, "labels are not kept"},
    Offer{Feature::create_supp_group, flag::kCreateSuppGroup, never, "groups are not looked at"},
    Offer{Feature::expire_only, flag::kHasExpireOnly, always, ""},
    Offer{Feature::direct_io_allow_mmap, flag::kDirectIoAllowMmap, if_direct_mmap,
          "SessionOptions::direct_io_allow_mmap is off"},
    Offer{Feature::passthrough, flag::kPassthrough, unless_writeback, "SessionOptions::writeback_cache excludes it"},
    Offer{Feature::resend, flag::kHasResend, always, ""},
    Offer{Feature::allow_idmap, flag::kAllowIdmap, never, "owners are not mapped"},
    Offer{Feature::io_uring, flag::kOverIoUring, never, "requests come over /dev/fuse"},
    Offer{Feature::request_timeout, flag::kRequestTimeout, never, "requests may take as long as they take"},
    Offer{Feature::mmap_requests, protocol::kInitMmapRequests, if_kernel_tier, "SessionOptions::tier excludes it"},
};

struct ByVersion {
  Feature feature;
  std::uint32_t minor;
  std::string_view linux_version;
};

// What needs no flag, only a kernel that is new enough.
constexpr std::array kByVersion{
    ByVersion{Feature::notify_delete, 18, "3.3"},
    ByVersion{Feature::notify_inc_epoch, 44, "6.17"},
    ByVersion{Feature::notify_prune, 45, "6.18"},
    ByVersion{Feature::copy_file_range_64, 45, "6.18"},
};

}  // namespace

Result<Agreement> negotiate(const InitRequest& offer, const SessionOptions& wishes) {
  if (offer.major < kMajor || (offer.major == kMajor && offer.minor < kOldestMinor)) {
    return fail(EPROTO,
                fmt::format("this kernel speaks FUSE {}.{}; dmmap needs 7.{}, which is Linux 5.4: use a newer kernel",
                            offer.major, offer.minor, kOldestMinor));
  }
  Agreement agreement;
  Capabilities& have = agreement.capabilities;
  have.kernel_minor = offer.minor;
  have.minor = std::min(offer.minor, kNewestMinor);
  have.max_write = wishes.max_write;
  have.max_readahead = std::min(offer.max_readahead, wishes.max_readahead.value_or(offer.max_readahead));

  // Without big_writes a write(2) through the page cache comes in requests of one page each (fs/fuse/file.c,
  // fuse_fill_write_pages). Every kernel that we run on offers it; there is nothing to choose.
  std::uint64_t flags = offer.flags & (flag::kInitExt | flag::kBigWrites);
  for (const Offer& row : kOffers) {
    const bool offered = (offer.flags & row.bit) != 0;
    const bool wanted = row.wanted(wishes);
    std::string why;
    if (!offered) {
      why = fmt::format("this kernel (FUSE 7.{}) doesn't offer it", offer.minor);
    } else if (!wanted) {
      why = row.unwanted;
    } else {
      flags |= row.bit;
    }
    have.features.push_back({row.feature, offered && wanted, std::move(why)});
  }
  for (const ByVersion& row : kByVersion) {
    const bool there = have.minor >= row.minor;
    have.features.push_back({row.feature, there,
                             there ? std::string()
                                   : fmt::format("needs FUSE 7.{} (Linux {}); this kernel has 7.{}", row.minor,
                                                 row.linux_version, offer.minor)});
  }

  const auto judge = [&](Tier tier, std::string_view why_never) {
    std::string why(why_never);
    if (why.empty() && wishes.tier && *wishes.tier != tier) {
      why = fmt::format("SessionOptions::tier asks for {} alone", tier_name(*wishes.tier));
    }
    have.tiers.push_back({tier, why.empty(), std::move(why)});
  };
  judge(Tier::open, "");
  judge(Tier::preload, "");
  judge(Tier::kernel, (offer.flags & protocol::kInitMmapRequests) != 0 ? "" : kNoKernelTier);
  if (wishes.tier && !have.has(*wishes.tier)) {
    return fail(ENOTSUP, fmt::format("tier {} can't be had here: {}", tier_name(*wishes.tier), kNoKernelTier));
  }

  protocol::InitReply& reply = agreement.reply;
  reply.minor = have.minor;
  reply.max_readahead = have.max_readahead;
  reply.flags = flags;
  reply.max_background = 64;
  reply.congestion_threshold = 48;
  reply.max_write = wishes.max_write;
  reply.time_gran = 1;
  reply.max_pages = static_cast<std::uint16_t>((wishes.max_write + 4095) / 4096);
  // One file system on top of ours at the most: what backs our files may itself lie on memory or a disk only.
  reply.max_stack_depth = have.has(Feature::passthrough) ? 1 : 0;
  agreement.dialect.minor = have.minor;
  agreement.dialect.setxattr_ext = have.has(Feature::setxattr_ext);
  return agreement;
}

}  // namespace dmmap::session
