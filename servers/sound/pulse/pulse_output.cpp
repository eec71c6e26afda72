#include "servers/sound/pulse/pulse_output.h"

#include <algorithm>
#include <utility>

#include "servers/sound/audio/format.h"

namespace dmmap::sound {

namespace {

constexpr pa_usec_t kTarget = 200 * PA_USEC_PER_MSEC;  // that the server holds of ours at the most

std::size_t sample_bytes_of(const SinkFormat& format) {
  return format.bits > 16 ? sizeof(float) : sizeof(std::int16_t);
}

std::uint32_t bytes(pa_usec_t time, const pa_sample_spec& spec) {
  return static_cast<std::uint32_t>(pa_usec_to_bytes(time, &spec));
}

}  // namespace

Result<SinkFormat> PulseOutput::open(const SinkFormat& wanted) {
  format_ = wanted;
  const pa_sample_spec spec{wanted.bits > 16 ? PA_SAMPLE_FLOAT32NE : PA_SAMPLE_S16NE, wanted.rate,
                            static_cast<std::uint8_t>(wanted.channels)};
  const pa_buffer_attr attributes{.maxlength = static_cast<std::uint32_t>(-1),
                                  .tlength = bytes(kTarget, spec),
                                  .prebuf = bytes(pa_usec_t{kCushion.count()} * PA_USEC_PER_MSEC, spec),
                                  .minreq = static_cast<std::uint32_t>(-1),
                                  .fragsize = static_cast<std::uint32_t>(-1)};
  auto opened = PulseConnection::open(spec, "playback", [&](pa_stream* stream) {
    return pa_stream_connect_playback(stream, sink_.empty() ? nullptr : sink_.c_str(), &attributes,
                                      PA_STREAM_ADJUST_LATENCY, nullptr, nullptr);
  });
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  connection_ = std::move(*opened);
  return wanted;
}

Result<std::size_t> PulseOutput::write(std::span<const float> samples) {
  if (auto turned = connection_->turn(); !turned) {
    return tl::unexpected(turned.error());
  }
  if (samples.empty()) {
    return std::size_t{0};
  }
  forget_draining();
  const std::size_t room = pa_stream_writable_size(connection_->stream());
  if (room == static_cast<std::size_t>(-1)) {
    return tl::unexpected(connection_->error());
  }
  const std::size_t frames = std::min(room / sample_bytes_of(format_), samples.size()) / format_.channels;
  const auto part = samples.first(frames * format_.channels);
  const void* data = part.data();
  if (format_.bits <= 16) {
    narrow_.resize(part.size());
    std::transform(part.begin(), part.end(), narrow_.begin(), to_s16);
    data = narrow_.data();
  }
  if (!part.empty() && pa_stream_write(connection_->stream(), data, part.size() * sample_bytes_of(format_), nullptr, 0,
                                       PA_SEEK_RELATIVE) < 0) {
    return tl::unexpected(connection_->error());
  }
  // Out with it now: nobody may come by for a while.
  if (auto turned = connection_->turn(); !turned) {
    return tl::unexpected(turned.error());
  }
  return part.size();
}

void PulseOutput::play_out() {
  // Less than the cushion wouldn't begin by itself.
  if (pa_operation* const trigger = pa_stream_trigger(connection_->stream(), nullptr, nullptr)) {
    pa_operation_unref(trigger);
  }
  static_cast<void>(connection_->turn());
}

bool PulseOutput::played_out() {
  if (!connection_->turn()) {
    return true;
  }
  if (draining_ == nullptr) {
    draining_ = pa_stream_drain(connection_->stream(), nullptr, nullptr);
  }
  return draining_ == nullptr || pa_operation_get_state(draining_) != PA_OPERATION_RUNNING;
}

void PulseOutput::forget_draining() {
  if (draining_ != nullptr) {
    pa_operation_unref(std::exchange(draining_, nullptr));
  }
}

void PulseOutput::close() {
  forget_draining();
  connection_.reset();
}

}  // namespace dmmap::sound
