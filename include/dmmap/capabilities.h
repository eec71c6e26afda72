// Capabilities: what this mount can do, and why it can't do the rest.
//
// Promises: filled in once, at INIT, and never changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dmmap {

/// What a kernel and a server can agree on at INIT, and some that need more than that.
enum class Feature : std::uint8_t {
  async_read,
  posix_locks,
  flock_locks,
  atomic_o_trunc,
  export_support,
  dont_mask,
  readdirplus,
  readdirplus_auto,
  async_dio,
  writeback_cache,
  no_open_support,
  no_opendir_support,
  parallel_dirops,
  posix_acl,
  abort_error,
  max_pages,
  cache_symlinks,
  explicit_inval_data,
  auto_inval_data,
  handle_killpriv_v2,
  setxattr_ext,
  security_context,
  create_supp_group,
  expire_only,
  direct_io_allow_mmap,
  passthrough,
  resend,
  allow_idmap,
  io_uring,
  request_timeout,
  notify_delete,
  notify_inc_epoch,
  notify_prune,
  copy_file_range_64,
  mmap_requests,  ///< kernel/patches: the server is asked at each mmap(2)
};

/// One feature of one mount. `why_not` is empty when `have`, otherwise says who lacks what.
struct FeatureState {
  Feature feature;
  bool have = false;
  std::string why_not;
};

/// The feature's name, as the enumerator is spelt.
[[nodiscard]] std::string_view feature_name(Feature feature);

/// When a server is asked what to map, from least to most that the client's side can do. It's asked at open(2), and at
/// each mmap(2) as well by a program that `dmmap run` started, or else by a kernel that does that.
enum class Tier : std::uint8_t {
  open,     ///< once per open(2), for the whole file: every program
  preload,  ///< at each mmap(2) of a program that `dmmap run` started
  kernel,   ///< at each mmap(2), by the kernel (FUSE_MMAP)
};

/// One tier of one mount. `why_not` is empty when `have`.
struct TierState {
  Tier tier;
  bool have = false;
  std::string why_not;
};

/// "open", "preload" or "kernel".
[[nodiscard]] std::string_view tier_name(Tier tier);

/// What one mount can do.
struct Capabilities {
  std::uint32_t kernel_minor = 0;   ///< the kernel's FUSE protocol is 7.kernel_minor
  std::uint32_t minor = 0;          ///< what was agreed on: 7.minor
  std::uint32_t max_write = 0;      ///< bytes
  std::uint32_t max_readahead = 0;  ///< bytes
  std::vector<FeatureState> features;
  std::vector<TierState> tiers;  ///< each that there is, in the enumerators' order

  [[nodiscard]] bool has(Feature feature) const;
  /// Of files whose regions can be mapped at all: Feature::passthrough says whether shared ones can.
  [[nodiscard]] bool has(Tier tier) const;
  [[nodiscard]] std::string_view why_not(Feature feature) const;
};

}  // namespace dmmap
