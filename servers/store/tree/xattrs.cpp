#include "servers/store/tree/xattrs.h"

#include <fmt/format.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#include <cerrno>

namespace dmmap::store {

namespace {

tl::unexpected<Error> absent(std::string_view name) {
  return fail(ENODATA, fmt::format("there's no attribute {}", name));
}

}  // namespace

Xattrs::Xattrs(FileId file) : prefix_(key_of(file)) {}

std::string Xattrs::key(std::string_view name) const {
  return prefix_ + std::string(name);
}

Result<std::optional<std::string>> Xattrs::get(const Reader& reader, std::string_view name) const {
  return reader.get(Table::xattrs, key(name));
}

Result<std::string> Xattrs::list(const Reader& reader) const {
  std::string names;
  return for_each(reader, Table::xattrs, KeyRange::of(prefix_),
                  [&](std::string_view key, std::string_view /*value*/) {
                    names.append(key.substr(prefix_.size()));
                    names.push_back('\0');
                  })
      .map([&] { return std::move(names); });
}

Result<void> Xattrs::set(Transaction& transaction, std::string_view name, std::string_view value,
                         std::uint32_t flags) const {
  if (name.empty() || name.size() > XATTR_NAME_MAX) {
    return fail(ERANGE, fmt::format("an attribute's name of {} bytes; {} are the most", name.size(), XATTR_NAME_MAX));
  }
  if (value.size() > XATTR_SIZE_MAX) {
    return fail(E2BIG, fmt::format("an attribute of {} bytes; {} are the most", value.size(), XATTR_SIZE_MAX));
  }
  constexpr std::uint32_t kKnown = XATTR_CREATE | XATTR_REPLACE;
  if ((flags & ~kKnown) != 0) {
    return fail(EINVAL, fmt::format("setxattr flags {:#x}", flags));
  }
  const auto old = get(transaction, name);
  if (!old) {
    return tl::unexpected(old.error());
  }
  if (*old && (flags & XATTR_CREATE) != 0) {
    return fail(EEXIST, fmt::format("there's an attribute {} already", name));
  }
  if (!*old && (flags & XATTR_REPLACE) != 0) {
    return absent(name);
  }
  if (!*old) {
    const auto names = list(transaction);
    if (!names) {
      return tl::unexpected(names.error());
    }
    if (names->size() + name.size() + 1 > XATTR_LIST_MAX) {
      return fail(ENOSPC, fmt::format("the file's attributes have names of {} bytes already", names->size()));
    }
  }
  transaction.put(Table::xattrs, key(name), value);
  return {};
}

Result<void> Xattrs::copy(Transaction& transaction, FileId other) const {
  const Xattrs to(other);
  return for_each(transaction, Table::xattrs, KeyRange::of(prefix_), [&](std::string_view key, std::string_view value) {
    transaction.put(Table::xattrs, to.key(key.substr(prefix_.size())), value);
  });
}

Result<void> Xattrs::remove(Transaction& transaction, std::string_view name) const {
  const auto old = get(transaction, name);
  if (!old) {
    return tl::unexpected(old.error());
  }
  if (!*old) {
    return absent(name);
  }
  transaction.remove(Table::xattrs, key(name));
  return {};
}

}  // namespace dmmap::store
