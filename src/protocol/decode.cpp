#include "protocol/decode.h"

#include <fmt/format.h>

#include <cerrno>
#include <type_traits>

#include "protocol/abi.h"
#include "protocol/abi_extensions.h"
#include "protocol/abi_mmap.h"
#include "protocol/each_type.h"
#include "protocol/opcode.h"
#include "protocol/reader.h"

namespace dmmap::protocol {

namespace {

// What a fill() may need beside the body.
struct Context {
  Opcode opcode;
  const Request& header;
  const Dialect& dialect;
};

template <class T>
std::optional<T> given_if(bool given, T value) {
  return given ? std::optional<T>(value) : std::nullopt;
}

// open(2)'s flags are unsigned on the wire.
int open_flags(std::uint32_t flags) {
  return static_cast<int>(flags);
}

// Times are signed seconds in the wire's unsigned fields: there are files from before 1970.
timespec time_of(std::uint64_t seconds, std::uint32_t nanoseconds) {
  return {static_cast<std::time_t>(seconds), static_cast<long>(nanoseconds)};
}

// Requests that are all in their header.
template <class R>
requires std::is_same_v<R, ReadlinkRequest> || std::is_same_v<R, StatfsRequest> || std::is_same_v<R, SyncfsRequest> ||
    std::is_same_v<R, DestroyRequest>
void fill(R& /*request*/, Reader& /*in*/, const Context& /*context*/) {}

// Requests that are a name.
template <class R>
requires std::is_same_v<R, LookupRequest> || std::is_same_v<R, UnlinkRequest> || std::is_same_v<R, RmdirRequest>
void fill(R& request, Reader& in, const Context& /*context*/) {
  request.name = in.name();
}

void fill(ForgetRequest& request, Reader& in, const Context& context) {
  if (context.opcode != Opcode::batch_forget) {
    request.items.push_back({context.header.node, in.take<ForgetIn>().nlookup});
    return;
  }
  const auto count = in.take<BatchForgetIn>().count;
  if (!in.expect<ForgetOne>(count)) {
    return;
  }
  request.items.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto one = in.take<ForgetOne>();
    request.items.push_back({{one.nodeid}, one.nlookup});
  }
}

void fill(GetattrRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<GetattrIn>();
  request.handle = given_if((wire.flags & kGetattrFh) != 0, HandleId{wire.fh});
}

void fill(SetattrRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<SetattrIn>();
  const auto has = [&wire](std::uint32_t flag) { return (wire.valid & flag) != 0; };
  request.handle = given_if(has(setattr_flag::kFh), HandleId{wire.fh});
  request.mode = given_if(has(setattr_flag::kMode), wire.mode);
  request.uid = given_if(has(setattr_flag::kUid), wire.uid);
  request.gid = given_if(has(setattr_flag::kGid), wire.gid);
  request.size = given_if(has(setattr_flag::kSize), wire.size);
  request.atime = given_if(has(setattr_flag::kAtime), time_of(wire.atime, wire.atimensec));
  request.mtime = given_if(has(setattr_flag::kMtime), time_of(wire.mtime, wire.mtimensec));
  request.ctime = given_if(has(setattr_flag::kCtime), time_of(wire.ctime, wire.ctimensec));
  request.atime_now = has(setattr_flag::kAtimeNow);
  request.mtime_now = has(setattr_flag::kMtimeNow);
  request.kill_suidgid = has(setattr_flag::kKillSuidgid);
  request.lock_owner = given_if(has(setattr_flag::kLockowner), wire.lock_owner);
}

void fill(SymlinkRequest& request, Reader& in, const Context& /*context*/) {
  request.name = in.name();
  request.target = in.text();
}

void fill(MknodRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<MknodIn>();
  request.mode = wire.mode;
  request.rdev = wire.rdev;
  request.umask = wire.umask;
  request.name = in.name();
}

void fill(MkdirRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<MkdirIn>();
  request.mode = wire.mode;
  request.umask = wire.umask;
  request.name = in.name();
}

void fill(RenameRequest& request, Reader& in, const Context& context) {
  const auto wire =
      in.take_exactly<Rename2In>(context.opcode == Opcode::rename2 ? sizeof(Rename2In) : sizeof(RenameIn));
  request.new_directory = {wire.newdir};
  request.flags = wire.flags;
  request.name = in.name();
  request.new_name = in.name();
}

void fill(LinkRequest& request, Reader& in, const Context& /*context*/) {
  request.target = {in.take<LinkIn>().oldnodeid};
  request.name = in.name();
}

void fill(OpenRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<OpenIn>();
  request.flags = open_flags(wire.flags);
  request.kill_suidgid = (wire.open_flags & kOpenKillSuidgid) != 0;
}

void fill(CreateRequest& request, Reader& in, const Context& context) {
  const auto wire = in.take<CreateIn>();
  request.flags = open_flags(wire.flags);
  request.kill_suidgid = (wire.open_flags & kOpenKillSuidgid) != 0;
  request.mode = wire.mode;
  request.umask = wire.umask;
  if (context.opcode == Opcode::tmpfile) {
    in.text();  // the file has no name: Linux sends "/" (fs/namei.c, vfs_tmpfile)
  } else {
    request.name = in.name();
  }
}

void fill(ReadRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<ReadIn>();
  request.handle = {wire.fh};
  request.offset = wire.offset;
  request.size = wire.size;
  request.flags = open_flags(wire.flags);
  request.lock_owner = given_if((wire.read_flags & kReadLockowner) != 0, wire.lock_owner);
}

void fill(WriteRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<WriteIn>();
  request.handle = {wire.fh};
  request.offset = wire.offset;
  request.flags = open_flags(wire.flags);
  request.lock_owner = given_if((wire.write_flags & kWriteLockowner) != 0, wire.lock_owner);
  request.from_page_cache = (wire.write_flags & kWriteCache) != 0;
  request.kill_suidgid = (wire.write_flags & kWriteKillSuidgid) != 0;
  request.data = in.data(wire.size);
}

void fill(ReleaseRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<ReleaseIn>();
  request.handle = {wire.fh};
  request.flags = open_flags(wire.flags);
  request.flush = (wire.release_flags & kReleaseFlush) != 0;
  request.unlock_flock = (wire.release_flags & kReleaseFlockUnlock) != 0;
  request.lock_owner = wire.lock_owner;
}

void fill(FsyncRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<FsyncIn>();
  request.handle = {wire.fh};
  request.data_only = (wire.fsync_flags & kFsyncDataOnly) != 0;
}

void fill(FlushRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<FlushIn>();
  request.handle = {wire.fh};
  request.lock_owner = wire.lock_owner;
}

void fill(SetxattrRequest& request, Reader& in, const Context& context) {
  const auto wire = in.take_exactly<SetxattrIn>(context.dialect.setxattr_ext ? sizeof(SetxattrIn) : kShortSetxattr);
  request.flags = wire.flags;
  request.acl_kill_sgid = (wire.setxattr_flags & kSetxattrAclKillSgid) != 0;
  request.name = in.xattr_name();
  request.value = in.data(wire.size);
}

void fill(GetxattrRequest& request, Reader& in, const Context& /*context*/) {
  request.size = in.take<GetxattrIn>().size;
  request.name = in.xattr_name();
}

void fill(ListxattrRequest& request, Reader& in, const Context& /*context*/) {
  request.size = in.take<GetxattrIn>().size;
}

void fill(RemovexattrRequest& request, Reader& in, const Context& /*context*/) {
  request.name = in.xattr_name();
}

void fill(ReaddirRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<ReadIn>();
  request.handle = {wire.fh};
  request.offset = wire.offset;
  request.size = wire.size;
}

void fill(LockRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<LkIn>();
  request.handle = {wire.fh};
  request.owner = wire.owner;
  request.start = wire.lock.start;
  request.end = wire.lock.end;
  request.type = wire.lock.type;
  request.pid = wire.lock.pid;
  request.flock = (wire.lk_flags & kLkFlock) != 0;
}

void fill(AccessRequest& request, Reader& in, const Context& /*context*/) {
  request.mask = in.take<AccessIn>().mask;
}

void fill(BmapRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<BmapIn>();
  request.block = wire.block;
  request.block_size = wire.blocksize;
}

void fill(IoctlRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<IoctlIn>();
  request.handle = {wire.fh};
  request.command = wire.cmd;
  request.argument = wire.arg;
  request.output_size = wire.out_size;
  request.compat_32bit = (wire.flags & kIoctlCompat) != 0;
  request.directory = (wire.flags & kIoctlDir) != 0;
  request.input = in.data(wire.in_size);
}

void fill(PollRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<PollIn>();
  request.handle = {wire.fh};
  request.poll_handle = {wire.kh};
  request.events = wire.events;
  request.schedule_notify = (wire.flags & kPollScheduleNotify) != 0;
}

void fill(FallocateRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<FallocateIn>();
  request.handle = {wire.fh};
  request.offset = wire.offset;
  request.length = wire.length;
  request.mode = wire.mode;
}

void fill(MmapRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<MmapIn>();
  request.handle = {wire.fh};
  request.offset = wire.offset;
  request.length = wire.length;
  request.prot = static_cast<int>(wire.prot);
  request.max_prot = static_cast<int>(wire.max_prot);
  request.shared = wire.map_flags == kMapShared;
}

void fill(MunmapRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<MunmapIn>();
  request.handle = {wire.fh};
  request.map = wire.mapid;
}

void fill(LseekRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<LseekIn>();
  request.handle = {wire.fh};
  request.offset = wire.offset;
  request.whence = wire.whence;
}

void fill(CopyFileRangeRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<CopyFileRangeIn>();
  request.handle = {wire.fh_in};
  request.offset = wire.off_in;
  request.node_out = {wire.nodeid_out};
  request.handle_out = {wire.fh_out};
  request.offset_out = wire.off_out;
  request.length = wire.len;
  request.flags = wire.flags;
}

void fill(SetupmappingRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<SetupmappingIn>();
  request.handle = {wire.fh};
  request.file_offset = wire.foffset;
  request.length = wire.len;
  request.flags = wire.flags;
  request.window_offset = wire.moffset;
}

void fill(RemovemappingRequest& request, Reader& in, const Context& /*context*/) {
  const auto count = in.take<RemovemappingIn>().count;
  if (!in.expect<RemovemappingOne>(count)) {
    return;
  }
  request.items.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto one = in.take<RemovemappingOne>();
    request.items.push_back({one.moffset, one.len});
  }
}

