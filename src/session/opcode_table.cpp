#include "session/opcode_table.h"

#include <dmmap/filesystem.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "protocol/map_protocol.h"
#include "protocol/opcode.h"
#include "protocol/print.h"
#include "session/connection_impl.h"
#include "session/core.h"
#include "session/interceptor.h"
#include "session/pending_request.h"
#include "session/serving.h"

namespace dmmap::session {

namespace {

using Pending = std::shared_ptr<detail::PendingRequest>;
using protocol::Envelope;
using protocol::Opcode;

// How many bytes the answer to a request may carry, for requests that say so.
template <class R>
std::uint32_t reply_size(const R& request) {
  if constexpr (requires { request.output_size; }) {
    return request.output_size;
  } else if constexpr (std::is_same_v<R, WriteRequest>) {
    return static_cast<std::uint32_t>(request.data.size());
  } else if constexpr (requires { request.size; } && !std::is_same_v<R, SetattrRequest>) {
    return request.size;
  } else {
    return 0;
  }
}

template <class R>
std::optional<R> decode_or_refuse(const Pending& pending, const Envelope& envelope) {
  auto request = protocol::decode<R>(envelope, pending->core().dialect());
  if (!request) {
    pending->core().log(LogLevel::error, request.error().message);
    return std::nullopt;
  }
  return std::move(*request);
}

// Whether the kernel holds an inode's lock while it waits for the answer, and whose (fs/fuse/file.c, fs/fuse/dir.c). A
// write(2) that many may make at once holds it shared, which is as bad for who wants it alone.
template <class R>
bool locks_node(const R& request) {
  if constexpr (std::is_same_v<R, WriteRequest>) {
    return !request.from_page_cache;
  } else {
    return std::is_same_v<R, SetattrRequest> || std::is_same_v<R, FsyncRequest> ||
           std::is_same_v<R, FallocateRequest> || std::is_same_v<R, LseekRequest> ||
           std::is_same_v<R, CopyFileRangeRequest>;
  }
}
template <class R>
NodeId locked_node(const R& request) {
  if constexpr (std::is_same_v<R, CopyFileRangeRequest>) {
    return request.node_out;
  } else {
    return request.node;
  }
}

/// A request that the file system answers.
template <class R, class T, void (Filesystem::*kMethod)(const R&, Reply<T>)>
void serve(const Pending& pending, const Envelope& envelope) {
  const auto request = decode_or_refuse<R>(pending, envelope);
  if (!request) {
    pending->fail(EIO);
    return;
  }
  pending->limit(reply_size(*request));
  Filesystem& filesystem = pending->core().filesystem();
  const Handling handling(locked_node(*request), locks_node(*request));
  Reply<T> reply(pending);
  if constexpr (kIntercepted<R>) {
    for (Interceptor* const interceptor : filesystem.interceptors()) {
      if (interceptor->take(*request, reply)) {
        return;
      }
    }
  }
  if (is_library_node(request->node)) {
    // Never ENOSYS, which the kernel would take for the whole mount's answer.
    reply.error(std::is_same_v<R, IoctlRequest> ? ENOTTY : EOPNOTSUPP);
    return;
  }
  (filesystem.*kMethod)(*request, std::move(reply));
}

void handle_forget(const Pending& pending, const Envelope& envelope) {
  if (const auto request = decode_or_refuse<ForgetRequest>(pending, envelope)) {
    pending->core().answered(pending->unique());  // it has no answer
    pending->core().forget(*request);
  }
}

void handle_interrupt(const Pending& pending, const Envelope& envelope) {
  if (const auto request = decode_or_refuse<InterruptRequest>(pending, envelope)) {
    pending->core().interrupt(pending->unique(), *request);
  }
}

void handle_notify_reply(const Pending& pending, const Envelope& envelope) {
  if (const auto request = decode_or_refuse<NotifyReplyRequest>(pending, envelope)) {
    pending->core().answered(pending->unique());  // it's an answer itself
    pending->core().connection().retrieved(*request);
  }
}

void handle_destroy(const Pending& pending, const Envelope& /*envelope*/) {
  protocol::WireReply nothing;
  pending->succeed(nothing, [] { return std::string(); });
}

// INIT comes once and first; Core::begin() has answered it. CUSE's is for character devices, which need /dev/cuse.
void refuse(const Pending& pending, const Envelope& /*envelope*/) {
  pending->fail(ENOSYS);
}

template <class R>
std::string print(const Core& core, const Envelope& envelope) {
  const auto request = protocol::decode<R>(envelope, core.dialect());
  return request ? protocol::describe(*request) : request.error().message;
}

// An ioctl's number says little: the server knows its name.
std::string print_ioctl(const Core& core, const Envelope& envelope) {
  const auto request = protocol::decode<IoctlRequest>(envelope, core.dialect());
  if (!request) {
    return request.error().message;
  }
  const std::string name =
      request->command == protocol::map::kAsk ? "ASK_MMAP" : core.filesystem().ioctl_name(request->command);
  return fmt::format("{} {}", name.empty() ? "unknown" : name, protocol::describe(*request));
}

template <class R, class T, void (Filesystem::*kMethod)(const R&, Reply<T>)>
constexpr OpcodeRow row(Opcode opcode, std::string_view name) {
  return {static_cast<std::uint32_t>(opcode), name, &serve<R, T, kMethod>, &print<R>};
}

template <class R>
constexpr OpcodeRow own(Opcode opcode, std::string_view name, void (*handle)(const Pending&, const Envelope&)) {
  return {static_cast<std::uint32_t>(opcode), name, handle, &print<R>};
}

using F = Filesystem;

constexpr std::array kTable{
    row<LookupRequest, Entry, &F::lookup>(Opcode::lookup, "LOOKUP"),
    own<ForgetRequest>(Opcode::forget, "FORGET", &handle_forget),
    row<GetattrRequest, AttributesReply, &F::getattr>(Opcode::getattr, "GETATTR"),
    row<SetattrRequest, AttributesReply, &F::setattr>(Opcode::setattr, "SETATTR"),
    row<ReadlinkRequest, Data, &F::readlink>(Opcode::readlink, "READLINK"),
    row<SymlinkRequest, Entry, &F::symlink>(Opcode::symlink, "SYMLINK"),
    row<MknodRequest, Entry, &F::mknod>(Opcode::mknod, "MKNOD"),
    row<MkdirRequest, Entry, &F::mkdir>(Opcode::mkdir, "MKDIR"),
    row<UnlinkRequest, Done, &F::unlink>(Opcode::unlink, "UNLINK"),
    row<RmdirRequest, Done, &F::rmdir>(Opcode::rmdir, "RMDIR"),
    row<RenameRequest, Done, &F::rename>(Opcode::rename, "RENAME"),
    row<LinkRequest, Entry, &F::link>(Opcode::link, "LINK"),
    row<OpenRequest, Opened, &F::open>(Opcode::open, "OPEN"),
    row<ReadRequest, Data, &F::read>(Opcode::read, "READ"),
    row<WriteRequest, Written, &F::write>(Opcode::write, "WRITE"),
    row<StatfsRequest, FilesystemStatus, &F::statfs>(Opcode::statfs, "STATFS"),
    row<ReleaseRequest, Done, &F::release>(Opcode::release, "RELEASE"),
    row<FsyncRequest, Done, &F::fsync>(Opcode::fsync, "FSYNC"),
    row<SetxattrRequest, Done, &F::setxattr>(Opcode::setxattr, "SETXATTR"),
    row<GetxattrRequest, Xattr, &F::getxattr>(Opcode::getxattr, "GETXATTR"),
    row<ListxattrRequest, Xattr, &F::listxattr>(Opcode::listxattr, "LISTXATTR"),
    row<RemovexattrRequest, Done, &F::removexattr>(Opcode::removexattr, "REMOVEXATTR"),
    row<FlushRequest, Done, &F::flush>(Opcode::flush, "FLUSH"),
    own<InitRequest>(Opcode::init, "INIT", &refuse),
    row<OpendirRequest, Opened, &F::opendir>(Opcode::opendir, "OPENDIR"),
    row<ReaddirRequest, DirectoryListing, &F::readdir>(Opcode::readdir, "READDIR"),
    row<ReleasedirRequest, Done, &F::releasedir>(Opcode::releasedir, "RELEASEDIR"),
    row<FsyncdirRequest, Done, &F::fsyncdir>(Opcode::fsyncdir, "FSYNCDIR"),
    row<GetlkRequest, LockState, &F::getlk>(Opcode::getlk, "GETLK"),
    row<SetlkRequest, Done, &F::setlk>(Opcode::setlk, "SETLK"),
    row<SetlkwRequest, Done, &F::setlkw>(Opcode::setlkw, "SETLKW"),
    row<AccessRequest, Done, &F::access>(Opcode::access, "ACCESS"),
    row<CreateRequest, Created, &F::create>(Opcode::create, "CREATE"),
    own<InterruptRequest>(Opcode::interrupt, "INTERRUPT", &handle_interrupt),
    row<BmapRequest, Block, &F::bmap>(Opcode::bmap, "BMAP"),
    own<DestroyRequest>(Opcode::destroy, "DESTROY", &handle_destroy),
    OpcodeRow{static_cast<std::uint32_t>(Opcode::ioctl), "IOCTL", &serve<IoctlRequest, IoctlDone, &F::ioctl>,
              &print_ioctl},
    row<PollRequest, PollReady, &F::poll>(Opcode::poll, "POLL"),
    own<NotifyReplyRequest>(Opcode::notify_reply, "NOTIFY_REPLY", &handle_notify_reply),
    own<ForgetRequest>(Opcode::batch_forget, "BATCH_FORGET", &handle_forget),
    row<FallocateRequest, Done, &F::fallocate>(Opcode::fallocate, "FALLOCATE"),
    row<ReaddirplusRequest, DirectoryListingPlus, &F::readdirplus>(Opcode::readdirplus, "READDIRPLUS"),
    row<RenameRequest, Done, &F::rename>(Opcode::rename2, "RENAME2"),
    row<LseekRequest, Seeked, &F::lseek>(Opcode::lseek, "LSEEK"),
    row<CopyFileRangeRequest, Copied, &F::copy_file_range>(Opcode::copy_file_range, "COPY_FILE_RANGE"),
    row<SetupmappingRequest, Done, &F::setupmapping>(Opcode::setupmapping, "SETUPMAPPING"),
    row<RemovemappingRequest, Done, &F::removemapping>(Opcode::removemapping, "REMOVEMAPPING"),
    row<SyncfsRequest, Done, &F::syncfs>(Opcode::syncfs, "SYNCFS"),
    row<TmpfileRequest, Created, &F::tmpfile>(Opcode::tmpfile, "TMPFILE"),
    row<StatxRequest, StatxReply, &F::statx>(Opcode::statx, "STATX"),
    row<CopyFileRangeRequest, Copied, &F::copy_file_range>(Opcode::copy_file_range_64, "COPY_FILE_RANGE_64"),
    row<MmapRequest, Mmapped, &F::mmap>(Opcode::mmap, "MMAP"),
    row<MunmapRequest, Done, &F::munmap>(Opcode::munmap, "MUNMAP"),
    own<CuseInitRequest>(Opcode::cuse_init, "CUSE_INIT", &refuse),
};

}  // namespace

const OpcodeRow* find_opcode(std::uint32_t opcode) {
  const auto* found = std::lower_bound(kTable.begin(), kTable.end(), opcode,
                                       [](const OpcodeRow& row, std::uint32_t wanted) { return row.opcode < wanted; });
  return found != kTable.end() && found->opcode == opcode ? found : nullptr;
}

static_assert(std::is_sorted(kTable.begin(), kTable.end(),
                             [](const OpcodeRow& a, const OpcodeRow& b) { return a.opcode < b.opcode; }),
              "find_opcode searches by halves");

std::string_view opcode_name(std::uint32_t opcode) {
  const OpcodeRow* found = find_opcode(opcode);
  return found != nullptr ? found->name : std::string_view("opcode");
}

}  // namespace dmmap::session
