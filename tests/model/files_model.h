// FilesModel: a directory of files as maps and strings have it, which a file system is compared with.
//
// Promises: what POSIX says; a call that returns an errno(3) other than 0 has changed nothing. A file lives as long as
// someone holds it, as open files do. Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace dmmap::testing {

struct ModelFile {
  std::string bytes;
  std::uint64_t node = 0;   ///< its number on the file system, once known
  std::uint64_t links = 0;  ///< names

  [[nodiscard]] std::size_t size() const { return bytes.size(); }
  /// How many of `length` bytes at `offset` there are.
  [[nodiscard]] std::size_t inside(std::uint64_t offset, std::size_t length) const;
  [[nodiscard]] std::string read(std::uint64_t offset, std::size_t length) const;
  void write(std::uint64_t offset, std::string_view text);
  void resize(std::uint64_t size) { bytes.resize(size, '\0'); }
  /// Zeros, as far as the file goes.
  void zero(std::uint64_t offset, std::size_t length);
};

class FilesModel {
 public:
  using File = std::shared_ptr<ModelFile>;

  /// Null when there's none.
  [[nodiscard]] File find(const std::string& name) const;
  /// REQUIRES: there's none.
  File make(const std::string& name);
  int unlink(const std::string& name);
  int link(const std::string& name, const std::string& other);
  int rename(const std::string& name, const std::string& other, unsigned flags);
  /// A file with the same bytes.
  int copy(const std::string& name, const std::string& other);
  [[nodiscard]] const std::map<std::string, File>& names() const { return names_; }

 private:
  std::map<std::string, File> names_;
};

}  // namespace dmmap::testing
