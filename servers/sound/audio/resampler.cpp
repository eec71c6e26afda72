#include "servers/sound/audio/resampler.h"

#include <soxr.h>

#include <new>

namespace dmmap::sound {

namespace {

constexpr std::size_t kBlock = 4096;  // frames taken out at a time

}  // namespace

void Resampler::Delete::operator()(soxr* state) const {
  soxr_delete(state);
}

Resampler::Resampler(unsigned from_rate, unsigned to_rate, unsigned channels) : channels_(channels) {
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  soxr_error_t error = nullptr;
  state_.reset(soxr_create(from_rate, to_rate, channels, &error, &io, &quality, &runtime));
  if (state_ == nullptr) {
    throw std::bad_alloc();  // soxr_create(): with sane rates nothing else can be wrong
  }
}

void Resampler::process(std::span<const float> in, std::vector<float>& out) {
  if (!in.empty()) {
    run(in.data(), in.size() / channels_, out);
  }
}

void Resampler::finish(std::vector<float>& out) {
  run(nullptr, 0, out);
}

// soxr_process() takes no input to be the end of it, and may leave some of the input for the next call.
void Resampler::run(const float* in, std::size_t frames, std::vector<float>& out) {
  for (;;) {
    const std::size_t before = out.size();
    out.resize(before + kBlock * channels_);
    std::size_t used = 0;
    std::size_t made = 0;
    const soxr_error_t error =
        soxr_process(state_.get(), in, frames, in != nullptr ? &used : nullptr, out.data() + before, kBlock, &made);
    out.resize(before + made * channels_);
    if (error != nullptr) {
      throw std::bad_alloc();
    }
    frames -= used;
    if (in != nullptr) {
      in += used * channels_;
    }
    if (made < kBlock && frames == 0) {
      return;
    }
  }
}

}  // namespace dmmap::sound
