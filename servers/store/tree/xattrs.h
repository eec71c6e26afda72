// Xattrs: a file's extended attributes, as xattr(7) has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "servers/store/kv/reader.h"
#include "servers/store/kv/transaction.h"
#include "servers/store/pages/file_id.h"

namespace dmmap::store {

/// Thread safety: a value; its Reader's is what counts.
class Xattrs {
 public:
  explicit Xattrs(FileId file);

  /// Errors: EIO for what is damaged, here and below.
  [[nodiscard]] Result<std::optional<std::string>> get(const Reader& reader, std::string_view name) const;
  /// All names, each with a NUL after it.
  [[nodiscard]] Result<std::string> list(const Reader& reader) const;
  /// setxattr(2) with its flags. Errors: EEXIST, ENODATA; ERANGE for a name, E2BIG for a value that is too long; ENOSPC
  /// when the list of names would come to be longer than listxattr(2) can return; EINVAL for other flags.
  Result<void> set(Transaction& transaction, std::string_view name, std::string_view value, std::uint32_t flags) const;
  /// Errors: ENODATA.
  Result<void> remove(Transaction& transaction, std::string_view name) const;
  /// Gives `other`, which has none, all of them.
  Result<void> copy(Transaction& transaction, FileId other) const;

 private:
  [[nodiscard]] std::string key(std::string_view name) const;

  const std::string prefix_;
};

}  // namespace dmmap::store
