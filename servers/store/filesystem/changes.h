// How StoreFilesystem's calls answer and commit: its templates, for its own files alone.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <string>

#include "servers/store/filesystem/store_filesystem.h"

namespace dmmap::store {

[[nodiscard]] inline FileId file_of(NodeId node) {
  return {node.value};
}

/// What was to be returned, or the error.
template <class T>
[[nodiscard]] Result<Done> done(const Result<T>& result) {
  return result ? Result<Done>(Done{}) : tl::unexpected(result.error());
}

template <class T>
void StoreFilesystem::refuse(ReplyBase& reply, const Result<T>& result) const {
  if (result.error().code == EIO) {
    log_(LogLevel::error, result.error().message);
  }
  reply.error(result.error().code);
}

template <class T>
void StoreFilesystem::answer(Reply<T>& reply, const Result<T>& result) const {
  if (result) {
    reply.ok(*result);
  } else {
    refuse(reply, result);
  }
}

template <class T>
void StoreFilesystem::answer_open(Reply<T>& reply, const T& answer, FileId file, int flags) {
  // Before the answer, after which it can be written to.
  if ((flags & O_ACCMODE) != O_RDONLY) {
    const std::lock_guard guard(writers_lock_);
    ++writers_[file.value];
  }
  if (reply.ok(answer) == Delivery::gone) {
    closed(file, flags);
  }
}

template <class Change>
auto StoreFilesystem::committed(const Change& change) -> decltype(change(std::declval<Transaction&>())) {
  const std::lock_guard changing(changing_);
  Transaction transaction(database_);
  auto result = change(transaction);
  if (result) {
    if (auto committed = transaction.commit(); !committed) {
      return tl::unexpected(committed.error());
    }
  }
  return result;
}

template <class Change>
auto StoreFilesystem::changed(FileId file, const Change& change)
    -> decltype(change(std::declval<Transaction&>(), std::declval<Inode&>())) {
  using Outcome = decltype(change(std::declval<Transaction&>(), std::declval<Inode&>()));
  return committed([&](Transaction& transaction) -> Outcome {
    auto inode = get_inode(transaction, file);
    if (!inode) {
      return tl::unexpected(inode.error());
    }
    auto result = change(transaction, *inode);
    if (result) {
      put_inode(transaction, *inode);
    }
    return result;
  });
}

}  // namespace dmmap::store
