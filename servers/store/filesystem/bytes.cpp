// StoreFilesystem's bytes: what is read, written, made holes of and shared.
#include <fcntl.h>
#include <unistd.h>

#include <limits>

#include "servers/store/content/content.h"
#include "servers/store/filesystem/attributes.h"
#include "servers/store/filesystem/changes.h"
#include "servers/store/kv/view.h"

namespace dmmap::store {

void StoreFilesystem::open(const OpenRequest& request, Reply<Opened> reply) {
  if ((request.flags & O_TRUNC) != 0) {
    if (const auto inode = resized(file_of(request.node), 0); !inode) {
      refuse(reply, inode);
      return;
    }
  }
  Opened opened;
  opened.keep_cache = true;  // nobody but the kernel changes it
  answer_open(reply, opened, file_of(request.node), request.flags);
}

void StoreFilesystem::closed(FileId file, int flags) {
  if ((flags & O_ACCMODE) == O_RDONLY) {
    return;
  }
  const std::lock_guard guard(writers_lock_);
  const auto found = writers_.find(file.value);
  if (found != writers_.end() && --found->second == 0) {
    writers_.erase(found);
  }
}

bool StoreFilesystem::is_open_for_writing(FileId file) {
  const std::lock_guard guard(writers_lock_);
  return writers_.contains(file.value);
}

void StoreFilesystem::release(const ReleaseRequest& request, Reply<Done> reply) {
  closed(file_of(request.node), request.flags);
  reply.ok({});
}

void StoreFilesystem::read(const ReadRequest& request, Reply<Data> reply) {
  const View view(database_);
  auto inode = get_inode(view, file_of(request.node));
  if (!inode) {
    refuse(reply, inode);
    return;
  }
  std::vector<std::byte> bytes(request.size);
  const auto size = Content(*inode).read(view, request.offset, bytes);
  if (!size) {
    refuse(reply, size);
    return;
  }
  // The kernel may know of a larger size, which the store hasn't been brought yet, and would take a short answer to a
  // page's fill for the file's end: zeros are what lies beyond. Who reads past its cache wants to see the end.
  reply.ok({request.lock_owner ? std::span(bytes).first(*size) : std::span(bytes)});
}

// Where the disk is full: what the kernel brings of stores through mappings and of write(2), which it has taken, is
// kept as far as there's room that was kept back; and of the last of that what doesn't need more in the end, since it
// takes the place of what is there.
Result<StoreFilesystem::Taking> StoreFilesystem::taking(const WriteRequest& request) {
  const DiskSpace::Room room = space_.room();
  if (room == DiskSpace::Room::all) {
    told_full_ = false;
    return Taking::wholly;
  }
  bool keep = request.from_page_cache && room != DiskSpace::Room::removing;
  if (keep && room == DiskSpace::Room::replacing) {
    const View view(database_);
    const auto there = Content::is_there(view, file_of(request.node), request.offset, request.data.size());
    if (!there) {
      return tl::unexpected(there.error());
    }
    keep = *there;
  }
  if (!keep && request.from_page_cache && !told_full_.exchange(true)) {
    log_(LogLevel::error,
         "the disk is full: from now on what programs write may be lost, of which fsync, msync and close "
         "tell them by ENOSPC; make room on the disk, or remove files");
  }
  return keep ? Taking::told_enospc : Taking::not_at_all;
}

void StoreFilesystem::write(const WriteRequest& request, Reply<Written> reply) {
  const auto taken = taking(request);
  if (!taken) {
    refuse(reply, taken);
    return;
  }
  if (*taken == Taking::not_at_all) {
    reply.error(ENOSPC);
    return;
  }
  const std::lock_guard pages(pages_of(file_of(request.node)));
  const auto written =
      changed(file_of(request.node), [&request](Transaction& transaction, Inode& inode) -> Result<Written> {
        if (auto done = Content(inode).write(transaction, request.offset, request.data); !done) {
          return tl::unexpected(done.error());
        }
        if (!request.from_page_cache) {
          inode.modified = inode.changed = now();  // otherwise the kernel says when, by SETATTR
        }
        return Written{static_cast<std::uint32_t>(request.data.size())};
      });
  janitor_->freed();
  if (written && *taken == Taking::told_enospc) {
    reply.error(ENOSPC);
    return;
  }
  answer(reply, written);
}

Result<Inode> StoreFilesystem::resized(FileId file, std::uint64_t size) {
  const std::lock_guard pages(pages_of(file));
  bool more = false;
  auto inode = changed(file, [&](Transaction& transaction, Inode& changing) -> Result<Inode> {
    const auto left = Content(changing).resize(transaction, size);
    if (!left) {
      return tl::unexpected(left.error());
    }
    more = *left;
    changing.modified = changing.changed = now();
    return changing;
  });
  while (inode && more) {
    const std::lock_guard changing(changing_);
    const auto left = trim(database_, file);
    if (!left) {
      return tl::unexpected(left.error());
    }
    more = *left;
  }
  janitor_->freed();
  return inode;
}

Result<void> StoreFilesystem::punched(FileId file, std::uint64_t begin, std::uint64_t end) {
  const std::lock_guard pages(pages_of(file));
  while (begin < end) {
    const auto at = changed(file, [&](Transaction& transaction, Inode& inode) -> Result<std::uint64_t> {
      inode.modified = inode.changed = now();
      end = std::min(end, inode.size);
      return Content(inode).punch(transaction, begin, end);
    });
    if (!at) {
      return tl::unexpected(at.error());
    }
    begin = *at;
  }
  janitor_->freed();
  return {};
}

Result<void> StoreFilesystem::grown(FileId file, std::uint64_t size) {
  const std::lock_guard pages(pages_of(file));
  return changed(file, [&](Transaction& transaction, Inode& inode) -> Result<void> {
    if (size <= inode.size) {
      return {};
    }
    inode.modified = inode.changed = now();
    const auto done = Content(inode).resize(transaction, size);
    return done ? Result<void>() : tl::unexpected(done.error());
  });
}

void StoreFilesystem::fallocate(const FallocateRequest& request, Reply<Done> reply) {
  constexpr std::uint32_t kZeroing = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  const std::uint32_t mode = request.mode;
  if ((mode & ~(kZeroing | FALLOC_FL_KEEP_SIZE)) != 0) {
    reply.error(EOPNOTSUPP);
    return;
  }
  if (request.length == 0 || request.length > kLargestFile || request.offset > kLargestFile - request.length) {
    reply.error(request.length == 0 ? EINVAL : EFBIG);
    return;
  }
  const std::uint64_t end = request.offset + request.length;
  const FileId file = file_of(request.node);
  Result<void> outcome;
  if ((mode & kZeroing) != 0) {
    outcome = punched(file, request.offset, end);
  } else if (!space_.has(request.length)) {
    outcome = fail(ENOSPC, "the store's disk has no room for that");
  }
  if (outcome && (mode & FALLOC_FL_KEEP_SIZE) == 0) {
    outcome = grown(file, end);
  }
  answer(reply, done(outcome));
}

// Where nothing tells when what was stored has been brought the kernel is told, by ENOSYS, to take all files for data
// from now on, up to the size that only it knows.
void StoreFilesystem::lseek(const LseekRequest& request, Reply<Seeked> reply) {
  const FileId file = file_of(request.node);
  const auto found = [&]() -> Result<Seeked> {
    const View view(database_);
    auto inode = get_inode(view, file);
    if (!inode) {
      return tl::unexpected(inode.error());
    }
    return Content(*inode).seek(view, request.offset, request.whence == SEEK_HOLE).map([](std::uint64_t at) {
      return Seeked{at};
    });
  };
  if (!is_open_for_writing(file)) {
    answer(reply, found());
    return;
  }
  dirty_.write_back(request.node, [&](const Result<void>& written) {
    if (!written && written.error().code == EOPNOTSUPP) {
      reply.error(ENOSYS);
      return;
    }
    answer(reply, written ? found() : tl::unexpected(written.error()));
  });
}

void StoreFilesystem::copy_file_range(const CopyFileRangeRequest& request, Reply<Copied> reply) {
  const auto roomy = room();
  if (!roomy) {
    refuse(reply, roomy);
    return;
  }
  const FileId from = file_of(request.node);
  const FileId to = file_of(request.node_out);
  if (request.length > std::numeric_limits<std::uint64_t>::max() - request.offset) {
    reply.error(EINVAL);
    return;
  }
  const std::lock_guard pages(pages_of(to));
  const auto shared = changed(to, [&](Transaction& transaction, Inode& inode) -> Result<Copied> {
    // In one file this inode is the source too; the kernel has refused what overlaps (mm/filemap.c,
    // generic_copy_file_checks).
    const auto source = from == to ? Result<Inode>(inode) : get_inode(transaction, from);
    if (!source) {
      return tl::unexpected(source.error());
    }
    if (request.offset >= source->size) {
      return Copied{0};
    }
    const auto size =
        Content(inode).share(transaction, *source, request.offset, request.offset + request.length, request.offset_out);
    if (!size) {
      return tl::unexpected(size.error());
    }
    inode.modified = inode.changed = now();
    return Copied{*size};
  });
  janitor_->freed();
  answer(reply, shared);
}

}  // namespace dmmap::store
