#include "servers/sound/pulse/pulse_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <span>

namespace dmmap::sound {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{3};

constexpr std::array kOfMore{
    PA_CHANNEL_POSITION_FRONT_LEFT, PA_CHANNEL_POSITION_FRONT_RIGHT,  PA_CHANNEL_POSITION_REAR_LEFT,
    PA_CHANNEL_POSITION_REAR_RIGHT, PA_CHANNEL_POSITION_FRONT_CENTER, PA_CHANNEL_POSITION_LFE,
    PA_CHANNEL_POSITION_SIDE_LEFT,  PA_CHANNEL_POSITION_SIDE_RIGHT,
};

}  // namespace

pa_channel_map pulse_channels(unsigned channels) {
  pa_channel_map map;
  pa_channel_map_init(&map);
  map.channels = static_cast<std::uint8_t>(channels);
  std::copy_n(kOfMore.begin(), channels, std::begin(map.map));
  if (channels == 1) {
    map.map[0] = PA_CHANNEL_POSITION_MONO;
  } else if (channels == 3) {
    map.map[2] = PA_CHANNEL_POSITION_FRONT_CENTER;
  } else if (channels == 7) {
    map.map[6] = PA_CHANNEL_POSITION_REAR_CENTER;
  }
  return map;
}

PulseConnection::PulseConnection()
    : loop_(pa_mainloop_new()),
      context_(loop_ != nullptr ? pa_context_new(pa_mainloop_get_api(loop_), "dmmap sound") : nullptr) {
  if (context_ == nullptr) {
    throw std::bad_alloc();
  }
}

PulseConnection::~PulseConnection() {
  if (stream_ != nullptr) {
    pa_stream_disconnect(stream_);
    pa_stream_unref(stream_);
  }
  pa_context_disconnect(context_);
  pa_context_unref(context_);
  pa_mainloop_free(loop_);
}

Result<std::unique_ptr<PulseConnection>> PulseConnection::open(const pa_sample_spec& spec, const char* name,
                                                               const std::function<int(pa_stream*)>& connect_stream) {
  std::unique_ptr<PulseConnection> self(new PulseConnection());
  pa_context* const context = self->context_;
  if (pa_context_connect(context, nullptr, PA_CONTEXT_NOAUTOSPAWN, nullptr) < 0) {
    return tl::unexpected(self->error());
  }
  auto ready = self->wait_until([context] { return pa_context_get_state(context) == PA_CONTEXT_READY; });
  if (!ready) {
    return tl::unexpected(ready.error());
  }
  const pa_channel_map map = pulse_channels(spec.channels);
  self->stream_ = pa_stream_new(context, name, &spec, &map);
  if (self->stream_ == nullptr || connect_stream(self->stream_) < 0) {
    return tl::unexpected(self->error());
  }
  ready = self->wait_until([&self] { return pa_stream_get_state(self->stream_) == PA_STREAM_READY; });
  if (!ready) {
    return tl::unexpected(ready.error());
  }
  return self;
}

Result<void> PulseConnection::wait_until(const std::function<bool()>& done) {
  const auto deadline = Steady::now() + kPatience;
  for (;;) {
    if (auto turned = turn(); !turned) {
      return turned;
    }
    if (done()) {
      return {};
    }
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Steady::now()).count();
    if (left <= 0) {
      return fail(ETIMEDOUT, "the sound server doesn't answer");
    }
    if (pa_mainloop_prepare(loop_, static_cast<int>(left)) < 0 || pa_mainloop_poll(loop_) < 0 ||
        pa_mainloop_dispatch(loop_) < 0) {
      return fail(EIO, "the sound server's connection broke");
    }
  }
}

Result<void> PulseConnection::turn() {
  int done = 0;
  while ((done = pa_mainloop_iterate(loop_, 0, nullptr)) > 0) {
  }
  if (done < 0 || !PA_CONTEXT_IS_GOOD(pa_context_get_state(context_)) ||
      (stream_ != nullptr && !PA_STREAM_IS_GOOD(pa_stream_get_state(stream_)))) {
    return tl::unexpected(error());
  }
  return {};
}

Error PulseConnection::error() const {
  const int code = pa_context_errno(context_);
  const std::string said = pa_strerror(code);
  switch (code) {
    case PA_ERR_CONNECTIONREFUSED:
      return {ECONNREFUSED, "no sound server answers (" + said + "); is one running, and is PULSE_SERVER right?"};
    case PA_ERR_ACCESS:
    case PA_ERR_AUTHKEY:
      return {EACCES, "the sound server refuses (" + said + "); run this as the user whose server it is"};
    case PA_ERR_NOENTITY:
      return {ENOENT, "the sound server has no device of that name (" + said + "); `pactl list short` names them"};
    default:
      return {EIO, "the sound server has gone (" + said + ")"};
  }
}

}  // namespace dmmap::sound
