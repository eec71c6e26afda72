#include "servers/device/status_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace dmmap::device {

namespace {

class StatusFile final : public Stream {
 public:
  explicit StatusFile(std::string text) : text_(std::move(text)) {}

  void read(const ReadRequest& request, Reply<Data> reply) override {
    const auto bytes = std::as_bytes(std::span(text_));
    const std::size_t begin = std::min<std::uint64_t>(request.offset, bytes.size());
    reply.ok({bytes.subspan(begin, std::min<std::size_t>(request.size, bytes.size() - begin))});
  }
  void write(const WriteRequest& /*request*/, Reply<Written> reply) override { reply.error(EINVAL); }

 private:
  const std::string text_;
};

}  // namespace

Result<void> add_status_file(DeviceFilesystem& filesystem, std::function<std::string()> text) {
  const DeviceOptions status{.name = "status", .mode = 0444, .uid = ::geteuid(), .gid = ::getegid(), .own_io = true};
  return filesystem.add(status,
                        [text = std::move(text)](const OpenRequest& /*request*/) -> Result<std::shared_ptr<Stream>> {
                          return std::make_shared<StatusFile>(text());
                        });
}

}  // namespace dmmap::device
