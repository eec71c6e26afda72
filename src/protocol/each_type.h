// Lists of all requests and all replies, for code that does the same with each of them.
//
// Promises: X(Type) once for every struct of <dmmap/requests.h>, respectively <dmmap/replies.h>, that has a wire form
// of its own.
#pragma once

#include <dmmap/replies.h>
#include <dmmap/requests.h>

#define DMMAP_EACH_REQUEST(X) \
  X(LookupRequest)            \
  X(ForgetRequest)            \
  X(GetattrRequest)           \
  X(SetattrRequest)           \
  X(ReadlinkRequest)          \
  X(SymlinkRequest)           \
  X(MknodRequest)             \
  X(MkdirRequest)             \
  X(UnlinkRequest)            \
  X(RmdirRequest)             \
  X(RenameRequest)            \
  X(LinkRequest)              \
  X(OpenRequest)              \
  X(OpendirRequest)           \
  X(CreateRequest)            \
  X(TmpfileRequest)           \
  X(ReadRequest)              \
  X(WriteRequest)             \
  X(StatfsRequest)            \
  X(ReleaseRequest)           \
  X(ReleasedirRequest)        \
  X(FsyncRequest)             \
  X(FsyncdirRequest)          \
  X(FlushRequest)             \
  X(SetxattrRequest)          \
  X(GetxattrRequest)          \
  X(ListxattrRequest)         \
  X(RemovexattrRequest)       \
  X(ReaddirRequest)           \
  X(ReaddirplusRequest)       \
  X(GetlkRequest)             \
  X(SetlkRequest)             \
  X(SetlkwRequest)            \
  X(AccessRequest)            \
  X(BmapRequest)              \
  X(IoctlRequest)             \
  X(PollRequest)              \
  X(FallocateRequest)         \
  X(MmapRequest)              \
  X(MunmapRequest)            \
  X(LseekRequest)             \
  X(CopyFileRangeRequest)     \
  X(SetupmappingRequest)      \
  X(RemovemappingRequest)     \
  X(SyncfsRequest)            \
  X(StatxRequest)             \
  X(InterruptRequest)         \
  X(NotifyReplyRequest)       \
  X(InitRequest)              \
  X(CuseInitRequest)          \
  X(DestroyRequest)

#define DMMAP_EACH_REPLY(X) \
  X(Entry)                  \
  X(AttributesReply)        \
  X(Opened)                 \
  X(Created)                \
  X(Mmapped)                \
  X(Data)                   \
  X(Xattr)                  \
  X(Written)                \
  X(FilesystemStatus)       \
  X(StatxReply)             \
  X(LockState)              \
  X(Block)                  \
  X(IoctlDone)              \
  X(PollReady)              \
  X(Seeked)                 \
  X(Copied)                 \
  X(DirectoryListing)       \
  X(DirectoryListingPlus)   \
  X(Done)
