// Resampler: a stream of samples brought from one rate to another, by libsoxr.
//
// Promises: however the input is cut into pieces the output is the same; after finish() all of it is out, so that as
// many frames came out as went in, times the ratio. Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <span>
#include <vector>

struct soxr;

namespace dmmap::sound {

class Resampler {
 public:
  /// Throws std::bad_alloc when there is no memory. REQUIRES: rates and channels greater than 0.
  Resampler(unsigned from_rate, unsigned to_rate, unsigned channels);

  /// Appends to `out` what is ready. Some of it stays inside until more comes.
  void process(std::span<const float> in, std::vector<float>& out);
  /// Appends the rest. Nothing can be processed after that.
  void finish(std::vector<float>& out);

 private:
  struct Delete {
    void operator()(soxr* state) const;
  };
  void run(const float* in, std::size_t frames, std::vector<float>& out);

  std::unique_ptr<soxr, Delete> state_;
  std::size_t channels_;
};

}  // namespace dmmap::sound
