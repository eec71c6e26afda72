#include "servers/sound/device/mixer_device.h"

#include <sys/ioctl.h>

#include <cerrno>

namespace dmmap::sound {

void MixerDevice::read(const ReadRequest& /*request*/, Reply<Data> reply) {
  reply.error(EINVAL);
}

void MixerDevice::write(const WriteRequest& /*request*/, Reply<Written> reply) {
  reply.error(EINVAL);
}

void MixerDevice::ioctl(const IoctlRequest& request, Reply<IoctlDone> reply) {
  const auto answer = answer_card_ioctl(card_, levels_, request.command, request.input);
  if (!answer) {
    reply.error(_IOC_TYPE(request.command) == 'X' ? EINVAL : ENOTTY);
  } else {
    device::give(*answer, reply);
  }
}

}  // namespace dmmap::sound
