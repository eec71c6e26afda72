#include "servers/sound/pulse/pulse_input.h"

#include <cerrno>
#include <cstddef>
#include <optional>
#include <span>

namespace dmmap::sound {

namespace {

constexpr pa_usec_t kPiece = 10 * PA_USEC_PER_MSEC;  // that the server sends at a time

std::optional<Encoding> encoding_of_pulse(pa_sample_format_t format) {
  switch (format) {
    case PA_SAMPLE_U8:
      return Encoding::u8;
    case PA_SAMPLE_ALAW:
      return Encoding::a_law;
    case PA_SAMPLE_ULAW:
      return Encoding::mu_law;
    case PA_SAMPLE_S16LE:
      return Encoding::s16_le;
    case PA_SAMPLE_S16BE:
      return Encoding::s16_be;
    case PA_SAMPLE_S24LE:
      return Encoding::s24_packed;
    case PA_SAMPLE_S24_32LE:
      return Encoding::s24_le;
    case PA_SAMPLE_S24_32BE:
      return Encoding::s24_be;
    case PA_SAMPLE_S32LE:
      return Encoding::s32_le;
    case PA_SAMPLE_S32BE:
      return Encoding::s32_be;
    default:
      return format == PA_SAMPLE_FLOAT32NE ? std::optional(Encoding::float32) : std::nullopt;
  }
}

}  // namespace

Result<SourceFormat> PulseInput::open(const SourceFormat& wanted) {
  const pa_sample_spec spec{PA_SAMPLE_FLOAT32NE, wanted.rate, static_cast<std::uint8_t>(wanted.channels)};
  const pa_buffer_attr attributes{.maxlength = static_cast<std::uint32_t>(-1),
                                  .tlength = static_cast<std::uint32_t>(-1),
                                  .prebuf = static_cast<std::uint32_t>(-1),
                                  .minreq = static_cast<std::uint32_t>(-1),
                                  .fragsize = static_cast<std::uint32_t>(pa_usec_to_bytes(kPiece, &spec))};
  // As the source has them: the server's conversion of S16 to FLOAT isn't specified to the last bit.
  constexpr auto kFlags = static_cast<pa_stream_flags_t>(PA_STREAM_ADJUST_LATENCY | PA_STREAM_FIX_FORMAT);
  auto opened = PulseConnection::open(spec, "recording", [&](pa_stream* stream) {
    return pa_stream_connect_record(stream, source_.empty() ? nullptr : source_.c_str(), &attributes, kFlags);
  });
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  const pa_sample_spec* const got = pa_stream_get_sample_spec((*opened)->stream());
  const auto encoding = encoding_of_pulse(got->format);
  if (!encoding) {
    return fail(EINVAL, std::string("its samples are ") + pa_sample_format_to_string(got->format) +
                            ", which can't be read; give the sound server's source another format");
  }
  encoding_ = *encoding;
  connection_ = std::move(*opened);
  return SourceFormat{got->rate, got->channels};
}

Result<void> PulseInput::read(std::vector<float>& samples) {
  if (auto turned = connection_->turn(); !turned) {
    return turned;
  }
  pa_stream* const stream = connection_->stream();
  while (pa_stream_readable_size(stream) > 0) {
    const void* data = nullptr;
    std::size_t size = 0;
    if (pa_stream_peek(stream, &data, &size) < 0) {
      return tl::unexpected(connection_->error());
    }
    if (size == 0) {
      break;
    }
    if (data != nullptr) {
      append_samples(encoding_, std::span(static_cast<const std::byte*>(data), size), samples);
    } else {
      samples.resize(samples.size() + size / sample_bytes(encoding_));  // a hole: nothing came for that time
    }
    pa_stream_drop(stream);
  }
  return {};
}

void PulseInput::close() {
  connection_.reset();
}

}  // namespace dmmap::sound
