#include "servers/sound/control/control_files.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "servers/device/status_file.h"
#include "servers/sound/control/control_command.h"
#include "servers/sound/control/status_json.h"

namespace dmmap::sound {

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
  const DeviceOptions control{.name = "control", .mode = 0600, .uid = ::geteuid(), .gid = ::getegid(), .own_io = true};
  auto added = device::add_status_file(filesystem, [&card] { return json_of(card.status()); });
  if (!added) {
    return added;
  }
  return filesystem.add(control, [&card](const OpenRequest& /*request*/) -> Result<std::shared_ptr<Stream>> {
    return std::make_shared<ControlFile>(card);
  });
}

}  // namespace dmmap::sound