void fill(StatxRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<StatxIn>();
  request.handle = given_if((wire.getattr_flags & kGetattrFh) != 0, HandleId{wire.fh});
  request.flags = wire.sx_flags;
  request.mask = wire.sx_mask;
}

void fill(InterruptRequest& request, Reader& in, const Context& /*context*/) {
  request.interrupted = {in.take<InterruptIn>().unique & ~kUniqueResend};
}

void fill(NotifyReplyRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<RetrieveIn>();
  request.offset = wire.offset;
  request.data = in.data(wire.size);
}

void fill(InitRequest& request, Reader& in, const Context& /*context*/) {
  const std::size_t length = in.rest().size();
  const auto wire = in.take<InitIn>(kOldestInit);
  request.major = wire.major;
  request.minor = wire.minor;
  request.max_readahead = wire.max_readahead;
  request.flags = wire.flags;
  if ((request.flags & init_flag::kInitExt) != 0) {
    if (length < sizeof(InitIn)) {
      in.refuse("INIT_EXT without the fields that it announces");
    }
    request.flags |= std::uint64_t{wire.flags2} << 32U;
  }
}

void fill(CuseInitRequest& request, Reader& in, const Context& /*context*/) {
  const auto wire = in.take<CuseInitIn>();
  request.major = wire.major;
  request.minor = wire.minor;
  request.flags = wire.flags;
}

}  // namespace

