// Limiter: keeps a mix within full scale without clipping it.
//
// It looks ahead by 5 ms: before a peak that is too loud the gain goes down smoothly to where it just fits, and then up
// again within a fifth of a second.
//
// Promises: nothing that comes out is beyond full scale, but by rounding; what is within, and not near to something
// that's beyond, passes unchanged, bit for bit; as many frames come out as went in. Thread safety: one thread at a
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

namespace dmmap::sound {

class Limiter {
 public:
  /// `rate` in Hz.
  Limiter(unsigned rate, unsigned channels);

  /// Takes `in`, whole frames, and appends to `out` what has become ready.
  void process(std::span<const float> in, std::vector<float>& out);
  /// Appends what is held back. What comes next is a sound of its own: it's as loud as if nothing had been before.
  void flush(std::vector<float>& out);

 private:
  /// The next frame's peak is `peak`: returns the gain of the frame that is `ahead_` before it.
  [[nodiscard]] float gain_after(float peak);
  /// No frame of the window needs less than all.
  [[nodiscard]] bool at_rest() const { return least_.empty() && lowered_ == 0 && last_ == 1.0F; }

  std::size_t channels_;
  std::size_t ahead_;  // frames
  float recovery_;     // by how much the gain rises from frame to frame
  std::vector<float> held_;
  std::vector<float> factors_;  // of the frames that came last
  std::uint64_t frame_ = 0;     // frames that came in
  std::deque<std::pair<std::uint64_t, float>>
      least_;                 // rising gains below 1 that frames of the window need, with their numbers
  std::vector<float> gains_;  // of the window, before they're averaged: a ring
  std::size_t oldest_ = 0;    // of them
  float last_ = 1;            // of them
  std::size_t lowered_ = 0;   // how many of them are below 1
  double sum_ = 0;            // of them
};

}  // namespace dmmap::sound
