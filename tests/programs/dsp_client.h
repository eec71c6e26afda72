// What the test program dsp_client plays, so that a test knows it in what was heard.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dmmap::testing {

/// The sample with that number; never zero, so that it can be told from silence.
[[nodiscard]] constexpr std::int16_t sample_played(std::size_t number) {
  return static_cast<std::int16_t>(number * 7919 % 20011 + 1);
}

}  // namespace dmmap::testing