Result<Envelope> open_envelope(std::span<const std::byte> message) {
  Reader in(message);
  const auto header = in.take<InHeader>();
  if (!in.problem().empty()) {
    return fail(EPROTO, fmt::format("a message of {} bytes has no header", message.size()));
  }
  if (header.opcode == static_cast<std::uint32_t>(Opcode::init_swapped) ||
      header.opcode == static_cast<std::uint32_t>(Opcode::cuse_init_swapped)) {
    return fail(EPROTO, "the kernel's byte order is not this program's");
  }
  const auto wrong = [&header](std::string_view what, std::size_t announced, std::size_t there) {
    return fail(EPROTO,
                fmt::format("opcode {}: {} {} bytes announced, {} there", header.opcode, what, announced, there));
  };
  if (header.len != message.size()) {
    return wrong("message of", header.len, message.size());
  }
  const std::size_t extensions = header.total_extlen * kExtensionUnit;
  if (extensions > in.rest().size()) {
    return wrong("extensions of", extensions, in.rest().size());
  }
  Envelope envelope;
  envelope.opcode = header.opcode;
  envelope.unique = header.unique;
  envelope.request.id = {header.unique & ~kUniqueResend};
  envelope.request.node = {header.nodeid};
  envelope.request.caller = {header.pid, header.uid, header.gid};
  envelope.request.resent = (header.unique & kUniqueResend) != 0;
  envelope.body = in.rest().first(in.rest().size() - extensions);
  return envelope;
}

template <class R>
Result<R> decode(const Envelope& envelope, const Dialect& dialect) {
  R request;
  static_cast<Request&>(request) = envelope.request;
  Reader in(envelope.body);
  fill(request, in, Context{static_cast<Opcode>(envelope.opcode), envelope.request, dialect});
  if (!in.problem().empty()) {
    return fail(EPROTO, fmt::format("opcode {}, {} bytes: {}", envelope.opcode, envelope.body.size(), in.problem()));
  }
  return request;
}

#define DMMAP_DECODE(R) template Result<R> decode<R>(const Envelope&, const Dialect&);
DMMAP_EACH_REQUEST(DMMAP_DECODE)
#undef DMMAP_DECODE

}  // namespace dmmap::protocol
