#include <fmt/format.h>

#include "protocol/encode.h"
#include "protocol/print.h"
#include "protocol/print_flags.h"

namespace dmmap::protocol {

template <>
std::string describe(const Attributes& value) {
  return fmt::format("ino {} mode {:o} size {}", value.ino, value.mode, value.size);
}

template <>
std::string describe(const AttributesReply& value) {
  return describe(value.attributes);
}

template <>
std::string describe(const Entry& value) {
  return fmt::format("node {} {}", value.node.value, describe(value.attributes));
}

template <>
std::string describe(const Opened& value) {
  std::string text = fmt::format("fh {}", value.handle.value);
  const auto add = [&text](bool set, const char* name) { text += set ? fmt::format(" {}", name) : std::string(); };
  add(value.direct_io, "direct_io");
  add(value.keep_cache, "keep_cache");
  add(value.nonseekable, "nonseekable");
  add(value.cache_directory, "cache_directory");
  add(value.stream, "stream");
  add(value.no_flush, "no_flush");
  add(value.parallel_direct_writes, "parallel_direct_writes");
  add(value.ask_mmap, "ask_mmap");
  if (value.backing) {
    text += fmt::format(" backing {}", backing_number(*value.backing));
  }
  return text;
}

template <>
std::string describe(const Mmapped& value) {
  const std::string what = value.backing ? fmt::format("backing {}", backing_number(*value.backing))
                                         : fmt::format("node {} fh {}", value.node.value, value.handle.value);
  return fmt::format("map {} {} offset {}{}{}{}", value.map, what, value.offset, value.inherit ? "" : " not inherited",
                     value.may_grow ? "" : " not to grow", value.read_only ? " read-only" : "");
}

template <>
std::string describe(const Created& value) {
  return fmt::format("{} {}", describe(value.entry), describe(value.opened));
}

template <>
std::string describe(const Data& value) {
  return fmt::format("{} bytes", value.bytes.size());
}

template <>
std::string describe(const Xattr& value) {
  return fmt::format("{} bytes", value.bytes.size());
}

template <>
std::string describe(const Written& value) {
  return fmt::format("{} bytes", value.size);
}

template <>
std::string describe(const FilesystemStatus& value) {
  return fmt::format("{} of {} blocks free", value.blocks_free, value.blocks);
}

template <>
std::string describe(const StatxReply& value) {
  return fmt::format("mask {:#x} {}", value.mask, describe(value.attributes));
}

template <>
std::string describe(const LockState& value) {
  return fmt::format("{}-{} type {} pid {}", value.start, value.end, value.type, value.pid);
}

template <>
std::string describe(const Block& value) {
  return fmt::format("block {}", value.block);
}

template <>
std::string describe(const IoctlDone& value) {
  std::string text = fmt::format("{}", value.result);
  for (std::size_t i = 0; i < value.output.size() && i < 16; ++i) {
    text += fmt::format("{}{:02x}", i == 0 ? " out " : " ", static_cast<unsigned>(value.output[i]));
  }
  return text;
}

template <>
std::string describe(const PollReady& value) {
  return poll_events(value.events);
}

template <>
std::string describe(const Seeked& value) {
  return fmt::format("offset {}", value.offset);
}

template <>
std::string describe(const Copied& value) {
  return fmt::format("{} bytes", value.size);
}

template <>
std::string describe(const DirectoryListing& value) {
  return fmt::format("{} entries offered", value.entries.size());
}

template <>
std::string describe(const DirectoryListingPlus& value) {
  return fmt::format("{} entries offered", value.entries.size());
}

template <>
std::string describe(const Done& /*value*/) {
  return {};
}

}  // namespace dmmap::protocol
