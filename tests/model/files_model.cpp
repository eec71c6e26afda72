#include "model/files_model.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace dmmap::testing {

std::size_t ModelFile::inside(std::uint64_t offset, std::size_t length) const {
  return offset >= size() ? 0 : std::min<std::size_t>(length, size() - offset);
}

std::string ModelFile::read(std::uint64_t offset, std::size_t length) const {
  return bytes.substr(std::min<std::size_t>(offset, size()), length);
}

void ModelFile::write(std::uint64_t offset, std::string_view text) {
  if (text.empty()) {
    return;
  }
  if (size() < offset + text.size()) {
    resize(offset + text.size());
  }
  bytes.replace(offset, text.size(), text);
}

void ModelFile::zero(std::uint64_t offset, std::size_t length) {
  write(offset, std::string(inside(offset, length), '\0'));
}

FilesModel::File FilesModel::find(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}

FilesModel::File FilesModel::make(const std::string& name) {
  File& file = names_[name];
  file = std::make_shared<ModelFile>();
  file->links = 1;
  return file;
}

int FilesModel::unlink(const std::string& name) {
  const File file = find(name);
  if (!file) {
    return ENOENT;
  }
  --file->links;
  names_.erase(name);
  return 0;
}

int FilesModel::link(const std::string& name, const std::string& other) {
  const File file = find(name);
  if (!file || find(other)) {
    return file ? EEXIST : ENOENT;
  }
  ++file->links;
  names_[other] = file;
  return 0;
}

int FilesModel::rename(const std::string& name, const std::string& other, unsigned flags) {
  const File file = find(name);
  const File replaced = find(other);
  if (!file || (flags == RENAME_EXCHANGE && !replaced)) {
    return ENOENT;
  }
  if (flags == RENAME_NOREPLACE && replaced) {
    return EEXIST;
  }
  if (file == replaced) {
    return 0;  // both names stay
  }
  if (flags == RENAME_EXCHANGE) {
    names_[name] = replaced;
  } else {
    names_.erase(name);
    if (replaced) {
      --replaced->links;
    }
  }
  names_[other] = file;
  return 0;
}

int FilesModel::copy(const std::string& name, const std::string& other) {
  const File file = find(name);
  if (!file || find(other)) {
    return file ? EEXIST : ENOENT;
  }
  make(other)->bytes = file->bytes;
  return 0;
}

}  // namespace dmmap::testing
