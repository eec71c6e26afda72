// PagedDirectory: a tree of ordinary files and directories, each file a paged region in the server's memory.
//
// Just enough of a file system for programs that insist on files of their own making. Thread safety: every call.
#pragma once

#include <dmmap/mapping.h>
#include <dmmap/memory_pages.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace dmmap::testing {

class PagedDirectory final : public MappedFilesystem {
 public:
  static constexpr std::uint64_t kMost = std::uint64_t{1} << 30;  // bytes a file may have

  PagedDirectory();

  void lookup(const LookupRequest& request, Reply<Entry> reply) override;
  void forget(NodeId node) override;
  void getattr(const GetattrRequest& request, Reply<AttributesReply> reply) override;
  void setattr(const SetattrRequest& request, Reply<AttributesReply> reply) override;
  void mknod(const MknodRequest& request, Reply<Entry> reply) override;
  void mkdir(const MkdirRequest& request, Reply<Entry> reply) override;
  void unlink(const UnlinkRequest& request, Reply<Done> reply) override;
  void rmdir(const RmdirRequest& request, Reply<Done> reply) override;
  void fallocate(const FallocateRequest& request, Reply<Done> reply) override;
  void opendir(const OpendirRequest& request, Reply<Opened> reply) override;
  void readdir(const ReaddirRequest& request, Reply<DirectoryListing> reply) override;
  void releasedir(const ReleasedirRequest& request, Reply<Done> reply) override;

  Result<OpenedFile> open_file(const OpenRequest& request) override;
  Result<Grant> map(const MapRequest& request) override;

 private:
  struct Node {
    std::uint32_t mode = 0;
    std::uint32_t links = 0;
    bool known = false;  // to the kernel
    std::shared_ptr<PagedRegion> region;
    std::map<std::string, std::uint64_t, std::less<>> names;
  };
  [[nodiscard]] Attributes attributes(std::uint64_t number, const Node& node) const;
  [[nodiscard]] Entry entry(std::uint64_t number);
  Result<Entry> make(NodeId directory, std::string_view name, std::uint32_t mode);
  int remove(NodeId directory, std::string_view name, bool is_directory);
  void drop_if_unused(std::uint64_t number);

  std::mutex lock_;
  std::map<std::uint64_t, Node> nodes_;
  std::uint64_t next_ = 2;
  std::uint64_t next_handle_ = 1;
};

}  // namespace dmmap::testing
