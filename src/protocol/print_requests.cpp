#include <fmt/format.h>

#include "protocol/each_type.h"
#include "protocol/print.h"
#include "protocol/print_flags.h"

namespace dmmap::protocol {

namespace {

// One overload a request, by its own type or the one that it's derived from.

std::string text(const Request& /*request*/) {
  return {};
}
std::string text(const LookupRequest& request) {
  return quoted(request.name);
}
std::string text(const ForgetRequest& request) {
  std::string all;
  for (const ForgetItem& item : request.items) {
    all += fmt::format("{}node {} x{}", all.empty() ? "" : ", ", item.node.value, item.nlookup);
  }
  return all;
}
std::string handle_of(const std::optional<HandleId>& handle) {
  return handle ? fmt::format("fh {}", handle->value) : std::string();
}
std::string text(const GetattrRequest& request) {
  return handle_of(request.handle);
}
std::string text(const SetattrRequest& request) {
  std::string all = handle_of(request.handle);
  const auto add = [&all](const std::string& part) { all += (all.empty() ? "" : " ") + part; };
  if (request.mode) {
    add(fmt::format("mode {:o}", *request.mode));
  }
  if (request.uid) {
    add(fmt::format("uid {}", *request.uid));
  }
  if (request.gid) {
    add(fmt::format("gid {}", *request.gid));
  }
  if (request.size) {
    add(fmt::format("size {}", *request.size));
  }
  if (request.atime) {
    add(request.atime_now ? std::string("atime now") : fmt::format("atime {}", request.atime->tv_sec));
  }
  if (request.mtime) {
    add(request.mtime_now ? std::string("mtime now") : fmt::format("mtime {}", request.mtime->tv_sec));
  }
  if (request.ctime) {
    add(fmt::format("ctime {}", request.ctime->tv_sec));
  }
  if (request.kill_suidgid) {
    add("kill_suidgid");
  }
  return all;
}
std::string text(const SymlinkRequest& request) {
  return fmt::format("{} -> {}", quoted(request.name), quoted(request.target));
}
std::string text(const MknodRequest& request) {
  return fmt::format("{} mode {:o} rdev {:#x}", quoted(request.name), request.mode, request.rdev);
}
std::string text(const MkdirRequest& request) {
  return fmt::format("{} mode {:o}", quoted(request.name), request.mode);
}
std::string text(const UnlinkRequest& request) {
  return quoted(request.name);
}
std::string text(const RmdirRequest& request) {
  return quoted(request.name);
}
std::string text(const RenameRequest& request) {
  return fmt::format("{} -> node {} {} flags {:#x}", quoted(request.name), request.new_directory.value,
                     quoted(request.new_name), request.flags);
}
std::string text(const LinkRequest& request) {
  return fmt::format("{} -> node {}", quoted(request.name), request.target.value);
}
std::string text(const OpenRequest& request) {
  return open_flags(request.flags);
}
std::string text(const CreateRequest& request) {
  return fmt::format("{} {} mode {:o}", quoted(request.name), open_flags(request.flags), request.mode);
}
std::string text(const ReadRequest& request) {
  return fmt::format("fh {} offset {} size {} {}{}", request.handle.value, request.offset, request.size,
                     open_flags(request.flags), request.lock_owner ? "" : " page fill");
}
std::string text(const WriteRequest& request) {
  return fmt::format("fh {} offset {} size {} {}{}", request.handle.value, request.offset, request.data.size(),
                     open_flags(request.flags), request.from_page_cache ? " writeback" : "");
}
std::string text(const ReleaseRequest& request) {
  return fmt::format("fh {} {}", request.handle.value, open_flags(request.flags));
}
std::string text(const FsyncRequest& request) {
  return fmt::format("fh {}{}", request.handle.value, request.data_only ? " data only" : "");
}
std::string text(const FlushRequest& request) {
  return fmt::format("fh {}", request.handle.value);
}
std::string text(const SetxattrRequest& request) {
  return fmt::format("{} size {} flags {:#x}", quoted(request.name), request.value.size(), request.flags);
}
std::string text(const GetxattrRequest& request) {
  return fmt::format("{} size {}", quoted(request.name), request.size);
}
std::string text(const ListxattrRequest& request) {
  return fmt::format("size {}", request.size);
}
std::string text(const RemovexattrRequest& request) {
  return quoted(request.name);
}
std::string text(const ReaddirRequest& request) {
  return fmt::format("fh {} offset {} size {}", request.handle.value, request.offset, request.size);
}
std::string text(const LockRequest& request) {
  return fmt::format("fh {} owner {:#x} {}-{} type {}{}", request.handle.value, request.owner, request.start,
                     request.end, request.type, request.flock ? " flock" : "");
}
std::string text(const AccessRequest& request) {
  return fmt::format("mask {:o}", request.mask);
}
std::string text(const BmapRequest& request) {
  return fmt::format("block {} of {}", request.block, request.block_size);
}
std::string text(const IoctlRequest& request) {
  return fmt::format("fh {} {} argument {:#x} in {} out {}", request.handle.value, ioctl_number(request.command),
                     request.argument, request.input.size(), request.output_size);
}
std::string text(const PollRequest& request) {
  return fmt::format("fh {} kh {} {}{}", request.handle.value, request.poll_handle.value, poll_events(request.events),
                     request.schedule_notify ? " notify" : "");
}
std::string text(const FallocateRequest& request) {
  return fmt::format("fh {} offset {} length {} mode {:#x}", request.handle.value, request.offset, request.length,
                     request.mode);
}
std::string text(const MmapRequest& request) {
  return fmt::format("fh {} offset {} length {} prot {:#x} of {:#x} {}", request.handle.value, request.offset,
                     request.length, request.prot, request.max_prot, request.shared ? "shared" : "private");
}
std::string text(const MunmapRequest& request) {
  return fmt::format("fh {} map {}", request.handle.value, request.map);
}
std::string text(const LseekRequest& request) {
  return fmt::format("fh {} offset {} whence {}", request.handle.value, request.offset, request.whence);
}
std::string text(const CopyFileRangeRequest& request) {
  return fmt::format("fh {} offset {} -> node {} fh {} offset {} length {}", request.handle.value, request.offset,
                     request.node_out.value, request.handle_out.value, request.offset_out, request.length);
}
std::string text(const SetupmappingRequest& request) {
  return fmt::format("fh {} offset {} length {} at {}", request.handle.value, request.file_offset, request.length,
                     request.window_offset);
}
std::string text(const RemovemappingRequest& request) {
  return fmt::format("{} windows", request.items.size());
}
std::string text(const StatxRequest& request) {
  return fmt::format("{}{}flags {:#x} mask {:#x}", handle_of(request.handle), request.handle ? " " : "", request.flags,
                     request.mask);
}
std::string text(const InterruptRequest& request) {
  return fmt::format("of #{}", request.interrupted.value);
}
std::string text(const NotifyReplyRequest& request) {
  return fmt::format("offset {} size {}", request.offset, request.data.size());
}
std::string text(const InitRequest& request) {
  return fmt::format("FUSE {}.{} flags {:#x} max_readahead {}", request.major, request.minor, request.flags,
                     request.max_readahead);
}
std::string text(const CuseInitRequest& request) {
  return fmt::format("CUSE {}.{} flags {:#x}", request.major, request.minor, request.flags);
}

}  // namespace

template <class T>
std::string describe(const T& value) {
  return text(value);
}

#define DMMAP_DESCRIBE(R) template std::string describe<R>(const R&);
DMMAP_EACH_REQUEST(DMMAP_DESCRIBE)
#undef DMMAP_DESCRIBE

}  // namespace dmmap::protocol
