#include "servers/sound/control/control_files.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <string_view>

#include "servers/sound/control/control_command.h"
#include "servers/sound/control/status_json.h"

namespace dmmap::sound {

StatusFile::StatusFile(const CardControl& card) : text_(json_of(card.status())) {}

void StatusFile::read(const ReadRequest& request, Reply<Data> reply) {
  const auto bytes = std::as_bytes(std::span(text_));
  const std::size_t begin = std::min<std::uint64_t>(request.offset, bytes.size());
  reply.ok({bytes.subspan(begin, std::min<std::size_t>(request.size, bytes.size() - begin))});
}

void StatusFile::write(const WriteRequest& /*request*/, Reply<Written> reply) {
  reply.error(EINVAL);
}

// The end of the file, for those who open it for reading and writing.
void ControlFile::read(const ReadRequest& /*request*/, Reply<Data> reply) {
  reply.ok({});
}

void ControlFile::write(const WriteRequest& request, Reply<Written> reply) {
  // NOLINTNEXTLINE(*-reinterpret-cast)
  const std::string_view text(reinterpret_cast<const char*>(request.data.data()), request.data.size());
  const auto commands = parse_commands(text);
  if (!commands) {
    reply.error(commands.error().code);
    return;
  }
  for (const ControlCommand& each : *commands) {
    if (const auto done = carry_out(each, card_); !done) {
      reply.error(done.error().code);
      return;
    }
  }
  reply.ok({static_cast<std::uint32_t>(request.data.size())});
}

Result<void> add_control_files(DeviceFilesystem& filesystem, CardControl& card) {
  const DeviceOptions status{.name = "status", .mode = 0444, .uid = ::geteuid(), .gid = ::getegid(), .own_io = true};
  const DeviceOptions control{.name = "control", .mode = 0600, .uid = ::geteuid(), .gid = ::getegid(), .own_io = true};
  auto added = filesystem.add(status, [&card](const OpenRequest& /*request*/) -> Result<std::shared_ptr<Stream>> {
    return std::make_shared<StatusFile>(card);
  });
  if (!added) {
    return added;
  }
  return filesystem.add(control, [&card](const OpenRequest& /*request*/) -> Result<std::shared_ptr<Stream>> {
    return std::make_shared<ControlFile>(card);
  });
}

}  // namespace dmmap::sound
