// By what names a mount tells who holds which region (`dmmap regions`, docs/per-mmap.md).
#pragma once

namespace dmmap::protocol {

/// A file in the root of a mount, which no listing shows: for the server's user and for root, one JSON object.
inline constexpr const char* kRegionsFile = ".dmmap-regions";
/// The extended attribute by which an inode says which region its mappings show: the region's number, in decimal.
inline constexpr const char* kRegionAttribute = "user.dmmap.region";

}  // namespace dmmap::protocol
