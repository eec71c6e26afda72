#include "protocol/encode.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "protocol/abi.h"
#include "protocol/abi_mmap.h"
#include "protocol/flags.h"
#include "protocol/opcode.h"
#include "protocol/reader.h"

namespace dmmap::protocol {

namespace {

constexpr std::uint64_t kNanosecondsASecond = 1'000'000'000;

struct Timeout {
  std::uint64_t seconds;
  std::uint32_t nanoseconds;
};

// A negative one is none.
Timeout timeout_of(std::chrono::nanoseconds valid) {
  const auto count = valid.count() > 0 ? static_cast<std::uint64_t>(valid.count()) : 0;
  return {count / kNanosecondsASecond, static_cast<std::uint32_t>(count % kNanosecondsASecond)};
}

Attr wire_attributes(const Attributes& from) {
  Attr to{};
  to.ino = from.ino;
  to.size = from.size;
  to.blocks = from.blocks;
  to.atime = static_cast<std::uint64_t>(from.atime.tv_sec);
  to.mtime = static_cast<std::uint64_t>(from.mtime.tv_sec);
  to.ctime = static_cast<std::uint64_t>(from.ctime.tv_sec);
  to.atimensec = static_cast<std::uint32_t>(from.atime.tv_nsec);
  to.mtimensec = static_cast<std::uint32_t>(from.mtime.tv_nsec);
  to.ctimensec = static_cast<std::uint32_t>(from.ctime.tv_nsec);
  to.mode = from.mode;
  to.nlink = from.nlink;
  to.uid = from.uid;
  to.gid = from.gid;
  to.rdev = from.rdev;
  to.blksize = from.blksize;
  return to;
}

EntryOut wire_entry(const Entry& from) {
  const Timeout entry = timeout_of(from.entry_valid);
  const Timeout attributes = timeout_of(from.attributes_valid);
  EntryOut to{};
  to.nodeid = from.node.value;
  to.generation = from.generation;
  to.entry_valid = entry.seconds;
  to.entry_valid_nsec = entry.nanoseconds;
  to.attr_valid = attributes.seconds;
  to.attr_valid_nsec = attributes.nanoseconds;
  to.attr = wire_attributes(from.attributes);
  return to;
}

OpenOut wire_opened(const Opened& from) {
  namespace flag = fopen_flag;
  OpenOut to{};
  to.fh = from.handle.value;
  to.open_flags = (from.direct_io ? flag::kDirectIo : 0U) | (from.keep_cache ? flag::kKeepCache : 0U) |
                  (from.nonseekable ? flag::kNonseekable : 0U) | (from.cache_directory ? flag::kCacheDir : 0U) |
                  (from.stream ? flag::kStream : 0U) | (from.no_flush ? flag::kNoflush : 0U) |
                  (from.parallel_direct_writes ? flag::kParallelDirectWrites : 0U) | (from.ask_mmap ? kOpenMmap : 0U) |
                  (from.backing ? flag::kPassthrough : 0U);
  to.backing_id = from.backing ? backing_number(*from.backing) : 0;
  return to;
}

SxTime wire_time(const timespec& from) {
  return {from.tv_sec, static_cast<std::uint32_t>(from.tv_nsec), 0};
}

tl::unexpected<Error> too_large(const ReplyLimits& limits, std::size_t size) {
  return fail(EIO, fmt::format("opcode {}: an answer of {} bytes, where the client wants at most {}", limits.opcode,
                               size, limits.size));
}

// A directory's entry of a listing: `lead` (an EntryOut, or nothing), then the name, padded. False when it doesn't fit.
bool append_entry(const DirectoryEntry& entry, std::span<const std::byte> lead, const ReplyLimits& limits,
                  WireReply& out) {
  constexpr std::size_t kUnit = 8;
  const std::size_t plain = lead.size() + sizeof(Dirent) + entry.name.size();
  const std::size_t padded = (plain + kUnit - 1) / kUnit * kUnit;
  if (out.size() + padded > limits.size) {
    return false;
  }
  out.append(lead);
  out.append_struct(Dirent{entry.ino, entry.next, static_cast<std::uint32_t>(entry.name.size()), entry.type});
  out.append(std::as_bytes(std::span(entry.name)));
  constexpr std::array<std::byte, kUnit> kPadding{};
  out.append(std::span(kPadding).first(padded - plain));
  ++out.entries_taken;
  return true;
}

// Appends the listing's entries as long as there is room, each behind what `lead_of` makes of it.
template <class Listing, class NameOf, class LeadOf>
Result<void> append_entries(const Listing& listing, const ReplyLimits& limits, WireReply& out, NameOf name_of,
                            LeadOf lead_of) {
  for (const auto& each : listing.entries) {
    const DirectoryEntry& entry = name_of(each);
    // The kernel fails the whole answer for one such name (fs/fuse/readdir.c): say which one it is.
    if (entry.name.empty() || entry.name.size() > kLongestName ||
        entry.name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos) {
      return fail(EIO, fmt::format("a directory's entry, number {} of the listing, has a name that no file can have",
                                   &each - listing.entries.data()));
    }
    const auto lead = lead_of(each);
    if (!append_entry(entry, std::as_bytes(std::span(lead)), limits, out)) {
      break;
    }
  }
  if (out.entries_taken == 0 && !listing.entries.empty()) {
    // An empty answer would say that the directory ends here (getdents(2) has EINVAL for this).
    return fail(EINVAL, fmt::format("no entry of the directory fits into {} bytes", limits.size));
  }
  return {};
}

}  // namespace

template <>
Result<void> encode(const Entry& value, const ReplyLimits& /*limits*/, WireReply& out) {
  out.append_struct(wire_entry(value));
  return {};
}

template <>
Result<void> encode(const AttributesReply& value, const ReplyLimits& /*limits*/, WireReply& out) {
  const Timeout valid = timeout_of(value.valid);
  out.append_struct(AttrOut{valid.seconds, valid.nanoseconds, 0, wire_attributes(value.attributes)});
  return {};
}

template <>
Result<void> encode(const Mmapped& value, const ReplyLimits& /*limits*/, WireReply& out) {
  MmapOut to{};
  to.mapid = value.map;
  to.offset = value.offset;
  if (value.backing) {
    to.backing_id = backing_number(*value.backing);
  } else {
    to.nodeid = value.node.value;
    to.fh = value.handle.value;
  }
  to.grant_flags = (value.inherit ? 0U : kMmapDontCopy) | (value.may_grow ? 0U : kMmapDontExpand) |
                   (value.read_only ? kMmapReadOnly : 0U);
  out.append_struct(to);
  return {};
}

template <>
Result<void> encode(const Opened& value, const ReplyLimits& /*limits*/, WireReply& out) {
  out.append_struct(wire_opened(value));
  return {};
}

template <>
Result<void> encode(const Created& value, const ReplyLimits& /*limits*/, WireReply& out) {
  out.append_struct(wire_entry(value.entry));
  out.append_struct(wire_opened(value.opened));
  return {};
}

template <>
Result<void> encode(const Data& value, const ReplyLimits& limits, WireReply& out) {
  if (limits.opcode == static_cast<std::uint32_t>(Opcode::read) && value.bytes.size() > limits.size) {
    return too_large(limits, value.bytes.size());
  }
  // fs/fuse/dir.c, fuse_readlink_page(): room for a page but one byte, for the NUL that it adds.
  if (limits.opcode == static_cast<std::uint32_t>(Opcode::readlink) && value.bytes.size() >= kPageSize) {
    return fail(EIO,
                fmt::format("a symbolic link's target of {} bytes, where {} fit", value.bytes.size(), kPageSize - 1));
  }
  out.tail = value.bytes;
  return {};
}

template <>
Result<void> encode(const Xattr& value, const ReplyLimits& limits, WireReply& out) {
  if (limits.size == 0) {
    out.append_struct(GetxattrOut{static_cast<std::uint32_t>(value.bytes.size()), 0});
    return {};
  }
  if (value.bytes.size() > limits.size) {
    return fail(ERANGE, "the attribute is larger than the client's buffer");
  }
  out.tail = value.bytes;
  return {};
}

template <>
Result<void> encode(const Written& value, const ReplyLimits& limits, WireReply& out) {
  if (value.size > limits.size) {
    return too_large(limits, value.size);
  }
  out.append_struct(WriteOut{value.size, 0});
  return {};
}

template <>
Result<void> encode(const FilesystemStatus& value, const ReplyLimits& /*limits*/, WireReply& out) {
  StatfsOut status{};
  status.blocks = value.blocks;
  status.bfree = value.blocks_free;
  status.bavail = value.blocks_available;
  status.files = value.files;
  status.ffree = value.files_free;
  status.bsize = value.block_size;
  status.namelen = value.name_length;
  status.frsize = value.fragment_size;
  out.append_struct(status);
  return {};
}

template <>
Result<void> encode(const StatxReply& value, const ReplyLimits& /*limits*/, WireReply& out) {
  const Attributes& from = value.attributes;
  const Timeout valid = timeout_of(value.valid);
  StatxOut to{};
  to.attr_valid = valid.seconds;
  to.attr_valid_nsec = valid.nanoseconds;
  to.stat.mask = value.mask;
  to.stat.blksize = from.blksize;
  to.stat.attributes = value.attribute_flags;
  to.stat.attributes_mask = value.attribute_flags_mask;
  to.stat.nlink = from.nlink;
  to.stat.uid = from.uid;
  to.stat.gid = from.gid;
  to.stat.mode = static_cast<std::uint16_t>(from.mode);
  to.stat.ino = from.ino;
  to.stat.size = from.size;
  to.stat.blocks = from.blocks;
  to.stat.atime = wire_time(from.atime);
  to.stat.btime = wire_time(value.birth);
  to.stat.ctime = wire_time(from.ctime);
  to.stat.mtime = wire_time(from.mtime);
  // The kernel's packing of a device number (new_encode_dev in include/linux/kdev_t.h).
  to.stat.rdev_major = (from.rdev & 0xfff00U) >> 8U;
  to.stat.rdev_minor = (from.rdev & 0xffU) | ((from.rdev >> 12U) & 0xfff00U);
  out.append_struct(to);
  return {};
}

template <>
Result<void> encode(const LockState& value, const ReplyLimits& /*limits*/, WireReply& out) {
  out.append_struct(LkOut{{value.start, value.end, value.type, value.pid}});
  return {};
}

template <>
Result<void> encode(const Block& value, const ReplyLimits& /*limits*/, WireReply& out) {
  out.append_struct(BmapOut{value.block});
  return {};
}

template <>
Result<void> encode(const IoctlDone& value, const ReplyLimits& limits, WireReply& out) {
  if (value.output.size() > limits.size) {
    return too_large(limits, value.output.size());
  }
  out.append_struct(IoctlOut{value.result, 0, 0, 0});
  out.tail = value.output;
  return {};
}

template <>
Result<void> encode(const PollReady& value, const ReplyLimits& /*limits*/, WireReply& out) {
  out.append_struct(PollOut{value.events, 0});
  return {};
}

template <>
Result<void> encode(const Seeked& value, const ReplyLimits& /*limits*/, WireReply& out) {
  out.append_struct(LseekOut{value.offset});
  return {};
}

template <>
Result<void> encode(const Copied& value, const ReplyLimits& limits, WireReply& out) {
  if (limits.opcode == static_cast<std::uint32_t>(Opcode::copy_file_range_64)) {
    out.append_struct(CopyFileRangeOut{value.size});
    return {};
  }
  if (value.size > UINT32_MAX) {
    return fail(EIO, "COPY_FILE_RANGE can tell of at most 4 GiB: copy less at a time");
  }
  out.append_struct(WriteOut{static_cast<std::uint32_t>(value.size), 0});
  return {};
}

template <>
Result<void> encode(const DirectoryListing& value, const ReplyLimits& limits, WireReply& out) {
  return append_entries(
      value, limits, out, [](const DirectoryEntry& each) -> const DirectoryEntry& { return each; },
      [](const DirectoryEntry& /*each*/) { return std::array<EntryOut, 0>(); });
}

template <>
Result<void> encode(const DirectoryListingPlus& value, const ReplyLimits& limits, WireReply& out) {
  return append_entries(
      value, limits, out, [](const DirectoryEntryPlus& each) -> const DirectoryEntry& { return each.name; },
      [](const DirectoryEntryPlus& each) { return std::array{wire_entry(each.entry)}; });
}

template <>
Result<void> encode(const Done& /*value*/, const ReplyLimits& /*limits*/, WireReply& /*out*/) {
  return {};
}

void encode_init(const InitReply& value, WireReply& out) {
  InitOut to{};
  to.major = 7;
  to.minor = value.minor;
  to.max_readahead = value.max_readahead;
  to.flags = static_cast<std::uint32_t>(value.flags);
  to.flags2 = static_cast<std::uint32_t>(value.flags >> 32U);
  to.max_background = value.max_background;
  to.congestion_threshold = value.congestion_threshold;
  to.max_write = value.max_write;
  to.time_gran = value.time_gran;
  to.max_pages = value.max_pages;
  to.max_stack_depth = value.max_stack_depth;
  to.request_timeout = value.request_timeout;
  out.append_struct(to);
}

}  // namespace dmmap::protocol
