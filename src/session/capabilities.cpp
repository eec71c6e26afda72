#include <dmmap/capabilities.h>

#include <algorithm>
#include <array>

namespace dmmap {

namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Feature::mmap_requests) + 1> kNames{
    "async_read",
    "posix_locks",
    "flock_locks",
    "atomic_o_trunc",
    "export_support",
    "dont_mask",
    "readdirplus",
    "readdirplus_auto",
    "async_dio",
    "writeback_cache",
    "no_open_support",
    "no_opendir_support",
    "parallel_dirops",
    "posix_acl",
    "abort_error",
    "max_pages",
    "cache_symlinks",
    "explicit_inval_data",
    "auto_inval_data",
    "handle_killpriv_v2",
    "setxattr_ext",
    "security_context",
    "create_supp_group",
    "expire_only",
    "direct_io_allow_mmap",
    "passthrough",
    "resend",
    "allow_idmap",
    "io_uring",
    "request_timeout",
    "notify_delete",
    "notify_inc_epoch",
    "notify_prune",
    "copy_file_range_64",
    "mmap_requests",
};

const FeatureState* find(const Capabilities& capabilities, Feature feature) {
  const auto found = std::find_if(capabilities.features.begin(), capabilities.features.end(),
                                  [&](const FeatureState& state) { return state.feature == feature; });
  return found == capabilities.features.end() ? nullptr : &*found;
}

}  // namespace

std::string_view feature_name(Feature feature) {
  return kNames.at(static_cast<std::size_t>(feature));
}

std::string_view tier_name(Tier tier) {
  constexpr std::array<std::string_view, 3> kTiers{"open", "preload", "kernel"};
  return kTiers.at(static_cast<std::size_t>(tier));
}

bool Capabilities::has(Tier tier) const {
  return std::any_of(tiers.begin(), tiers.end(),
                     [&](const TierState& state) { return state.tier == tier && state.have; });
}

bool Capabilities::has(Feature feature) const {
  const FeatureState* state = find(*this, feature);
  return state != nullptr && state->have;
}

std::string_view Capabilities::why_not(Feature feature) const {
  const FeatureState* state = find(*this, feature);
  return state != nullptr ? std::string_view(state->why_not) : "not negotiated yet";
}

}  // namespace dmmap
